// SPDX-License-Identifier: BSD-2-Clause
// A plan of what a device does wrong, and when. Deterministic: the same plan and the same requests give the same
// faults.
#pragma once

#include "vfsproto/transport/transport.hpp"

#include <cstdint>
#include <vector>

namespace vfsproto::backends::loopback {

enum class FaultKind : std::uint8_t {
    drop,           // the completion never comes
    die,            // the device goes away before it takes this request
    reply_length,   // the reply header's len is one too much
    reply_error,    // the reply's error is no error number
    reply_unique,   // the reply's unique is of no request
    written_short,  // the used length is one byte less than was written
    written_zero,   // the used length is 0
    written_beyond, // the used length is one byte more than was writable
};

struct Fault {
    FaultKind kind{};
    std::uint64_t at = 0; // the number of the completion (for die: of the request) on its queue, from 1
};

// Completions held back come out in an order the seed decides.
enum class Release : std::uint8_t {
    when_idle,  // with the last request the device has: nothing waits for ever, but nothing is in order
    when_asked, // by Loopback::complete() only
};

struct FaultPlan {
    std::uint64_t seed = 1;
    QueueIndex queue{1}; // the queue that misbehaves, numbered as without notifications
    std::vector<Fault> faults{};
    std::uint16_t hold_back = 0; // up to so many completions at a time are held back
    Release release = Release::when_idle;
};

} // namespace vfsproto::backends::loopback
