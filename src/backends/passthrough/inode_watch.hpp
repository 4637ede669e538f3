// SPDX-License-Identifier: BSD-2-Clause
// A file is watched for as long as its client holds it.
#pragma once

#include <cstdint>
#include <utility>

namespace vfsproto::backends {

class HostWatch;

// Ends the watch of one inode with itself. Guarded by the lock of its HostWatch while the inode is known.
class InodeWatch {
public:
    InodeWatch() noexcept = default;
    // `descriptor`: inotify's number; negative: the kernel refused.
    InodeWatch(HostWatch& owner, std::uint64_t nodeid, int descriptor, std::uint32_t run) noexcept
        : owner_(&owner), nodeid_(nodeid), descriptor_(descriptor), run_(run) {}
    InodeWatch(InodeWatch&& other) noexcept { swap(other); }
    InodeWatch& operator=(InodeWatch&& other) noexcept {
        InodeWatch taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~InodeWatch();

    // True if it was begun in this run of the watch.
    [[nodiscard]] bool is_of(std::uint32_t run) const noexcept { return owner_ != nullptr && run_ == run; }
    // Forgets what is no longer watched.
    void forget() noexcept { owner_ = nullptr; }

private:
    friend class HostWatch;
    void swap(InodeWatch& other) noexcept {
        std::swap(owner_, other.owner_);
        std::swap(nodeid_, other.nodeid_);
        std::swap(descriptor_, other.descriptor_);
        std::swap(run_, other.run_);
    }

    HostWatch* owner_ = nullptr;
    std::uint64_t nodeid_ = 0;
    int descriptor_ = -1;
    std::uint32_t run_ = 0;
};

} // namespace vfsproto::backends
