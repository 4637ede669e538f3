// SPDX-License-Identifier: BSD-2-Clause
// The connection and what is under way on it. Requests are written by whoever kicks, as far as the socket takes them; a thread
// of the stream's own reads the replies, and writes what had to wait.
//
// A reply belongs to the chain in flight that has its `unique`. INTERRUPT is answered only if the server has not seen its
// target: else its chain is completed, with nothing written, when the target is.
//
// A message without a unique is a notification, and goes into the oldest buffer that was posted for one. Where there is none, or
// it is too short, the next buffer tells of INC_EPOCH in its place: the client has missed something. The stream never waits for
// a buffer, because replies come behind.
#pragma once

#include "chain_table.hpp"
#include "message_reader.hpp"
#include "message_writer.hpp"
#include "notification_buffers.hpp"
#include "stream_queue.hpp"

#include "vfsproto/backends/fuse_stream.hpp"

#include <array>
#include <functional>
#include <mutex>
#include <thread>

namespace vfsproto::backends::fuse_stream {

class Stream {
public:
    static constexpr std::uint8_t kHiprio = 0;
    static constexpr std::uint8_t kRequests = 1;
    static constexpr std::uint8_t kNotifications = 2;
    static constexpr std::size_t kQueues = 3;

    // `socket` is connected.
    Stream(FileDescriptor socket, const FuseStreamOptions& options);
    ~Stream() { stop(); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // False when the system had no descriptors for it.
    [[nodiscard]] bool usable() const noexcept;
    // Starts the thread. Throws std::system_error.
    void start();
    // Closes the connection. When it returns, no memory of a chain is touched any more. Not for the stream's own thread.
    void stop() noexcept;

    // Is called once on the stream's own thread, without a lock, when the peer has closed the connection. Set before start().
    void on_gone(std::function<void()> handler) { gone_handler_ = std::move(handler); }
    // Returns why the stream latched; empty while it has not. Any thread.
    [[nodiscard]] std::string gone_reason() const;
    // True if it latched because the peer closed it. Any thread.
    [[nodiscard]] bool was_closed_by_peer() const noexcept;
    [[nodiscard]] FuseStreamCounters counters() const noexcept;
    [[nodiscard]] std::uint64_t system_calls() const noexcept { return calls_.load(std::memory_order_relaxed); }

    // A StreamQueue calls these.
    [[nodiscard]] QueueLimits limits() const noexcept;
    [[nodiscard]] Errc submit(std::uint8_t queue, std::span<const Segment> readable, std::span<const Segment> writable,
                              Token token) noexcept;
    void kick(std::uint8_t queue) noexcept;
    [[nodiscard]] std::size_t poll(std::uint8_t queue, std::span<Completion> out) noexcept;
    [[nodiscard]] bool arm(std::uint8_t queue, std::uint16_t completions) noexcept;
    [[nodiscard]] Errc error() const noexcept { return error_.load(std::memory_order_acquire); }
    [[nodiscard]] std::size_t evacuate(std::uint8_t queue, std::span<Completion> out) noexcept;
    [[nodiscard]] int event(std::uint8_t queue) const noexcept { return queues_[queue].event.get(); }

private:
    // These are called with the lock held.
    void send() noexcept;
    void was_sent(Chain& chain) noexcept;
    [[nodiscard]] bool receive() noexcept;
    void take_messages() noexcept;
    [[nodiscard]] Errc begin(const wire::OutHeader& header) noexcept;
    [[nodiscard]] Errc begin_notification(std::uint32_t length) noexcept;
    void tell_lost() noexcept;
    void end_message() noexcept;
    void complete(Chain& chain, std::uint32_t written) noexcept;
    void complete(QueueState& queue, Completion completion) noexcept;
    void end_interrupt_of(std::uint64_t unique) noexcept;
    void latch(Errc why, std::string reason) noexcept;
    void signal(QueueState& queue) noexcept;

    // Runs on the stream's own thread.
    void run() noexcept;
    [[nodiscard]] bool exchange() noexcept;
    [[nodiscard]] bool wait() noexcept;

    const FileDescriptor socket_;
    const std::uint16_t queue_size_;
    const std::uint32_t max_notification_;
    FileDescriptor wake_ = FileDescriptor::event();
    std::function<void()> gone_handler_;
    std::thread thread_;

    std::atomic<Errc> error_ = Errc::ok; // written with the lock held
    std::atomic<bool> stopping_ = false;
    std::atomic<std::uint64_t> calls_ = 0;

    mutable std::mutex mutex_;                                                         // guards the rest
    enum class Sending : std::uint8_t { free, full, broken } sending_ = Sending::free; // what the socket takes
    std::string reason_;
    bool closed_by_peer_ = false;
    ChainTable table_;
    MessageReader reader_;
    MessageWriter writer_;
    Chain* receiving_ = nullptr; // whose reply is under way
    NotificationBuffers buffers_;
    bool notified_ = false;    // a notification is under way, into the first buffer
    bool lost_ = false;        // one found no buffer, and no other has told of it yet
    std::uint32_t length_ = 0; // of the message under way
    std::array<QueueState, kQueues> queues_;
    FuseStreamCounters counters_;
};

} // namespace vfsproto::backends::fuse_stream
