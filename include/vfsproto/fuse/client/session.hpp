// SPDX-License-Identifier: BSD-2-Clause
// The FUSE session of one device: INIT, FORGET, INTERRUPT and DESTROY. No I/O, no clock, no locks, no heap. Methods come in
// four kinds, in this order:
//   getters   state(), params(), failure(), counters()
//   inputs    handle_…()  something happened outside
//   commands  open(), close(), forget(), interrupt()
//   outputs   peek_request(), take_forgotten(): ask until they say no after every input or command
// Ordinary file operations do not pass here: they are a request on a Lane. Connection drives a session over its queues.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/base/region.hpp"
#include "vfsproto/fuse/client/forget_batch.hpp"
#include "vfsproto/fuse/client/init_options.hpp"
#include "vfsproto/fuse/client/quirks.hpp"
#include "vfsproto/fuse/client/session_params.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"
#include "vfsproto/virtqueue/request_queue.hpp"

#include <cstdint>

namespace vfsproto::client {

enum class SessionState : std::uint8_t { idle, init_sent, ready, draining, destroy_sent, closed, failed };
enum class SessionInput : std::uint8_t { open, init_ok, init_bad, close, lanes_idle, destroy_done, gone };

struct SessionTransition {
    SessionState from;
    SessionInput input;
    SessionState to;
};
// Every legal step. A command not listed answers wrong_state; an input not listed changes nothing. A session that is over
// may be opened again: its device was reset, or is another one.
inline constexpr SessionTransition kSessionTransitions[] = {
    {SessionState::idle, SessionInput::open, SessionState::init_sent},
    {SessionState::init_sent, SessionInput::init_ok, SessionState::ready},
    {SessionState::init_sent, SessionInput::init_bad, SessionState::failed},
    {SessionState::init_sent, SessionInput::gone, SessionState::failed},
    {SessionState::ready, SessionInput::close, SessionState::draining},
    {SessionState::ready, SessionInput::gone, SessionState::failed},
    {SessionState::draining, SessionInput::lanes_idle, SessionState::destroy_sent},
    {SessionState::draining, SessionInput::gone, SessionState::failed},
    {SessionState::destroy_sent, SessionInput::destroy_done, SessionState::closed},
    {SessionState::destroy_sent, SessionInput::gone, SessionState::failed},
    {SessionState::closed, SessionInput::open, SessionState::init_sent},
    {SessionState::failed, SessionInput::open, SessionState::init_sent},
};

// Holds what was written into the header of a message. The device may change the message itself at any time.
struct SessionHead {
    const wire::OpInfo* op = nullptr;
    std::uint64_t unique = 0;
    std::uint64_t nodeid = 0;
    std::uint32_t pid = 0;
};

// A message that wants to be submitted as one chain: one readable segment and at most one writable (len 0 = none).
struct SessionRequest {
    SessionHead head{};
    wire::QueueKind queue = wire::QueueKind::request;
    Token token{};
    Segment readable{};
    Segment writable{};
};

struct SessionOptions {
    Quirks quirks{};
    // Tells how exact used lengths are on the control queue. With upper bounds the length in the reply's header counts.
    WrittenLength lengths = WrittenLength::exact;
};

// Counts what a session has put on the hiprio queue. One that is opened again goes on counting.
struct SessionCounters {
    std::uintptr_t forgets = 0;       // FORGET, of one node each
    std::uintptr_t batch_forgets = 0; // BATCH_FORGET
    std::uintptr_t forgotten = 0;     // nodes in both
    std::uintptr_t interrupts = 0;    // INTERRUPT, those that were sent again among them
};

// INIT, FORGET, INTERRUPT and DESTROY as a state machine. One owner at a time; any context. A host that has no Connection moves
// the messages itself: what the session wants to say goes onto the queue that the message names.
//
// Example (tests/unit/client/client_examples_test.cpp):
//
//     Session session;
//     Errc errc = session.init(memory, {});
//     if (errc == Errc::ok) errc = session.open({});
//     SessionRequest message;
//     while (errc == Errc::ok && session.peek_request(message)) {
//         const std::size_t writable = message.writable.len != 0 ? 1 : 0;
//         errc = queue.submit({&message.readable, 1}, {&message.writable, writable}, message.token);
//         if (errc == Errc::ok) session.handle_submitted(message.queue, message.token);
//     }
//     queue.kick();
//
// And when the device has used some of them:
//
// Example (tests/unit/client/client_examples_test.cpp):
//
//     const std::size_t count = queue.poll(done);
//     for (std::size_t i = 0; i < count; ++i) {
//         session.handle_completion(wire::QueueKind::request, done[i].token, done[i].written);
//     }
class Session {
public:
    static constexpr std::uint32_t kBlock = 4096;     // bytes of one message
    static constexpr std::uint16_t kForgetBlocks = 8; // FORGET messages under way at once
    static constexpr std::uint16_t kInterrupts = 4;   // INTERRUPTs wanted or under way at once
    // Tokens of the hiprio queue lie below this: first the FORGETs', then the INTERRUPTs'.
    static constexpr std::uint16_t kHiprioSlots = kForgetBlocks + kInterrupts;
    static constexpr std::uint16_t kControlToken = 0; // INIT and DESTROY, on a request queue
    static constexpr std::size_t kMemoryBytes = std::size_t{1 + kForgetBlocks} * kBlock;

