// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/serving/port.hpp"

#include "vfsproto/backends/signal_free_thread.hpp"

namespace vfsproto::serving {

void Port::start_thread() {
    thread_ = backends::start_signal_free_thread([this] { run(); });
}

void Port::end_thread() noexcept {
    if (!thread_.joinable()) return;
    ending_.store(true, std::memory_order_release);
    backends::signal_event(kick_.get());
    thread_.join();
}

void Port::run() noexcept {
    std::uint64_t count = 0;
    while (!ending_.load(std::memory_order_acquire)) {
        if (::read(kick_.get(), &count, sizeof count) == static_cast<ssize_t>(sizeof count)) serve();
    }
}

// A handler holds host addresses and asks the table no more, so that memory may be added beside it.
Errc Port::add_memory(const Region& region) noexcept {
    const std::lock_guard lock(lock_);
    return memory_.add(region);
}

void Port::remove_memory(const Region& region) noexcept {
    const std::lock_guard serving(serving_);
    const std::lock_guard lock(lock_);
    memory_.remove(region.device());
}

Errc Port::set_up(const RingPlace& place, FeatureSet features) noexcept {
    const std::lock_guard serving(serving_);
    const std::lock_guard lock(lock_);
    const Errc why = side_->start(place, features, memory_);
    set_up_ = why == Errc::ok;
    return why;
}

bool Port::is_set_up() noexcept {
    const std::lock_guard lock(lock_);
    return set_up_;
}

void Port::go_live() noexcept {
    const std::lock_guard lock(lock_);
    live_ = set_up_;
}

void Port::stop() noexcept {
    const std::lock_guard serving(serving_);
    const std::lock_guard lock(lock_);
    if (set_up_) side_->stop();
    live_ = set_up_ = false;
    outstanding_.store(0);
}

void Port::ring_doorbell() noexcept {
    doorbells_.fetch_add(1, std::memory_order_relaxed);
    thread_.joinable() ? backends::signal_event(kick_.get()) : serve();
}

void Port::serve() noexcept {
    if (rung_.fetch_add(1, std::memory_order_acq_rel) != 0) return;
    std::uint32_t served = 1;
    for (;;) {
        serve_once();
        const std::uint32_t rung = rung_.fetch_sub(served, std::memory_order_acq_rel);
        if (rung == served) return;
        served = rung - served;
    }
}

void Port::serve_once() noexcept {
    Errc why = Errc::ok;
    {
        const std::lock_guard serving(serving_);
        const std::lock_guard lock(lock_);
        if (!live_) return;
        interrupts_.fetch_add(side_->serve(call_.get(), lock_), std::memory_order_relaxed);
        settle_outstanding();
        why = side_->error();
        if (why != Errc::ok) live_ = false;
    }
    why == Errc::ok ? owner_.served(*this) : owner_.broke(*this, why);
}

// Another queue's request may make one parked here answerable before its owner can see the count stored below, and then
// does not come here: look once more after the store.
void Port::settle_outstanding() noexcept {
    const std::uint16_t out = side_->outstanding();
    if (out == 0 && outstanding_.load(std::memory_order_relaxed) == 0) return;
    outstanding_.store(out, std::memory_order_seq_cst);
    if (out != 0) answer_parked_locked();
}

void Port::answer_parked() noexcept {
    if (outstanding_.load(std::memory_order_seq_cst) == 0) return;
    const std::lock_guard lock(lock_);
    if (live_) answer_parked_locked();
}

void Port::answer_parked_locked() noexcept {
    interrupts_.fetch_add(side_->answer_parked(call_.get()), std::memory_order_relaxed);
    outstanding_.store(side_->outstanding(), std::memory_order_relaxed);
}

void Port::tell(const server::Change& change) noexcept {
    Errc why = Errc::ok;
    {
        const std::lock_guard lock(lock_);
        if (!live_) return;
        interrupts_.fetch_add(side_->tell(change, call_.get()), std::memory_order_relaxed);
        why = side_->error();
        if (why != Errc::ok) live_ = false;
    }
    if (why != Errc::ok) owner_.broke(*this, why);
}

void Port::complete() noexcept {
    const std::lock_guard lock(lock_);
    if (!live_) return;
    side_->release_held();
    answer_parked_locked();
}

} // namespace vfsproto::serving
