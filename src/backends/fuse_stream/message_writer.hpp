// SPDX-License-Identifier: BSD-2-Clause
// Writes chains to a stream socket, one whole message after the other, in as few calls as there is room in the socket. Never
// blocks: what does not fit stays for the next call.
#pragma once

#include "chain.hpp"

namespace vfsproto::backends::fuse_stream {

// One owner at a time.
class MessageWriter {
public:
    enum class Sent : std::uint8_t {
        all,
        some,   // the socket is full
        failed, // errno says why
    };

    // Puts these behind what waits already.
    void add(ChainList& chains) noexcept { waiting_.append(chains); }
    // Writes what waits. Those that were written to their end are in `done` afterwards.
    [[nodiscard]] Sent send(int socket, ChainList& done) noexcept;
    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
    // Writes nothing of what waits, nor touches its memory again.
    void clear() noexcept { waiting_.clear(); }

private:
    void step_over(std::size_t size, ChainList& done) noexcept;

    ChainList waiting_;
    std::size_t written_ = 0; // bytes of the first one that are in the socket
};

} // namespace vfsproto::backends::fuse_stream
