// SPDX-License-Identifier: BSD-2-Clause
// Counts what was written to a file and not synced since, over the sessions of a ReconnectingMount, for a server that takes it along
// when it ends.
#pragma once

#include "vfsproto/posix/detail/futex.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace vfsproto::posix {

// One file, however often it is open. Any thread. `session` is the number of the session that an answer came from.
class UnsyncedWrites {
public:
    using Count = std::uint64_t;

    void note_written(std::uint32_t session);
    // Returns what an FSYNC on this session that is sent from now on makes durable. note_synced() takes it, once that has succeeded.
    // Where another session has taken the place of this one meanwhile, what was synced on it counts as lost all the same.
    [[nodiscard]] Count written(std::uint32_t session);
    void note_synced(std::uint32_t session, Count written);
    // True if something was written on this session that was not synced.
    [[nodiscard]] bool owes_sync(std::uint32_t session);
    // Returns how often a server has ended with writes that were not synced, up to the beginning of this session.
    [[nodiscard]] std::uint32_t losses(std::uint32_t session);

private:
    void move_to(std::uint32_t session) VFSPROTO_REQUIRES(mutex_);

    Mutex mutex_;
    std::uint32_t session_ VFSPROTO_GUARDED_BY(mutex_) = 0; // the latest one that was named
    std::uint32_t losses_ VFSPROTO_GUARDED_BY(mutex_) = 0;
    Count written_ VFSPROTO_GUARDED_BY(mutex_) = 0; // on that session, in all
    Count synced_ VFSPROTO_GUARDED_BY(mutex_) = 0;  // of them
};

// Finds the count of each file that is open. Any thread.
class UnsyncedFiles {
public:
    // Returns the one that all who have opened this inode number share, as long as one of them keeps it.
    [[nodiscard]] std::shared_ptr<UnsyncedWrites> find_or_make(std::uint64_t ino);

private:
    Mutex mutex_;
    std::unordered_map<std::uint64_t, std::weak_ptr<UnsyncedWrites>> files_ VFSPROTO_GUARDED_BY(mutex_);
    std::size_t most_files_ VFSPROTO_GUARDED_BY(mutex_) = 0; // with more, those that have ended are taken out
};

} // namespace vfsproto::posix
