// SPDX-License-Identifier: BSD-2-Clause
// A FUSE server behind a connected stream socket: messages as /dev/fuse carries them, each framed by the `len` of its header,
// and no virtqueue. Any server that reads and writes whole FUSE messages can be met there, libfuse's above all
// (fuse_session_custom_io).
//
//   to the server      InHeader, struct, names, data     FORGET has no reply; INTERRUPT has one only if it comes too early
//   from the server    OutHeader, struct, data           found by its `unique`; 0 is a notification
#pragma once

#include "vfsproto/backends/attachment.hpp"
#include "vfsproto/backends/opened.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace vfsproto::backends {

struct FuseStreamOptions {
    std::string socket_path;   // where the server listens
    int connected_socket = -1; // or a stream socket that is connected already; taken over, also when open() fails

    std::uint16_t queue_size = 256;                      // requests a queue holds at most: 1 to 32768
    std::uint32_t max_notification = (1u << 20) + 4'096; // bytes of a notification; a longer one ends the connection

    // Every server of /dev/fuse has to bear INTERRUPT and CREATE of what exists, and answers DESTROY.
    client::Quirks quirks = {"FUSE server on a stream",       1,
                             client::InterruptUse::allowed,   client::DestroyReply::always,
                             client::CreateExisting::allowed, client::LockWaits::by_server};
    std::string server_name = "the server";           // who is missing when nobody listens, for people
    std::chrono::milliseconds connect_patience{1000}; // how long a refused connection is tried again
};

// Counts of messages since the start.
struct FuseStreamCounters {
    std::uint64_t sent = 0;               // requests, FORGETs and INTERRUPTs, each sent to its end
    std::uint64_t replies = 0;            // that ended a request
    std::uint64_t notifications = 0;      // that came, whether anybody takes them or not
    std::uint64_t lost_notifications = 0; // that found no buffer: the client is told of INC_EPOCH instead
    std::uint64_t late_interruptions = 0; // answers to an INTERRUPT whose target had been answered
};

class FuseStream : public Attachment {
public:
    // Connects. May take connect_patience. Errors: bad_argument (options, or a socket of another type); transport_failed;
    // no_memory (no descriptors or threads left).
    [[nodiscard]] static Opened<FuseStream> open(FuseStreamOptions options);

    // Any thread.
    [[nodiscard]] virtual FuseStreamCounters counters() const noexcept = 0;
};

} // namespace vfsproto::backends
