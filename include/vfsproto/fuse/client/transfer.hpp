// SPDX-License-Identifier: BSD-2-Clause
// A READ or a WRITE of at most what one request may carry: what nearly every request of a busy client is. The lane takes
// its fast path where it can and the slow one where it must; both use what lies in the transfer.
#pragma once

#include "vfsproto/base/region.hpp"
#include "vfsproto/base/segment.hpp"
#include "vfsproto/fuse/client/detail/verdict.hpp"
#include "vfsproto/fuse/client/request.hpp"

#include <cstddef>
#include <cstdint>

namespace vfsproto::client {

// Says how the bytes of a transfer come to the device: by way of the slot's bounce area, one copy, or as memory that the
// device can reach.
enum class Payload : std::uint8_t { bounced, registered };

// A span of an open file, and where its bytes are or go. Needed only while a transfer is started.
struct TransferSpan {
    std::uint64_t nodeid = 0;
    std::uint64_t fh = 0;
    std::uint64_t offset = 0;
    std::byte* host = nullptr;        // a WRITE only reads from it
    DeviceAddr device{};              // where the device finds the same bytes, with Payload::registered
    std::uint64_t len = 0;            // bytes
    std::uint64_t lock_owner = 0;     // counts with the LOCKOWNER flag
    std::uint32_t open_flags = 0;     // the file's O_… flags
    std::uint32_t transfer_flags = 0; // ReadIn::read_flags or WriteIn::write_flags
    Payload payload = Payload::bounced;

    // Registers the bytes. The caller knows that they lie in this region.
    void lies_in(const Region& region) noexcept {
        device = region.device() + static_cast<std::uint64_t>(host - region.host());
        payload = Payload::registered;
    }
    // Returns the part of `part_len` bytes that begins `at` bytes behind the start. Field by field, so that a compiler sees
    // through it.
    [[nodiscard]] TransferSpan part(std::uint64_t at, std::uint64_t part_len) const noexcept {
        return {.nodeid = nodeid,
                .fh = fh,
                .offset = offset + at,
                .host = host + at,
                .device = device + at,
                .len = part_len,
                .lock_owner = lock_owner,
                .open_flags = open_flags,
                .transfer_flags = transfer_flags,
                .payload = payload};
    }
};

template <RequestQueue Q> class RequestLane;

// Holds what a transfer needs on the slow path alone.
template <wire::Opcode Op> struct SlowTransfer : Call<Op> {
    Segment segments[2]; // the first is the lane's
};

// Holds one transfer, and stays in place until on_done was called. It may be used again then.
//
// Example (tests/unit/client/client_examples_test.cpp):
//
//     struct Read : Transfer {
//         std::uint32_t taken = 0;
//     } read;
//     read.on_done = [](Transfer& done) noexcept {
//         if (done.succeeded()) static_cast<Read&>(done).taken = done.bytes;
//     };
//     lane.start<Opcode::read>(read, span, caller);
//     lane.kick();
struct Transfer : Verdict {
    Transfer() noexcept {} // leaves what the slow path uses as it is: a READ that is fast pays nothing for it
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    // Set by the caller; called once, by the lane's owner. By then the verdict and `bytes` are those of the reply.
    void (*on_done)(Transfer&) noexcept;
    std::uint32_t bytes; // read, or taken as the server says: no more than was asked for, 0 beside an error

private:
    template <RequestQueue Q> friend class RequestLane;

    Request* slow_ = nullptr; // in one of the two below, while the transfer is on the slow path
    union {
        SlowTransfer<wire::Opcode::read> slow_read_;
        SlowTransfer<wire::Opcode::write> slow_write_;
    };
};

} // namespace vfsproto::client
