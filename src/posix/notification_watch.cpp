// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/notification_watch.hpp"

#include "vfsproto/backends/signal_free_thread.hpp"

#include <poll.h>

#include <algorithm>
#include <iterator>

namespace vfsproto::posix {

namespace {

constexpr std::size_t kMostMemory = std::size_t{4} << 20;
constexpr std::size_t kFewestBuffers = 2;
constexpr std::size_t kMostBuffers = 32;
// A queue without an event is looked at once in this time.
constexpr int kPollInterval = 10; // ms

} // namespace

std::size_t NotificationWatch::memory_bytes(std::uint32_t buffer_size) noexcept {
    const std::size_t fitting = kMostMemory / std::max<std::size_t>(buffer_size, 1);
    return std::clamp(fitting, kFewestBuffers, kMostBuffers) * buffer_size;
}

Errc NotificationWatch::init(backends::SetQueue queue, const Region& memory, std::uint32_t buffer_size) {
    queue_ = queue;
    wake_ = backends::FileDescriptor::event();
    if (!wake_) return Errc::no_memory;
    copy_ = std::make_unique_for_overwrite<std::byte[]>(buffer_size);
    const Errc errc = lane_.init(queue.queue, {memory, {copy_.get(), buffer_size}, buffer_size});
    return errc != Errc::ok ? errc : lane_.post();
}

void NotificationWatch::start(Taker taker) {
    taker_ = std::move(taker);
    thread_ = backends::start_signal_free_thread([this] { run(); });
}

void NotificationWatch::stop() noexcept {
    if (!thread_.joinable()) return;
    stopping_.store(true, std::memory_order_release);
    backends::signal_event(wake_.get());
    thread_.join();
}

client::NotificationCounters NotificationWatch::counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
}

void NotificationWatch::run() noexcept {
    while (take_all()) wait();
}

// False if the thread is to end. A peer that never stops does not keep it.
bool NotificationWatch::take_all() noexcept {
    do {
        wire::Notification told;
        for (;;) {
            if (stopping_.load(std::memory_order_acquire)) return false;
            const bool came = lane_.next(told);
            {
                const std::lock_guard lock(mutex_);
                counters_ = lane_.counters();
            }
            if (!came) break;
            taker_.told(told);
        }
        if (lane_.error() != Errc::ok) {
            taker_.broken(lane_.error());
            return false;
        }
    } while (lane_.arm());
    return true;
}

void NotificationWatch::wait() noexcept {
    pollfd sources[] = {{queue_.wait_fd, POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    static_cast<void>(::poll(sources, std::size(sources), queue_.wait_fd < 0 ? kPollInterval : -1));
    if (sources[0].revents != 0) static_cast<void>(backends::take_event(queue_.wait_fd));
}

} // namespace vfsproto::posix
