// SPDX-License-Identifier: BSD-2-Clause
// Mount: locks of open files.
#include "lock_steps.hpp"
#include "long_transfer.hpp"
#include "mount_steps.hpp"

namespace vfsproto::posix {

using abi::Errno;

Failure Mount::set_lock(const File& file, const wire::LkIn& wanted, WhenLocked when, const CallLimits& limits) {
    LockPauses pauses;
    for (;;) {
        const Failure failure = try_lock(file, wanted, when, limits);
        if (!is_taken(failure) || when == WhenLocked::fail) return failure;
        limits.pause(pauses.next());
        if (const Failure reached = limits.reached()) return reached;
    }
}

Failure Mount::try_lock(const File& file, const wire::LkIn& wanted, WhenLocked when, const CallLimits& limits) {
    const client::Caller& caller = asking_->caller;
    client::SetLock set;
    const auto held = [&] { return held_of(*cache_, file); };
    const auto give_up = [&](const LimitedCall&, const client::SetLock&) {
        return unlock_later(caller, file.nodeid(), wanted);
    };
    MountCall(*channel_, caller, limits).run_and_leave(held, give_up, set, file.nodeid(), wanted, wait_of(when));
    return failure_of(set);
}

// Returns the limits of a lock call. The mount's deadline does not end a call that waits for another's lock; its own
// deadline does.
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
    note_lock(file, wanted);
    return set_lock(file, record_lock(file, wanted, asking_->caller.pid), when, limits_of_lock(when, limits));
}

Expected<std::optional<HeldLock>> Mount::test_lock(const File& file, const WantedLock& wanted) {
    if (const Errno error = check_test(file, wanted); error != Errno::none) return error;
    return ask<TestLockSteps>(file, tested_lock(file, wanted));
}

Failure Mount::flock(const File& file, LockType type, WhenLocked when, const CallLimits& limits) {
    if (!file) return Errno::ebadf;
    note_whole_lock(file, type);
    return set_lock(file, whole_lock(file, type, asking_->caller.pid), when, limits_of_lock(when, limits));
}

} // namespace vfsproto::posix
