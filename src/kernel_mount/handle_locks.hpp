// SPDX-License-Identifier: BSD-2-Clause
// Remembers which owners were granted record locks through each handle. The kernel tells when a process gives up its locks of a file
// (FLUSH), but not when an open file description ends that has some (F_OFD_SETLK): they end with the handle.
#pragma once

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

    // False if there is no memory: the lock is to be given back at once.
    [[nodiscard]] bool note_granted(const Handle& handle, std::uint64_t owner) noexcept;
    // Is told that an owner has given up all its locks of a file, whatever handle they came through.
    void note_given_up(std::uint64_t nodeid, std::uint64_t owner) noexcept;
    // Returns the owners who may still have locks through a handle that is closed now, and forgets them.
    [[nodiscard]] std::vector<std::uint64_t> end(const Handle& handle);

private:
    std::mutex mutex_;
    std::map<Handle, std::set<std::uint64_t>> owners_; // of handles that have some
};

} // namespace vfsproto::kernel_mount
