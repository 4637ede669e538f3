// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/operations/data.hpp"

#include "vfsproto/fuse/wire/validate.hpp"

namespace vfsproto::client {

using abi::Errno;
using wire::Opcode;

std::uint32_t piece_limit(const Client& client, Opcode op, Payload payload) noexcept {
    const std::uint32_t by_session = op == Opcode::read ? client.params->max_read : client.params->max_write;
    if (payload == Payload::registered && client.lane->can_pass_registered()) return by_session;
    const std::uint32_t by_bounce = client.lane->max_bounced() & ~(kPageSize - 1);
    return by_session < by_bounce ? by_session : by_bounce;
}

template <Opcode Op>
void LongTransfer<Op>::start(Client& client, const Caller& caller, const TransferSpan& span) noexcept {
    begin(client, caller);
    span_ = span;
    sent_ = done_ = 0;
    first_ = count_ = 0;
    stopped_ = sending_ = false;
    stop_errc_ = Errc::ok;
    stop_error_ = Errno::none;
    limit_ = piece_limit(client, Op, span.payload);
    const bool in_order =
        Op == Opcode::read ? !client.has(wire::InitFlag::async_read) : (span.open_flags & abi::kOAppend) != 0;
    window_ = in_order ? 1 : kPieces;
    if (span.nodeid == 0) return finish(Errc::ok, Errno::ebadf); // no server gives it: the file is not open
    const Errno error = check_file_span(wire::RowOf<Op>::traits.span, span.offset, span.len);
    if (error != Errno::none) return finish(Errc::ok, error);
    if (span.len == 0) return finish(Errc::ok, Errno::none);
    send_more();
}

// A piece may be answered while it is being sent (the lane refuses at once): then the loop goes on, not the callback.
template <Opcode Op> void LongTransfer<Op>::send_more() noexcept {
    if (sending_) return;
    sending_ = true;
    while (!stopped_ && count_ < window_ && sent_ < span_.len) {
        Piece& piece = pieces_[(first_ + count_) % kPieces];
        ++count_;
        send_piece(piece);
        settle();
    }
    sending_ = false;
    if (count_ != 0) return;
    // Bytes that moved before an error count; the caller meets the error with its next call.
    if (done_ != 0) return finish(Errc::ok, Errno::none);
    finish(stop_errc_, stop_error_);
}

template <Opcode Op> void LongTransfer<Op>::send_piece(Piece& piece) noexcept {
    const std::uint64_t left = span_.len - sent_;
    piece.whole = this;
    piece.len = static_cast<std::uint32_t>(left < limit_ ? left : limit_);
    piece.answered = false;
    piece.on_done = [](Transfer& transfer) noexcept {
        auto& done = static_cast<Piece&>(transfer);
        done.whole->answered(done);
    };
    TransferSpan part = span_.part(sent_, piece.len);
    if constexpr (Op == Opcode::write) {
        if (kills_privileges()) part.transfer_flags |= wire::kWriteKillSuidgid;
    }
    sent_ += piece.len;
    client_->lane->start<Op>(piece, part, caller_);
}

template <Opcode Op> void LongTransfer<Op>::answered(Piece& piece) noexcept {
    piece.answered = true;
    if (sending_) return;
    settle();
    send_more();
}

template <Opcode Op> Errc LongTransfer<Op>::abandon(std::span<LateReply, kPieces> late, Errc why) noexcept {
    if (count_ == 0) return Errc::wrong_state;
    for (const LateReply& each : late) {
        if (each.memory == HeldMemory::none) return Errc::wrong_state;
    }
    // Nothing is sent meanwhile, and the operation ends only once: its end may be the end of its life.
    sending_ = true;
    for (std::size_t i = 0; i < count_; ++i) {
        Piece& piece = pieces_[(first_ + i) % kPieces];
        if (!piece.answered) static_cast<void>(client_->lane->abandon(piece, late[i], why));
    }
    settle(); // the first of them stopped it
    sending_ = false;
    send_more();
    return Errc::ok;
}

template <Opcode Op> std::uint64_t LongTransfer<Op>::unique() const noexcept {
    return count_ != 0 ? client_->lane->unique_of(pieces_[first_]) : 0;
}

// Takes finished pieces off the front, in the order of the file.
template <Opcode Op> void LongTransfer<Op>::settle() noexcept {
    while (count_ != 0 && pieces_[first_].answered) {
        const Piece& piece = pieces_[first_];
        first_ = static_cast<std::uint8_t>((first_ + 1) % kPieces);
        --count_;
        if (stopped_) continue;
        stop_errc_ = piece.errc;
        stop_error_ = piece.error;
        if (piece.succeeded()) {
            done_ += piece.bytes;
            if (piece.bytes == piece.len) continue;
            if (Op == Opcode::write && piece.bytes == 0) stop_error_ = Errno::eio;
        }
        stopped_ = true;
    }
}

template class LongTransfer<Opcode::read>;
template class LongTransfer<Opcode::write>;

void SeekFile::start(Client& client, const Caller& caller, std::uint64_t nodeid, const wire::LseekIn& wanted) noexcept {
    begin(client, caller);
    nodeid_ = nodeid;
    seek_.args = wanted;
    seek_.reply = {};
    // lseek(2) finds an offset that no file has beyond the end of every file.
    if (!is_in_file(wanted.offset)) return finish(Errc::ok, Errno::enxio);
    if (client.sticky->is_missing(Opcode::lseek)) return ask_size();
    send(seek_, nodeid, [](Request& request) noexcept { static_cast<SeekFile*>(request.owner)->answered(); });
}

void SeekFile::answered() noexcept {
    if (noted_missing(seek_)) return ask_size();
    if (seek_.succeeded() && seek_.reply.offset > INT64_MAX) return finish(Errc::protocol_violation, Errno::none);
    finish(seek_);
}

void SeekFile::ask_size() noexcept {
    getattr_.args = {};
    getattr_.args.getattr_flags = wire::kGetattrFh;
    getattr_.args.fh = seek_.args.fh;
    send(getattr_, nodeid_, [](Request& request) noexcept { static_cast<SeekFile*>(request.owner)->emulate(); });
}

// One piece of data up to the end, where the only hole begins.
void SeekFile::emulate() noexcept {
    if (!getattr_.succeeded()) return finish(getattr_);
    if (const Errc errc = wire::check_attr(getattr_.reply.attr); errc != Errc::ok) return finish(errc, Errno::none);
    const std::uint64_t size = getattr_.reply.attr.size;
    const std::uint64_t from = seek_.args.offset;
    const bool data = seek_.args.whence == abi::kSeekData;
    if (!data && seek_.args.whence != abi::kSeekHole) return finish(Errc::ok, Errno::einval);
    if (from >= size) return finish(Errc::ok, Errno::enxio);
    seek_.reply.offset = data ? from : size;
    finish(Errc::ok, Errno::none);
}

void CopyRange::start(Client& client, const Caller& caller, std::uint64_t nodeid,
                      const wire::CopyFileRangeIn& wanted) noexcept {
    begin(client, caller);
    nodeid_ = nodeid;
    wide_.args = wanted;
    copied_ = 0;
    Errno error = check_file_span(wire::FileSpan::read, wanted.off_in, wanted.len);
    if (error == Errno::none) error = check_file_span(wire::FileSpan::written, wanted.off_out, wanted.len);
    if (error != Errno::none) return finish(Errc::ok, error);
    if (client.params->minor < wire::RowOf<Opcode::copy_file_range_64>::since ||
        client.sticky->is_missing(Opcode::copy_file_range_64)) {
        return ask_32();
    }
    send(wide_, nodeid, [](Request& request) noexcept { static_cast<CopyRange*>(request.owner)->answered_64(); });
}

void CopyRange::answered_64() noexcept {
    if (noted_missing(wide_)) return ask_32();
    if (!wide_.succeeded()) return finish(wide_);
    if (wide_.reply.bytes_copied > wide_.args.len) return finish(Errc::protocol_violation, Errno::none);
    copied_ = wide_.reply.bytes_copied;
    finish(Errc::ok, Errno::none);
}

void CopyRange::ask_32() noexcept {
    if (client_->sticky->is_missing(Opcode::copy_file_range)) return finish(Errc::ok, Errno::eopnotsupp);
    constexpr std::uint64_t kMost = 0xfffff000; // what fits the 32-bit count, whole pages
    narrow_.args = wide_.args;
    if (narrow_.args.len > kMost) narrow_.args.len = kMost;
    send(narrow_, nodeid_, [](Request& request) noexcept { static_cast<CopyRange*>(request.owner)->answered_32(); });
}

void CopyRange::answered_32() noexcept {
    if (noted_missing(narrow_)) return finish(Errc::ok, Errno::eopnotsupp);
    if (!narrow_.succeeded()) return finish(narrow_);
    if (narrow_.reply.size > narrow_.args.len) return finish(Errc::protocol_violation, Errno::none);
    copied_ = narrow_.reply.size;
    finish(Errc::ok, Errno::none);
}

} // namespace vfsproto::client
