// SPDX-License-Identifier: BSD-2-Clause
// The data plane: one request queue, its slots, one owner at a time (a thread, a strand, or a held mutex).
//
//   slot memory, one block a slot, all of it reachable by the device:
//   0            512                          1008   1024                         1024 + bounce
//   | reply      | request: header, struct,   | out  | data in or out, when it is |
//   | hdr,struct | names, bounced data in ... | hdr  | not registered memory      |
//   A reply without bounced data lies right behind a request of fixed length, on the same cache line or the next. Two cores
//   that exchange memory pay for each line.
//   A request too long for its area runs on into the bounce area. A reply with bounced data starts right before it, so
//   that header and data are one segment.
#pragma once

#include "vfsproto/base/fence.hpp"
#include "vfsproto/base/region.hpp"
#include "vfsproto/fuse/client/detail/erased_lane.hpp"
#include "vfsproto/fuse/client/detail/request_fifo.hpp"
#include "vfsproto/fuse/client/detail/unique.hpp"
#include "vfsproto/fuse/client/quirks.hpp"
#include "vfsproto/fuse/client/trace_event.hpp"
#include "vfsproto/fuse/client/trace_hook.hpp"
#include "vfsproto/fuse/client/transfer.hpp"
#include "vfsproto/fuse/wire/detail/reply_check.hpp"
#include "vfsproto/virtqueue/prepared_chain.hpp"
#include "vfsproto/virtqueue/queue_ref.hpp"
#include "vfsproto/virtqueue/slots.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace vfsproto::client {

inline constexpr std::uint32_t kReplyArea = 512;
inline constexpr std::uint32_t kBounceAt = 1024;
// Bytes of payload one request may have; what is above could overflow the 32 bits of its header.
inline constexpr std::uint32_t kMaxPayload = 1u << 30;

static_assert(sizeof(wire::OutHeader) + wire::kMaxOutSize <= kReplyArea);
// Returns the place of a reply behind a request of `length` bytes, for replies that are as long as their row says.
[[nodiscard]] constexpr std::uint32_t reply_behind(std::uint32_t length) noexcept {
    return (kReplyArea + length + 15u) & ~15u;
}
static_assert(reply_behind(sizeof(wire::InHeader) + wire::kMaxInSize) + sizeof(wire::OutHeader) + wire::kMaxOutSize <=
              kBounceAt + 512);
static_assert(sizeof(wire::InHeader) + wire::kMaxInSize <= kBounceAt - kReplyArea - sizeof(wire::OutHeader));

// The state of a slot: its request, and where its own memory is.
struct LaneSlot {
    std::byte* block = nullptr;
    DeviceAddr device{};
    std::uint64_t unique = 0;
    union {
        Request* request = nullptr; // Kind::request
        LateReply* late;            // Kind::late
        Transfer* transfer;         // Kind::fast_read, fast_write
    };
    std::uint32_t data_len = 0;     // payload bytes in flight, both ways
    std::uint32_t out_at = 0;       // where in the block the reply header lies
    PreparedId prepared{};          // a fast transfer's chain, where the queue prepares chains
    wire::ExpectedReply expected{}; // settled at the start, so that a completion looks nothing up
    enum class Wait : std::uint8_t { expected, slow } wait = Wait::expected; // slow: counted in RequestLane::slow_
    wire::Blocking blocking = wire::Blocking::never; // for_another: counted in RequestLane::blocking_
    enum class Silence : std::uint8_t { forbidden, allowed } silence = Silence::forbidden; // no bytes at all
    // Kind of the last request in this slot. A READ after a READ rewrites only the fields that differ. late: the request was
    // abandoned, and the device still has its chain.
    enum class Kind : std::uint8_t { request, fast_read, fast_write, late } kind = Kind::request;
};
static_assert(sizeof(Slots<LaneSlot>::Entry) <= 64); // a cache line

