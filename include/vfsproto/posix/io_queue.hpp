// SPDX-License-Identifier: BSD-2-Clause
// Many operations on their way from one thread, without a thread or a handler for each: start them, go on, take what is
// done. One system call can serve a whole burst.
#pragma once

#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/rule.hpp"
#include "vfsproto/posix/file.hpp"

#include <cstddef>
#include <span>
#include <utility>

namespace vfsproto::posix {

class IoQueue;
template <wire::Opcode Op> class StagedList;

// One READ or WRITE of an IoQueue, in storage of the caller; set `tag` to tell it from others.
template <wire::Opcode Op> class QueuedTransfer final : private client::Transfer, public client::Operation {
public:
    QueuedTransfer() noexcept { this->on_done = &QueuedTransfer::done; }

    using client::Operation::errc;
    using client::Operation::error;
    using client::Operation::succeeded;

    // Bytes moved, when it is done.
    [[nodiscard]] std::uint32_t bytes() const noexcept { return client::Transfer::bytes; }

private:
    friend class IoQueue;
    friend class SharedLane;
    friend class StagedList<Op>;
    static void done(client::Transfer& transfer) noexcept;

    client::TransferSpan span_{};
    QueuedTransfer* next_ = nullptr; // behind it in a StagedList
    IoQueue* queue_ = nullptr;
    std::uint64_t known_at_ = 0; // the version of registered memory at which data was found in it
};
using QueuedRead = QueuedTransfer<wire::Opcode::read>;
using QueuedWrite = QueuedTransfer<wire::Opcode::write>;

// The transfers of one kind that are to be started, first to last.
template <wire::Opcode Op> class StagedList {
public:
    StagedList() noexcept = default;
    StagedList(const StagedList&) = delete;
    StagedList& operator=(const StagedList&) = delete;

    void add(QueuedTransfer<Op>& transfer) noexcept {
        *end_ = &transfer;
        end_ = &transfer.next_;
    }
    // Returns the first of them, which links the others, and empties the list.
    [[nodiscard]] QueuedTransfer<Op>* take() noexcept {
        *end_ = nullptr;
        end_ = &first_;
        return std::exchange(first_, nullptr);
    }

private:
    QueuedTransfer<Op>* first_ = nullptr;
    QueuedTransfer<Op>** end_ = &first_;
};

// A queue of one thread. Operations stay in place until next() has returned them; the queue must be empty when it ends.
// next() publishes what was started, and sleeps only when nothing is done.
//
// Example (examples/4_many_requests.cpp):
//
//     while (client::Operation* done = queue.next()) {
//         auto& read = *static_cast<posix::QueuedRead*>(done->tag);
//         if (read.succeeded() && read.bytes() == kBlock) ++good;
//         if (next < kBlocks && !start(read)) return 1;
//     }
class IoQueue {
public:
    // `caller`: on whose behalf the requests are made, with the client's ids. They go by the request queue of the thread that makes this object.
    explicit IoQueue(Channel& channel, const client::Caller& caller = {}) noexcept
        : channel_(channel),
          side_(channel.side_lane_of_this_thread()),
          lane_(channel.lane_of(side_)),
          caller_(channel.ids().at_server(caller)),
          kills_privileges_(channel.shared_lane().client().kills_privileges(caller_)) {}
    ~IoQueue() { VFSPROTO_RULE(in_flight() == 0, "an IoQueue ended before next() had returned all its operations"); }
    IoQueue(const IoQueue&) = delete;
    IoQueue& operator=(const IoQueue&) = delete;

