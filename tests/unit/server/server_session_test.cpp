// SPDX-License-Identifier: BSD-2-Clause
#include "recording_file_system.hpp"
#include "support/captured.hpp"
#include "support/catch.hpp"
#include "support/served.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using wire::InitFlag;
using wire::InitFlags;
using wire::Opcode;

namespace {

wire::InitIn offer(std::uint32_t major, std::uint32_t minor, InitFlags flags) {
    wire::InitIn in{};
    in.major = major;
    in.minor = minor;
    in.max_readahead = 0x100000;
    in.flags = flags.low_word();
    in.flags2 = flags.high_word();
    return in;
}

// The INIT a Linux client of 7.45 sends, byte for byte (64-byte struct, every flag).
const char* const kFullInit = "680000001a0000000200000000000000000000000000000000000000000000004d00000000000000"
                              "070000002d00000000001000ffffff7fffffffff0000000000000000000000000000000000000000"
                              "000000000000000000000000000000000000000000000000";

} // namespace

TEST_CASE("a full INIT gets the golden reply: 80 bytes, what both sides know", "[server][golden]") {
    if (test::captured_bytes_are_foreign()) return;
    RecordingFileSystem fs;
    fs.given.flags = InitFlags::of(InitFlag::async_read, InitFlag::has_expire_only);
    Served server(fs);
    const std::size_t number = server.queue().add({from_hex(kFullInit)}, {80});
    server.lane().serve(1);
    // 7.45, readahead 1 MiB, flags async_read|big_writes|max_pages|setxattr_ext|init_ext, background 64/48, max_write
    // 1 MiB, time_gran 1, 256 pages, flags2 has_expire_only.
    const char* const golden = "50000000000000000200000000000000"
                               "070000002d00000000001000210040604000300000001000010000000001000008000000"
                               "00000000000000000000000000000000000000000000000000000000";
    CHECK(server.queue().entry(number).reply() == from_hex(golden));
    CHECK(server.session()->ready());
    CHECK(server.session()->minor() == 45);
    CHECK(server.session()->has(InitFlag::has_expire_only));
    CHECK_FALSE(server.session()->has(InitFlag::posix_locks));
    CHECK(fs.sessions_begun == 1);
}

TEST_CASE("INIT_EXT is echoed only when the second word says something", "[server]") {
    RecordingFileSystem fs;
    Served server(fs);
    const wire::InitOut out = server.init(InitFlags(~std::uint64_t{0}));
    CHECK((out.flags & (1u << 30)) == 0);
    CHECK(out.flags2 == 0);
}

TEST_CASE("flags2 without INIT_EXT does not count", "[server]") {
    RecordingFileSystem fs;
    fs.given.flags = InitFlags::of(InitFlag::has_expire_only);
    Served server(fs);
    const wire::InitOut out = server.init(InitFlags(0xffffffff00000000));
    CHECK(out.flags2 == 0);
    CHECK_FALSE(server.session()->has(InitFlag::has_expire_only));
}

TEST_CASE("an INIT of 16 bytes is understood, with INIT_EXT or without", "[server]") {
    if (test::captured_bytes_are_foreign()) return;
    RecordingFileSystem fs;
    fs.given.flags = InitFlags::of(InitFlag::has_expire_only);
    const bool ext = GENERATE(false, true);
    Served server(fs);
    Bytes bytes = from_hex(kFullInit);
    bytes.resize(56);
    bytes[0] = std::byte{56};
    if (!ext) bytes[55] = std::byte{0x3f};
    const Answered answer = server.send_parts({bytes}, {80});
    REQUIRE(answer.ok());
    CHECK(answer.as<wire::InitOut>().flags2 == 0);
    CHECK(server.session()->ready());
}

TEST_CASE("an INIT shorter than 16 bytes is refused and no session begins", "[server][hostile]") {
    RecordingFileSystem fs;
    Served server(fs);
    CHECK(server.send(Message(Opcode::init, 0).data("123456789012345")).error == abi::Errno::einval);
    CHECK_FALSE(server.session()->ready());
}

TEST_CASE("old minors get the reply they know", "[server]") {
    RecordingFileSystem fs;
    Served server(fs);
    const auto [minor, size] =
        GENERATE(table<std::uint32_t, std::size_t>({{4, 8}, {5, 24}, {22, 24}, {23, 64}, {31, 64}}));
    const Answered answer = server.send(Message(Opcode::init, 0).fixed(offer(7, minor, {})));
    CHECK(answer.ok());
    CHECK(answer.body.size() == size);
    CHECK(server.session()->minor() == minor);
}