    Session() noexcept = default;
    // `memory`: kMemoryBytes the device can reach, the caller's, outliving the session. Errors: bad_argument.
    [[nodiscard]] Errc init(const Region& memory, const SessionOptions& options) noexcept;

    [[nodiscard]] SessionState state() const noexcept { return state_; }
    // Valid from `ready` on, immutable until the next open().
    [[nodiscard]] const SessionParams& params() const noexcept { return params_; }
    // Returns why the state is `failed`; for init_refused, server_error() is what the server said.
    [[nodiscard]] Errc failure() const noexcept { return failure_; }
    [[nodiscard]] abi::Errno server_error() const noexcept { return server_error_; }
    // Counts the open() that succeeded; 0 before the first. A node, a handle or a request of another generation means nothing
    // to the server of this one.
    [[nodiscard]] std::uint32_t generation() const noexcept { return params_.generation; }
    // Returns how many messages the device holds of the hiprio queue.
    [[nodiscard]] std::uint16_t hiprio_in_flight() const noexcept { return hiprio_in_flight_; }
    // True if a FORGET found no room yet. It needs a completion of the hiprio queue, and somebody who takes that.
    [[nodiscard]] bool has_waiting_forgets() const noexcept {
        const bool counts = state_ == SessionState::ready || state_ == SessionState::draining;
        return counts && (prepared_forget_len_ != 0 || !forgets_.empty());
    }

    [[nodiscard]] const SessionCounters& counters() const noexcept { return counters_; }

    // The request of this queue and token was used by the device.
    void handle_completion(wire::QueueKind queue, Token token, std::uint32_t written) noexcept;
    // The message peek_request() showed is on its queue now.
    void handle_submitted(wire::QueueKind queue, Token token) noexcept;
    // Called after close(), when no lane has a request in flight nor will have one. Remembered while FORGETs are under way.
    void handle_lanes_idle() noexcept;
    // Nothing will be answered any more; `why` becomes failure(). Every link comes back through take_forgotten().
    void handle_device_gone(Errc why) noexcept;
    // INTERRUPTs the server answered with EAGAIN, because it had not seen their target yet, are sent once more. Called once a
    // turn and not once a completion: a server that answers at once would be asked for ever.
    void handle_turn() noexcept;

