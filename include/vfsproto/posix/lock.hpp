// SPDX-License-Identifier: BSD-2-Clause
// The words of Mount::lock(), test_lock() and flock(): advisory locks, which bind those who ask for locks.
#pragma once

#include <cstdint>

namespace vfsproto::posix {

enum class LockType : std::uint8_t { shared, exclusive, unlock };
enum class WhenLocked : std::uint8_t {
    fail, // EAGAIN
    wait,
};

// Bytes of a file, those it does not have yet included.
struct LockRange {
    std::uint64_t start = 0;
    std::uint64_t length = 0; // 0 = to the end of the file, wherever that will be
};

// A record lock that is asked for. `owner`: locks of one owner never stand in each other's way, and a later one replaces an
// earlier one byte by byte. 0 = the File itself is the owner, as with the open file description locks of fcntl(2).
struct WantedLock {
    LockType type = LockType::exclusive;
    LockRange range{};
    std::uint64_t owner = 0;
};

// A record lock that stands in the way. `pid` is what its owner told the server.
struct HeldLock {
    LockType type = LockType::exclusive;
    LockRange range{};
    std::uint32_t pid = 0;
};

} // namespace vfsproto::posix
