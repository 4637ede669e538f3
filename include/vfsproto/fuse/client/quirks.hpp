// SPDX-License-Identifier: BSD-2-Clause
// Holds what is known of one server beyond what it negotiates. A backend that recognises its peer fills it in, and the client
// reads it; no code path names a server.
#pragma once

#include <cstdint>

namespace vfsproto::client {

enum class InterruptUse : std::uint8_t { never, allowed };
enum class DestroyReply : std::uint8_t { always, may_be_missing };
// Says whether the server may be sent a CREATE without O_EXCL of a name that exists. One aborts.
enum class CreateExisting : std::uint8_t { never, allowed };
// Says whether the server may be asked to wait for a lock (SETLKW): it answers other requests meanwhile, and an INTERRUPT where it is
// sent one. Else the client asks again from time to time.
enum class LockWaits : std::uint8_t { by_client, by_server };

struct Quirks {
    const char* peer = "unknown server";
    std::uint16_t max_request_queues = 0; // 0 = as many as it offers
    InterruptUse interrupts = InterruptUse::never;
    DestroyReply destroy_reply = DestroyReply::may_be_missing;
    CreateExisting create_existing = CreateExisting::never;
    LockWaits lock_waits = LockWaits::by_client;
};

} // namespace vfsproto::client
