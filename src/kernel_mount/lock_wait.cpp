// SPDX-License-Identifier: BSD-2-Clause
#include "lock_wait.hpp"

#include "vfsproto/fuse/client/operations/locks.hpp"
#include "vfsproto/posix/detail/mount_call.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <utility>

namespace vfsproto::kernel_mount {

using client::LockWait;

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kGraceOfWait{100}; // what waits for another is let go of soon
constexpr milliseconds kGraceOfTry{10'000};
constexpr milliseconds kFirstPause{1};
constexpr milliseconds kLongestPause{64};
// Waits at the server take a part of its slots: an unlock needs one as well.
constexpr std::size_t kPartOfSlots = 4;

abi::Caller caller_of(const wire::InHeader& header) noexcept { return {header.uid, header.gid, header.pid}; }

LockOwner owner_of(const wire::InHeader& header, const wire::LkIn& lock) noexcept {
    return {header.nodeid, lock.owner, lock.lk_flags};
}

bool is_of_all(const wire::LkIn& lock) noexcept {
    return (lock.lk_flags & wire::kLkFlock) != 0 || (lock.lk.start == 0 && lock.lk.end >= abi::kLockToEof);
}

void unlock(posix::Channel& channel, const abi::Caller& caller, std::uint64_t nodeid, wire::LkIn wanted) {
    wanted.lk.type = abi::kLockUnlock;
    client::SetLock undo;
    channel.run(undo, caller, nodeid, wanted, LockWait::none);
}

// A place among the waits at the server, if there is one left. A request that was let go of keeps it until it is over.
class WaitPlace {
public:
    explicit WaitPlace(MountShared& shared) noexcept : waits_(shared.lock_waits) {
        is_there_ = waits_->fetch_add(1) < shared.channel.slots() / shared.channel.lanes() / kPartOfSlots;
    }
    ~WaitPlace() { --*waits_; }
    WaitPlace(const WaitPlace&) = delete;
    WaitPlace& operator=(const WaitPlace&) = delete;
    [[nodiscard]] LockWait how() const noexcept { return is_there_ ? LockWait::at_server : LockWait::none; }

private:
    std::shared_ptr<std::atomic<std::size_t>> waits_;
    bool is_there_;
};

void give_back(posix::Channel& channel, LateLocks& late, const LockOwner& owner, LateLocks::Owed owed) {
    for (; owed; owed = late.note_given_back(owner)) unlock(channel, channel.own_caller(), owner.nodeid, *owed);
}

// Tells LateLocks that a lock is asked for, as long as it lives.
class Asking {
public:
    Asking(MountShared& shared, const LockOwner& owner) : shared_(shared), owner_(owner) {
        shared_.late_locks->begin(owner_);
    }
    ~Asking() {
        if (!has_ended_) end(LateLocks::Asked::not_granted);
        give_back(shared_.channel, *shared_.late_locks, owner_, owed_);
    }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;
    void end(LateLocks::Asked how) noexcept {
        if (!std::exchange(has_ended_, true)) owed_ = shared_.late_locks->end(owner_, how);
    }

private:
    MountShared& shared_;
    const LockOwner owner_;
    bool has_ended_ = false;
    LateLocks::Owed owed_{};
};

// Asks the server once.
posix::Failure ask(MountShared& shared, const wire::InHeader& header, const wire::LkIn& wanted,
                   const posix::CallLimits& limits, const std::shared_ptr<const WaitPlace>& place) {
    const LockOwner owner = owner_of(header, wanted);
    const abi::Caller caller = caller_of(header);
    Asking asking(shared, owner);
    const auto after = [&](const posix::LimitedCall&, client::SetLock&) {
        const Named named{{header.nodeid, 0}, {wanted.fh, {}}};
        shared.held->hold(named);
        asking.end(LateLocks::Asked::let_go);
        return posix::AfterLate([held = shared.held, late = shared.late_locks, named, owner, wanted,
                                 place](posix::Channel& channel, posix::LateOutcome outcome) {
            const bool is_done = outcome == posix::LateOutcome::done;
            const auto how = is_done ? LateLocks::Asked::granted : LateLocks::Asked::not_granted;
            give_back(channel, *late, owner, late->end_late(owner, how, wanted));
            held->release(channel, named);
        });
    };
    client::SetLock lock;
    posix::MountCall call(shared.channel, caller, limits);
    call.run_and_leave([] { return posix::Held(); }, after, lock, header.nodeid, wanted,
                       place != nullptr ? place->how() : LockWait::none);
    const posix::Failure failure = posix::failure_of(lock);
    asking.end(failure ? LateLocks::Asked::not_granted : LateLocks::Asked::granted);
    return failure;
}

void answer(MountShared& shared, const wire::InHeader& header, const wire::LkIn& wanted,
            const posix::Failure& failure) {
    const Delivery delivery = shared.device.reply(header.unique, failure.as_errno());
    if (!failure && delivery == Delivery::not_taken) unlock(shared.channel, caller_of(header), header.nodeid, wanted);
}

// Is called before the server is asked. False if the kernel has its answer already.
bool begin_lock(MountShared& shared, const wire::InHeader& header, const wire::LkIn& wanted) {
    if ((wanted.lk_flags & wire::kLkFlock) != 0) return true;
    if (shared.handle_locks.begin({header.nodeid, wanted.fh}, wanted.owner)) return true;
    static_cast<void>(shared.device.reply(header.unique, abi::Errno::enolck));
    return false;
}

} // namespace

void wait_for_lock(MountShared& shared, const wire::InHeader& header, const wire::LkIn& wanted) {
    if (!begin_lock(shared, header, wanted)) return;
    posix::StopSource stop;
    const RunningCalls::Listed listed(shared.running, header.unique, stop);
    const posix::CallLimits limits{.stop = &stop, .grace = kGraceOfWait};
    for (milliseconds pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
        posix::Failure failure = ask(shared, header, wanted, limits, std::make_shared<WaitPlace>(shared));
        if (failure.errc == Errc::ok && failure.error == abi::Errno::eagain) {
            limits.pause(pause);
            failure = limits.reached();
            if (!failure) continue;
        }
        return answer(shared, header, wanted, failure);
    }
}

void try_lock(MountShared& shared, const wire::InHeader& header, const wire::LkIn& wanted) {
    if (!begin_lock(shared, header, wanted)) return;
    posix::StopSource stop;
    const RunningCalls::Listed listed(shared.running, header.unique, stop);
    const posix::CallLimits limits{.stop = &stop, .grace = kGraceOfTry};
    answer(shared, header, wanted, ask(shared, header, wanted, limits, nullptr));
}

void note_unlock(MountShared& shared, const wire::InHeader& header, const wire::LkIn& unlock) {
    if (!is_of_all(unlock)) return;
    shared.late_locks->note_unlock(owner_of(header, unlock));
    if ((unlock.lk_flags & wire::kLkFlock) == 0) shared.handle_locks.note_given_up(header.nodeid, unlock.owner);
}

void note_flush(MountShared& shared, const wire::InHeader& header, std::uint64_t lock_owner) {
    shared.late_locks->note_unlock({header.nodeid, lock_owner, 0});
    shared.handle_locks.note_given_up(header.nodeid, lock_owner);
}

void unlock_handle(MountShared& shared, const wire::InHeader& header, std::uint64_t fh) {
    for (const std::uint64_t owner : shared.handle_locks.end({header.nodeid, fh})) {
        wire::LkIn all{};
        all.fh = fh;
        all.owner = owner;
        all.lk.end = abi::kLockToEof;
        note_unlock(shared, header, all);
        unlock(shared.channel, caller_of(header), header.nodeid, all);
        shared.handle_locks.note_ended(header.nodeid, owner);
    }
}

} // namespace vfsproto::kernel_mount
