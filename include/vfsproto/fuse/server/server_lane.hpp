// SPDX-License-Identifier: BSD-2-Clause
// The server's data plane: takes the requests of one queue, has them answered, gives the chains back.
#pragma once

#include "vfsproto/fuse/server/file_system.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::server {

struct LaneIdentity {
    wire::QueueKind kind = wire::QueueKind::request;
    std::uint16_t id = 0;            // the host's own number for it; requests and parked requests carry it
    bool carries_both_kinds = false; // the queue is not one of virtio's, but /dev/fuse
};

// A queue that several threads push to has unlock() and lock() besides. The lane's owner calls serve() with the queue
// locked; it is unlocked while a handler runs, so that others need not wait for file I/O.
template <class Queue>
concept LockableQueue = requires(Queue& queue) {
    { queue.lock() } noexcept;
    { queue.unlock() } noexcept;
};

// Memory that a lane works in, for one request at a time.
struct LaneStorage {
    std::span<HostSegment> segments; // room for the longest chain that the queue can give
    RequestScratch& scratch;
};

// Counts what a lane has done. The lane's owner writes with relaxed stores; anyone may read likewise.
struct ServerLaneCounters {
    std::uint64_t served = 0;
    std::uint64_t malformed = 0; // refused for their form: EINVAL and the like, or 0 bytes
    std::uint64_t unknown = 0;   // answered ENOSYS
    std::uint64_t misrouted = 0; // served, but they belong on the other kind of queue (virtio 1.2 §5.11.6.2)
    std::uint64_t parked = 0;    // answered later or still waiting
};

