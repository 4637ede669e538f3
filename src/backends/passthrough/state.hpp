// SPDX-License-Identifier: BSD-2-Clause
// The state that all families of operations share.
#pragma once

#include "attributes.hpp"
#include "caller.hpp"
#include "inode_table.hpp"
#include "open_file.hpp"
#include "slab.hpp"
#include "vfsproto/backends/passthrough.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace vfsproto::backends {

// The host is Linux: its numbers are those of the wire.
static_assert(ENOSYS == 38 && ENOTEMPTY == 39 && ESTALE == 116);
[[nodiscard]] inline wire::Errno to_errno(int host) noexcept { return static_cast<wire::Errno>(host); }
[[nodiscard]] inline wire::Errno last_error() noexcept { return to_errno(errno); }

// "/proc/self/fd/N": a path that leads to the very inode of a descriptor, O_PATH ones and symlinks included.
class DescriptorPath {
public:
    explicit DescriptorPath(int fd) noexcept;
    [[nodiscard]] const char* text() const noexcept { return text_; }

private:
    char text_[32];
};

// One plain component: not empty, no '/'.
[[nodiscard]] inline bool is_component(wire::Name name) noexcept { return !name.empty() && !name.contains('/'); }
// True for a component that can be made, removed or renamed: not "." or "..".
[[nodiscard]] inline bool is_entry_name(wire::Name name) noexcept {
    return is_component(name) && !name.is_dot_or_dot_dot();
}

class Passthrough::State {
public:
    explicit State(const PassthroughOptions& options); // throws std::system_error

    struct Found {
        std::uint64_t nodeid = 0;
        struct statx status{};
    };
    // Looks one component up and counts it. 0 or an errno. `name` is_component() and not ".." (see ascend()).
    [[nodiscard]] int find(int directory, const char* name, Found& found) noexcept;
    // Finds a file that was made just now, which is no inode the client knows.
    [[nodiscard]] int find_new(int directory, const char* name, Found& found) noexcept;
    // The inode of a descriptor that is open for anything, counted. Takes its own O_PATH descriptor if it is new.
    [[nodiscard]] int find_open(int fd, Found& found) noexcept;
    // Finds ".." of a directory that is not the root, if that is the root or beneath it. ENOENT if not.
    [[nodiscard]] int ascend(int directory, Found& found) noexcept;

    [[nodiscard]] wire::EntryOut entry_of(const Found& found) const noexcept;
    template <class Status> [[nodiscard]] wire::AttrOut attributes_of(const Status& status) const noexcept {
        wire::AttrOut out{};
        out.attr_valid = attr_valid.seconds;
        out.attr_valid_nsec = attr_valid.nanoseconds;
        out.attr = attr_of(status);
        return out;
    }

    // A new handle; 0 when there is no memory.
    [[nodiscard]] std::uint64_t add_handle(FileDescriptor fd, bool writable) noexcept;

    // Clears set-user-id, and set-group-id of what the group may execute (fuse.h, KILL_SUIDGID). 0 or an errno.
    [[nodiscard]] static int strip_privileges(int fd) noexcept;

    [[nodiscard]] bool read_only() const noexcept { return access == PassthroughAccess::read_only; }

    InodeTable inodes;
    Slab<OpenFile> files;
    ProcessIdentity process;
    PassthroughAccess access = PassthroughAccess::read_write;
    Validity entry_valid;
    Validity attr_valid;
    std::uint64_t root_ino = 0;

private:
    [[nodiscard]] bool is_beneath_root(FileDescriptor at) const noexcept;

    InodeKey root_key_{};
    // True if the last lookups were of files the client knows already. Then one statx(2) by name will do; else
    // openat(2) comes first. A guess: both ways are right.
    std::atomic<bool> expect_known_{false};
};

} // namespace vfsproto::backends
