// SPDX-License-Identifier: BSD-2-Clause
// The files the client knows: their node ids, and how often each was looked up.
#pragma once

#include "slab.hpp"
#include "vfsproto/backends/file_descriptor.hpp"

#include <sys/stat.h>

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
    FileDescriptor fd{}; // O_PATH
    InodeIdentity identity{};
    std::uint32_t type = 0;    // S_IFMT bits: an inode never changes them
    std::uint64_t lookups = 0; // under the table's mutex
};

// All calls are safe from any thread. A FORGET may pass a lookup on another queue, so counts go up before their reply
// is published.
class InodeTable {
public:
    using Ref = Slab<Inode>::Ref;
    static constexpr std::uint64_t kRoot = 1;

    // Takes the root. Called once, before all else.
    [[nodiscard]] bool insert_root(FileDescriptor fd, const struct statx& from) noexcept;

    // Counts a lookup of an inode the table has. Its nodeid, or 0. While the table has it, its descriptor keeps the
    // inode number from being reused.
    [[nodiscard]] std::uint64_t count_known(const struct statx& from) noexcept;

    struct Counted {
        std::uint64_t nodeid = 0; // 0: no memory
        bool was_known = false;
    };
    // Counts a lookup of the inode behind an O_PATH descriptor, which the table takes if the inode is new to it.
    [[nodiscard]] Counted count(FileDescriptor fd, const struct statx& from) noexcept;
    // Counts a lookup of an inode by its nodeid ("."). False when it is not there.
    [[nodiscard]] bool count(std::uint64_t nodeid) noexcept;

    [[nodiscard]] Ref acquire(std::uint64_t nodeid) noexcept { return slab_.acquire(nodeid); }

    // Takes back lookups. More than there were count as all of them; the root stays.
    void forget(std::uint64_t nodeid, std::uint64_t lookups) noexcept;
    // Forgets all but the root.
    void clear() noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return slab_.live(); }
    [[nodiscard]] std::uint64_t over_forgotten() const noexcept;

private:
    struct Hash {
        std::size_t operator()(const InodeKey& key) const noexcept {
            return std::hash<std::uint64_t>()(key.ino ^ key.device << 32 ^ key.mount << 48);
        }
    };

    mutable std::mutex mutex_;
    std::unordered_map<InodeKey, std::uint64_t, Hash> nodeids_;
    std::uint64_t over_forgotten_ = 0;
    Slab<Inode> slab_;
};

} // namespace vfsproto::backends
