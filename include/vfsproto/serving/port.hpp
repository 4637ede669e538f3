// SPDX-License-Identifier: BSD-2-Clause
// One queue of a device: its device side, its locks, its events, its counters. The queues share no lock: hiprio must not
// wait for a request queue (virtio 1.2 §5.11.6.3).
#pragma once

#include "vfsproto/serving/device_side.hpp"
#include "vfsproto/transport/transport.hpp"

#include <atomic>
#include <mutex>
#include <thread>

namespace vfsproto::serving {

// A queue as its device sees it. Doorbells point to it, so it is never moved.
//
// Two locks. serving_ is held by the thread that serves, through the handlers of the file system, and by calls that must
// not meet a handler: set_up(), stop() and remove_memory() wait for file I/O. lock_ guards the ring and is free while a
// handler runs: all other calls wait for the ring alone. Who takes both takes serving_ first.
class Port {
public:
    // Hears of the port what concerns the other queues. Called without a lock of the port.
    class Owner {
    public:
        virtual void served(Port& port) noexcept = 0;
        virtual void broke(Port& port, Errc why) noexcept = 0;

    protected:
        ~Owner() = default;
    };

    Port(Owner& owner, std::unique_ptr<DeviceSide> side) : owner_(owner), side_(std::move(side)) {}
    ~Port() { end_thread(); }
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;

    [[nodiscard]] bool usable() const noexcept { return call_ && kick_; }
    // Starts a thread, which doorbells wake from now on. Throws std::system_error.
    void start_thread();
    void end_thread() noexcept;

    // The control plane. Any thread, but not from inside a handler.
    [[nodiscard]] Errc add_memory(const Region& region) noexcept;
    void remove_memory(const Region& region) noexcept;
    [[nodiscard]] Errc set_up(const RingPlace& place, FeatureSet features) noexcept;
    void go_live() noexcept; // no chain is taken before that
    // Ends serving. When it returns, nobody touches the ring or the buffers of its chains.
    void stop() noexcept;
    [[nodiscard]] bool is_set_up() noexcept;

    // Serves the queue, or wakes the thread that does. Any thread. Never waits for a handler that another thread runs: that
    // thread serves this doorbell too.
    void ring_doorbell() noexcept;
    // Answers the parked requests that can be answered now. Any thread. Costs one load when nothing is parked.
    void answer_parked() noexcept;
    // Tells the driver of a change, if this is a notification queue. Any thread. Waits for the ring alone.
    void tell(const server::Change& change) noexcept;
    // Lets go what a plan of faults holds back, then does as answer_parked(). Any thread.
    void complete() noexcept;

    [[nodiscard]] int call() const noexcept { return call_.get(); }
    [[nodiscard]] std::uint64_t doorbells() const noexcept { return doorbells_.load(std::memory_order_relaxed); }
    // A doorbell served inline is a function call.
    [[nodiscard]] std::uint64_t system_calls() const noexcept {
        return interrupts() + (thread_.joinable() ? doorbells() : 0);
    }
    [[nodiscard]] std::uint64_t interrupts() const noexcept { return interrupts_.load(std::memory_order_relaxed); }

private:
    void run() noexcept;
    void serve() noexcept;
    void serve_once() noexcept;
    void settle_outstanding() noexcept;
    void answer_parked_locked() noexcept;

    Owner& owner_;
    std::unique_ptr<DeviceSide> side_;
    std::mutex serving_;
    std::mutex lock_; // side_, memory_, live_, set_up_
    RegionTable memory_;
    bool live_ = false;
    bool set_up_ = false;
    // Chains taken and not given back, as of the last look, so that others see without the lock that nothing is parked.
    std::atomic<std::uint16_t> outstanding_{0};
    std::atomic<std::uint32_t> rung_{0}; // doorbells not served to the end; who raises it from 0 serves
    std::atomic<std::uint64_t> doorbells_{0};
    std::atomic<std::uint64_t> interrupts_{0};
    backends::FileDescriptor call_ = backends::FileDescriptor::blocking_event();
    backends::FileDescriptor kick_ = backends::FileDescriptor::blocking_event(); // with a thread
    std::atomic<bool> ending_{false};
    std::thread thread_;
};

} // namespace vfsproto::serving
