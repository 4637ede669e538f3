// SPDX-License-Identifier: BSD-2-Clause
// One queue of a device: its device side under its own lock, its events, its counters. The queues share no
// lock: hiprio must not wait for a request queue (virtio 1.2 §5.11.6.3).
#pragma once

#include "vfsproto/serving/device_side.hpp"
#include "vfsproto/transport/transport.hpp"

#include <atomic>
#include <mutex>
#include <thread>

namespace vfsproto::serving {

// Its address stays the same for the life of the attachment: a doorbell points to it.
class Port {
public:
    // What a queue tells the device it belongs to. Called without the port's lock.
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
    // From now on doorbells wake a thread. Throws std::system_error.
    void start_thread();
    void end_thread() noexcept;

    // The control plane: any of these excludes the queue's being served meanwhile.
    [[nodiscard]] Errc add_memory(const Region& region) noexcept;
    void remove_memory(const Region& region) noexcept;
    [[nodiscard]] Errc set_up(const RingPlace& place, FeatureSet features) noexcept;
    void go_live() noexcept; // no chain is taken before that
    void stop() noexcept;
    [[nodiscard]] bool is_set_up() noexcept;

    void ring_doorbell() noexcept;
    // Answers what was parked and can be answered now. Any thread; a port with nothing out costs one load.
    void answer_parked() noexcept;
    // The same for what a plan of faults holds back besides.
    void complete() noexcept;

    [[nodiscard]] int call() const noexcept { return call_.get(); }
    [[nodiscard]] std::uint64_t doorbells() const noexcept { return doorbells_.load(std::memory_order_relaxed); }
    // A doorbell served inline is a function call.
    [[nodiscard]] std::uint64_t system_calls() const noexcept {
        return interrupts() + (thread_.joinable() ? doorbells() : 0);
    }
    [[nodiscard]] std::uint64_t interrupts() const noexcept { return interrupts_.load(std::memory_order_relaxed); }

private:
    void serve() noexcept;
    void run() noexcept;
    void settle_outstanding() noexcept;
    void add(std::atomic<std::uint64_t>& counter, std::uint64_t n) noexcept;

    Owner& owner_;
    std::unique_ptr<DeviceSide> side_;
    std::mutex mutex_; // side_, memory_, live_, set_up_
    RegionTable memory_;
    bool live_ = false;
    bool set_up_ = false;
    // So that others need not take the lock to see that nothing waits here.
    std::atomic<std::uint16_t> outstanding_{0};
    std::atomic<std::uint64_t> doorbells_{0};
    std::atomic<std::uint64_t> interrupts_{0};
    backends::FileDescriptor call_ = backends::FileDescriptor::blocking_event();
    backends::FileDescriptor kick_ = backends::FileDescriptor::blocking_event(); // with a thread
    std::atomic<bool> ending_{false};
    std::thread thread_;
};

} // namespace vfsproto::serving
