// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/serving/port.hpp"

namespace vfsproto::serving {

void Port::start_thread() {
    thread_ = std::thread([this] { run(); });
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

Errc Port::add_memory(const Region& region) noexcept {
    const std::lock_guard lock(mutex_);
    return memory_.add(region);
}

void Port::remove_memory(const Region& region) noexcept {
    const std::lock_guard lock(mutex_);
    memory_.remove(region.device());
}

Errc Port::set_up(const RingPlace& place, FeatureSet features) noexcept {
    const std::lock_guard lock(mutex_);
    const Errc why = side_->start(place, features, memory_);
    set_up_ = why == Errc::ok;
    return why;
}

bool Port::is_set_up() noexcept {
    const std::lock_guard lock(mutex_);
    return set_up_;
}

void Port::go_live() noexcept {
    const std::lock_guard lock(mutex_);
    live_ = set_up_;
}

void Port::stop() noexcept {
    const std::lock_guard lock(mutex_);
    if (set_up_) side_->stop();
    live_ = set_up_ = false;
    outstanding_.store(0);
}

void Port::ring_doorbell() noexcept {
    add(doorbells_, 1);
    thread_.joinable() ? backends::signal_event(kick_.get()) : serve();
}

void Port::serve() noexcept {
    Errc why = Errc::ok;
    {
        const std::lock_guard lock(mutex_);
        if (!live_) return;
        add(interrupts_, side_->serve(call_.get()));
        settle_outstanding();
        why = side_->error();
        if (why != Errc::ok) live_ = false;
    }
    why == Errc::ok ? owner_.served(*this) : owner_.broke(*this, why);
}

// Another queue's request may have made one parked here answerable just before the count below was seen by its owner:
// so look again once it can be seen.
void Port::settle_outstanding() noexcept {
    const std::uint16_t out = side_->outstanding();
    if (out == 0 && outstanding_.load(std::memory_order_relaxed) == 0) return;
    outstanding_.store(out, std::memory_order_seq_cst);
    if (out == 0) return;
    add(interrupts_, side_->answer_parked(call_.get()));
    outstanding_.store(side_->outstanding(), std::memory_order_relaxed);
}

void Port::answer_parked() noexcept {
    if (outstanding_.load(std::memory_order_seq_cst) == 0) return;
    const std::lock_guard lock(mutex_);
    if (!live_) return;
    add(interrupts_, side_->answer_parked(call_.get()));
    outstanding_.store(side_->outstanding(), std::memory_order_relaxed);
}

void Port::complete() noexcept {
    const std::lock_guard lock(mutex_);
    if (!live_) return;
    side_->release_held();
    add(interrupts_, side_->answer_parked(call_.get()));
    outstanding_.store(side_->outstanding(), std::memory_order_relaxed);
}

void Port::add(std::atomic<std::uint64_t>& counter, std::uint64_t n) noexcept {
    if (n != 0) counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

} // namespace vfsproto::serving
