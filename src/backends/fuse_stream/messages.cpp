// SPDX-License-Identifier: BSD-2-Clause
// Stream: its messages, out and in. All of it is called with the lock held.
#include "stream.hpp"

#include "vfsproto/fuse/client/detail/unique.hpp"

#include <cerrno>
#include <cstring>

namespace vfsproto::backends::fuse_stream {

using Received = MessageReader::Received;

void Stream::send() noexcept {
    ChainList done;
    const MessageWriter::Sent sent = writer_.send(socket_.get(), done);
    const int why = errno;
    calls_.fetch_add(1, std::memory_order_relaxed);
    while (!done.empty()) was_sent(done.pop());
    if (sent == MessageWriter::Sent::all) return;
    sending_ = sent == MessageWriter::Sent::some ? Sending::full : Sending::broken;
    if (sending_ == Sending::broken && why != EPIPE && why != ECONNRESET) {
        return latch(Errc::transport_failed, std::string("cannot send: ") + std::strerror(why));
    }
}

void Stream::was_sent(Chain& chain) noexcept {
    ++counters_.sent;
    // The server answers no FORGET, and no INTERRUPT of a request that it has answered.
    const bool interrupts = (chain.unique & client::kInterruptBit) != 0;
    const bool is_over = interrupts && table_.find(chain.unique & ~client::kInterruptBit) == nullptr;
    if (chain.room == 0 || is_over) complete(chain, 0);
}

// False if nothing more came, or the stream has latched.
bool Stream::receive() noexcept {
    const Received received = reader_.receive(socket_.get());
    const int why = errno;
    switch (received) {
    case Received::something: take_messages(); return error() == Errc::ok;
    case Received::nothing: return false;
    case Received::end:
        closed_by_peer_ = true;
        latch(Errc::device_gone, reader_.in_the_middle() ? "the server closed the connection within a message"
                                                         : "the server closed the connection");
        return false;
    case Received::failed: break;
    }
    // A peer that closed before it had read everything causes ECONNRESET.
    if (why == ECONNRESET) {
        closed_by_peer_ = true;
        latch(Errc::device_gone, "the server closed the connection");
    } else {
        latch(Errc::transport_failed, std::string("cannot receive: ") + std::strerror(why));
    }
    return false;
}

void Stream::take_messages() noexcept {
    for (;;) {
        if (reader_.in_message()) {
            if (!reader_.advance()) return;
            end_message();
        } else if (wire::OutHeader header; reader_.peek(header)) {
            length_ = header.len;
            if (const Errc why = begin(header); why != Errc::ok) return latch(why, to_string(why));
        } else {
            return;
        }
        if (error() != Errc::ok) return;
    }
}

// Says where a message goes. The header is a copy of ours, and nothing else of the message is looked at.
Errc Stream::begin(const wire::OutHeader& header) noexcept {
    receiving_ = nullptr;
    if (header.len < sizeof header) return Errc::message_length;
    if (header.unique == 0) return begin_notification(header.len);
    Chain* const chain = table_.find(header.unique);
    // Only a request that was sent to its end has a reply: the server cannot know another one.
    if (chain != nullptr && chain->room != 0 && chain->stage == Chain::Stage::sent) {
        if (header.len > chain->room) return Errc::message_length;
        receiving_ = chain;
        reader_.take(chain->writable(), header.len);
        return Errc::ok;
    }
    if (chain != nullptr || (header.unique & client::kInterruptBit) == 0) return Errc::unique_mismatch;
    if (header.len != sizeof header) return Errc::message_length;
    ++counters_.late_interruptions;
    reader_.skip(header.len);
    return Errc::ok;
}

Errc Stream::begin_notification(std::uint32_t length) noexcept {
    if (length > max_notification_) return Errc::message_length;
    ++counters_.notifications;
    notified_ = !buffers_.empty() && length <= buffers_.first().room.iov_len;
    if (notified_) {
        reader_.take({&buffers_.first().room, 1}, length);
        return Errc::ok;
    }
    if (buffers_.is_wanted()) {
        ++counters_.lost_notifications;
        lost_ = true;
    }
    reader_.skip(length);
    tell_lost();
    return Errc::ok;
}

// Tells a client that has missed something, once there is a buffer for that.
void Stream::tell_lost() noexcept {
    if (!lost_ || notified_ || buffers_.empty()) return;
    lost_ = false;
    const NotificationBuffer buffer = buffers_.pop();
    const wire::OutHeader message{sizeof message, static_cast<std::int32_t>(wire::NotifyCode::inc_epoch), 0};
    std::memcpy(buffer.room.iov_base, &message, sizeof message);
    complete(queues_[kNotifications], {buffer.token, sizeof message});
}

void Stream::end_message() noexcept {
    if (std::exchange(notified_, false)) {
        complete(queues_[kNotifications], {buffers_.pop().token, length_});
        return tell_lost();
    }
    if (receiving_ == nullptr) return;
    Chain& chain = *std::exchange(receiving_, nullptr);
    const std::uint64_t unique = chain.unique;
    ++counters_.replies;
    complete(chain, length_);
    end_interrupt_of(unique);
}

void Stream::end_interrupt_of(std::uint64_t unique) noexcept {
    Chain* const interrupt = table_.find(unique | client::kInterruptBit);
    if (interrupt != nullptr && interrupt->stage == Chain::Stage::sent) complete(*interrupt, 0);
}

void Stream::complete(Chain& chain, std::uint32_t written) noexcept {
    const Completion completion{chain.token, written};
    table_.remove(chain);
    complete(queues_[chain.queue], completion);
}

void Stream::complete(QueueState& queue, Completion completion) noexcept {
    queue.used[(queue.used_first + queue.used_count) % queue.used.size()] = completion;
    ++queue.used_count;
    queue.completed.store(true, std::memory_order_release);
    if (queue.armed != 0 && --queue.armed == 0) signal(queue);
}

} // namespace vfsproto::backends::fuse_stream
