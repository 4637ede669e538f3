// SPDX-License-Identifier: BSD-2-Clause
// Stream: the connection, its thread, and the queues' calls.
#include "stream.hpp"

#include "vfsproto/backends/signal_free_thread.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace vfsproto::backends::fuse_stream {

Stream::Stream(FileDescriptor socket, const FuseStreamOptions& options)
    : socket_(std::move(socket)),
      queue_size_(options.queue_size),
      max_notification_(options.max_notification),
      table_(2 * std::size_t{options.queue_size}),
      buffers_(options.queue_size) {
    for (QueueState& queue : queues_) queue.used.resize(queue_size_);
}

bool Stream::usable() const noexcept {
    return wake_ && queues_[kHiprio].event && queues_[kRequests].event && queues_[kNotifications].event;
}

void Stream::start() {
    thread_ = start_signal_free_thread([this] { run(); });
}

void Stream::stop() noexcept {
    stopping_.store(true, std::memory_order_release);
    {
        const std::lock_guard lock(mutex_);
        latch(Errc::device_gone, "the connection was closed");
    }
    signal_event(wake_.get());
    if (thread_.joinable()) thread_.join();
}

std::string Stream::gone_reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
}

bool Stream::was_closed_by_peer() const noexcept {
    const std::lock_guard lock(mutex_);
    return closed_by_peer_;
}

FuseStreamCounters Stream::counters() const noexcept {
    const std::lock_guard lock(mutex_);
    return counters_;
}

QueueLimits Stream::limits() const noexcept {
    return {.max_inflight = queue_size_, .max_segments = kMaxSegments, .written = WrittenLength::exact};
}

Errc Stream::submit(std::uint8_t queue, std::span<const Segment> readable, std::span<const Segment> writable,
                    Token token) noexcept {
    const std::lock_guard lock(mutex_);
    if (error() != Errc::ok) return error();
    QueueState& state = queues_[queue];
    if (state.in_flight == queue_size_) return Errc::queue_full;
    if (queue == kNotifications) {
        if (const Errc errc = buffers_.post(readable, writable, token); errc != Errc::ok) return errc;
        ++state.in_flight;
        tell_lost();
        return Errc::ok;
    }
    // Fewer chains are in flight than the table has for this queue.
    Chain& chain = *table_.first_free();
    if (const Errc errc = chain.fill(readable, writable); errc != Errc::ok) return errc;
    if (table_.find(chain.unique) != nullptr) return Errc::bad_argument;
    table_.add(chain);
    chain.token = token;
    chain.queue = queue;
    state.submitted.push(chain);
    ++state.in_flight;
    return Errc::ok;
}

void Stream::kick(std::uint8_t queue) noexcept {
    if (queue == kNotifications) return;
    const std::lock_guard lock(mutex_);
    if (error() != Errc::ok) return;
    writer_.add(queues_[queue].submitted);
    if (sending_ != Sending::free) return;
    send();
    if (sending_ != Sending::free) signal_event(wake_.get()); // the thread waits for room, or reads what is left
}

std::size_t Stream::poll(std::uint8_t queue, std::span<Completion> out) noexcept {
    QueueState& state = queues_[queue];
    if (!state.completed.load(std::memory_order_acquire)) return 0;
    const std::lock_guard lock(mutex_);
    std::size_t count = 0;
    while (count < out.size() && state.used_count != 0) {
        out[count++] = state.used[state.used_first];
        state.used_first = (state.used_first + 1) % state.used.size();
        --state.used_count;
    }
    state.in_flight -= count;
    if (state.used_count == 0) state.completed.store(false, std::memory_order_relaxed);
    return count;
}

bool Stream::arm(std::uint8_t queue, std::uint16_t completions) noexcept {
    const std::lock_guard lock(mutex_);
    QueueState& state = queues_[queue];
    if (state.used_count != 0 || error() != Errc::ok) return true;
    state.armed = completions;
    return false;
}

// After an error nothing reads into the chains' memory nor writes from it.
std::size_t Stream::evacuate(std::uint8_t queue, std::span<Completion> out) noexcept {
    const std::lock_guard lock(mutex_);
    latch(Errc::device_gone, "its owner gave the device up");
    QueueState& state = queues_[queue];
    std::size_t count = 0;
    while (count < out.size() && state.used_count != 0) {
        out[count++] = {state.used[state.used_first].token, 0};
        state.used_first = (state.used_first + 1) % state.used.size();
        --state.used_count;
    }
    while (queue == kNotifications && count < out.size() && !buffers_.empty()) out[count++] = {buffers_.pop().token, 0};
    for (Chain& chain : table_.chains()) {
        if (count == out.size()) break;
        if (chain.stage == Chain::Stage::free || chain.queue != queue) continue;
        out[count++] = {chain.token, 0};
        table_.remove(chain);
    }
    state.in_flight -= count;
    if (state.used_count == 0) state.completed.store(false, std::memory_order_relaxed);
    return count;
}

void Stream::run() noexcept {
    while (wait() && exchange()) {}
    // When a rule was broken, the queues tell their owners.
    if (error() != Errc::device_gone || stopping_.load(std::memory_order_acquire)) return;
    if (gone_handler_) gone_handler_();
}

// Sleeps until there is something to do. False if nothing ever will be.
bool Stream::wait() noexcept {
    short interest = POLLIN;
    {
        const std::lock_guard lock(mutex_);
        if (error() != Errc::ok) return false;
        if (sending_ == Sending::full) interest |= POLLOUT;
    }
    pollfd sources[] = {{socket_.get(), interest, 0}, {wake_.get(), POLLIN, 0}};
    if (::poll(sources, std::size(sources), -1) < 0) return errno == EINTR;
    if (sources[1].revents != 0) static_cast<void>(take_event(wake_.get()));
    return true;
}

// Lets go of the lock between two calls, so that a peer that never stops talking does not keep it. False if nothing will ever
// come.
bool Stream::exchange() noexcept {
    constexpr int kRounds = 16; // then the socket is asked whether it has room
    for (int round = 0; round < kRounds; ++round) {
        const std::lock_guard lock(mutex_);
        if (error() != Errc::ok) return false;
        if (round == 0 && sending_ == Sending::full) {
            sending_ = Sending::free;
            send();
        }
        if (receive()) continue;
        // Nothing more can be sent, and what had been answered is read.
        if (sending_ == Sending::broken) latch(Errc::device_gone, "the server takes no more requests");
        break;
    }
    return error() == Errc::ok;
}

void Stream::latch(Errc why, std::string reason) noexcept {
    if (error() != Errc::ok) return;
    error_.store(why, std::memory_order_release);
    reason_ = std::move(reason);
    writer_.clear();
    reader_.forget_room();
    for (QueueState& queue : queues_) {
        queue.submitted.clear();
        if (queue.armed != 0) signal(queue);
    }
    ::shutdown(socket_.get(), SHUT_RDWR);
}

void Stream::signal(QueueState& queue) noexcept {
    queue.armed = 0;
    signal_event(queue.event.get());
    calls_.fetch_add(1, std::memory_order_relaxed);
}

} // namespace vfsproto::backends::fuse_stream