    // Any client::Operation, with the arguments of its start() after client and caller. What it says of a surplus lookup is
    // the caller's to give back (Channel::give_back). One of a caller who is nobody at the server is done at once: unmapped_id.
    template <class Op, class... Args> void start(Op& op, Args&&... args) {
        op.user = this;
        op.on_finish = [](client::Operation& finished) noexcept {
            static_cast<IoQueue*>(finished.user)->take(finished);
        };
        ++in_flight_;
        if (!abi::has_image(caller_)) [[unlikely]]
            return refuse(op);
        if constexpr (takes_a_node_alone<Args...>) {
            stage(op, args...);
        } else {
            lane_.start(op, caller_, std::forward<Args>(args)...);
        }
    }
    // Starts a READ of at most what one request may carry (Channel::piece_limit). The data is not copied when the span
    // lies in a Buffer of the mount. Errors: too_large, wrong_state for a file that is not open, unmapped_id; then nothing was started.
    [[gnu::always_inline, nodiscard]] Errc read(QueuedRead& slot, const File& file, std::span<std::byte> into,
                                                std::uint64_t offset) {
        return transfer(slot, staged_reads_, file, into, offset);
    }
    [[gnu::always_inline, nodiscard]] Errc write(QueuedWrite& slot, const File& file, std::span<const std::byte> from,
                                                 std::uint64_t offset) {
        // A write only ever reads from it.
        const std::span<std::byte> bytes(const_cast<std::byte*>(from.data()), from.size());
        return transfer(slot, staged_writes_, file, bytes, offset);
    }

    // The most bytes one READ into this memory may ask for.
    [[nodiscard]] std::uint32_t most_read(std::span<const std::byte> into) const noexcept {
        return channel_.piece_limit<wire::Opcode::read>(channel_.find_registered(into.data(), into.size()));
    }

    // Publishes what was started; next() does so too.
    void flush() noexcept { lane_.flush(take_staged()); }

