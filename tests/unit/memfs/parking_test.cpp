// SPDX-License-Identifier: BSD-2-Clause
// Requests answered later: waits for locks, and what a test's fault holds.
#include "direct_calls.hpp"

#include <cerrno>

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

struct Locked {
    std::vector<std::uint16_t> woken;
    Memfs fs{with_wake()};
    Client client{fs};
    wire::CreateOut made = client.create(1, "f");
    u64 node = made.entry.nodeid;
    LaneTwin lane{};
    Bytes memory;

    backends::MemfsOptions with_wake() {
        backends::MemfsOptions options;
        options.wake = [this](std::uint16_t lane_number) { woken.push_back(lane_number); };
        return options;
    }
    wire::LkIn lock_of(u64 owner, u64 start, u64 end, u32 type, u32 flags = 0) const {
        return {made.open.fh, owner, {start, end, type, 100 + static_cast<u32>(owner)}, flags, 0};
    }
    Errno set(const wire::LkIn& in) { return client.call<Opcode::setlk>(node, in).error; }
    wire::FileLock get(const wire::LkIn& in) { return client.call<Opcode::getlk>(node, in).out.lk; }
    bool wait(const wire::LkIn& in, u64 unique) {
        return client.call<Opcode::setlkw>(node, in, {.room = 0, .unique = unique, .reply_memory = &memory}).parked;
    }
    wire::OutHeader answered() const { return wire::get_struct<wire::OutHeader>(memory.data()); }
};

backends::MemfsFaults hold_every(Opcode wanted) {
    return [wanted](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wanted) fault.answer = backends::MemfsFault::Answer::held;
        return fault;
    };
}

} // namespace

TEST_CASE("record locks conflict by range, owner and kind") {
    Locked file;
    CHECK(file.set(file.lock_of(1, 10, 19, abi::kLockWrite)) == Errno::none);
    CHECK(file.set(file.lock_of(2, 15, 30, abi::kLockRead)) == Errno::eagain);
    CHECK(file.set(file.lock_of(2, 20, 30, abi::kLockRead)) == Errno::none);
    CHECK(file.set(file.lock_of(3, 25, 40, abi::kLockRead)) == Errno::none);
    const auto found = file.get(file.lock_of(2, 0, 12, abi::kLockRead));
    CHECK(found.type == abi::kLockWrite);
    CHECK(found.start == 10);
    CHECK(found.end == 19);
    CHECK(found.pid == 101);
    CHECK(file.get(file.lock_of(1, 0, 12, abi::kLockWrite)).type == abi::kLockUnlock);
    // Unlocking the middle leaves both ends.
    CHECK(file.set(file.lock_of(1, 12, 15, abi::kLockUnlock)) == Errno::none);
    CHECK(file.set(file.lock_of(2, 12, 15, abi::kLockWrite)) == Errno::none);
    CHECK(file.set(file.lock_of(2, 11, 11, abi::kLockWrite)) == Errno::eagain);
    CHECK(file.set(file.lock_of(2, 16, 16, abi::kLockWrite)) == Errno::eagain);
    CHECK(file.set(file.lock_of(2, 20, 10, abi::kLockWrite)) == Errno::einval);
    // flock is another world.
    CHECK(file.set(file.lock_of(9, 0, 0, abi::kLockWrite, wire::kLkFlock)) == Errno::none);
    CHECK(file.set(file.lock_of(8, 0, 0, abi::kLockRead, wire::kLkFlock)) == Errno::eagain);
}

TEST_CASE("closing drops an owner's locks: FLUSH record locks, RELEASE flocks") {
    Locked file;
    CHECK(file.set(file.lock_of(1, 0, 9, abi::kLockWrite)) == Errno::none);
    CHECK(file.set(file.lock_of(1, 0, 9, abi::kLockWrite, wire::kLkFlock)) == Errno::none);
    CHECK(file.client.call<Opcode::flush>(file.node, {file.made.open.fh, 0, 0, 1}).error == Errno::none);
    CHECK(file.set(file.lock_of(2, 0, 9, abi::kLockWrite)) == Errno::none);
    CHECK(file.set(file.lock_of(2, 0, 9, abi::kLockWrite, wire::kLkFlock)) == Errno::eagain);
    const auto other = file.client.call<Opcode::open>(file.node, {abi::kORdwr, 0});
    const wire::ReleaseIn release{file.made.open.fh, 0, wire::kReleaseFlockUnlock, 1};
    CHECK(file.client.call<Opcode::release>(file.node, release).error == Errno::none);
    wire::LkIn again = file.lock_of(2, 0, 9, abi::kLockWrite, wire::kLkFlock);
    again.fh = other.out.fh;
    CHECK(file.set(again) == Errno::none);
}

