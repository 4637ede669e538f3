// SPDX-License-Identifier: BSD-2-Clause
// Record locks that owners of the client have on a file of the host. Each owner has an open file description of its own, whose
// locks are its locks: fcntl(2), F_OFD_SETLK. They end with it: when the owner gives all of them up, as a process does that closes the
// file (FLUSH), and with the last handle through which some were granted, of which nothing else is told where the owner is an open
// file description of the client's.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace vfsproto::backends {

// A descriptor that is counted while it lives.
class CountedDescriptor {
public:
    CountedDescriptor(FileDescriptor fd, std::atomic<std::size_t>& count) noexcept
        : fd_(std::move(fd)), count_(&count) {
        count_->fetch_add(1, std::memory_order_relaxed);
    }
    ~CountedDescriptor() { count_->fetch_sub(1, std::memory_order_relaxed); }
    CountedDescriptor(const CountedDescriptor&) = delete;
    CountedDescriptor& operator=(const CountedDescriptor&) = delete;

    [[nodiscard]] int get() const noexcept { return fd_.get(); }

private:
    FileDescriptor fd_;
    std::atomic<std::size_t>* count_;
};

// The locks of one owner.
struct OwnedLock {
    OwnedLock(FileDescriptor fd, std::atomic<std::size_t>& count) noexcept : descriptor(std::move(fd), count) {}

    CountedDescriptor descriptor;
    std::set<std::uint64_t> handles{}; // through which they were asked for
};

// Locks are found by the client's number of their owner. Guarded by State::locks_mutex_ while the inode is known.
using OwnedLocks = std::map<std::uint64_t, OwnedLock>;

} // namespace vfsproto::backends