// Serves one queue. serve() has one owner at a time; the other calls are its owner's too, or anybody's who holds the lock
// of a LockableQueue. No call blocks, unless the file system does. A lane only pushes: afterwards the owner asks the queue
// whether to notify (wants_notification() publishes too).
//
// Example (tests/unit/server/server_examples_test.cpp):
//
//     ServerLane lane(queue, fs, session, {segments, *scratch}, {wire::QueueKind::request, 1});
//
// The owner's loop, after which it sleeps until the driver kicks:
//
// Example (tests/unit/server/server_examples_test.cpp):
//
//     for (;;) {
//         while (lane.serve(kBudget) != 0) {
//             if (queue.wants_notification()) notify();
//         }
//         if (!queue.arm()) break;
//     }
template <DeviceQueue Queue, FileSystem Fs> class ServerLane {
public:
    // The lane owns nothing of what it is given; all of it outlives the lane.
    ServerLane(Queue& queue, Fs& fs, ServerSession& session, const LaneStorage& storage, LaneIdentity identity) noexcept
        : queue_(queue),
          fs_(fs),
          session_(session),
          segments_(storage.segments),
          scratch_(storage.scratch),
          identity_(identity) {}

    // Takes and answers up to `budget` requests. Returns how many chains went back, parked ones that could be answered
    // included; 0 with nothing to do or a latched queue (see queue().error()).
    std::size_t serve(std::size_t budget) noexcept {
        std::size_t done = answer_parked();
        std::size_t taken = 0;
        Chain chain;
        chain.storage = segments_;
        while (taken < budget && queue_.pop(chain)) {
            serve_chain(chain);
            ++taken;
        }
        if (taken > 0) {
            done += answer_parked();
            last_round_took_one_ = taken == 1;
        } else if (last_round_took_one_) {
            prefetch(segments_[0].data);
        }
        return done + taken;
    }

    // Answers what the file system can now answer of this lane's parked requests. Returns how many.
    std::size_t answer_parked() noexcept {
        if constexpr (ParksOn<Fs, ServerLane>) return fs_.answer_parked(*this);
        return 0;
    }
    // Called when the queue was reset: no chain of it is out any more.
    void abandon() noexcept {
        if constexpr (ParksOn<Fs, ServerLane>) fs_.abandon_parked(identity_.id);
    }

    // Answers a parked request: `fill` gets its ReplyTo<Op>&. Errors: bad_argument when it is not one of Op, or not one
    // of this lane; what the queue's push() says.
    template <wire::Opcode Op, class Fill> Errc complete(const ParkedRequest& parked, Fill&& fill) noexcept {
        if (parked.opcode != Op || parked.lane != identity_.id) return Errc::bad_argument;
        ReplyWriter writer(parked.chain.storage,
                           {parked.unique, static_cast<std::uint32_t>(Op), parked.chain.head, identity_.id});
        ReplyTo<Op> reply(writer);
        fill(reply);
        return queue_.push(parked.chain, writer.finish());
    }
    // Answers a parked request of any operation with an error. Errors: as complete().
    Errc complete_error(const ParkedRequest& parked, abi::Errno why) noexcept {
        if (parked.lane != identity_.id) return Errc::bad_argument;
        ReplyWriter writer(parked.chain.storage,
                           {parked.unique, static_cast<std::uint32_t>(parked.opcode), parked.chain.head, identity_.id});
        writer.error(why);
        return queue_.push(parked.chain, writer.finish());
    }

    [[nodiscard]] std::uint16_t id() const noexcept { return identity_.id; }
    [[nodiscard]] Queue& queue() noexcept { return queue_; }
    [[nodiscard]] const ServerLaneCounters& counters() const noexcept { return counters_; }

private:
    using Handler = void (ServerLane::*)(RequestView&, ReplyWriter&) noexcept;

    static void count(std::uint64_t& counter) noexcept { store_relaxed(counter, load_relaxed(counter) + 1); }

    void serve_chain(const Chain& chain) noexcept {
        count(counters_.served);
        RequestView view(scratch_);
        if (!view.open(chain)) {
            count(counters_.malformed);
            static_cast<void>(queue_.push(chain, 0));
            return;
        }
        const wire::InHeader& header = view.header();
        ReplyWriter writer(chain.storage.subspan(chain.readable_count, chain.writable_count),
                           {header.unique, header.opcode, chain.head, identity_.id});
        if (header.opcode == wire::kInitByteSwapped) {
            count(counters_.malformed);
            static_cast<void>(queue_.push(chain, writer.finish_swapped()));
            return;
        }
        if constexpr (LockableQueue<Queue>) queue_.unlock();
        answer(view, writer);
        if constexpr (LockableQueue<Queue>) queue_.lock();
        if (writer.parked()) return count(counters_.parked);
        // The queue latches what goes wrong here; the next pop() says so.
        static_cast<void>(queue_.push(chain, writer.finish()));
    }

    void answer(RequestView& view, ReplyWriter& writer) noexcept {
        const wire::OpInfo* op = view.op();
        if (op == nullptr) {
            count(counters_.unknown);
            return writer.error(abi::Errno::enosys);
        }
        if (op->traits.queue != identity_.kind && !identity_.carries_both_kinds) count(counters_.misrouted);
        if (const abi::Errno error = view.check_length(session_); error != abi::Errno::none) {
            refuse(*op, error, writer);
        } else if (op->opcode != wire::Opcode::init && !session_.ready()) {
            op->traits.reply == wire::ReplyOwed::never ? writer.none() : writer.error(abi::Errno::eio);
        } else {
            (this->*kHandlers[static_cast<std::size_t>(op - wire::kOpInfo.data())])(view, writer);
        }
    }

    void refuse(const wire::OpInfo& op, abi::Errno error, ReplyWriter& writer) noexcept {
        count(counters_.malformed);
        op.traits.reply == wire::ReplyOwed::never ? writer.none() : writer.error(error);
    }

    template <class Row> void serve_row(RequestView& view, ReplyWriter& writer) noexcept {
        check_handler<Fs, Row>();
        Request<Row> request{view.header(), session_, identity_.id};
        if (const abi::Errno error = view.template decode<Row>(request); error != abi::Errno::none) {
            return refuse(wire::op_info(Row::opcode), error, writer);
        }
        // This is checked before the file system does or counts something that the client would then not hear of. INIT's
        // reply may be shorter than its struct.
        if constexpr (Row::out_tail == wire::OutTail::none && Row::opcode != wire::Opcode::init) {
            if (!writer.fits(Row::out_size)) return refuse(wire::op_info(Row::opcode), abi::Errno::eio, writer);
        }
        // A READ that lost its end to a small buffer would look like the end of the file.
        if constexpr (Row::out_tail == wire::OutTail::data && requires { request.in.read_flags; }) {
            if (request.in.size > writer.capacity()) return refuse(wire::op_info(Row::opcode), abi::Errno::eio, writer);
        }
        Reply<Row> reply(writer);
        if constexpr (Row::traits.reply == wire::ReplyOwed::never) writer.none();
        handle(request, reply);
        if constexpr (Row::traits.reply == wire::ReplyOwed::never) writer.none();
    }

    template <class Row> void handle(const Request<Row>& request, Reply<Row>& reply) noexcept {
        if constexpr (Handles<Fs, Row>) {
            fs_.handle(request, reply);
        } else {
            count(counters_.unknown);
            reply.error(abi::Errno::enosys);
        }
    }
    void handle(const RequestOf<wire::Opcode::init>& request, ReplyTo<wire::Opcode::init>& reply) noexcept {
        end_session();
        const ServerSession::InitAnswer init = session_.init(request.in, fs_.options());
        if (session_.ready()) fs_.on_init(session_);
        if (init.error != abi::Errno::none) return reply.error(init.error);
        if (!reply.writer().append(&init.out, init.size)) return reply.error(abi::Errno::eio);
        reply.writer().succeed();
    }
    void handle(const RequestOf<wire::Opcode::destroy>&, ReplyTo<wire::Opcode::destroy>& reply) noexcept {
        end_session();
        reply.ok();
    }
    void end_session() noexcept {
        if (!session_.ready()) return;
        session_.end();
        fs_.on_destroy();
    }

    template <class... Rows>
    static constexpr std::array<Handler, sizeof...(Rows)> make_handlers(wire::RowList<Rows...>) noexcept {
        return {&ServerLane::template serve_row<Rows>...};
    }
    static constexpr std::array<Handler, wire::OpTable::size> kHandlers = make_handlers(wire::OpTable{});

    Queue& queue_;
    Fs& fs_;
    ServerSession& session_;
    std::span<HostSegment> segments_;
    RequestScratch& scratch_;
    LaneIdentity identity_;
    ServerLaneCounters counters_{};
    // The last round took one request. The next one most likely lies in the same buffer; serve() fetches that while the
    // client still publishes it.
    bool last_round_took_one_ = false;
};

} // namespace vfsproto::server