TEST_CASE("RELEASE ends the locks of its handle, not those of another one with the same owner") {
    Locked file;
    const u32 flags = GENERATE(u32{0}, u32{wire::kLkFlock});
    const std::uint64_t first = file.made.open.fh;
    const std::uint64_t second = file.client.call<Opcode::open>(file.node, {abi::kORdwr, 0}).out.fh;
    CHECK(file.set(file.lock_of(1, 0, 9, abi::kLockWrite, flags)) == Errno::none);
    // The kernel closes handles in the background, and gives the number of an owner to the next open file description.
    wire::LkIn next = file.lock_of(1, 0, 9, abi::kLockWrite, flags);
    next.fh = second;
    CHECK(file.set(next) == Errno::none);
    const wire::ReleaseIn release{first, 0, flags != 0 ? wire::kReleaseFlockUnlock : 0, 1};
    CHECK(file.client.call<Opcode::release>(file.node, release).error == Errno::none);
    wire::LkIn other = file.lock_of(2, 0, 9, abi::kLockWrite, flags);
    other.fh = second;
    CHECK(file.set(other) == Errno::eagain);
    const wire::ReleaseIn last{second, 0, release.release_flags, 1};
    const std::uint64_t third = file.client.call<Opcode::open>(file.node, {abi::kORdwr, 0}).out.fh;
    CHECK(file.client.call<Opcode::release>(file.node, last).error == Errno::none);
    other.fh = third;
    CHECK(file.set(other) == Errno::none);
}

TEST_CASE("SETLKW waits until the lock is free and is then answered by its own lane") {
    Locked file;
    CHECK_FALSE(file.wait(file.lock_of(1, 0, 9, abi::kLockWrite), 10));
    CHECK(file.answered().unique == 10);
    CHECK(file.wait(file.lock_of(2, 5, 20, abi::kLockWrite), 12));
    CHECK(file.fs.waiting_locks() == 1);
    CHECK(file.fs.answer_parked(file.lane) == 0);
    CHECK(file.set(file.lock_of(1, 0, 4, abi::kLockUnlock)) == Errno::none);
    CHECK(file.fs.waiting_locks() == 1);
    CHECK(file.set(file.lock_of(1, 5, 9, abi::kLockUnlock)) == Errno::none);
    CHECK(file.fs.waiting_locks() == 0);
    CHECK(file.woken == std::vector<std::uint16_t>{0});
    LaneTwin other{7};
    CHECK(file.fs.answer_parked(other) == 0);
    CHECK(file.fs.answer_parked(file.lane) == 1);
    CHECK(file.answered().unique == 12);
    CHECK(file.answered().error == 0);
    CHECK(file.set(file.lock_of(1, 20, 20, abi::kLockRead)) == Errno::eagain);
    CHECK(file.fs.answer_parked(file.lane) == 0);
}

TEST_CASE("INTERRUPT ends a wait for a lock and knows nothing of others") {
    Locked file;
    CHECK_FALSE(file.wait(file.lock_of(1, 0, 9, abi::kLockWrite), 10));
    CHECK(file.wait(file.lock_of(2, 0, 9, abi::kLockWrite), 12));
    CHECK(file.client.call<Opcode::interrupt>(0, {14}).error == Errno::eagain);
    // An INTERRUPT that is understood has no reply at all.
    wire::InHeader header{};
    header.len = sizeof(header) + sizeof(wire::InterruptIn);
    header.opcode = static_cast<u32>(Opcode::interrupt);
    header.unique = 13;
    server::RequestOf<Opcode::interrupt> request{header, file.client.session(), 0, {12}};
    server::ReplyWriter writer({}, {13, 36, 0, 0});
    server::ReplyTo<Opcode::interrupt> reply(writer);
    file.fs.handle(request, reply);
    CHECK(writer.owes_nothing());
    CHECK(file.fs.answer_parked(file.lane) == 1);
    CHECK(file.answered().error == -EINTR);
    CHECK(file.set(file.lock_of(1, 0, 9, abi::kLockUnlock)) == Errno::none);
    CHECK(file.set(file.lock_of(3, 0, 9, abi::kLockWrite)) == Errno::none);
}

