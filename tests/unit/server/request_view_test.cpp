// SPDX-License-Identifier: BSD-2-Clause
// Requests as a hostile or clumsy driver makes them.
#include "recording_file_system.hpp"
#include "support/catch.hpp"
#include "support/served.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using wire::InitFlag;
using wire::InitFlags;
using wire::Opcode;

namespace {

constexpr std::uint32_t kHeader = sizeof(wire::InHeader);

wire::WriteIn write_in(std::size_t size) {
    wire::WriteIn in{};
    in.size = static_cast<std::uint32_t>(size);
    return in;
}

struct Fixture {
    RecordingFileSystem fs;
    Served<RecordingFileSystem> server;

    explicit Fixture(InitFlags flags = {}, InitFlags supported = {}) : server((fs.given.flags = supported, fs)) {
        server.init(flags);
    }
};

} // namespace

TEST_CASE("a request may be split anywhere over descriptors", "[server]") {
    Fixture f;
    const Message message = Message(Opcode::symlink).name("link").name("target/with/slashes");
    const std::size_t length = message.bytes().size();
    for (std::size_t at = 0; at <= length; ++at) {
        f.fs.log.clear();
        CHECK(f.server.send_parts(message.split({at, 1, 0, 2})).ok());
        CHECK(f.fs.log.at(0) == "symlink link to target/with/slashes with 0 bytes of extensions");
    }
}

TEST_CASE("a request may come one byte a descriptor", "[server]") {
    Fixture f;
    const Message message = Message(Opcode::write).fixed(write_in(9)).data("some data");
    const std::vector<std::size_t> ones(message.bytes().size() - 1, 1);
    CHECK(f.server.send_parts(message.split(ones)).ok());
    CHECK(f.fs.log.at(0) == "write some data");
}

TEST_CASE("data is copied out of its pieces by one call, from any place on", "[server]") {
    std::string text = "some data in pieces";
    for (std::size_t first = 0; first <= text.size(); ++first) {
        auto* const bytes = reinterpret_cast<std::byte*>(text.data());
        const HostSegment pieces[] = {{bytes, static_cast<std::uint32_t>(first)},
                                      {bytes + first, 0},
                                      {bytes + first, static_cast<std::uint32_t>(text.size() - first)}};
        const server::ByteView view{pieces, text.size()};
        for (std::size_t from = 0; from <= text.size() + 1; ++from) {
            for (const std::size_t room : {std::size_t{0}, std::size_t{1}, std::size_t{5}, text.size() + 3}) {
                std::string copy(room, '-');
                const std::size_t count = view.copy_to(std::as_writable_bytes(std::span(copy)), from);
                const std::string wanted = from <= text.size() ? text.substr(from, room) : "";
                REQUIRE(copy == wanted + std::string(room - wanted.size(), '-'));
                REQUIRE(count == wanted.size());
            }
        }
    }
}

TEST_CASE("every cut of every request is refused or understood, and no byte beyond it is read", "[server][hostile]") {
    Fixture f;
    for (const wire::OpInfo& op : wire::kOpInfo) {
        if (op.opcode == Opcode::init || op.opcode == Opcode::destroy || op.opcode == Opcode::setlkw) continue;
        INFO(op.name);
        const Bytes full = Message(op.opcode).data(std::string(120, '\x01')).bytes();
        for (std::size_t size = 0; size < full.size(); ++size) {
            const Bytes cut(full.begin(), full.begin() + static_cast<std::ptrdiff_t>(size));
            const Answered answer = f.server.send_parts({cut}); // header.len says more than there is
            const bool silent = size < 40 || op.traits.reply == wire::ReplyOwed::never;
            CHECK(answer.error == (silent ? Errno::none : Errno::einval));
            CHECK((answer.written == 0) == silent);
        }
    }
    CHECK(f.fs.log.empty());
    CHECK(f.fs.forgotten == 0);
}

TEST_CASE("header.len rules: shorter than the header, than the struct, than what is there", "[server][hostile]") {
    Fixture f;
    const Message getattr = Message(Opcode::getattr).fixed(wire::GetattrIn{});
    constexpr std::uint32_t kWhole = kHeader + sizeof(wire::GetattrIn);
    CHECK(f.server.send(Message(getattr).claim_length(kHeader - 1)).error == Errno::einval);
    CHECK(f.server.send(Message(getattr).claim_length(kWhole - 1)).error == Errno::einval);
    CHECK(f.server.send(Message(getattr).claim_length(kWhole + 1)).error == Errno::einval);
    CHECK(f.server.send(Message(getattr).claim_length(0xffffffff)).error == Errno::einval);
    CHECK(f.server.lane().counters().malformed == 4);
    // Bytes beyond header.len are not the request's.
    CHECK(f.server.send(Message(getattr).data("trailing").claim_length(kWhole)).ok());
}

TEST_CASE("a request longer than any the session allows is refused", "[server][hostile]") {
    Fixture f;
    const std::string big((2u << 20), 'x');
    const Message message = Message(Opcode::write).fixed(write_in(big.size())).data(big);
    CHECK(f.server.send(message).error == Errno::einval);
}

TEST_CASE("a name without its NUL is refused", "[server][hostile]") {
    Fixture f;
    CHECK(f.server.send(Message(Opcode::lookup).data("abc")).error == Errno::einval);
    CHECK(f.server.send(Message(Opcode::lookup)).error == Errno::einval);
    CHECK(f.server.send(Message(Opcode::symlink).name("link").data("target")).error == Errno::einval);
    CHECK(f.server.send(Message(Opcode::symlink).name("link")).error == Errno::einval);
    CHECK(f.fs.log.empty());
}

