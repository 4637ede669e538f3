// SPDX-License-Identifier: BSD-2-Clause
// Operations on the contents of open files.
#pragma once

#include "vfsproto/base/region.hpp"
#include "vfsproto/fuse/client/operations/operation.hpp"

namespace vfsproto::client {

using Flush = Single<wire::Opcode::flush>;
using Release = Single<wire::Opcode::release>;
using SyncFile = Single<wire::Opcode::fsync>;
using Allocate = Single<wire::Opcode::fallocate>;
using Control = Single<wire::Opcode::ioctl>;
using PollFile = Single<wire::Opcode::poll>;
using MapBlock = Single<wire::Opcode::bmap>;

// Returns the most bytes one READ or WRITE may carry. Registered memory is not bound by the bounce area, which holds whole pages.
//
//   max_read 1,048,576 and a bounce area of 131,072 bytes: 1,048,576 registered, 131,072 bounced
//   max_read 65,536 and a bounce area of 131,072 bytes:    65,536 either way
//   max_read 65,536 and a bounce area of 10,000 bytes:     65,536 registered, 8,192 bounced
[[nodiscard]] std::uint32_t piece_limit(const Client& client, wire::Opcode op, Payload payload) noexcept;

// Reads or writes a span of any length. It is split into transfers of what one request may carry, of which up to kPieces are
// under way at once. A single one is under way at a time if the server did not take ASYNC_READ, and for a write with O_APPEND,
// because the server puts each piece where the file ends. It ends at the first short piece, as read(2) and write(2) do: done() counts the bytes up
// to there, and an error is reported only when nothing came before it. A write of which nothing was taken is EIO.
// After a write that ended early, bytes behind done() may have been written as well: the pieces behind the short one were
// under way. Whoever must know writes at most piece_limit() bytes a time, or with O_APPEND.
template <wire::Opcode Op> class LongTransfer final : public Operation {
    static_assert(Op == wire::Opcode::read || Op == wire::Opcode::write);

public:
    static constexpr std::size_t kPieces = 8;

    void start(Client& client, const Caller& caller, const TransferSpan& span) noexcept;
    [[nodiscard]] std::uint64_t done() const noexcept { return done_; }

    // Lets go of every piece that is under way: one of `late` takes the place of each, from the first one on, and each of them
    // must keep memory (HeldMemory::until_late). The operation ends with `why` before this returns, or with done() if some
    // bytes had moved. Errors: wrong_state, when no piece is under way or one of `late` keeps no memory; nothing happens then.
    [[nodiscard]] Errc abandon(std::span<LateReply, kPieces> late, Errc why) noexcept;
    // Returns the unique of the first piece that is under way; 0 if none is in flight.
    [[nodiscard]] std::uint64_t unique() const noexcept;

private:
    struct Piece : Transfer {
        LongTransfer* whole = nullptr;
        std::uint32_t len = 0;
        bool answered = false;
    };

    void send_more() noexcept;
    void send_piece(Piece& piece) noexcept;
    void answered(Piece& piece) noexcept;
    void settle() noexcept;

    Piece pieces_[kPieces];
    TransferSpan span_{};
    std::uint64_t sent_ = 0;
    std::uint64_t done_ = 0;
    std::uint32_t limit_ = 0;
    std::uint8_t window_ = kPieces;
    std::uint8_t first_ = 0; // oldest piece on its way
    std::uint8_t count_ = 0; // pieces on their way
    bool stopped_ = false;
    bool sending_ = false;
    Errc stop_errc_ = Errc::ok;
    abi::Errno stop_error_ = abi::Errno::none;
};
extern template class LongTransfer<wire::Opcode::read>;
extern template class LongTransfer<wire::Opcode::write>;
using ReadFile = LongTransfer<wire::Opcode::read>;
using WriteFile = LongTransfer<wire::Opcode::write>;

// LSEEK for SEEK_DATA and SEEK_HOLE; where the server has none, the file is one piece of data. ENXIO at its end.
class SeekFile final : public Operation {
public:
    void start(Client& client, const Caller& caller, std::uint64_t nodeid, const wire::LseekIn& wanted) noexcept;
    [[nodiscard]] std::uint64_t offset() const noexcept { return seek_.reply.offset; }

private:
    void answered() noexcept;
    void ask_size() noexcept;
    void emulate() noexcept;

    Call<wire::Opcode::lseek> seek_;
    Call<wire::Opcode::getattr> getattr_;
    std::uint64_t nodeid_ = 0;
};

// COPY_FILE_RANGE_64 where there is one, else COPY_FILE_RANGE with a length its 32-bit answer can count.
class CopyRange final : public Operation {
public:
    void start(Client& client, const Caller& caller, std::uint64_t nodeid,
               const wire::CopyFileRangeIn& wanted) noexcept;
    [[nodiscard]] std::uint64_t copied() const noexcept { return copied_; }

private:
    void answered_64() noexcept;
    void ask_32() noexcept;
    void answered_32() noexcept;

    Call<wire::Opcode::copy_file_range_64> wide_;
    Call<wire::Opcode::copy_file_range> narrow_;
    std::uint64_t nodeid_ = 0;
    std::uint64_t copied_ = 0;
};

} // namespace vfsproto::client
