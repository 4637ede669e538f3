// SPDX-License-Identifier: BSD-2-Clause
#include "recording_file_system.hpp"
#include "support/catch.hpp"
#include "support/served.hpp"

#include <cerrno>
#include <numeric>

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using wire::Opcode;

namespace {

struct Fixture {
    RecordingFileSystem fs;
    Served<RecordingFileSystem> server{fs};
    Fixture() { server.init({}); }
};

wire::ReadIn read_in(std::uint32_t size) {
    wire::ReadIn in{};
    in.size = size;
    return in;
}

const Message kGetattr = Message(Opcode::getattr, 9).fixed(wire::GetattrIn{});

Message read_of(std::uint32_t size) { return Message(Opcode::read).fixed(read_in(size)); }

} // namespace

TEST_CASE("a reply carries the request's unique and reaches the file system's caller", "[server]") {
    Fixture f;
    const Answered answer = f.server.send(Message(kGetattr).unique(0xfeedfacecafebeee).owner(1000, 100));
    CHECK(answer.unique == 0xfeedfacecafebeee);
    CHECK(answer.as<wire::AttrOut>().attr.ino == 9);
    CHECK(answer.as<wire::AttrOut>().attr.uid == 1000);
    CHECK(answer.written == 120);
}

TEST_CASE("the writable part may be split anywhere", "[server]") {
    Fixture f;
    const Answered whole = f.server.send(read_of(16), {32});
    REQUIRE(whole.text() == "0123456789abcdef");
    for (std::size_t at = 0; at <= 31; ++at) {
        CHECK(f.server.send(read_of(16), {at, 0, 1, 31 - at}).text() == whole.text());
    }
    CHECK(f.server.send(read_of(16), std::vector<std::size_t>(32, 1)).text() == whole.text());
    CHECK(f.server.send(kGetattr, std::vector<std::size_t>(120, 1)).written == 120);
}

TEST_CASE("too little room: an error header if that fits, nothing otherwise", "[server][hostile]") {
    Fixture f;
    for (std::size_t room = 0; room < 16; ++room) CHECK(f.server.send(kGetattr, {room}).written == 0);
    for (std::size_t room = 16; room < 120; ++room) {
        const Answered answer = f.server.send(kGetattr, {room});
        CHECK(answer.written == 16);
        CHECK(answer.error == Errno::eio);
    }
    CHECK(f.server.send(kGetattr, {120}).ok());
    CHECK(f.server.send(kGetattr, {}).written == 0);
}

TEST_CASE("a reply the driver left too little room for is never begun: the file system does not hear of the request",
          "[server][hostile]") {
    Fixture f;
    const Message lookup = Message(Opcode::lookup, 1).name("name");
    const std::size_t header = sizeof(wire::OutHeader);
    const std::size_t entry = sizeof(wire::EntryOut);
    CHECK(f.server.send(lookup, {header, entry - 1}).error == Errno::eio);
    CHECK(f.server.send(lookup, {header}).error == Errno::eio);
    CHECK(f.server.send(lookup, {header - 1}).written == 0);
    CHECK(f.fs.log.empty());
    CHECK(f.server.lane().counters().malformed == 3);
    CHECK(f.server.send(lookup, {header, entry}).ok());
    CHECK(f.fs.log.size() == 1);
}

TEST_CASE("a READ gets no more than it asked for and no silent cut", "[server]") {
    Fixture f;
    CHECK(f.server.send(read_of(5), {16, 100}).text() == "01234");
    CHECK(f.server.send(read_of(5), {16, 5}).text() == "01234");
    CHECK(f.server.send(read_of(5), {16, 4}).error == Errno::eio);
    CHECK(f.server.send(read_of(0xffffffff), {16, 4096}).error == Errno::eio);
    CHECK(f.server.send(read_of(0), {16}).text().empty());
}

TEST_CASE("bytes that do not fit are ERANGE", "[server]") {
    Fixture f;
    CHECK(f.server.send(Message(Opcode::readlink), {16, 16}).text() == "0123456789abcdef");
    CHECK(f.server.send(Message(Opcode::readlink), {16, 15}).error == Errno::erange);
}

TEST_CASE("directory records are padded, and what does not fit is left out whole", "[server]") {
    Fixture f;
    auto readdir = [&](std::uint32_t size) { return f.server.send(Message(Opcode::readdir).fixed(read_in(size))); };
    CHECK(readdir(4096).body.size() == 32 + 32 + 40);
    CHECK(readdir(103).body.size() == 64);
    CHECK(readdir(63).body.size() == 32);
    CHECK(readdir(31).body.empty());
    const Answered all = readdir(4096);
    CHECK(all.as<wire::Dirent>().namelen == 1);
    CHECK(all.as<wire::Dirent>().ino == 11);
    CHECK(std::to_integer<char>(all.body[24]) == 'a');
    for (std::size_t i = 25; i < 32; ++i) CHECK(all.body[i] == std::byte{0});
}

TEST_CASE("FORGET is never answered, with a writable part or without", "[server]") {
    Fixture f;
    const Message forget = Message(Opcode::forget, 2).fixed(wire::ForgetIn{3});
    CHECK(f.server.send(forget, {}).written == 0);
    CHECK(f.server.send(forget, {16}).written == 0);
    CHECK(f.fs.forgotten == 6);
    CHECK(f.server.send(Message(Opcode::forget, 2).data("short"), {16}).written == 0);
    CHECK(f.fs.forgotten == 6);
}

