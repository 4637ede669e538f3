// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/suspend_gate.hpp"

#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/session_tries.hpp"
#include "vfsproto/posix/reconnect_options.hpp"

#include <optional>

namespace vfsproto::posix {

namespace {

thread_local const GatePassage* passed_last = nullptr; // by this thread; each names the one before it

// Wakes whoever waits at a gate when its source was stopped. It is added to the source as long as it lives.
class GateBell final : public StopSource::Stoppable {
public:
    GateBell(StopSource* source, std::mutex& mutex, std::condition_variable& changed)
        : source_(source), mutex_(mutex), changed_(changed) {
        if (source_ != nullptr) source_->add(*this);
    }
    ~GateBell() {
        if (source_ != nullptr) source_->remove(*this);
    }
    GateBell(const GateBell&) = delete;
    GateBell& operator=(const GateBell&) = delete;

    void look_again() noexcept override {
        { const std::lock_guard lock(mutex_); } // whoever waits has looked before this, or looks after it
        changed_.notify_all();
    }

private:
    StopSource* source_;
    std::mutex& mutex_;
    std::condition_variable& changed_;
};

} // namespace

// The source's lock is taken before that of the gate, so the bell is made and ended without the latter.
template <class Ready> Failure SuspendGate::wait_until(const CallLimits& limits, const Ready& is_ready) {
    const GateBell bell(limits.stop, mutex_, changed_);
    std::unique_lock lock(mutex_);
    while (!is_ready()) {
        if (const Failure why = limits.reached()) return why;
        if (limits.deadline) {
            changed_.wait_until(lock, *limits.deadline);
        } else {
            changed_.wait(lock);
        }
    }
    return {};
}

// Calls of other mounts may lie between two of one.
bool SuspendGate::was_passed_here() const noexcept {
    for (const GatePassage* at = passed_last; at != nullptr; at = at->before) {
        if (at->gate == this) return true;
    }
    return false;
}

Failure SuspendGate::enter(GatePassage& passage, WhileSuspended waits, const MountLimits& limits) {
    if (was_passed_here()) {
        passage = {GatePassage::Kind::within, nullptr, nullptr};
        return {};
    }
    std::optional<CallLimits> wait; // one, however often the gate is closed again meanwhile
    while ((state_.fetch_add(1, std::memory_order_acquire) & kClosed) != 0) {
        step_out();
        if (waits == WhileSuspended::fail) return Errc::suspended;
        if (!wait) wait = limits.begin_call();
        if (const Failure why = wait_until(*wait, [this] { return !is_closed(); })) return why;
    }
    passage = {GatePassage::Kind::counted, this, passed_last};
    passed_last = &passage;
    return {};
}

void SuspendGate::leave(const GatePassage& passage) noexcept {
    if (passage.kind != GatePassage::Kind::counted) return;
    passed_last = passage.before;
    step_out();
}

// The last one out tells whoever has closed the gate.
void SuspendGate::step_out() noexcept {
    if (state_.fetch_sub(1, std::memory_order_acq_rel) != (kClosed | 1)) return;
    { const std::lock_guard lock(mutex_); }
    changed_.notify_all();
}

Failure SuspendGate::close(const CallLimits& limits) {
    if (was_passed_here()) return Errc::wrong_state;
    if ((state_.fetch_or(kClosed, std::memory_order_acq_rel) & kClosed) != 0) return Errc::wrong_state;
    const Failure why = wait_until(limits, [this] { return state_.load(std::memory_order_acquire) == kClosed; });
    if (why.happened()) open();
    return why;
}

void SuspendGate::open() noexcept {
    state_.fetch_and(~kClosed, std::memory_order_acq_rel);
    { const std::lock_guard lock(mutex_); }
    changed_.notify_all();
}

SuspendGate::Within::Within(const SuspendGate& gate, GatePassage& passage) noexcept : passage_(passage) {
    passage = {GatePassage::Kind::within, &gate, passed_last};
    passed_last = &passage;
}
SuspendGate::Within::~Within() { passed_last = passage_.before; }

void SuspendGate::begin_session() {
    const std::lock_guard lock(mutex_);
    ++sessions_;
}

void SuspendGate::end_session(std::uint32_t session, ServerEnd end) noexcept {
    {
        const std::lock_guard lock(mutex_);
        --sessions_;
        if (end == ServerEnd::may_still_act) may_still_act_ = session;
    }
    changed_.notify_all();
}

Failure SuspendGate::wait_for_sessions(const CallLimits& limits) {
    return wait_until(limits, [this] { return sessions_ == 0; });
}

bool SuspendGate::may_still_act(std::uint32_t session) {
    const std::lock_guard lock(mutex_);
    return may_still_act_ == session;
}

} // namespace vfsproto::posix