struct LaneOptions {
    std::uint8_t index = 1;                       // 1 to 255; 0 is the session's
    std::uint32_t bounce = 128 * 1024;            // bytes of bounce area a slot
    std::uint32_t max_data_in_flight = 16u << 20; // bytes; beyond, a request waits
    DestroyReply destroy_reply = DestroyReply::may_be_missing;
    // The least exact queue the lane takes. With upper bounds the length in the reply's header counts instead.
    WrittenLength lengths = WrittenLength::exact;
    // Bounds the requests in flight that wait for another one (SETLKW, POLL); more of them wait in a line of their own,
    // so that what ends them finds a slot. 0 = an eighth of the slots, and at least one of several, is kept free.
    std::uint16_t max_blocking = 0;
    TraceHook trace{};
};

// The lane's owner reads these.
struct LaneCounters {
    std::uintptr_t started = 0;
    std::uintptr_t finished = 0;
    std::uintptr_t copies = 0;         // payloads that passed through a bounce area
    std::uintptr_t violations = 0;     // replies that failed their one request
    std::uintptr_t waited = 0;         // requests that found no free slot
    std::uintptr_t abandoned = 0;      // requests in flight whose caller went on
    std::uintptr_t late = 0;           // abandoned requests that were answered since, or lost with the device
    std::uintptr_t slow_transfers = 0; // transfers that took the slow path
    std::uintptr_t lost_transfers = 0; // transfers of the fast path without an answer, or with one that breaks a rule
};

// Counts requests of one row that are over: the device has used their chain, or was lost with it.
struct RowCounters {
    std::uintptr_t finished = 0;
    std::uintptr_t errors = 0;   // finished requests that the server answered with an errno
    std::uintptr_t failures = 0; // finished requests without an answer, or with one that breaks a rule
};

// Counts by row. A READ or a WRITE that took the fast path is in none, so that it does not pay for the count;
// RequestLane::fast_transfers() counts those.
struct OperationCounters {
    std::array<RowCounters, wire::kOpInfo.size()> rows{};

    void count(const wire::OpInfo& op, Errc errc, abi::Errno error) noexcept {
        RowCounters& row = rows[op.row];
        ++row.finished;
        const bool succeeded =
            (static_cast<unsigned>(errc) | static_cast<unsigned>(error)) == 0; // one branch of every request
        if (!succeeded) [[unlikely]]
            ++(errc != Errc::ok ? row.failures : row.errors);
    }
    [[nodiscard]] const RowCounters& of(wire::Opcode op) const noexcept { return rows[wire::op_info(op).row]; }
    // Returns the requests of all rows that are over.
    [[nodiscard]] std::uintptr_t finished() const noexcept {
        std::uintptr_t sum = 0;
        for (const RowCounters& row : rows) sum += row.finished;
        return sum;
    }
};

struct ArmOutcome {
    std::uint16_t completions = 1; // the notification comes after so many; above 1 the sleep must be bounded
    enum class Next : std::uint8_t { sleep, look_again } next = Next::sleep;
};