TEST_CASE("a NUL beyond header.len ends no name", "[server][hostile]") {
    Fixture f;
    CHECK(f.server.send(Message(Opcode::lookup).name("abc").claim_length(kHeader + 3)).error == Errno::einval);
}

TEST_CASE("names up to 4095 bytes pass, longer ones are ENAMETOOLONG", "[server]") {
    Fixture f;
    CHECK(f.server.send(Message(Opcode::symlink).name("l").name(std::string(4095, 'y'))).ok());
    CHECK(f.fs.log.at(0).size() > 4095);
    CHECK(f.server.send(Message(Opcode::symlink).name("l").name(std::string(4096, 'y'))).error == Errno::enametoolong);
    CHECK(f.server.send(Message(Opcode::lookup).name(std::string(100000, 'y'))).error == Errno::enametoolong);
}

TEST_CASE("the xattr value stays where it is, and its struct has the negotiated size", "[server]") {
    const bool ext = GENERATE(false, true);
    Fixture f(ext ? InitFlags::of(InitFlag::setxattr_ext) : InitFlags{});
    Message message(Opcode::setxattr);
    const wire::SetxattrIn in{.size = 5, .flags = 0, .setxattr_flags = 1, .padding = 0};
    if (ext) {
        message.fixed(in);
    } else {
        message.data({reinterpret_cast<const char*>(&in), wire::kSetxattrInCompatSize});
    }
    CHECK(f.server.send_parts(message.name("user.k").data("value").split({50, 7, 3})).ok());
    CHECK(f.fs.log.at(0) == (ext ? "setxattr user.k = value flags 1" : "setxattr user.k = value flags 0"));
}

TEST_CASE("a size field above what came is refused, below it cuts", "[server][hostile]") {
    Fixture f;
    auto write = [&](std::uint32_t size) {
        return f.server.send(Message(Opcode::write).fixed(write_in(size)).data("abcdef"));
    };
    CHECK(write(7).error == Errno::einval);
    CHECK(write(0xffffffff).error == Errno::einval);
    CHECK(write(6).ok());
    CHECK(write(2).ok());
    CHECK(write(0).ok());
    CHECK(f.fs.log == std::vector<std::string>{"write abcdef", "write ab", "write "});
}

TEST_CASE("BATCH_FORGET counts what came, and refuses a count above it as a whole", "[server][hostile]") {
    Fixture f;
    const wire::ForgetOne one{2, 5};
    const wire::ForgetOne two{3, 7};
    const Message good = Message(Opcode::batch_forget).fixed(wire::BatchForgetIn{2, 0}).fixed(one).fixed(two);
    CHECK(f.server.send_parts(good.split({47, 13, 1}), {}).written == 0);
    CHECK(f.fs.forgotten == 12);
    for (const std::uint32_t count : {3u, 0x10000000u, 0xffffffffu}) {
        CHECK(f.server.send(Message(Opcode::batch_forget).fixed(wire::BatchForgetIn{count, 0}).fixed(one).fixed(two))
                  .written == 0);
    }
    CHECK(f.fs.forgotten == 12);
    CHECK(f.server.lane().counters().malformed == 3);
}

TEST_CASE("extensions reach the file system only when agreed on, and not when they lie", "[server][hostile]") {
    const InitFlags groups = InitFlags::of(InitFlag::create_supp_group, InitFlag::init_ext);
    const std::string record(24, 'e');
    const Message message = Message(Opcode::symlink).name("l").name("t").extension(record);
    SECTION("agreed") {
        Fixture f(groups, groups);
        CHECK(f.server.send(message).ok());
        CHECK(f.fs.log.at(0) == "symlink l to t with 24 bytes of extensions");
        CHECK(f.server.send(Message(message).claim_length(40 + 4 + 23)).error == Errno::einval);
        CHECK(f.server.send(Message(Opcode::symlink).name("l").name("t").extension(std::string(65536, 'e'))).error ==
              Errno::e2big);
    }
    SECTION("not agreed") {
        Fixture f;
        CHECK(f.server.send(message).ok());
        CHECK(f.fs.log.at(0) == "symlink l to t with 0 bytes of extensions");
    }
}

TEST_CASE("an unknown opcode is ENOSYS, whatever its length says", "[server][hostile]") {
    Fixture f;
    for (const std::uint32_t opcode : {0u, 7u, 19u, 54u, 4096u, 0xffffffffu}) {
        CHECK(f.server.send(Message(opcode, 1)).error == Errno::enosys);
        CHECK(f.server.send(Message(opcode, 1).claim_length(7)).error == Errno::enosys);
    }
    CHECK(f.server.lane().counters().unknown == 12);
}

TEST_CASE("fewer bytes than a header: the chain goes back with nothing in it", "[server][hostile]") {
    Fixture f;
    CHECK(f.server.send_parts({}, {16}).written == 0);
    CHECK(f.server.send_parts({Bytes(39)}, {16}).written == 0);
    CHECK(f.server.send_parts({Bytes(0), Bytes(20), Bytes(19)}, {16}).written == 0);
    CHECK(f.server.queue().pushed() == 1); // recycled before each
}
