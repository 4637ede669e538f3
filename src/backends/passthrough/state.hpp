// SPDX-License-Identifier: BSD-2-Clause
// The state that all families of operations share.
#pragma once

#include "attributes.hpp"
#include "caller.hpp"
#include "descriptor_path.hpp"
#include "descriptor_reserve.hpp"
#include "host_watch.hpp"
#include "inode_table.hpp"
#include "open_file.hpp"
#include "parked_locks.hpp"
#include "slab.hpp"
#include "system_call.hpp"
#include "vfsproto/backends/passthrough.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

namespace vfsproto::backends {

// The host is Linux: its numbers are those of the wire.
static_assert(ENOSYS == 38 && ENOTEMPTY == 39 && ESTALE == 116);
[[nodiscard]] inline abi::Errno to_errno(int host) noexcept { return static_cast<abi::Errno>(host); }
[[nodiscard]] inline abi::Errno last_error() noexcept { return to_errno(errno); }

// True for a single component: not empty, no '/'.
[[nodiscard]] inline bool is_component(wire::Name name) noexcept { return !name.empty() && !name.contains('/'); }
// True for a component that can be made, removed or renamed: not "." or "..".
[[nodiscard]] inline bool is_entry_name(wire::Name name) noexcept {
    return is_component(name) && !name.is_dot_or_dot_dot();
}

// FSYNC and FSYNCDIR. Returns 0, or -1 with errno.
[[nodiscard]] inline int sync_file(int fd, wire::u32 fsync_flags) noexcept {
    const bool data_only = (fsync_flags & wire::kFsyncDatasync) != 0;
    return uninterrupted([&] { return data_only ? ::fdatasync(fd) : ::fsync(fd); });
}

class Passthrough::State {
public:
    explicit State(const PassthroughOptions& options); // throws std::system_error
    ~State() { watch.stop(); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    struct Found {
        explicit Found(SessionNumber of) noexcept : session(of) {}
        SessionNumber session; // the lookup is counted for
        std::uint64_t nodeid = 0;
        struct statx status{};
    };
    // Looks one component up and counts it. 0 or an errno. `name` is_component() and not ".." (see ascend()).
    [[nodiscard]] int find(int directory, const char* name, Found& found) noexcept;
    // Looks up and counts a name that was made just now, with a descriptor of the reserve if there is no other.
    [[nodiscard]] int find_new(int directory, const char* name, Found& found) noexcept;
    // Counts a lookup of the inode of an open descriptor. If the inode is new, takes an O_PATH descriptor of its own, of the
    // reserve if there is no other.
    [[nodiscard]] int find_open(int fd, Found& found) noexcept;
    // Finds ".." of a directory that is not the root, if that is the root or beneath it. ENOENT if not.
    [[nodiscard]] int ascend(int directory, Found& found) noexcept;

    // Takes a lookup back that the client will not hear of. One of a session that has ended is gone already.
    void uncount(const Found& found) noexcept {
        if (found.session == inodes.session()) inodes.forget(found.nodeid, 1);
    }

    [[nodiscard]] wire::EntryOut entry_of(const Found& found) const noexcept;
    template <class Status> [[nodiscard]] wire::AttrOut attributes_of(const Status& status) const noexcept {
        wire::AttrOut out{};
        out.attr_valid = attr_valid.seconds;
        out.attr_valid_nsec = attr_valid.nanoseconds;
        out.attr = attr_of(status);
        return out;
    }

    // Opens the inode of a descriptor of any kind, without a change of its access time if the share is read-only. Empty with
    // errno.
    [[nodiscard]] FileDescriptor reopen(int fd, int flags) const noexcept;
    // Makes a handle. Returns 0 or an errno: ENOMEM, or ESTALE if the session has ended.
    [[nodiscard]] int add_handle(OpenFile&& file, SessionNumber session, std::uint64_t& fh) noexcept;

    // True if the client may hold that many more descriptors. As many threads as serve may each exceed the limit by that.
    [[nodiscard]] bool has_room(std::size_t descriptors) const noexcept {
        return inodes.size() + files.live() + lock_owners() + descriptors <= most_descriptors;
    }
    // Called before something is made that cannot be taken back. True if there will be a descriptor for it, and the client may
    // hold that many more. Otherwise nothing may be made, and the client hears EMFILE.
    [[nodiscard]] bool can_make(std::size_t descriptors) noexcept {
        return has_room(descriptors) && reserve_.fill(root_fd_);
    }

    // Clears set-user-id, and set-group-id of what the group may execute (fuse.h, KILL_SUIDGID). 0 or an errno.
    [[nodiscard]] static int strip_privileges(int fd) noexcept;

    // Reads what SETLK or SETLKW asks for.
    [[nodiscard]] abi::Errno read_lock(const wire::InHeader& header, const wire::LkIn& in, WantedLock& to) noexcept;
    // Tries to take a lock, or gives one up. Returns 0 or an errno: EAGAIN if somebody else's stands in the way, EBADF or ESTALE if
    // the handle or the file is gone.
    [[nodiscard]] int take_lock(const WantedLock& wanted) noexcept;
    // Record locks of an owner (locks.cpp). Return 0 or an errno: EAGAIN if another owner's stands in the way, ENOLCK
    // if the client may hold no more descriptors.
    [[nodiscard]] int lock_record(Inode& inode, const WantedLock& wanted) noexcept;
    [[nodiscard]] int test_record(Inode& inode, std::uint64_t owner, wire::FileLock& lock) noexcept;
    void drop_records(std::uint64_t nodeid, std::uint64_t owner) noexcept;
    // Is told that a handle has ended, and with it the record locks of whoever has no other one.
    void end_records(std::uint64_t nodeid, std::uint64_t fh) noexcept;
    [[nodiscard]] std::size_t lock_owners() const noexcept { return lock_owners_.load(std::memory_order_relaxed); }

    [[nodiscard]] bool read_only() const noexcept { return access == PassthroughAccess::read_only; }

private:
    std::atomic<std::size_t> lock_owners_{0}; // outlives the inodes
    std::mutex locks_mutex_;                  // of each inode's locks

public:
    EntryBuffers entry_buffers; // outlives the files
    HostWatch watch;            // outlives the inodes, but its thread does not
    InodeTable inodes;
    Slab<OpenFile> files;
    std::size_t most_descriptors = 0; // inodes and handles
    ProcessIdentity process;
    PassthroughAccess access = PassthroughAccess::read_write;
    Validity entry_valid;
    Validity attr_valid;
    std::shared_ptr<MappingSink> window; // may be absent
    std::uint64_t root_ino = 0;
    bool can_tell_changes = false;

private:
    [[nodiscard]] FileDescriptor open_for_locks(const Inode& inode) const noexcept;
    [[nodiscard]] bool is_beneath_root(FileDescriptor at) const noexcept;
    [[nodiscard]] int look_up(int directory, const char* name, Found& found) noexcept;
    [[nodiscard]] int look_up_open(int fd, Found& found) noexcept;
    [[nodiscard]] int look_up_parent(int directory, Found& found) noexcept;
    template <class LookUp> [[nodiscard]] int watched(Found& found, LookUp&& looked_up) noexcept;
    [[nodiscard]] int count(FileDescriptor fd, Found& found) noexcept;

    DescriptorReserve reserve_;
    int root_fd_ = -1; // of the root's inode, which stays
    InodeKey root_key_{};
    // True if the last lookups were of files the client knows already. Then one statx(2) by name will do; else
    // openat(2) comes first. A guess: both ways are right.
    std::atomic<bool> expect_known_{false};

public:
    ParkedLocks parked_locks{
        [this](const WantedLock& wanted) { return take_lock(wanted); }}; // its thread uses all the others
};

} // namespace vfsproto::backends