// One request queue with its slots. One owner at a time; every call is legal in interrupt context if the owner's lock is, and
// none sleeps. on_done is called by the owner, inside enqueue(), drain(), abandon(), expire() or fail_all().
//
// Example (tests/unit/client/client_examples_test.cpp):
//
//     Call<Opcode::getattr> call;
//     call.nodeid = kNode;
//     call.owner = &size;
//     call.on_done = [](Request& done) noexcept {
//         if (!done.succeeded()) return;
//         *static_cast<std::uint64_t*>(done.owner) = static_cast<Call<Opcode::getattr>&>(done).reply.attr.size;
//     };
//     lane.enqueue(call);
//     lane.kick();
//     while (lane.drain() == 0) {
//         if (lane.arm_burst().next == ArmOutcome::Next::sleep) wait_for_interrupt();
//     }
//     lane.kick(); // what drain() started of those that waited for a slot
template <RequestQueue Q> class RequestLane final : public ErasedLane {
public:
    using Entry = typename Slots<LaneSlot>::Entry;

    RequestLane() noexcept : ErasedLane(kTable) {}

    // Bytes of device-reachable memory for so many slots.
    [[nodiscard]] static constexpr std::size_t memory_bytes(std::size_t slots, std::uint32_t bounce) noexcept {
        return slots * stride_of(bounce);
    }

    // The memory and the entries stay the caller's and outlive the lane. Again after fail_all(), for another device, and once a
    // lane that suspends is idle.
    // Errors: bad_argument (memory too small, fewer than two segments a chain), not_negotiated (a queue whose lengths are
    // less exact than the options say), wrong_state (requests are under way).
    [[nodiscard]] Errc init(Q queue, std::span<Entry> entries, const Region& memory,
                            const LaneOptions& options) noexcept {
        return init(queue, entries, std::span(&memory, 1), options);
    }
    // Takes memory in several regions. A slot lies in one of them: each gives as many as it has room for.
    [[nodiscard]] Errc init(Q queue, std::span<Entry> entries, std::span<const Region> memory,
                            const LaneOptions& options) noexcept;

    // Starts the request, or lets it wait for a slot in order. Calls on_done at once when it cannot be started at all, with
    // bad_argument (a NUL in a name, data_in.len other than the struct or the segments say, extensions where there can be
    // none), too_large (longer than slot or chain can hold), queue_full (never room for so many segments), or the error the
    // lane or its queue latched.
    void enqueue(Request& request) noexcept;
    // Starts a READ or a WRITE (Op) of this span, as enqueue() starts a request; too_large is more than kMaxPayload or, bounced,
    // than a slot holds. A span that no file can have ends with the error Linux gives it. Takes the fast path for registered
    // memory, unless others wait, no slot is free, or a trace wants to see every request.
    template <wire::Opcode Op> void start(Transfer& transfer, const TransferSpan& span, const Caller& caller) noexcept;
    // Lets go of a request: ends it with `why`, as if it had failed, by calling on_done before this returns. Its storage is
    // the caller's again. One that waits is taken out of the line. One in flight leaves its slot to `late`, until the device
    // gives the chain back. Registered payload is the device's until then: it has to stay, which LateReply::memory says.
    // Everything a request names stays in use until its late reply: a FORGET of its node could overtake it. A RELEASE is better
    // waited for: in the line it would never be sent.
    // Errors, and then nothing happened: wrong_state (the request is neither in flight nor waiting; or its payload is
    // registered and `late` keeps no memory: wait for it, or give `late` the memory).
    [[nodiscard]] Errc abandon(Request& request, LateReply& late, Errc why) noexcept;
    [[nodiscard]] Errc abandon(Transfer& transfer, LateReply& late, Errc why) noexcept;
    // Abandons every request whose deadline is `now` or earlier, with timed_out. Returns the next deadline, 0 for none.
    [[nodiscard]] std::uint64_t expire(std::uint64_t now) noexcept;
    // Returns the `unique` of a request in flight, for INTERRUPT; 0 while it waits.
    [[nodiscard]] std::uint64_t unique_of(const Request& request) const noexcept;
    [[nodiscard]] std::uint64_t unique_of(const Transfer& transfer) const noexcept;

    // Publishes what was started and rings the doorbell if the device wants it. Once per burst.
    void kick() noexcept {
        if (unkicked_ == 0) return;
        counters_.started += unkicked_;
        unkicked_ = 0;
        queue_.kick();
    }
    // Takes up to kDrainBatch completions, checks each reply, frees its slot, calls on_done, then starts requests that
    // waited. Returns how many were taken. The caller kicks afterwards.
    std::size_t drain() noexcept;
    // Twins of start() and drain() that are compiled into their caller: for a few places where each instruction counts,
    // which include lane_body.hpp.
    template <wire::Opcode Op> [[gnu::always_inline]] void start_inline(Transfer& transfer, const TransferSpan& span,
                                                                        const Caller& caller) noexcept;
    [[gnu::always_inline]] std::size_t drain_inline() noexcept;

    // Asks for a notification once every request that can be waited for has finished; see ArmOutcome.
    [[nodiscard]] ArmOutcome arm_burst() noexcept;
    // Asks for a notification after the next completion.
    [[nodiscard]] ArmOutcome arm_each() noexcept;
    // Call when a bounded sleep timed out. arm_burst() then no longer counts the requests in flight now: one slow request
    // must not delay notice of the others.
    void note_slow() noexcept;

    // Refuses every later request with `why`, unless an error is latched already. What is in flight stays so: the device
    // may still write to its buffers.
    void refuse(Errc why) noexcept { latch(why); }
    // Refuses every later request with `suspended`, until init(): a nodeid or a handle means nothing to the session after this
    // one. What is in flight goes on, and so does what waits in line.
    void suspend() noexcept {
        suspended_ = true;
        settle_fast_limit();
    }
    [[nodiscard]] bool is_suspended() const noexcept { return suspended_; }
    // True if a request is in flight that the server has no reason to hold: its row cannot block.
    [[nodiscard]] bool awaits_prompt_reply() noexcept;
    // After the device was reset or is gone: every request in flight or waiting ends with `why`, and so does each later
    // one unless the lane latched an error of its own before. Nothing is awaited of the device.
    void fail_all(Errc why) noexcept;

    [[nodiscard]] std::uint16_t in_flight() const noexcept { return slots_.in_flight(); }
    [[nodiscard]] bool idle() const noexcept {
        return slots_.in_flight() == 0 && waiting_.empty() && waiting_for_another_.empty();
    }
    [[nodiscard]] Errc error() const noexcept { return error_; }
    [[nodiscard]] LaneCounters counters() const noexcept {
        LaneCounters counters = counters_;
        counters.started += unkicked_;
        counters.finished = finished();
        return counters;
    }
    // Requests that ended; LaneCounters::finished alone.
    [[nodiscard]] std::uintptr_t finished() const noexcept {
        return counters_.started + unkicked_ - slots_.in_flight(); // a count less for each request
    }
    // Returns the requests that ended, by their rows.
    [[nodiscard]] const OperationCounters& operations() const noexcept { return operations_; }
    // Returns how many of those that ended took the fast path of READ and WRITE, and were not abandoned: no row has them.
    [[nodiscard]] std::uintptr_t fast_transfers() const noexcept { return finished() - operations_.finished(); }
    [[nodiscard]] Q& queue() noexcept { return queue_; }

private:
    static const Table kTable;
    static constexpr std::uint32_t kOutHeader = sizeof(wire::OutHeader);
    static constexpr std::size_t stride_of(std::uint32_t bounce) noexcept {
        return (std::size_t{kBounceAt} + bounce + 63) & ~std::size_t{63};
    }

    // The places of the parts of a request.
    struct Plan {
        std::span<Segment> data_in{};    // registered, behind a segment of the lane's
        std::span<Segment> data_out{};   // registered, behind a segment of the lane's
        std::uint32_t in_registered = 0; // bytes of data_in
        std::uint32_t out_at = 0;        // of the reply header in the block
        std::uint32_t out_len = 0;       // with the data, when that is bounced
        bool bounced = false;            // some of the data passes through the block
    };

    // The fast path: lane_fast.hpp.
    template <wire::Opcode Op> [[gnu::always_inline, nodiscard]] bool
    start_fast(Transfer& transfer, const TransferSpan& span, const Caller& caller) noexcept;
    template <wire::Opcode Op> [[gnu::always_inline, nodiscard]] Errc
    submit_fast(LaneSlot& slot, Token token, const TransferSpan& span, const Caller& caller) noexcept;
    template <wire::Opcode Op> [[gnu::noinline]] void prepare_fast(LaneSlot& slot, Token token) noexcept;
    template <wire::Opcode Op>
    [[gnu::noinline, nodiscard]] Errc submit_all_segments(const LaneSlot& slot, Token token, Segment payload) noexcept;
    void settle_fast_limit() noexcept;
    [[gnu::always_inline]] static void finish_fast(const LaneSlot& slot, Errc errc, std::uint32_t len,
                                                   std::int32_t error) noexcept;
    static void finish_fast_write(const LaneSlot& slot, Errc errc, std::uint32_t len, std::int32_t error) noexcept;

    // The slow path: lane_slow.hpp.
    template <wire::Opcode Op>
    [[gnu::noinline]] void start_slow(Transfer& transfer, const TransferSpan& span, const Caller& caller) noexcept;
    template <wire::Opcode Op> static void finish_slow(Request& request) noexcept;
    [[gnu::noinline]] void enqueue_slow(Request& request) noexcept;
    [[nodiscard]] Errc refused(Token token, Errc errc) noexcept;
    [[gnu::always_inline]] void expect(LaneSlot& slot, const wire::OpInfo& op,
                                       const wire::ExpectedReply& expected) noexcept;
    void wait_or_refuse(Request& request, Errc errc) noexcept;
    // Errors: too_large.
    [[nodiscard]] Errc make_plan(const Request& request, Plan& plan) const noexcept;
    [[nodiscard]] Errc start(Request& request) noexcept;
    [[nodiscard]] std::uint32_t write_request(const Request& request, std::byte* at, std::uint64_t unique,
                                              std::uint32_t registered) noexcept;
    void remember(LaneSlot& slot, Request& request, const Plan& plan) noexcept;
    [[nodiscard]] Errc submit(Segment message, Segment answer, const Plan& plan, Token token) noexcept;
    [[gnu::always_inline]] void finish(Token token, std::uint32_t written) noexcept;
    [[gnu::noinline]] void finish_mismatch(Token token, Entry& entry, std::uint32_t written) noexcept;
    [[gnu::always_inline]] void leave_slot(Token token, Entry& entry) noexcept;
    void finish_request(Token token, const LaneSlot& slot, Errc errc, std::uint32_t len, std::int32_t error) noexcept;
    [[gnu::always_inline]] static void accept(const LaneSlot& slot, std::uint32_t len, std::int32_t error) noexcept;
    void fail(Token token, LaneSlot& slot, Errc why) noexcept;
    [[nodiscard]] RequestFifo& line_of(const Request& request) noexcept;
    void start_waiting() noexcept;
    void start_from(RequestFifo& line) noexcept;
    void fail_line(RequestFifo& line, Errc why) noexcept;
    [[nodiscard]] const LaneSlot* slot_of(const Request& request) const noexcept;
    [[nodiscard]] Token token_of(const Transfer& transfer) const noexcept;
    [[gnu::noinline]] void finish_late(Token token, const LaneSlot& slot, Errc errc, std::uint32_t len,
                                       std::int32_t error) noexcept;
    void latch(Errc why) noexcept;
    // An event of the trace is large. These build it in frames of their own, so that a request without a trace pays for none.
    [[gnu::noinline]] void trace_started(Token token, const Request& request, std::uint32_t bytes) noexcept;
    [[gnu::noinline]] void trace_finished(Token token, const Request& request, std::uint32_t bytes,
                                          TraceEnd end) noexcept;
    [[gnu::noinline]] void trace_late(Token token, const LateReply& late, std::uint32_t bytes) noexcept;
    [[nodiscard]] TraceEvent event_of(Token token, const wire::OpInfo& op, std::uint64_t nodeid) noexcept;

    Q queue_{};
    Slots<LaneSlot> slots_{};
    LaneOptions options_{};
    std::size_t stride_ = 0;
    UniqueSource uniques_{};
    std::uint64_t data_in_flight_ = 0;
    WrittenLength lengths_ = WrittenLength::exact;
    Errc error_ = Errc::ok;
    std::uint16_t slow_ = 0;     // requests in flight that may block at the server, or that outlasted a bounded sleep
    std::uint16_t blocking_ = 0; // requests in flight that wait for another one
    std::uint16_t max_blocking_ = 0;
    bool fast_possible_ = false;
    bool suspended_ = false;
    std::uint64_t fast_limit_ = 0; // the most data in flight while the fast path is possible and nobody waits, else 0
    PreparedId prepared_{};        // the first of the prepared chains' ids, two a slot
    std::uint32_t unkicked_ = 0;
    RequestFifo waiting_{};
    RequestFifo waiting_for_another_{}; // requests that would take the last slots (LaneOptions::max_blocking)
    LaneCounters counters_{};
    OperationCounters operations_{};
    Completion batch_[config::kDrainBatch]{}; // scratch of drain(), which never runs inside itself
};

// The library compiles this one; a host that knows its queue's type may instantiate its own from lane_body.hpp.
using Lane = RequestLane<QueueRef>;
extern template class RequestLane<QueueRef>;
extern template void Lane::start<wire::Opcode::read>(Transfer&, const TransferSpan&, const Caller&) noexcept;
extern template void Lane::start<wire::Opcode::write>(Transfer&, const TransferSpan&, const Caller&) noexcept;

} // namespace vfsproto::client
