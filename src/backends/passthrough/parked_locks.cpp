// SPDX-License-Identifier: BSD-2-Clause
#include "parked_locks.hpp"

#include "vfsproto/backends/signal_free_thread.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

namespace vfsproto::backends {

using abi::Errno;

namespace {

// True if an attempt may have given something up: it succeeded, as an unlock does and a weaker lock, or it was flock(2), which lets
// go of the lock that it is to replace before it is refused the new one.
bool may_free(const WantedLock& wanted, int error) noexcept {
    return error == 0 || wanted.kind == WantedLock::Kind::whole;
}

} // namespace

ParkedLocks::~ParkedLocks() {
    if (!thread_.joinable()) return; // nobody starts it any more
    {
        const std::lock_guard guard(mutex_);
        is_ending_ = true;
        changed_.notify_all();
    }
    thread_.join();
}

void ParkedLocks::wait(const WantedLock& wanted, server::ReplyTo<wire::Opcode::setlkw>& reply) noexcept {
    const std::lock_guard guard(mutex_);
    const int error = attempt_(wanted);
    if (may_free(wanted, error)) try_file(wanted.nodeid);
    if (error == 0) return reply.ok();
    if (error != EAGAIN) return reply.error(static_cast<Errno>(error));
    if (!has_sink_.load(std::memory_order_acquire)) return reply.error(Errno::eopnotsupp);
    if (waiting_.size() >= kMost || !start_thread()) return reply.error(Errno::eagain);
    try {
        waiting_.emplace_back();
    } catch (const std::bad_alloc&) {
        return reply.error(Errno::eagain);
    }
    Parked& parked = waiting_.back();
    parked.wanted = wanted;
    parked.request = reply.park(parked.room);
    parked.next_try = Clock::now() + parked.pause;
    waits_.store(waiting_.size(), std::memory_order_relaxed);
    changed_.notify_all();
}

bool ParkedLocks::start_thread() noexcept {
    if (thread_.joinable()) return true;
    try {
        thread_ = start_signal_free_thread([this] { run(); });
    } catch (const std::system_error&) {
        return false;
    }
    return true;
}

// The request is found by all who look at answers_ after this. The thread tells its lane, if nobody has looked till then: a handler
// may have ended the wait of another lane's request, and its own queue may be busy for long.
void ParkedLocks::decide(Waiting::iterator which, Errno error) noexcept {
    which->error = error;
    {
        const std::lock_guard guard(ready_mutex_);
        ready_.splice(ready_.end(), waiting_, which);
        answers_.store(ready_.size());
    }
    waits_.store(waiting_.size(), std::memory_order_relaxed);
    has_news_ = true;
    changed_.notify_all();
}

template <class Which> void ParkedLocks::end_each(const Which& which, Errno error) noexcept {
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        const auto each = at++;
        if (which(*each)) decide(each, error);
    }
}

void ParkedLocks::try_file(std::uint64_t nodeid) noexcept {
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        const auto each = at++;
        if (each->wanted.nodeid != nodeid) continue;
        if (const int error = attempt_(each->wanted); error != EAGAIN) decide(each, static_cast<Errno>(error));
    }
}

void ParkedLocks::try_after(const WantedLock& wanted, int error) noexcept {
    if (may_free(wanted, error)) try_again(wanted.nodeid);
}

// A request that is being parked now is not counted yet. It needs nothing, because it tries again soon.
void ParkedLocks::try_again(std::uint64_t nodeid) noexcept {
    if (waiting() == 0) return;
    const std::lock_guard guard(mutex_);
    try_file(nodeid);
}

bool ParkedLocks::interrupt(std::uint64_t unique) noexcept {
    const std::lock_guard guard(mutex_);
    const auto is_it = [unique](const Parked& parked) { return parked.request.unique == unique; };
    if (const auto at = std::find_if(waiting_.begin(), waiting_.end(), is_it); at != waiting_.end()) {
        decide(at, Errno::eintr);
        return true;
    }
    const std::lock_guard ready(ready_mutex_);
    return std::any_of(ready_.begin(), ready_.end(), is_it);
}

// A request that is not counted yet finds the handle gone at its next try.
void ParkedLocks::end_handle(std::uint64_t fh) noexcept {
    if (waiting() == 0) return;
    const std::lock_guard guard(mutex_);
    end_each([fh](const Parked& parked) { return parked.wanted.fh == fh; }, Errno::ebadf);
}

void ParkedLocks::end_all() noexcept {
    const std::lock_guard guard(mutex_);
    end_each([](const Parked&) { return true; }, Errno::enotconn);
}

void ParkedLocks::abandon(std::uint16_t lane) noexcept {
    const auto is_of_lane = [lane](const Parked& parked) { return parked.request.lane == lane; };
    const std::lock_guard guard(mutex_);
    waiting_.remove_if(is_of_lane);
    waits_.store(waiting_.size(), std::memory_order_relaxed);
    const std::lock_guard ready(ready_mutex_);
    ready_.remove_if(is_of_lane);
    answers_.store(ready_.size());
}

void ParkedLocks::tell_answers_to(server::AnswerSink* sink) noexcept {
    const std::lock_guard guard(sink_mutex_);
    sink_ = sink;
    has_sink_.store(sink != nullptr, std::memory_order_release);
}

bool ParkedLocks::take_answer(std::uint16_t lane, Answer& to) noexcept {
    const std::lock_guard guard(ready_mutex_);
    const auto at = std::find_if(ready_.begin(), ready_.end(),
                                 [lane](const Parked& parked) { return parked.request.lane == lane; });
    if (at == ready_.end()) return false;
    to.room = at->room;
    to.request = at->request;
    to.request.chain.storage = std::span(to.room).first(at->request.chain.storage.size());
    to.error = at->error;
    ready_.erase(at);
    answers_.store(ready_.size());
    return true;
}

void ParkedLocks::try_due() noexcept {
    const Clock::time_point now = Clock::now();
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        const auto each = at++;
        if (each->next_try > now) continue;
        const int error = attempt_(each->wanted);
        if (error != EAGAIN) {
            decide(each, static_cast<Errno>(error));
            continue;
        }
        each->pause = std::min(each->pause * 2, kLongestPause);
        each->next_try = now + each->pause;
    }
}

void ParkedLocks::run() noexcept {
    std::unique_lock guard(mutex_);
    while (!is_ending_) {
        if (std::exchange(has_news_, false)) {
            guard.unlock();
            tell();
            guard.lock();
            continue;
        }
        if (waiting_.empty()) {
            changed_.wait(guard);
            continue;
        }
        const auto first = std::min_element(waiting_.begin(), waiting_.end(), [](const Parked& one, const Parked& two) {
            return one.next_try < two.next_try;
        });
        if (const Clock::time_point time = first->next_try; Clock::now() < time) {
            changed_.wait_until(guard, time);
            continue;
        }
        try_due();
    }
}

std::optional<std::uint16_t> ParkedLocks::answerable_from(std::uint32_t number) noexcept {
    std::optional<std::uint16_t> first;
    const std::lock_guard ready(ready_mutex_);
    for (const Parked& parked : ready_) {
        const std::uint16_t lane = parked.request.lane;
        if (lane >= number && (!first || lane < *first)) first = lane;
    }
    return first;
}

// Tells each lane once, however many there are. What a lane can answer after that is news again.
void ParkedLocks::tell() noexcept {
    const std::lock_guard guard(sink_mutex_);
    if (sink_ == nullptr) return;
    for (auto lane = answerable_from(0); lane; lane = answerable_from(*lane + 1u)) sink_->can_answer(*lane);
}

} // namespace vfsproto::backends
