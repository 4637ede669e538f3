// SPDX-License-Identifier: BSD-2-Clause
// Locks that were asked for by callers who have gone on. What the server grants late is given back, but not while its owner holds
// another lock of that file: to the server both are one, and the owner would go on without it.
#pragma once

#include "vfsproto/fuse/wire/structs.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>
#include <vector>

namespace vfsproto::kernel_mount {

struct LockOwner {
    std::uint64_t nodeid = 0;
    std::uint64_t owner = 0;
    std::uint32_t kind = 0; // LkIn::lk_flags
    friend bool operator<(const LockOwner& a, const LockOwner& b) noexcept {
        return std::tie(a.nodeid, a.owner, a.kind) < std::tie(b.nodeid, b.owner, b.kind);
    }
};

// Any thread.
class LateLocks {
public:
    enum class Asked : std::uint8_t { granted, not_granted, let_go };
    // A lock that is to be given back now: then comes note_given_back().
    using Owed = std::optional<wire::LkIn>;

    // Goes before each request for a lock. Waits while one of this owner is given back.
    void begin(const LockOwner& owner);
    // Ends it, when the caller is to be answered.
    [[nodiscard]] Owed end(const LockOwner& owner, Asked how) noexcept;
    // Is told when a request that was let go of is over; `lock` is what it asked for.
    [[nodiscard]] Owed end_late(const LockOwner& owner, Asked how, const wire::LkIn& lock);
    // Returns the next that is to be given back.
    [[nodiscard]] Owed note_given_back(const LockOwner& owner) noexcept;
    // Goes before a request by which the owner gives up all its locks of the file.
    void note_unlock(const LockOwner& owner) noexcept;

private:
    struct State {
        std::size_t asking = 0;         // requests whose callers wait
        std::size_t late = 0;           // those that were let go of
        bool is_held = false;           // the owner was granted one meanwhile
        bool is_given_back = false;     // one is, now
        std::vector<wire::LkIn> owed{}; // granted late
    };
    using States = std::map<LockOwner, State>;

    [[nodiscard]] Owed settle(States::iterator at) noexcept;

    std::mutex mutex_;
    std::condition_variable changed_;
    States states_; // of owners of whom something is under way
};

} // namespace vfsproto::kernel_mount
