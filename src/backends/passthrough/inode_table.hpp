// SPDX-License-Identifier: BSD-2-Clause
// The files the client knows: their node ids, and how often each was looked up.
#pragma once

#include "inode_watch.hpp"
#include "known_version.hpp"
#include "owned_locks.hpp"
#include "slab.hpp"
#include "vfsproto/backends/file_descriptor.hpp"

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>

namespace vfsproto::backends {

// Two descriptors with the same key are the same inode. The birth time (0 where the host has none) is no part of the
// key: it tells a number that was given to a new file from the file that had it before.
struct InodeKey {
    std::uint64_t device = 0;
    std::uint64_t ino = 0;
    std::uint64_t mount = 0;

    friend bool operator==(const InodeKey&, const InodeKey&) noexcept = default;
};
struct InodeIdentity {
    InodeKey key{};
    std::uint64_t born = 0; // nanoseconds

    InodeIdentity() noexcept = default;
    explicit InodeIdentity(const struct statx& from) noexcept;
};

struct Inode {
    InodeWatch watch{};  // ends before the descriptor
    FileDescriptor fd{}; // O_PATH
    InodeIdentity identity{};
    std::uint32_t type = 0;    // S_IFMT bits: an inode never changes them
    std::uint64_t lookups = 0; // under the table's mutex
    OwnedLocks locks{};
    KnownVersion known{}; // while it is watched
};

// The number of a client's session, or kNoSession. A handler reads it before anything else. What it counts or opens later is
// refused if that session has ended meanwhile: nobody would ever forget or release it.
using SessionNumber = std::uint32_t;
inline constexpr SessionNumber kNoSession = 0;

// All calls are safe from any thread. A FORGET may pass a lookup on another queue, so counts go up before their reply is
// published.
class InodeTable {
public:
    using Ref = Slab<Inode>::Ref;
    static constexpr std::uint64_t kRoot = 1;

    // Called once, before all else. Begins the first session.
    [[nodiscard]] bool insert_root(FileDescriptor fd, const struct statx& from) noexcept;

    [[nodiscard]] SessionNumber session() const noexcept { return session_.load(std::memory_order_acquire); }
    void begin_session() noexcept;
    // Forgets all but the root, and refuses to count until the next session begins.
    void end_session() noexcept;

    // Counts a lookup of an inode the table has. Returns its nodeid, or 0.
    [[nodiscard]] std::uint64_t count_known(const struct statx& from, SessionNumber session) noexcept;

    struct Counted {
        std::uint64_t nodeid = 0;
        bool was_known = false;
        int error = 0; // ENOMEM, or ESTALE: the session has ended
    };
    // Counts a lookup of the inode behind an O_PATH descriptor. The table takes the descriptor if the inode is new to it.
    [[nodiscard]] Counted count(FileDescriptor fd, const struct statx& from, SessionNumber session) noexcept;

    // Returns the nodeid of an inode the table has, or 0.
    [[nodiscard]] std::uint64_t find(const struct statx& status) noexcept;
    [[nodiscard]] Ref acquire(std::uint64_t nodeid) noexcept { return slab_.acquire(nodeid); }

    // Takes back lookups. More than there were count as all of them; the root stays.
    void forget(std::uint64_t nodeid, std::uint64_t lookups) noexcept;
    // Returns how many lookups are counted of an inode; 0 of one that is not in the table, and of the root.
    [[nodiscard]] std::uint64_t lookups_of(std::uint64_t nodeid) noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return slab_.live(); }
    [[nodiscard]] std::uint64_t over_forgotten() const noexcept;

private:
    struct Hash {
        std::size_t operator()(const InodeKey& key) const noexcept {
            return std::hash<std::uint64_t>()(key.ino ^ key.device << 32 ^ key.mount << 48);
        }
    };

    [[nodiscard]] bool is_current(SessionNumber session) const noexcept {
        return session != kNoSession && session == session_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] static bool is_same(Inode& known, const InodeIdentity& found) noexcept;

    std::atomic<SessionNumber> session_{kNoSession}; // written under the mutex
    mutable std::mutex mutex_;                       // everything below, and each inode's lookups and identity
    SessionNumber last_session_ = kNoSession;
    std::unordered_map<InodeKey, std::uint64_t, Hash> nodeids_;
    std::uint64_t over_forgotten_ = 0;
    Slab<Inode> slab_;
};

} // namespace vfsproto::backends