TEST_CASE("a client newer than us gets our minor", "[server]") {
    RecordingFileSystem fs;
    Served server(fs);
    CHECK(server.init({}, 99).minor == wire::kMinor);
    CHECK(server.session()->minor() == wire::kMinor);
}

TEST_CASE("a lower major is EPROTO", "[server]") {
    RecordingFileSystem fs;
    Served server(fs);
    CHECK(server.send(Message(Opcode::init, 0).fixed(offer(6, 45, {}))).error == abi::Errno::eproto);
    CHECK_FALSE(server.session()->ready());
    CHECK(fs.sessions_begun == 0);
}

TEST_CASE("a higher major is told ours and may ask again", "[server]") {
    RecordingFileSystem fs;
    Served server(fs);
    const Answered answer = server.send(Message(Opcode::init, 0).fixed(offer(8, 1, {})));
    REQUIRE(answer.ok());
    const auto out = answer.as<wire::InitOut>();
    CHECK(out.major == 7);
    CHECK(out.minor == wire::kMinor);
    CHECK(out.max_write == 0);
    CHECK_FALSE(server.session()->ready());
    CHECK(server.send(Message(Opcode::getattr).fixed(wire::GetattrIn{})).error == abi::Errno::eio);
    server.init({});
    CHECK(server.session()->ready());
}

TEST_CASE("an INIT of the other byte order is refused in that order", "[server][golden]") {
    if (test::captured_bytes_are_foreign()) return;
    RecordingFileSystem fs;
    Served server(fs);
    // Big-endian INIT 7.45, unique 2.
    const Bytes request = from_hex("000000680000001a0000000000000002000000000000000000000000000000000000004d00000000"
                                   "000000070000002d001000007fffffff000000000000000000000000000000000000000000000000"
                                   "000000000000000000000000000000000000000000000000");
    const std::size_t number = server.queue().add({request}, {16, 64});
    server.lane().serve(1);
    const FakeDeviceQueue::Entry& entry = server.queue().entry(number);
    CHECK(entry.written == 16u);
    CHECK(entry.reply() == from_hex("00000010ffffffb90000000000000002"));
    CHECK_FALSE(server.session()->ready());
}

TEST_CASE("a second INIT ends the session and begins another", "[server]") {
    RecordingFileSystem fs;
    Served server(fs);
    server.init({});
    CHECK(fs.sessions_ended == 0);
    server.init(InitFlags::of(InitFlag::max_pages));
    CHECK(fs.sessions_begun == 2);
    CHECK(fs.sessions_ended == 1);
    CHECK(server.session()->has(InitFlag::max_pages));
}

TEST_CASE("max_pages is sent only to who knows it", "[server]") {
    RecordingFileSystem fs;
    Served server(fs);
    CHECK(server.init({}).max_pages == 0);
    CHECK(server.init(InitFlags::of(InitFlag::max_pages)).max_pages == 256);
}

TEST_CASE("max_write is never below 4096", "[server]") {
    RecordingFileSystem fs;
    fs.given.max_write = 17;
    Served server(fs);
    CHECK(server.init({}).max_write == 4096);
}

TEST_CASE("DESTROY gets a header of 16 bytes, and ends the session", "[server]") {
    RecordingFileSystem fs;
    Served server(fs);
    server.init({});
    const Answered answer = server.send(Message(Opcode::destroy, 0), {16});
    CHECK(answer.ok());
    CHECK(answer.written == 16);
    CHECK(fs.sessions_ended == 1);
    CHECK(server.send(Message(Opcode::getattr).fixed(wire::GetattrIn{})).error == abi::Errno::eio);
}

TEST_CASE("before INIT every request is EIO, and a FORGET is dropped", "[server]") {
    RecordingFileSystem fs;
    Served server(fs);
    for (const wire::OpInfo& op : wire::kOpInfo) {
        if (op.opcode == Opcode::init) continue;
        INFO(op.name);
        const Answered answer = server.send(Message(op.opcode).data(std::string(128, '\0')));
        if (op.traits.reply == wire::ReplyOwed::never) {
            CHECK(answer.written == 0);
        } else {
            CHECK(answer.error == abi::Errno::eio);
        }
    }
    CHECK(fs.forgotten == 0);
}
