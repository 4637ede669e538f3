// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/session.hpp"

#include "vfsproto/base/peer_memory.hpp"
#include "vfsproto/base/smaller.hpp"
#include "vfsproto/fuse/client/detail/unique.hpp"
#include "vfsproto/fuse/wire/detail/message_writer.hpp"
#include "vfsproto/fuse/wire/detail/reply_check.hpp"

namespace vfsproto::client {

namespace {

// The control block holds INIT or DESTROY, then INTERRUPTs and their replies, then the reply to INIT or DESTROY.
constexpr std::uint32_t kInterruptsAt = 1024;
constexpr std::uint32_t kInterruptStride = 128; // bytes from one to the next
constexpr std::uint32_t kInterruptReplyAt = 64; // in its own part
constexpr std::uint32_t kReplyAt = 2048;
// The least of an InitOut that says anything: major and minor. A server of another major sends no more.
constexpr std::uint16_t kVersionSize = 8;

// Returns the flags of the answer. One server takes flags of the second word (7.36) and forgets to say INIT_EXT, then expects
// what it took. It is believed if it takes nothing that was not offered.
wire::InitFlags flags_taken(const wire::InitOut& out, wire::InitFlags offered) noexcept {
    constexpr std::uint32_t kInitExt = 1u << static_cast<unsigned>(wire::InitFlag::init_ext);
    const bool is_subset = (out.flags2 & ~offered.high_word()) == 0;
    const bool said = is_subset && offered.has(wire::InitFlag::init_ext);
    return wire::init_flags_from_words(out.flags | (said && out.flags2 != 0 ? kInitExt : 0), out.flags2);
}

SessionHead noted(const wire::RequestHead& head) noexcept {
    return {&wire::op_info(head.opcode), head.unique, head.nodeid, head.caller.pid};
}

static_assert(sizeof(wire::InHeader) + sizeof(wire::InterruptIn) <= kInterruptReplyAt);
static_assert(kInterruptsAt + Session::kInterrupts * kInterruptStride <= kReplyAt);

} // namespace

// HANDLE_KILLPRIV asks nothing of a client: the server takes set-id bits away by itself.
wire::InitFlags implemented_init_flags() noexcept {
    using F = wire::InitFlag;
    return wire::InitFlags::of(F::async_read, F::posix_locks, F::flock_locks, F::atomic_o_trunc, F::big_writes,
                               F::dont_mask, F::do_readdirplus, F::async_dio, F::no_open_support, F::parallel_dirops,
                               F::max_pages, F::cache_symlinks, F::no_opendir_support, F::setxattr_ext, F::init_ext,
                               F::posix_acl, F::handle_killpriv, F::handle_killpriv_v2, F::security_ctx,
                               F::create_supp_group);
}

Errc Session::init(const Region& memory, const SessionOptions& options) noexcept {
    if (memory.size() < kMemoryBytes || memory.host() == nullptr) return Errc::bad_argument;
    memory_ = memory;
    options_ = options;
    return Errc::ok;
}

Region Session::block(std::uint16_t index) const noexcept { return memory_.part(std::size_t{index} * kBlock, kBlock); }

Region Session::interrupt_block(std::uint16_t index) const noexcept {
    return memory_.part(kInterruptsAt + std::size_t{index} * kInterruptStride, kInterruptStride);
}

bool Session::step(SessionInput input) noexcept {
    for (const SessionTransition& transition : kSessionTransitions) {
        if (transition.from != state_ || transition.input != input) continue;
        state_ = transition.to;
        return true;
    }
    return false;
}

void Session::fail(SessionInput input, Errc why) noexcept {
    if (!step(input)) return;
    failure_ = why;
    drop_all();
}

// Forgets what is under way, or would be.
void Session::drop_all() noexcept {
    forgets_.drop_all();
    prepared_forget_len_ = 0;
    hiprio_in_flight_ = 0;
    for (bool& busy : forget_block_busy_) busy = false;
    for (Interrupt& each : interrupts_) each = {};
    control_ = Control::none;
    control_progress_ = Progress::idle;
}

void Session::prepare_control(wire::Opcode op, const void* in, std::uint32_t in_size, std::uint32_t out_size) noexcept {
    sequence_ = next_sequence(sequence_);
    const wire::RequestHead head{
        .opcode = op, .unique = make_unique(sequence_, kSessionLane, kControlToken), .caller = {.pid = wanted_.pid}};
    control_head_ = noted(head);
    wire::MessageWriter writer(block(0).host());
    writer.fixed(in, in_size);
    control_len_ = writer.finish(head);
    control_room_ = static_cast<std::uint32_t>(sizeof(wire::OutHeader)) + out_size;
    __builtin_memset(block(0).host() + kReplyAt, 0, control_room_);
    control_progress_ = Progress::prepared;
}

Errc Session::open(const InitOptions& wanted) noexcept {
    if (memory_.host() == nullptr || !step(SessionInput::open)) return Errc::wrong_state;
    drop_all();
    failure_ = Errc::ok;
    server_error_ = abi::Errno::none;
    lanes_idle_ = false;
    interrupts_missing_ = false;
    const std::uint32_t generation = params_.generation + 1;
    params_ = {};
    params_.generation = generation;
    wanted_ = wanted;
    // MAP_ALIGNMENT is no default: only the host knows if there is a window, and if it maps it.
    wanted_.flags = wanted.flags & (implemented_init_flags() | wire::InitFlags::of(wire::InitFlag::map_alignment));
    if (wanted_.max_pages == 0) wanted_.max_pages = 1;
    wire::InitIn in{};
    in.major = wire::kMajor;
    in.minor = wire::kMinor;
    in.max_readahead = wanted_.max_readahead;
    in.flags = wanted_.flags.low_word();
    in.flags2 = wanted_.flags.high_word();
    // INIT is always 64 bytes long: one server dies of INIT_EXT with the short form, and both take the long one without it.
    prepare_control(wire::Opcode::init, &in, sizeof(in), sizeof(wire::InitOut));
    control_ = Control::init;
    return Errc::ok;
}

Errc Session::close() noexcept { return step(SessionInput::close) ? Errc::ok : Errc::wrong_state; }

void Session::handle_lanes_idle() noexcept {
    if (state_ != SessionState::draining) return;
    lanes_idle_ = true;
    for (Interrupt& each : interrupts_) {
        each.target = 0; // no target lives any more
        if (each.step != Interrupt::Step::in_flight) each.step = Interrupt::Step::none;
    }
    destroy_when_idle();
}

void Session::destroy_when_idle() noexcept {
    if (!lanes_idle_ || !forgets_.empty() || prepared_forget_len_ != 0 || hiprio_in_flight_ != 0) return;
    if (!step(SessionInput::lanes_idle)) return;
    prepare_control(wire::Opcode::destroy, nullptr, 0, 0);
    control_ = Control::destroy;
}

void Session::handle_device_gone(Errc why) noexcept { fail(SessionInput::gone, why); }

void Session::handle_submitted(wire::QueueKind queue, Token token) noexcept {
    if (queue == wire::QueueKind::request) {
        VFSPROTO_ASSERT(control_progress_ == Progress::prepared && token.slot == kControlToken);
        control_progress_ = Progress::in_flight;
        return;
    }
    VFSPROTO_ASSERT(token.slot < kHiprioSlots);
    ++hiprio_in_flight_;
    if (token.slot >= kForgetBlocks) {
        Interrupt& interrupt = interrupts_[token.slot - kForgetBlocks];
        VFSPROTO_ASSERT(interrupt.step == Interrupt::Step::wanted);
        interrupt.step = Interrupt::Step::in_flight;
        ++counters_.interrupts;
        return;
    }
    VFSPROTO_ASSERT(prepared_forget_len_ != 0 && token.slot == prepared_forget_);
    forget_block_busy_[token.slot] = true;
    prepared_forget_len_ = 0;
    const bool is_batch = prepared_forget_head_.op->opcode == wire::Opcode::batch_forget;
    ++(is_batch ? counters_.batch_forgets : counters_.forgets);
    counters_.forgotten += forgets_.encoded();
}

void Session::handle_completion(wire::QueueKind queue, Token token, std::uint32_t written) noexcept {
    if (queue == wire::QueueKind::hiprio) return handle_hiprio(token.slot, written);
    if (token.slot != kControlToken || control_progress_ != Progress::in_flight) return;
    control_progress_ = Progress::idle;
    // The session is over, whatever DESTROY was answered.
    if (control_ == Control::destroy) static_cast<void>(step(SessionInput::destroy_done));
    if (control_ == Control::init) handle_init(written);
}

void Session::handle_hiprio(std::uint16_t slot, std::uint32_t written) noexcept {
    if (slot < kForgetBlocks) {
        // No reply is owed to a FORGET, so there is nothing to look at.
        if (!forget_block_busy_[slot]) return;
        forget_block_busy_[slot] = false;
    } else {
        if (slot >= kHiprioSlots || interrupts_[slot - kForgetBlocks].step != Interrupt::Step::in_flight) return;
        handle_interrupt(static_cast<std::uint16_t>(slot - kForgetBlocks), written);
    }
    --hiprio_in_flight_;
    destroy_when_idle();
}

// A server that does as it was asked says nothing. A reply that is none of the two known ones has no effect: the target is
// answered in any case.
void Session::handle_interrupt(std::uint16_t index, std::uint32_t written) noexcept {
    Interrupt& interrupt = interrupts_[index];
    const std::uint64_t target = interrupt.target;
    interrupt = {};
    if (target == 0) return;
    const wire::OutHeader header = wire::read_out_header(interrupt_block(index).host() + kInterruptReplyAt);
    const wire::ExpectedReply expected = wire::expected_reply(wire::op_info(wire::Opcode::interrupt), 0);
    if (wire::check_reply(expected, target | kInterruptBit, header, written) != Errc::ok) return;
    const abi::Errno error = wire::errno_of(header);
    if (error == abi::Errno::enosys) {
        interrupts_missing_ = true;
        for (Interrupt& each : interrupts_) {
            if (each.step != Interrupt::Step::in_flight) each = {};
        }
    }
    if (error == abi::Errno::eagain && !interrupts_missing_) interrupt = {Interrupt::Step::again, target};
}

void Session::handle_turn() noexcept {
    for (Interrupt& each : interrupts_) {
        if (each.step == Interrupt::Step::again) each.step = Interrupt::Step::wanted;
    }
}

Errc Session::interrupt(std::uint64_t unique) noexcept {
    if (state_ != SessionState::ready && state_ != SessionState::draining) return Errc::wrong_state;
    if (options_.quirks.interrupts == InterruptUse::never || interrupts_missing_) return Errc::not_negotiated;
    Interrupt* free = nullptr;
    for (Interrupt& each : interrupts_) {
        if (each.step == Interrupt::Step::none) {
            if (free == nullptr) free = &each;
        } else if (each.target == unique) {
            return Errc::ok; // once is enough
        }
    }
    if (free == nullptr) return Errc::no_slot;
    *free = {Interrupt::Step::wanted, unique};
    return Errc::ok;
}

void Session::end_interrupt(std::uint64_t unique) noexcept {
    for (Interrupt& each : interrupts_) {
        if (each.step == Interrupt::Step::none || each.target != unique) continue;
        each.target = 0;
        if (each.step != Interrupt::Step::in_flight) each.step = Interrupt::Step::none;
    }
}

bool Session::peek_interrupt(SessionRequest& out) noexcept {
    for (std::uint16_t i = 0; i < kInterrupts; ++i) {
        const Interrupt& interrupt = interrupts_[i];
        if (interrupt.step != Interrupt::Step::wanted) continue;
        const Region block = interrupt_block(i);
        const wire::InterruptIn in{interrupt.target};
        wire::MessageWriter writer(block.host());
        writer.fixed(&in, sizeof(in));
        const wire::RequestHead head{.opcode = wire::Opcode::interrupt,
                                     .unique = interrupt.target | kInterruptBit,
                                     .caller = {.pid = wanted_.pid}};
        const std::uint32_t length = writer.finish(head);
        out.head = noted(head);
        out.queue = wire::QueueKind::hiprio;
        out.token = Token{static_cast<std::uint16_t>(kForgetBlocks + i)};
        out.readable = {block.device(), length};
        out.writable = {block.device() + kInterruptReplyAt, sizeof(wire::OutHeader)};
        return true;
    }
    return false;
}

void Session::handle_init(std::uint32_t written) noexcept {
    const std::byte* const reply = block(0).host() + kReplyAt;
    const wire::OutHeader header = wire::read_out_header(reply);
    if (options_.lengths == WrittenLength::upper_bound) written = smaller(header.len, written);
    wire::ExpectedReply expected = wire::expected_reply(wire::op_info(wire::Opcode::init), 0);
    const std::uint16_t least = expected.least;
    expected.least = kVersionSize;
    if (const Errc errc = wire::check_reply(expected, control_head_.unique, header, written); errc != Errc::ok) {
        return fail(SessionInput::init_bad, errc);
    }
    if (header.error != 0) {
        server_error_ = wire::errno_of(header);
        return fail(SessionInput::init_bad, Errc::init_refused);
    }
    const std::uint32_t body = written - static_cast<std::uint32_t>(sizeof(header));
    wire::InitOut out{};
    // A short struct is an old minor's; what is missing reads as zero.
    copy_from_peer(&out, reply + sizeof(header), body);
    if (out.major != wire::kMajor || out.minor < wire::kMinorFloor) {
        return fail(SessionInput::init_bad, Errc::version_unsupported);
    }
    if (body < least) return fail(SessionInput::init_bad, Errc::protocol_violation);
    settle(out);
    static_cast<void>(step(SessionInput::init_ok));
}

void Session::settle(const wire::InitOut& out) noexcept {
    using F = wire::InitFlag;
    SessionParams& p = params_;
    p.minor = smaller(out.minor, wire::kMinor);
    p.offered = wanted_.flags;
    p.flags = flags_taken(out, wanted_.flags) & wanted_.flags;
    p.max_readahead = smaller(out.max_readahead, wanted_.max_readahead);
    p.max_pages = kDefaultMaxPages;
    if (p.flags.has(F::max_pages)) p.max_pages = out.max_pages == 0 ? std::uint16_t{1} : out.max_pages;
    p.max_pages = smaller(p.max_pages, wanted_.max_pages);
    p.max_read = p.max_pages * kPageSize;
    const std::uint32_t max_write = out.max_write < kPageSize ? kPageSize : out.max_write;
    p.max_write = p.flags.has(F::big_writes) ? smaller(max_write, p.max_read) : kPageSize;
    p.max_background = out.max_background;
    p.congestion_threshold = out.congestion_threshold;
    p.time_gran = out.time_gran == 0 || out.time_gran > 1'000'000'000 ? 1 : out.time_gran;
    p.map_alignment = p.flags.has(F::map_alignment) ? out.map_alignment : std::uint16_t{0};
    p.request_timeout = p.flags.has(F::request_timeout) ? out.request_timeout : std::uint16_t{0};
}

void Session::forget(ForgetLink& link) noexcept {
    // DESTROY drops every lookup at once, so from close() on there is nothing to give back.
    if (state_ != SessionState::ready) link.nlookup = 0;
    forgets_.add(link);
}

bool Session::prepare_forget() noexcept {
    if (prepared_forget_len_ != 0) return true;
    if (forgets_.empty() || (state_ != SessionState::ready && state_ != SessionState::draining)) return false;
    for (std::uint16_t i = 0; i < kForgetBlocks; ++i) {
        if (forget_block_busy_[i]) continue;
        sequence_ = next_sequence(sequence_);
        prepared_forget_ = i;
        prepared_forget_head_ = noted(forgets_.next_head(make_unique(sequence_, kSessionLane, i)));
        prepared_forget_len_ =
            forgets_.encode(block(static_cast<std::uint16_t>(i + 1)).bytes(), prepared_forget_head_.unique);
        return prepared_forget_len_ != 0;
    }
    return false;
}

bool Session::peek_request(SessionRequest& out) noexcept {
    if (control_progress_ == Progress::prepared) {
        const Region control = block(0);
        out.head = control_head_;
        out.queue = wire::QueueKind::request;
        out.token = Token{kControlToken};
        out.readable = {control.device(), control_len_};
        out.writable = {control.device() + kReplyAt, control_room_};
        return true;
    }
    if (peek_interrupt(out)) return true;
    if (!prepare_forget()) return false;
    out.head = prepared_forget_head_;
    out.queue = wire::QueueKind::hiprio;
    out.token = Token{prepared_forget_};
    out.readable = {block(static_cast<std::uint16_t>(prepared_forget_ + 1)).device(), prepared_forget_len_};
    out.writable = {};
    return true;
}

} // namespace vfsproto::client
