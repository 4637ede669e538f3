// SPDX-License-Identifier: BSD-2-Clause
// Writes one reply straight into the driver's memory. Owns the reply's header and cannot overrun the memory.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/fuse/server/detail/segment_cursor.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"
#include "vfsproto/virtqueue/device_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace vfsproto::server {

// Holds all that is needed to answer a request later. A value; its segments lie in the room the file system gave.
// It is answered exactly once, through ServerLane::complete() of the lane it names, by that lane's owner.
struct ParkedRequest {
    Chain chain{};
    std::uint64_t unique = 0;
    wire::Opcode opcode{};
    std::uint16_t lane = 0;
};

// Writes the reply of any row, untyped. The reply is EIO until something else is said: no request is left unanswered by
// mistake. One owner; lives as long as one request.
class ReplyWriter {
public:
    struct Identity {
        std::uint64_t unique = 0;
        std::uint32_t opcode = 0; // of the request
        std::uint16_t head = 0;   // Chain::head
        std::uint16_t lane = 0;
    };

    // `writable` is the lane's own list of the chain's writable segments; it is trimmed in place.
    ReplyWriter(std::span<HostSegment> writable, const Identity& identity) noexcept : identity_(identity) {
        if (!writable.empty() && writable[0].len >= sizeof(wire::OutHeader)) {
            header_[0] = {writable[0].data, sizeof(wire::OutHeader)};
            header_pieces_ = 1;
            writable[0].data += sizeof(wire::OutHeader);
            writable[0].len -= static_cast<std::uint32_t>(sizeof(wire::OutHeader));
            area_ = writable.subspan(writable[0].len == 0 ? 1 : 0);
        } else {
            take_scattered_header(writable);
        }
        capacity_ = total_length(std::span<const HostSegment>(area_));
    }

    // Returns how many bytes fit behind the header.
    [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }

    // Exactly one of these decides the reply; a later one replaces an earlier one.
    void error(abi::Errno why) noexcept;
    // Decides for success; what was appended so far is the reply.
    void succeed() noexcept { state_ = State::success; }
    // Decides for success with the first `bytes` bytes of data_area(), which the caller has written there itself.
    void succeed_written(std::uint64_t bytes) noexcept;
    // Decides for no reply: none is owed, the chain goes back with 0 bytes.
    void none() noexcept { state_ = State::none; }
    // Decides to answer later. Keeps as many writable segments as fit `room`, which must live until then: a reply that
    // needs more becomes EIO. One segment is enough for an error to a client that sends header and payload apart.
    [[nodiscard]] ParkedRequest park(std::span<HostSegment> room) noexcept;
    [[nodiscard]] bool parked() const noexcept { return state_ == State::parked; }
    [[nodiscard]] bool owes_nothing() const noexcept { return state_ == State::none; }

    // Copies `size` bytes to the end of the reply. Returns false, and writes nothing, when they do not fit.
    [[nodiscard]] bool append(const void* bytes, std::size_t size) noexcept;
    [[nodiscard]] bool fits(std::size_t size) const noexcept { return size <= capacity_ - appended_; }

    // Returns the memory the payload goes to, at most `limit` bytes: for preadv and the like. Lowers capacity() to its
    // size.
    [[nodiscard]] ByteView data_area(std::uint64_t limit) noexcept;

    // Writes the header. Returns the number for DeviceQueue::push(), which equals OutHeader::len: 0 when no reply is
    // owed or the driver left no room for a header.
    [[nodiscard]] std::uint32_t finish() noexcept;
    // Answers an INIT of the other byte order and returns as finish(): EPROTO in that order (fuse.h, FUSE_INIT_BSWAP_RESERVED).
    [[nodiscard]] std::uint32_t finish_swapped() noexcept;

private:
    enum class State : std::uint8_t { error, success, none, parked };
    static constexpr std::size_t kHeaderPieces = sizeof(wire::OutHeader); // at worst one byte a segment

    struct HeaderPiece { // without initializers: sixteen of them are not to be cleared for every request
        std::byte* data;
        std::uint32_t len;
    };

    void take_scattered_header(std::span<HostSegment> writable) noexcept;
    [[nodiscard]] std::uint32_t write_header(const wire::OutHeader& header) noexcept;

    std::span<HostSegment> area_{}; // behind the header
    std::uint64_t capacity_ = 0;
    std::uint64_t appended_ = 0;
    Identity identity_{};
    abi::Errno error_ = abi::Errno::eio;
    State state_ = State::error;
    std::uint8_t header_pieces_ = 0; // 0: no room for a header
    std::size_t index_ = 0;          // where append() goes on
    std::uint32_t offset_ = 0;
    HeaderPiece header_[kHeaderPieces]; // set as far as header_pieces_
};

// Answers a request of one row: the typed form of ReplyWriter, handed to the file system's overload. Each member decides the
// reply; call one.
template <class Row_> class Reply {
public:
    using Row = Row_;
    using Out = typename Row::Out;
    static constexpr bool kHasOut = !std::is_same_v<Out, wire::None>;
    static constexpr bool kHasData = Row::out_tail != wire::OutTail::none;

    explicit Reply(ReplyWriter& writer) noexcept : writer_(writer) {}

    void error(abi::Errno why) noexcept { writer_.error(why); }
    // Decides for success without a struct; for a row with data, 0 bytes of it.
    void ok() noexcept
        requires(!kHasOut)
    {
        writer_.succeed();
    }
    // Decides for success with the fixed struct, or for EIO when the driver left too little room.
    void ok(const Out& out) noexcept
        requires(kHasOut)
    {
        writer_.append(&out, sizeof(out)) ? writer_.succeed() : writer_.error(abi::Errno::eio);
    }
    // Decides for success with these bytes (READLINK, GETXATTR of a size above 0), or for ERANGE when they do not fit.
    void data(std::span<const std::byte> bytes) noexcept
        requires(kHasData)
    {
        writer_.append(bytes.data(), bytes.size()) ? writer_.succeed() : writer_.error(abi::Errno::erange);
    }
    // Returns the driver's own memory, at most `limit` bytes of it. Then call ok_written() with how many were put there.
    [[nodiscard]] ByteView data_area(std::uint64_t limit) noexcept
        requires(kHasData)
    {
        return writer_.data_area(limit);
    }
    void ok_written(std::uint64_t bytes) noexcept
        requires(kHasData)
    {
        writer_.succeed_written(bytes);
    }
    // Decides for no reply: rows that owe none (FORGET), and an INTERRUPT that was understood.
    void none() noexcept
        requires(Row::traits.reply != wire::ReplyOwed::always)
    {
        writer_.none();
    }
    // See ReplyWriter::park().
    [[nodiscard]] ParkedRequest park(std::span<HostSegment> room) noexcept { return writer_.park(room); }

    [[nodiscard]] ReplyWriter& writer() noexcept { return writer_; }

private:
    ReplyWriter& writer_;
};
template <wire::Opcode Op> using ReplyTo = Reply<wire::RowOf<Op>>;

} // namespace vfsproto::server
