// SPDX-License-Identifier: BSD-2-Clause
// Cuts what comes from a stream socket into messages. The bytes of a large one go from the socket to where they belong; small
// ones come many at a time. Never blocks, and holds at most kBuffer bytes whatever the peer sends.
#pragma once

#include "vfsproto/fuse/wire/structs.hpp"

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace vfsproto::backends::fuse_stream {

// One owner at a time. The owner alternates: receive() until it says `nothing`, and after each what came: while peek() has a
// header, say where that message goes, then advance().
class MessageReader {
public:
    static constexpr std::size_t kBuffer = std::size_t{64} << 10;

    enum class Received : std::uint8_t {
        something,
        nothing, // has come that was not taken already
        end,     // the peer closed its side
        failed,  // errno says why
    };
    // Makes one system call. Not to be called while advance() has something to do.
    [[nodiscard]] Received receive(int socket) noexcept;

    // True from take() or skip() on until advance() has said that the message is whole.
    [[nodiscard]] bool in_message() const noexcept { return in_message_; }
    // True if bytes of an unfinished message have come.
    [[nodiscard]] bool in_the_middle() const noexcept { return in_message_ || begin_ != end_; }
    // Copies the header of the next message; false if not all of it has come.
    [[nodiscard]] bool peek(wire::OutHeader& header) const noexcept;
    // Begins a message of `length` bytes, at least a header, which are written to `room`: at least as long, and there until
    // advance() has said that the message is whole.
    void take(std::span<const iovec> room, std::uint32_t length) noexcept;
    // Begins a message of `length` bytes that nobody wants.
    void skip(std::uint32_t length) noexcept { take({}, length); }
    // Moves what has come of the message. True when all of it has.
    [[nodiscard]] bool advance() noexcept;
    // The room of the message under way is not touched any more.
    void forget_room() noexcept { room_ = {}; }

private:
    static constexpr std::size_t kDirect = 4096; // bytes to come from which on the buffer is not used

    [[nodiscard]] std::size_t write(const std::byte* from, std::size_t size) noexcept;
    void step_over(std::size_t size) noexcept;

    std::unique_ptr<std::byte[]> buffer_ = std::make_unique<std::byte[]>(kBuffer);
    std::size_t begin_ = 0; // of what is in the buffer
    std::size_t end_ = 0;
    std::span<const iovec> room_{}; // where the message goes; empty: nowhere
    std::size_t room_at_ = 0;       // bytes of room_[0] that are written
    std::uint32_t left_ = 0;        // bytes of the message to come
    bool in_message_ = false;
};

} // namespace vfsproto::backends::fuse_stream