TEST_CASE("a wait ends when its session, its lane or its file does") {
    SECTION("the session") {
        Locked file;
        CHECK_FALSE(file.wait(file.lock_of(1, 0, 9, abi::kLockWrite), 10));
        CHECK(file.wait(file.lock_of(2, 0, 9, abi::kLockWrite), 12));
        file.fs.on_destroy();
        CHECK(file.fs.answer_parked(file.lane) == 1);
        CHECK(file.answered().error == -ENOTCONN);
    }
    SECTION("the lane") {
        Locked file;
        CHECK_FALSE(file.wait(file.lock_of(1, 0, 9, abi::kLockWrite), 10));
        CHECK(file.wait(file.lock_of(2, 0, 9, abi::kLockWrite), 12));
        file.fs.abandon_parked(0);
        CHECK(file.fs.waiting_locks() == 0);
        CHECK(file.fs.answer_parked(file.lane) == 0);
    }
    SECTION("the file") {
        Locked file;
        CHECK_FALSE(file.wait(file.lock_of(1, 0, 9, abi::kLockWrite), 10));
        CHECK(file.wait(file.lock_of(2, 0, 9, abi::kLockWrite), 12));
        CHECK(file.client.call<Opcode::unlink>(1, {}, {.name = "f"}).error == Errno::none);
        CHECK(file.client.release(file.node, file.made.open.fh) == Errno::none);
        file.client.forget(file.node, 1);
        CHECK(file.fs.answer_parked(file.lane) == 1);
        CHECK(file.answered().error == -EBADF);
    }
}

TEST_CASE("a fault can answer an error instead, and nothing is done") {
    Memfs fs;
    Client client(fs);
    fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == Opcode::mkdir && question.name == "d") fault.error = Errno::edquot;
        return fault;
    });
    CHECK(client.call<Opcode::mkdir>(1, {0755, 0}, {.name = "d"}).error == Errno::edquot);
    CHECK(client.call<Opcode::mkdir>(1, {0755, 0}, {.name = "e"}).error == Errno::none);
    CHECK(fs.nodes() == 2);
}

TEST_CASE("what a fault holds is done at once and answered when released") {
    Locked file;
    file.client.write(file.node, file.made.open.fh, 0, "content");
    file.fs.set_faults(hold_every(Opcode::read));
    wire::ReadIn in{};
    in.fh = file.made.open.fh, in.size = 100;
    const With with{.room = 100, .unique = 44, .reply_memory = &file.memory};
    CHECK(file.client.call<Opcode::read>(file.node, in, with).parked);
    CHECK(file.fs.held() == 1);
    CHECK(file.fs.answer_parked(file.lane) == 0);
    file.fs.release_held();
    CHECK(file.fs.held() == 0);
    CHECK(file.woken == std::vector<std::uint16_t>{0});
    CHECK(file.fs.answer_parked(file.lane) == 1);
    REQUIRE(file.lane.written[44] == 16 + 7);
    file.memory.resize(23);
    const auto answer = read_reply<Opcode::read>(file.memory, 44, 100);
    CHECK(to_text(answer.data) == "content");
}

TEST_CASE("a held request that fails is answered with its error") {
    Locked file;
    file.fs.set_faults(hold_every(Opcode::lookup));
    const With with{.name = "absent", .unique = 44, .reply_memory = &file.memory};
    CHECK(file.client.call<Opcode::lookup>(1, {}, with).parked);
    file.fs.release_held();
    CHECK(file.fs.answer_parked(file.lane) == 1);
    CHECK(file.answered().error == -ENOENT);
    CHECK(file.answered().len == 16);
}