    // Starts a generation with FUSE_INIT; nothing of the one before is left. The device holds no message of this session: it
    // was never given one, used them all, or was reset. Errors: wrong_state.
    [[nodiscard]] Errc open(const InitOptions& wanted) noexcept;
    // Stops taking forgets; FUSE_DESTROY follows once the lanes are idle and every FORGET was used by the device (Linux
    // fs/fuse/virtio_fs.c: stop forgets, drain, DESTROY). Errors: wrong_state.
    [[nodiscard]] Errc close() noexcept;
    // Gives lookups back. Never refused and never lost while the session lives: what the queue has no room for waits in
    // order. After close() or a failure there is nothing to give back, and the link is simply returned.
    void forget(ForgetLink& link) noexcept;
    // Asks the server to end the request with this unique early; the request is still answered. EAGAIN is asked again in each
    // turn until end_interrupt(). Errors: wrong_state (not `ready` nor `draining`); not_negotiated (this server must not be sent
    // an INTERRUPT, or answered one with ENOSYS); no_slot (kInterrupts are wanted already: ask again later).
    [[nodiscard]] Errc interrupt(std::uint64_t unique) noexcept;
    // The request was answered, so nobody wants it interrupted any more. Does nothing for a request that was not.
    void end_interrupt(std::uint64_t unique) noexcept;

    // The oldest message that is not on a queue yet; false when there is none. It stays until handle_submitted(), so a
    // full queue is only a reason to ask again later.
    [[nodiscard]] bool peek_request(SessionRequest& out) noexcept;
    // A link the session no longer needs. nullptr when none.
    [[nodiscard]] ForgetLink* take_forgotten() noexcept { return forgets_.take_written(); }

private:
    enum class Control : std::uint8_t { none, init, destroy };
    enum class Progress : std::uint8_t { idle, prepared, in_flight };

    // One request to be interrupted. `again`: the server said EAGAIN, and it is not wanted again yet.
    struct Interrupt {
        enum class Step : std::uint8_t { none, wanted, in_flight, again } step = Step::none;
        std::uint64_t target = 0; // 0: ended while in flight
    };

    [[nodiscard]] bool step(SessionInput input) noexcept;
    void fail(SessionInput input, Errc why) noexcept;
    void prepare_control(wire::Opcode op, const void* in, std::uint32_t in_size, std::uint32_t out_size) noexcept;
    void handle_init(std::uint32_t written) noexcept;
    void settle(const wire::InitOut& out) noexcept;
    void destroy_when_idle() noexcept;
    [[nodiscard]] bool prepare_forget() noexcept;
    void handle_hiprio(std::uint16_t slot, std::uint32_t written) noexcept;
    void handle_interrupt(std::uint16_t index, std::uint32_t written) noexcept;
    [[nodiscard]] bool peek_interrupt(SessionRequest& out) noexcept;
    [[nodiscard]] Region interrupt_block(std::uint16_t index) const noexcept;
    void drop_all() noexcept;
    [[nodiscard]] Region block(std::uint16_t index) const noexcept;

    Region memory_{};
    SessionOptions options_{};
    SessionState state_ = SessionState::idle;
    Control control_ = Control::none;
    Progress control_progress_ = Progress::idle;
    std::uint32_t control_len_ = 0;
    std::uint32_t control_room_ = 0;
    SessionHead control_head_{}; // of INIT or DESTROY
    std::uint64_t sequence_ = 0;
    InitOptions wanted_{};
    SessionParams params_{};
    Errc failure_ = Errc::ok;
    abi::Errno server_error_ = abi::Errno::none;
    ForgetBatch forgets_{};
    std::uint32_t prepared_forget_len_ = 0; // 0 = none prepared
    std::uint16_t prepared_forget_ = 0;     // its block
    SessionHead prepared_forget_head_{};
    std::uint16_t hiprio_in_flight_ = 0;
    bool forget_block_busy_[kForgetBlocks] = {};
    SessionCounters counters_{};
    bool lanes_idle_ = false;         // since close()
    bool interrupts_missing_ = false; // one was answered with ENOSYS
    Interrupt interrupts_[kInterrupts]{};
};

} // namespace vfsproto::client