    [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
    // True if next() will answer without waiting for anybody.
    [[nodiscard]] bool has_finished() const noexcept { return mine_ != nullptr; }

    // Waits as the other next() does, but for no longer than the limits allow. Returns nullptr when they end the wait: in_flight() is
    // not 0 then, and what is in flight stays so until give_up() ends it. A limit that was reached before ends the wait at once,
    // although answers may have come that nobody has taken: a later wait finds them. `grace` means nothing here. Throws
    // std::system_error if there is no thread to be had.
    [[nodiscard]] client::Operation* next(const CallLimits& limits);
    // Lets go of a transfer of this open file: next() returns it, failed with `why`. The server may still do what it was asked. If
    // its memory lies in a Buffer, the late answer keeps that until Buffer::is_free(), and the caller moves nothing from or to it
    // meanwhile. Other memory is the caller's again. Errors: wrong_state for a transfer that is done, which next() returns as it
    // ended; no_memory. Throws as next().
    template <wire::Opcode Op> [[nodiscard]] Errc give_up(QueuedTransfer<Op>& transfer, const File& file, Errc why);

    // The next finished operation, in the order they finished; nullptr when none is in flight.
    [[nodiscard]] client::Operation* next() {
        if (mine_ == nullptr) {
            if (in_flight() == 0) return nullptr;
            // Sleeps until the first is done, then takes all that are.
            lane_.wait(
                take_staged(), waiter_, [this]() noexcept { return has_done(); }, [this]() noexcept { take_done(); });
        }
        client::Operation* operation = mine_;
        mine_ = operation->link;
        --in_flight_;
        return operation;
    }

private:
    template <wire::Opcode Op> friend class QueuedTransfer;

    // No more than the lane must be told: this is what many requests a second are made of. A call of it would be a tenth.
    template <wire::Opcode Op>
    [[gnu::always_inline, nodiscard]] Errc transfer(QueuedTransfer<Op>& slot, StagedList<Op>& staged, const File& file,
                                                    std::span<std::byte> bytes, std::uint64_t offset) {
        if (!file) [[unlikely]]
            return Errc::wrong_state;
        // They are read before anything is written, so that the compiler looks only once if the file is open.
        const std::uint64_t nodeid = file.nodeid();
        const std::uint64_t fh = file.fh();
        const std::uint32_t flags = file.flags();
        // The last answer holds if the bytes are the same as last time and no memory was given back since.
        const std::uint64_t version = channel_.registered_memory().version();
        client::TransferSpan& span = slot.span_;
        const bool known = span.host == bytes.data() && span.len == bytes.size() && slot.known_at_ == version;
        if (!known) [[unlikely]] {
            if (!abi::has_image(caller_)) return Errc::unmapped_id;
            const Region* registered = channel_.find_registered(bytes.data(), bytes.size());
            if (bytes.size() > channel_.piece_limit<Op>(registered)) return Errc::too_large;
            span.host = bytes.data();
            span.len = bytes.size();
            span.payload = client::Payload::bounced;
            slot.known_at_ = registered != nullptr ? version : 0;
            if (registered != nullptr) span.lies_in(*registered);
        }
        span.nodeid = nodeid;
        span.fh = fh;
        span.offset = offset;
        span.open_flags = flags;
        if constexpr (Op == wire::Opcode::write) {
            span.transfer_flags = kills_privileges_ ? wire::kWriteKillSuidgid : 0;
        }
        slot.queue_ = this;
        ++in_flight_;
        staged.add(slot);
        return Errc::ok;
    }
    static constexpr std::size_t kMostStagedStarts = 32;
    template <class... Args> static constexpr bool takes_a_node_alone =
        (sizeof...(Args) == 1 && (std::is_same_v<std::remove_cvref_t<Args>, std::uint64_t> && ...));
    template <class Op> void stage(Op& op, std::uint64_t nodeid) noexcept {
        if (staged_count_ == kMostStagedStarts) [[unlikely]]
            lane_.start(take_starts(), caller_);
        staged_starts_[staged_count_++] = {
            &op, nodeid,
            [](client::Operation& operation, client::Client& client, const client::Caller& caller,
               std::uint64_t node) noexcept { static_cast<Op&>(operation).start(client, caller, node); }};
    }
    // It is among those that next() returns.
    void refuse(client::Operation& op) noexcept {
        op.refuse(Errc::unmapped_id);
        op.link = mine_;
        mine_ = &op;
    }
    [[nodiscard]] std::span<const StagedStart> take_starts() noexcept {
        return {staged_starts_, std::exchange(staged_count_, 0)};
    }
    [[nodiscard]] Staged take_staged() noexcept {
        return {caller_, staged_reads_.take(), staged_writes_.take(), take_starts()};
    }
    // The lane's lock is held by those who ask for what is done, and take it.
    [[nodiscard]] bool has_done() const noexcept { return done_end_ != &done_; }
    void take_done() noexcept {
        *done_end_ = nullptr;
        done_end_ = &done_;
        mine_ = std::exchange(done_, nullptr);
    }
    // Takes a finished operation. The lane's lock is held.
    void take(client::Operation& finished) noexcept {
        *done_end_ = &finished;
        done_end_ = &finished.link;
        lane_.satisfy(waiter_);
    }

    Channel& channel_;
    SideLane* side_; // nullptr: the first lane
    SharedLane& lane_;
    client::Caller caller_;
    bool kills_privileges_; // with every WRITE
    Waiter waiter_;
    std::size_t in_flight_ = 0; // started, and not returned by next()
    // The next flush() starts these under one lock.
    StagedList<wire::Opcode::read> staged_reads_;
    StagedList<wire::Opcode::write> staged_writes_;
    std::size_t staged_count_ = 0;
    StagedStart staged_starts_[kMostStagedStarts];
    client::Operation* mine_ = nullptr;     // taken from done_, handed out one by one
    client::Operation* done_ = nullptr;     // under the lock
    client::Operation** done_end_ = &done_; // "
};

template <wire::Opcode Op> void QueuedTransfer<Op>::done(client::Transfer& transfer) noexcept {
    auto& self = static_cast<QueuedTransfer&>(transfer);
    self.verdict_ = static_cast<const client::Verdict&>(transfer);
    self.queue_->take(self);
}

} // namespace vfsproto::posix
