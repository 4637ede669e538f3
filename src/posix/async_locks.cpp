// SPDX-License-Identifier: BSD-2-Clause
// AsyncMount: locks of open files.
#include "async_steps.hpp"
#include "lock_steps.hpp"
#include "long_transfer.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

namespace vfsproto::posix {

namespace asio = boost::asio;
using abi::Errno;

namespace {

// A timer that the thread which stops a call ends early. Both hold it, and use it on its strand alone.
struct Alarm {
    explicit Alarm(const AsyncMount::Executor& executor) : strand(asio::make_strand(executor)), timer(strand) {}

    asio::strand<AsyncMount::Executor> strand;
    asio::steady_timer timer;
};

// Runs on the strand.
asio::awaitable<void> await_alarm(std::shared_ptr<Alarm> alarm) {
    boost::system::error_code ended_early;
    co_await alarm->timer.async_wait(asio::redirect_error(asio::use_awaitable, ended_early));
}

// Ends the pause early when the call is stopped, for as long as this lives.
class AlarmAtStop final : public StopSource::Stoppable {
public:
    AlarmAtStop(StopSource* source, std::shared_ptr<Alarm> alarm) : source_(source), alarm_(std::move(alarm)) {
        if (source_ != nullptr) source_->add(*this);
    }
    ~AlarmAtStop() {
        if (source_ != nullptr) source_->remove(*this);
    }
    AlarmAtStop(const AlarmAtStop&) = delete;
    AlarmAtStop& operator=(const AlarmAtStop&) = delete;

    [[nodiscard]] bool is_stopped() const noexcept { return source_ != nullptr && source_->is_stopped(); }
    // A time in the past also ends a wait that has not begun yet.
    void look_again() noexcept override {
        try {
            asio::post(alarm_->strand,
                       [alarm = alarm_] { alarm->timer.expires_at(asio::steady_timer::time_point::min()); });
        } catch (const std::exception&) { // no memory: the pause is not long
        }
    }

private:
    StopSource* source_;
    std::shared_ptr<Alarm> alarm_;
};

} // namespace

AsyncMount::Steps<void> AsyncMount::pause(const CallLimits& limits, std::chrono::milliseconds time) {
    auto until = std::chrono::steady_clock::now() + time;
    if (limits.deadline) until = std::min(until, *limits.deadline);
    const auto alarm = std::make_shared<Alarm>(executor_);
    alarm->timer.expires_at(until);
    const AlarmAtStop stop(limits.stop, alarm);
    if (stop.is_stopped()) co_return;
    co_await asio::co_spawn(alarm->strand, await_alarm(alarm), asio::use_awaitable);
}

AsyncMount::Steps<Failure> AsyncMount::set_lock(const File& file, wire::LkIn wanted, WhenLocked when,
                                                CallLimits limits) {
    const auto held = [this, &file] { return held_of(*mount_.cache_, file); };
    const auto give_up = [this, &file, &wanted](const LimitedCall&, const client::SetLock&) {
        return unlock_later(mount_.server_credentials().caller, file.nodeid(), wanted);
    };
    LockPauses pauses;
    for (;;) {
        client::SetLock set;
        MountCall call(mount_.channel(), mount_.server_credentials().caller, limits);
        co_await run_and_leave(call, held, give_up, set, file.nodeid(), wanted, wait_of(when));
        const Failure failure = failure_of(set);
        if (!is_taken(failure) || when == WhenLocked::fail) co_return failure;
        co_await pause(limits, pauses.next());
        if (const Failure reached = limits.reached()) co_return reached;
    }
}

AsyncMount::Steps<Failure> AsyncMount::lock_steps(const File& file, WantedLock wanted, WhenLocked when,
                                                  CallLimits limits) {
    if (const Errno error = check_lock(file, wanted); error != Errno::none) co_return error;
    note_lock(file, wanted);
    const wire::LkIn in = record_lock(file, wanted, mount_.server_credentials().caller.pid);
    co_return co_await set_lock(file, in, when, mount_.limits_of_lock(when, limits));
}

AsyncMount::Steps<Failure> AsyncMount::flock_steps(const File& file, LockType type, WhenLocked when,
                                                   CallLimits limits) {
    if (!file) co_return Errno::ebadf;
    note_whole_lock(file, type);
    const wire::LkIn in = whole_lock(file, type, mount_.server_credentials().caller.pid);
    co_return co_await set_lock(file, in, when, mount_.limits_of_lock(when, limits));
}

AsyncMount::Steps<Expected<std::optional<HeldLock>>> AsyncMount::test_lock_steps(const File& file, WantedLock wanted) {
    if (const Errno error = check_test(file, wanted); error != Errno::none) co_return error;
    const wire::LkIn in = tested_lock(file, wanted);
    co_return co_await ask<TestLockSteps>(std::cref(file), in);
}

} // namespace vfsproto::posix
