// SPDX-License-Identifier: BSD-2-Clause
#include "lock_wait.hpp"

#include "vfsproto/fuse/client/operations/locks.hpp"

#include <algorithm>
#include <chrono>

namespace vfsproto::kernel_mount {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kGrace{100}; // what waits for another is let go of soon
constexpr milliseconds kFirstPause{1};
constexpr milliseconds kLongestPause{64};

void unlock(posix::Channel& channel, const abi::Caller& caller, std::uint64_t nodeid, wire::LkIn wanted) {
    wanted.lk.type = abi::kLockUnlock;
    client::SetLock undo;
    channel.run(undo, caller, nodeid, wanted, client::LockWait::none);
}

} // namespace

void wait_for_lock(MountShared& shared, const wire::InHeader& header, const wire::LkIn& wanted) {
    posix::StopSource stop;
    const RunningCalls::Listed listed(shared.running, header.unique, stop);
    const abi::Caller caller{header.uid, header.gid, header.pid};
    const posix::CallLimits limits{.stop = &stop, .grace = kGrace};
    const NamedNodes nodes{header.nodeid, 0};
    const auto after = [&](const posix::LimitedCall&, client::SetLock&) {
        shared.held->hold(nodes);
        return posix::AfterLate(
            [held = shared.held, nodes, caller, wanted](posix::Channel& channel, posix::LateOutcome outcome) {
                if (outcome == posix::LateOutcome::done) unlock(channel, caller, nodes[0], wanted);
                held->release(channel, nodes);
            });
    };
    for (milliseconds pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
        client::SetLock lock;
        posix::MountCall call(shared.channel, caller, limits);
        call.run_and_leave([] { return posix::Held(); }, after, lock, header.nodeid, wanted,
                           client::LockWait::at_server);
        posix::Failure failure = posix::failure_of(lock);
        if (failure.errc == Errc::ok && failure.error == abi::Errno::eagain) {
            limits.pause(pause);
            failure = limits.reached();
            if (!failure) continue;
        }
        const Delivery delivery = shared.device.reply(header.unique, failure.as_errno());
        if (!failure && delivery == Delivery::not_taken) unlock(shared.channel, caller, header.nodeid, wanted);
        return;
    }
}

} // namespace vfsproto::kernel_mount