TEST_CASE("an absent overload is ENOSYS, one that says nothing is EIO", "[server]") {
    Fixture f;
    CHECK(f.server.send(Message(Opcode::unlink).name("x")).error == Errno::enosys);
    CHECK(f.server.send(Message(Opcode::fsync).fixed(wire::FsyncIn{})).error == Errno::eio);
    // A row that is never answered stays so without an overload.
    CHECK(f.server.send(Message(Opcode::notify_reply).fixed(wire::NotifyRetrieveIn{})).written == 0);
}

TEST_CASE("an INTERRUPT that is understood is not answered", "[server]") {
    Fixture f;
    CHECK(f.server.send(Message(Opcode::interrupt).fixed(wire::InterruptIn{4}), {16}).written == 0);
}

TEST_CASE("hiprio takes forgets, and tolerates and counts what does not belong there", "[server]") {
    Fixture f;
    Served<RecordingFileSystem> hiprio(f.fs, f.server.session(), wire::QueueKind::hiprio, 0);
    CHECK(hiprio.send(Message(Opcode::forget, 2).fixed(wire::ForgetIn{1}), {}).written == 0);
    CHECK(hiprio.lane().counters().misrouted == 0);
    CHECK(hiprio.send(kGetattr).ok());
    CHECK(hiprio.lane().counters().misrouted == 1);
    CHECK(f.server.send(Message(Opcode::forget, 2).fixed(wire::ForgetIn{1}), {}).written == 0);
    CHECK(f.server.lane().counters().misrouted == 1);
    CHECK(f.fs.forgotten == 2);
}

TEST_CASE("serve takes no more than its budget, and stops at a latched queue", "[server]") {
    Fixture f;
    f.server.queue().recycle();
    for (int i = 0; i < 5; ++i) f.server.queue().add({kGetattr.bytes()}, {120});
    CHECK(f.server.lane().serve(2) == 2);
    CHECK(f.server.queue().pushed() == 2);
    CHECK(f.server.lane().serve(10) == 3);
    CHECK(f.server.lane().serve(10) == 0);
    f.server.queue().add({kGetattr.bytes()}, {120});
    f.server.queue().latch(Errc::chain_address);
    CHECK(f.server.lane().serve(10) == 0);
}

TEST_CASE("a parked request is answered later, by its own lane, with its own unique", "[server]") {
    Fixture f;
    f.server.queue().recycle();
    const std::size_t number =
        f.server.queue().add({Message(Opcode::setlkw).unique(0xabc0).fixed(wire::LkIn{}).bytes()}, {7, 9, 0});
    CHECK(f.server.lane().serve(1) == 1);
    CHECK(f.server.queue().pushed() == 0);
    CHECK(f.server.lane().counters().parked == 1);
    CHECK(f.server.send(kGetattr).ok()); // the queue goes on beside it
    CHECK_FALSE(f.server.queue().entry(number).written.has_value());

    Served<RecordingFileSystem> other(f.fs, f.server.session(), wire::QueueKind::request, 2);
    REQUIRE(f.fs.parked.size() == 1);
    CHECK(other.lane().complete_error(f.fs.parked[0].first, Errno::eintr) == Errc::bad_argument);
    CHECK(f.server.lane().complete<Opcode::getattr>(f.fs.parked[0].first, [](auto&) {}) == Errc::bad_argument);

    f.fs.release_parked = true;
    CHECK(f.server.lane().serve(1) == 1);
    const Answered answer = take_apart(f.server.queue().entry(number));
    CHECK(answer.ok());
    CHECK(answer.unique == 0xabc0);
    CHECK(answer.written == 16);
}

TEST_CASE("a parked request can be failed, and a reset abandons what is parked", "[server]") {
    Fixture f;
    f.server.queue().recycle();
    const std::size_t number = f.server.queue().add({Message(Opcode::setlkw).fixed(wire::LkIn{}).bytes()}, {16});
    f.server.queue().add({Message(Opcode::setlkw).fixed(wire::LkIn{}).bytes()}, {16});
    CHECK(f.server.lane().serve(2) == 2);
    REQUIRE(f.fs.parked.size() == 2);
    CHECK(f.server.lane().complete_error(f.fs.parked[0].first, Errno::enotconn) == Errc::ok);
    CHECK(take_apart(f.server.queue().entry(number)).error == Errno::enotconn);
    f.server.lane().abandon();
    CHECK(f.fs.abandoned == 1);
    CHECK(f.fs.parked.empty());
}

TEST_CASE("a parked reply keeps only the segments it was given room for, and says EIO beyond", "[server]") {
    std::array<HostSegment, 2> room{};
    Bytes memory(64);
    std::array<HostSegment, 3> chain{HostSegment{memory.data(), 16}, HostSegment{memory.data() + 16, 8},
                                     HostSegment{memory.data() + 24, 40}};
    server::ReplyWriter writer(chain, {2, static_cast<std::uint32_t>(Opcode::read), 5, 1});
    const server::ParkedRequest parked = writer.park(room);
    CHECK(parked.chain.head == 5);
    server::ReplyWriter later(parked.chain.storage, {parked.unique, static_cast<std::uint32_t>(parked.opcode), 5, 1});
    CHECK(later.capacity() == 8);
    server::ReplyTo<Opcode::getattr> reply(later);
    reply.ok({});
    CHECK(later.finish() == 16);
    wire::OutHeader header{};
    std::memcpy(&header, memory.data(), sizeof(header));
    CHECK(header.error == -EIO);
    CHECK(header.unique == 2);
}
