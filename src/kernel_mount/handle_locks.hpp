// SPDX-License-Identifier: BSD-2-Clause
// Remembers which owners asked for record locks through each handle. The kernel tells when a process gives up its locks of a file
// (FLUSH), but not when an open file description ends that has some (F_OFD_SETLK): they end with the handle. The kernel closes
// handles in the background, and may give the number of an owner to another open file description meanwhile.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace vfsproto::kernel_mount {

// Any thread.
class HandleLocks {
public:
    struct Handle {
        std::uint64_t nodeid = 0;
        std::uint64_t fh = 0;
        friend bool operator<(const Handle& a, const Handle& b) noexcept {
            return std::tie(a.nodeid, a.fh) < std::tie(b.nodeid, b.fh);
        }
    };

    // Goes before the server is asked for a lock. Waits while locks of this owner are given up that came through another handle.
    // False if there is no memory: then the server is not to be asked.
    [[nodiscard]] bool begin(const Handle& handle, std::uint64_t owner) noexcept;
    // Is told that an owner has given up all its locks of a file, whatever handle they came through.
    void note_given_up(std::uint64_t nodeid, std::uint64_t owner) noexcept;
    // Begins the end of a handle. Returns the owners who may still have locks through it and have no other handle of the file: their
    // locks are to be given up now, and note_ended() comes after that, for each. Throws std::bad_alloc.
    [[nodiscard]] std::vector<std::uint64_t> end(const Handle& handle);
    void note_ended(std::uint64_t nodeid, std::uint64_t owner) noexcept;

private:
    using Owner = std::pair<std::uint64_t, std::uint64_t>; // of a file, by its node, and the number of the owner

    [[nodiscard]] bool has_handle(std::uint64_t nodeid, std::uint64_t owner) const noexcept;

    std::mutex mutex_;
    std::condition_variable ended_;
    std::map<Handle, std::set<std::uint64_t>> owners_; // of handles that have some
    std::set<Owner> ending_;
};

} // namespace vfsproto::kernel_mount
