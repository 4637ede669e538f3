// SPDX-License-Identifier: BSD-2-Clause
// An OpenHandle is what the server opened for a File or a Directory.
#pragma once

#include "vfsproto/posix/detail/node_ref.hpp"
#include "vfsproto/posix/file.hpp"
#include "vfsproto/posix/stop_source.hpp"

#include <atomic>
#include <cstdint>

namespace vfsproto::posix {

class Channel;

// It is released when this ends, whatever happened to it.
class OpenHandle : public HandleNumbers {
public:
    enum class Kind : std::uint8_t { file, directory };

    OpenHandle(Channel& on, NodeRef of, Kind what) noexcept;
    ~OpenHandle();
    OpenHandle(const OpenHandle&) = delete;
    OpenHandle& operator=(const OpenHandle&) = delete;
    // Is called once. A file that may be written to has no attributes that could be kept.
    void keep_flags(std::uint32_t opened_with);

    // Kinds of locks that somebody asked for through it. Its end gives up its own, `records` and `whole`; whoever took those of
    // others unlocks them.
    enum class Locks : std::uint8_t { none = 0, records = 1, whole = 2, of_others = 4 };
    void keeps(Locks which) noexcept { locks.fetch_or(static_cast<std::uint8_t>(which), std::memory_order_relaxed); }
    void gave_up(Locks which) noexcept {
        locks.fetch_and(static_cast<std::uint8_t>(~static_cast<unsigned>(which)), std::memory_order_relaxed);
    }
    [[nodiscard]] bool may_keep(Locks which) const noexcept {
        return (locks.load(std::memory_order_relaxed) & static_cast<std::uint8_t>(which)) != 0;
    }

    Kind kind;
    bool owes_release = false;
    std::atomic<std::uint8_t> locks{0}; // Locks
    MountLimits limits{};               // of the mount that opened it: its end must not wait for longer either
    Channel& channel;
    NodeRef node;

private:
    [[nodiscard]] bool may_write() const noexcept;
    void release() noexcept;
};

} // namespace vfsproto::posix
