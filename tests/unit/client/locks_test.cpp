// SPDX-License-Identifier: BSD-2-Clause
// Operations on locks: what was agreed on, what is sent, and a server that cannot wait.
#include "operations_fixture.hpp"
#include "vfsproto/fuse/client/operations/locks.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using namespace vfsproto::client;
using namespace vfsproto::abi;
using abi::Errno;
using wire::InitFlag;
using wire::Opcode;

namespace {

constexpr std::uint64_t kNode = 5;
constexpr wire::LkIn kWanted{7, 0xabc, {10, 19, kLockWrite, 77}, 0, 0};
constexpr wire::LkIn kWholeFile{7, 0xabc, {0, kLockToEof, kLockWrite, 77}, wire::kLkFlock, 0};

wire::LkIn sent_lock(const ScriptedQueue::Sent& sent) {
    wire::LkIn in{};
    const auto& bytes = sent.request;
    REQUIRE(bytes.size() == sizeof(wire::InHeader) + sizeof(in));
    std::memcpy(&in, bytes.data() + sizeof(wire::InHeader), sizeof(in));
    return in;
}

} // namespace

TEST_CASE("a lock is asked for with its handle, owner, range, type and kind", "[locks]") {
    OperationsFixture f;
    Counted<SetLock> set;
    const wire::LkIn wanted = GENERATE(kWanted, kWholeFile);
    const LockWait wait = GENERATE(LockWait::none, LockWait::at_server);
    set->start(f.client, kCaller, kNode, wanted, wait);
    const auto& sent = f.next(wait == LockWait::none ? Opcode::setlk : Opcode::setlkw);
    CHECK(sent.header().nodeid == kNode);
    const wire::LkIn in = sent_lock(sent);
    CHECK(std::memcmp(&in, &wanted, sizeof in) == 0);
    f.answer();
    CHECK(set.finished == 1);
    CHECK(set->succeeded());
}

TEST_CASE("a kind of locks that INIT did not agree on is refused before anything is sent", "[locks]") {
    OperationsFixture f;
    const bool whole_file = GENERATE(false, true);
    f.params.flags.remove(whole_file ? InitFlag::flock_locks : InitFlag::posix_locks);
    Counted<SetLock> set;
    set->start(f.client, kCaller, kNode, whole_file ? kWholeFile : kWanted, LockWait::at_server);
    CHECK(set->errc() == Errc::not_negotiated);
    Counted<TestLock> test;
    test->call.args = whole_file ? kWholeFile : kWanted;
    test->start(f.client, kCaller, kNode);
    CHECK(test->errc() == Errc::not_negotiated);
    CHECK(f.silent());
    // The other kind is there.
    set->start(f.client, kCaller, kNode, whole_file ? kWanted : kWholeFile, LockWait::none);
    f.next(Opcode::setlk);
    f.answer();
    CHECK(set->succeeded());
}

TEST_CASE("a server that cannot wait is tried instead, and not asked to wait again", "[locks]") {
    OperationsFixture f;
    const Errno refusal = GENERATE(Errno::eopnotsupp, Errno::enosys);
    Counted<SetLock> set;
    set->start(f.client, kCaller, kNode, kWanted, LockWait::at_server);
    f.next(Opcode::setlkw);
    f.answer_error(refusal);
    f.next(Opcode::setlk);
    f.answer_error(Errno::eagain);
    CHECK(set->error() == Errno::eagain);
    set->start(f.client, kCaller, kNode, kWanted, LockWait::at_server);
    f.next(Opcode::setlk);
    f.answer();
    CHECK(set->succeeded());
    CHECK(set.finished == 2);
}

TEST_CASE("a server without locks says so, and is not taken for one that cannot wait", "[locks]") {
    OperationsFixture f;
    Counted<SetLock> set;
    set->start(f.client, kCaller, kNode, kWanted, LockWait::at_server);
    f.next(Opcode::setlkw);
    f.answer_error(Errno::enosys);
    f.next(Opcode::setlk);
    f.answer_error(Errno::enosys);
    CHECK(set->error() == Errno::enosys);
    CHECK_FALSE(f.sticky.is_missing(Opcode::setlkw));
}

TEST_CASE("other errors of a wait end it, and an unlock never waits", "[locks]") {
    OperationsFixture f;
    Counted<SetLock> set;
    set->start(f.client, kCaller, kNode, kWanted, LockWait::at_server);
    f.next(Opcode::setlkw);
    f.answer_error(Errno::eintr);
    CHECK(set->error() == Errno::eintr);
    wire::LkIn unlock = kWanted;
    unlock.lk.type = kLockUnlock;
    set->start(f.client, kCaller, kNode, unlock, LockWait::at_server);
    f.next(Opcode::setlk);
    f.answer();
    CHECK(set->succeeded());
}

TEST_CASE("GETLK: an answer that is no lock is refused", "[locks]") {
    OperationsFixture f;
    Counted<TestLock> test;
    test->call.args = kWanted;
    const auto ask = [&](const wire::FileLock& lock) {
        test->start(f.client, kCaller, kNode);
        f.next(Opcode::getlk);
        f.answer(wire::LkOut{lock});
        return test->errc();
    };
    CHECK(ask({0, 0, kLockUnlock, 0}) == Errc::ok);
    CHECK(ask({10, 19, kLockRead, 5}) == Errc::ok);
    CHECK(ask({0, kLockToEof, kLockWrite, 5}) == Errc::ok);
    CHECK(ask({0, 0, kLockUnlock + 1, 0}) == Errc::protocol_violation);
    CHECK(ask({20, 19, kLockWrite, 0}) == Errc::protocol_violation);
    CHECK(ask({0, kLockToEof + 1, kLockWrite, 0}) == Errc::protocol_violation);
}
