// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/operations/locks.hpp"

namespace vfsproto::client {

using abi::Errno;
using wire::Opcode;
using namespace abi;

namespace {

bool is_agreed(const Client& client, const wire::LkIn& in) noexcept {
    const bool whole_file = (in.lk_flags & wire::kLkFlock) != 0;
    return client.has(whole_file ? wire::InitFlag::flock_locks : wire::InitFlag::posix_locks);
}

bool is_lock(const wire::FileLock& lock) noexcept {
    if (lock.type == kLockUnlock) return true;
    return lock.type < kLockUnlock && lock.start <= lock.end && lock.end <= kLockToEof;
}

} // namespace

void TestLock::start(Client& client, const Caller& caller, std::uint64_t nodeid) noexcept {
    begin(client, caller);
    if (!is_agreed(client, call.args)) return finish(Errc::not_negotiated, Errno::none);
    send(call, nodeid, [](Request& request) noexcept { static_cast<TestLock*>(request.owner)->answered(); });
}

void TestLock::answered() noexcept {
    if (call.succeeded() && !is_lock(call.reply.lk)) return finish(Errc::protocol_violation, Errno::none);
    finish(call);
}

void SetLock::start(Client& client, const Caller& caller, std::uint64_t nodeid, const wire::LkIn& wanted,
                    LockWait wait) noexcept {
    begin(client, caller);
    nodeid_ = nodeid;
    wait_.args = try_.args = wanted;
    waiting_ = Waiting::untried;
    if (!is_agreed(client, wanted)) return finish(Errc::not_negotiated, Errno::none);
    const bool waits = wait == LockWait::at_server && wanted.lk.type != kLockUnlock;
    if (!waits || client.sticky->is_missing(Opcode::setlkw)) return try_now();
    send(wait_, nodeid, [](Request& request) noexcept { static_cast<SetLock*>(request.owner)->answered_wait(); });
}

void SetLock::answered_wait() noexcept {
    const bool refused = wait_.errc == Errc::ok && (wait_.error == Errno::eopnotsupp || wait_.error == Errno::enosys);
    if (!refused) return finish(wait_);
    waiting_ = Waiting::refused;
    try_now();
}

void SetLock::try_now() noexcept {
    send(try_, nodeid_, [](Request& request) noexcept { static_cast<SetLock*>(request.owner)->answered_try(); });
}

// The server is known not to wait once it says that it has locks.
void SetLock::answered_try() noexcept {
    const bool has_locks = try_.succeeded() || (try_.errc == Errc::ok && try_.error == Errno::eagain);
    if (waiting_ == Waiting::refused && has_locks) client_->sticky->mark(Opcode::setlkw);
    finish(try_);
}

} // namespace vfsproto::client
