// SPDX-License-Identifier: BSD-2-Clause
// Many operations on their way from one thread, without a thread or a handler for each: start them, go on, take what is
// done. One system call can serve a whole burst.
//
//   queue.start(a, …); queue.start(b, …);
//   while (Operation* done = queue.next()) …        (publishes, and sleeps only when nothing is done)
#pragma once

#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/posix/file.hpp"

#include <cstddef>
#include <span>
#include <utility>

namespace vfsproto::posix {

class IoQueue;

// One READ or WRITE of an IoQueue, in storage of the caller; set `tag` to tell it from others.
template <wire::Opcode Op> class QueuedTransfer final : public client::Operation {
public:
    // Bytes moved, when it is done.
    [[nodiscard]] std::uint32_t bytes() const noexcept {
        if constexpr (Op == wire::Opcode::read) {
            return call_.bytes;
        } else {
            return call_.reply.size;
        }
    }

private:
    friend class IoQueue;
    static void done(client::Request& request) noexcept;

    client::Call<Op> call_;
    Segment segment_{};
    IoQueue* queue_ = nullptr;
};
using QueuedRead = QueuedTransfer<wire::Opcode::read>;
using QueuedWrite = QueuedTransfer<wire::Opcode::write>;

// One thread. Operations stay in place until next() has returned them; the queue must be empty when it ends.
class IoQueue {
public:
    explicit IoQueue(Channel& channel) noexcept : channel_(channel) {}
    ~IoQueue() { VFSPROTO_ASSERT(in_flight_ == 0); }
    IoQueue(const IoQueue&) = delete;
    IoQueue& operator=(const IoQueue&) = delete;

    // Any client::Operation, with the arguments of its start() after client and caller. What it says of an orphan is
    // the caller's to give back (Channel::give_back).
    template <class Op, class... Args> void start(Op& op, Args&&... args) {
        op.user = this;
        op.on_finish = [](client::Operation& finished) noexcept {
            static_cast<IoQueue*>(finished.user)->take(finished);
        };
        ++in_flight_;
        channel_.share().start(op, std::forward<Args>(args)...);
    }
    // At most what one request may carry (Channel::piece_limit). Not copied when the span lies in a Buffer of the mount.
    // Errors: too_large; then nothing was started.
    [[nodiscard]] Errc read(QueuedRead& slot, const File& file, std::span<std::byte> into, std::uint64_t offset) {
        return transfer(slot, slot.call_.data_out, file, into, offset);
    }
    [[nodiscard]] Errc write(QueuedWrite& slot, const File& file, std::span<const std::byte> from,
                             std::uint64_t offset) {
        // A write only ever reads from it.
        const std::span<std::byte> bytes(const_cast<std::byte*>(from.data()), from.size());
        return transfer(slot, slot.call_.data_in, file, bytes, offset);
    }

    // Publishes what was started; next() does so too.
    void flush() noexcept { channel_.share().flush(); }

    [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
    // Will next() answer without waiting for anybody?
    [[nodiscard]] bool has_finished() const noexcept { return mine_ != nullptr; }

    // The next finished operation, in the order they finished; nullptr when none is in flight.
    [[nodiscard]] client::Operation* next() {
        if (mine_ == nullptr) {
            if (in_flight_ == 0) return nullptr;
            // Sleeps until the first is done, then takes all that are.
            channel_.share().wait(
                waiter_, [this]() noexcept { return done_ != nullptr; },
                [this]() noexcept {
                    mine_ = std::exchange(done_, nullptr);
                    last_ = nullptr;
                });
        }
        client::Operation* operation = mine_;
        mine_ = operation->link;
        operation->link = nullptr;
        --in_flight_;
        return operation;
    }

private:
    template <wire::Opcode Op> friend class QueuedTransfer;

    // No more than the lane must be told: this is what many requests a second are made of.
    template <wire::Opcode Op, class Data> [[nodiscard]] Errc
    transfer(QueuedTransfer<Op>& slot, Data& data, const File& file, std::span<std::byte> bytes, std::uint64_t offset) {
        const Region* registered = channel_.find_registered(bytes.data(), bytes.size());
        if (bytes.size() > channel_.piece_limit<Op>(registered)) return Errc::too_large;
        client::Call<Op>& call = slot.call_;
        const auto len = static_cast<std::uint32_t>(bytes.size());
        call.args.fh = file.fh();
        call.args.offset = offset;
        call.args.size = len;
        call.args.flags = file.flags();
        data.host = bytes.data();
        data.len = len;
        data.segments = {};
        if (registered != nullptr) {
            slot.segment_ = {registered->device() + static_cast<std::uint64_t>(bytes.data() - registered->host()), len};
            data.segments = {&slot.segment_, 1};
        }
        LaneShare& share = channel_.share();
        call.nodeid = file.nodeid();
        call.caller = share.caller();
        call.owner = &slot;
        call.on_done = &QueuedTransfer<Op>::done;
        slot.queue_ = this;
        ++in_flight_;
        const LaneShare::Lock lock(share);
        share.client().lane->template enqueue_as<Op>(call);
        return Errc::ok;
    }
    // Under the lock.
    void take(client::Operation& finished) noexcept {
        finished.link = nullptr;
        (done_ == nullptr ? done_ : last_->link) = &finished;
        last_ = &finished;
        channel_.share().satisfy(waiter_);
    }

    Channel& channel_;
    Waiter waiter_;
    std::size_t in_flight_ = 0;
    client::Operation* mine_ = nullptr; // taken from done_, handed out one by one
    client::Operation* done_ = nullptr; // under the lock
    client::Operation* last_ = nullptr; // "
};

template <wire::Opcode Op> void QueuedTransfer<Op>::done(client::Request& request) noexcept {
    auto& self = *static_cast<QueuedTransfer*>(request.owner);
    self.errc_ = request.errc;
    self.error_ = request.error;
    if constexpr (Op == wire::Opcode::write) {
        if (request.succeeded() && self.call_.reply.size > self.call_.args.size) self.errc_ = Errc::protocol_violation;
    }
    self.queue_->take(self);
}

} // namespace vfsproto::posix
