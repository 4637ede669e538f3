// SPDX-License-Identifier: BSD-2-Clause
// Mount: locks of open files.
#include "lock_steps.hpp"
#include "mount_steps.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

namespace vfsproto::posix {

using wire::Errno;
using namespace wire::linux_abi;

namespace {

// A server that cannot wait is asked again after a pause, which doubles up to the longest one.
constexpr std::chrono::milliseconds kFirstPause{1};
constexpr std::chrono::milliseconds kLongestPause{100};

std::uint32_t wire_type(LockType type) noexcept {
    switch (type) {
    case LockType::shared: return kLockRead;
    case LockType::exclusive: return kLockWrite;
    case LockType::unlock: break;
    }
    return kLockUnlock;
}

} // namespace

Errno check_lock(const File& file, const WantedLock& wanted) noexcept {
    if (!file) return Errno::ebadf;
    const std::uint32_t access = file.flags() & kOAccmode;
    if (wanted.type == LockType::shared && access == kOWronly) return Errno::ebadf;
    if (wanted.type == LockType::exclusive && access == kORdonly) return Errno::ebadf;
    const auto [start, length] = wanted.range;
    if (start > kLockToEof || (length != 0 && length - 1 > kLockToEof - start)) return Errno::eoverflow;
    return Errno::none;
}

wire::LkIn record_lock(const File& file, const WantedLock& wanted, std::uint32_t pid) noexcept {
    const auto [start, length] = wanted.range;
    wire::LkIn in{};
    in.fh = file.fh();
    in.owner = wanted.owner != 0 ? wanted.owner : file.lock_owner();
    in.lk = {start, length == 0 ? kLockToEof : start + (length - 1), wire_type(wanted.type), pid};
    return in;
}

wire::LkIn whole_lock(const File& file, LockType type, std::uint32_t pid) noexcept {
    wire::LkIn in = record_lock(file, {type, {}, 0}, pid);
    in.lk_flags = wire::kLkFlock;
    return in;
}

Expected<std::optional<HeldLock>> TestLockSteps::result() {
    const auto& [start, end, type, pid] = request_.call.reply.lk;
    if (type == kLockUnlock) return std::optional<HeldLock>();
    HeldLock held;
    held.type = type == kLockRead ? LockType::shared : LockType::exclusive;
    held.range = {start, end == kLockToEof ? 0 : end - start + 1};
    held.pid = pid;
    return std::optional<HeldLock>(held);
}

Failure Mount::set_lock(const File& file, const wire::LkIn& wanted, WhenLocked when, const CallLimits& limits) {
    std::chrono::milliseconds pause = kFirstPause;
    for (;;) {
        const Failure failure = try_lock(file, wanted, when, limits);
        const bool taken = failure.errc == Errc::ok && failure.error == Errno::eagain;
        if (!taken || when == WhenLocked::fail) return failure;
        limits.pause(pause);
        if (const Failure reached = limits.reached()) return reached;
        pause = std::min(pause * 2, kLongestPause);
    }
}

Failure Mount::try_lock(const File& file, const wire::LkIn& wanted, WhenLocked when, const CallLimits& limits) {
    const auto wait = when == WhenLocked::wait ? client::LockWait::at_server : client::LockWait::none;
    const client::Caller& caller = credentials_->caller;
    client::SetLock set;
    const auto held = [&] {
        Held all = cache_->hold();
        all.handles.push_back(file.handle_);
        return all;
    };
    const auto give_up = [&](const LimitedCall&, const client::SetLock&) -> AfterLate {
        return [caller, nodeid = file.nodeid(), unlock = wanted](Channel& channel, LateOutcome outcome) mutable {
            if (outcome == LateOutcome::not_done) return;
            unlock.lk.type = kLockUnlock;
            client::SetLock undo;
            channel.run(undo, caller, nodeid, unlock, client::LockWait::none);
        };
    };
    MountCall(*channel_, caller, limits).run_and_leave(held, give_up, set, file.nodeid(), wanted, wait);
    return failure_of(set);
}

// Lets a call that waits for somebody else's lock take as long as its own limits allow; one that does not is like any other.
CallLimits Mount::limits_of_lock(WhenLocked when, const CallLimits& wanted) const noexcept {
    CallLimits limits = wanted;
    const CallLimits own = limits_.begin_call();
    if (limits.stop == nullptr) limits.stop = own.stop;
    if (!limits.deadline && when == WhenLocked::fail) limits.deadline = own.deadline;
    if (limits_.has_any()) limits.grace = own.grace;
    return limits;
}

Failure Mount::lock(const File& file, const WantedLock& wanted, WhenLocked when, const CallLimits& limits) {
    if (const Errno error = check_lock(file, wanted); error != Errno::none) return error;
    if (wanted.type != LockType::unlock) {
        file.handle_->keeps(wanted.owner == 0 ? OpenHandle::Locks::records : OpenHandle::Locks::of_others);
    }
    return set_lock(file, record_lock(file, wanted, credentials_->caller.pid), when, limits_of_lock(when, limits));
}

Expected<std::optional<HeldLock>> Mount::test_lock(const File& file, const WantedLock& wanted) {
    const Errno error = check_lock(file, wanted);
    if (!file || error == Errno::eoverflow) return error; // any open file may look
    constexpr std::uint32_t kNobody = 0; // as Linux asks; virtiofsd in C answers EINVAL to any other number
    return ask<TestLockSteps>(file, record_lock(file, wanted, kNobody));
}

Failure Mount::flock(const File& file, LockType type, WhenLocked when, const CallLimits& limits) {
    if (!file) return Errno::ebadf;
    if (type != LockType::unlock) file.handle_->keeps(OpenHandle::Locks::whole);
    return set_lock(file, whole_lock(file, type, credentials_->caller.pid), when, limits_of_lock(when, limits));
}

} // namespace vfsproto::posix
