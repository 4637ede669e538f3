// SPDX-License-Identifier: BSD-2-Clause
// The FUSE session of one device: INIT, FORGET and DESTROY. No I/O, no clock, no locks, no heap. Methods come in four
// kinds, in this order:
//   getters   state(), params(), failure()
//   inputs    handle_…()  something happened outside
//   commands  open(), close(), forget()
//   outputs   peek_request(), take_forgotten(): ask until they say no after every input or command
// Ordinary file operations do not pass here: they are a request on a Lane.
#pragma once

#include "vfsproto/base/region.hpp"
#include "vfsproto/fuse/client/forget_batch.hpp"
#include "vfsproto/fuse/client/quirks.hpp"
#include "vfsproto/fuse/client/session_params.hpp"
#include "vfsproto/fuse/wire/linux_abi.hpp"
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
// Every legal step. A command not listed answers wrong_state; an input not listed changes nothing.
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
};

// The flags this client implements, and so may offer.
[[nodiscard]] wire::InitFlags implemented_init_flags() noexcept;

// What to ask for in INIT.
struct InitOptions {
    wire::InitFlags flags = implemented_init_flags(); // anything not implemented is left out
    std::uint32_t max_readahead = 1u << 20;           // bytes
    std::uint16_t max_pages = 256;                    // the most one request of ours may carry
    std::uint32_t pid = 0;                            // of the process, for the header
};

// A message that wants to be submitted as one chain: one readable segment and at most one writable (len 0 = none).
struct SessionRequest {
    wire::QueueKind queue = wire::QueueKind::request;
    Token token{};
    Segment readable{};
    Segment writable{};
};

struct SessionOptions {
    Quirks quirks{};
    // Of the request queue. With upper bounds the length in the reply's header counts instead.
    WrittenLength lengths = WrittenLength::exact;
};

class Session {
public:
    static constexpr std::uint32_t kBlock = 4096;     // bytes of one message
    static constexpr std::uint16_t kForgetBlocks = 8; // FORGET messages under way at once
    static constexpr std::uint16_t kControlToken = 0; // INIT and DESTROY, on a request queue
    static constexpr std::size_t kMemoryBytes = std::size_t{1 + kForgetBlocks} * kBlock;

    Session() noexcept = default;
    // `memory`: kMemoryBytes the device can reach, the caller's, outliving the session. Errors: bad_argument.
    [[nodiscard]] Errc init(const Region& memory, const SessionOptions& options) noexcept;

    [[nodiscard]] SessionState state() const noexcept { return state_; }
    // Valid from `ready` on, immutable afterwards.
    [[nodiscard]] const SessionParams& params() const noexcept { return params_; }
    // Why the state is `failed`; for init_refused, server_error() is what the server said.
    [[nodiscard]] Errc failure() const noexcept { return failure_; }
    [[nodiscard]] wire::Errno server_error() const noexcept { return server_error_; }
    [[nodiscard]] std::uint16_t forgets_in_flight() const noexcept { return forgets_in_flight_; }
    // Is there a FORGET that found no room yet? It needs a completion of the hiprio queue, and whoever takes that.
    [[nodiscard]] bool has_waiting_forgets() const noexcept {
        const bool counts = state_ == SessionState::ready || state_ == SessionState::draining;
        return counts && (prepared_forget_len_ != 0 || !forgets_.empty());
    }

    // The request of this queue and token was used by the device.
    void handle_completion(wire::QueueKind queue, Token token, std::uint32_t written) noexcept;
    // The message peek_request() showed is on its queue now.
    void handle_submitted(wire::QueueKind queue, Token token) noexcept;
    // After close(): no lane has a request in flight any more, nor will have. Remembered while FORGETs are under way.
    void handle_lanes_idle() noexcept;
    // Nothing will be answered any more; `why` becomes failure(). Every link comes back through take_forgotten().
    void handle_device_gone(Errc why) noexcept;

    // FUSE_INIT. Errors: wrong_state.
    [[nodiscard]] Errc open(const InitOptions& wanted) noexcept;
    // Stops taking forgets; FUSE_DESTROY follows once the lanes are idle and every FORGET was used by the device (Linux
    // fs/fuse/virtio_fs.c: stop forgets, drain, DESTROY). Errors: wrong_state.
    [[nodiscard]] Errc close() noexcept;
    // Gives lookups back. Never refused and never lost while the session lives: what the queue has no room for waits in
    // order. After close() or a failure there is nothing to give back, and the link is simply returned.
    void forget(ForgetLink& link) noexcept;

    // The oldest message that is not on a queue yet; false when there is none. It stays until handle_submitted(), so a
    // full queue is only a reason to ask again later.
    [[nodiscard]] bool peek_request(SessionRequest& out) noexcept;
    // A link the session no longer needs. nullptr when none.
    [[nodiscard]] ForgetLink* take_forgotten() noexcept { return forgets_.take_written(); }

private:
    enum class Control : std::uint8_t { none, init, destroy };
    enum class Progress : std::uint8_t { idle, prepared, in_flight };

    [[nodiscard]] bool step(SessionInput input) noexcept;
    void fail(SessionInput input, Errc why) noexcept;
    void prepare_control(wire::Opcode op, const void* in, std::uint32_t in_size, std::uint32_t out_size) noexcept;
    void handle_init(std::uint32_t written) noexcept;
    void settle(const wire::InitOut& out) noexcept;
    void destroy_when_idle() noexcept;
    [[nodiscard]] bool prepare_forget() noexcept;
    [[nodiscard]] Region block(std::uint16_t index) const noexcept;

    Region memory_{};
    SessionOptions options_{};
    SessionState state_ = SessionState::idle;
    Control control_ = Control::none;
    Progress control_progress_ = Progress::idle;
    std::uint32_t control_len_ = 0;
    std::uint32_t control_room_ = 0;
    std::uint64_t control_unique_ = 0;
    std::uint64_t sequence_ = 0;
    InitOptions wanted_{};
    SessionParams params_{};
    Errc failure_ = Errc::ok;
    wire::Errno server_error_ = wire::Errno::none;
    ForgetBatch forgets_{};
    std::uint32_t prepared_forget_len_ = 0; // 0 = none prepared
    std::uint16_t prepared_forget_ = 0;     // its block
    std::uint16_t forgets_in_flight_ = 0;
    bool forget_block_busy_[kForgetBlocks] = {};
    bool lanes_idle_ = false; // since close()
};

} // namespace vfsproto::client
