// SPDX-License-Identifier: BSD-2-Clause
// The objects a mount hands out: open files, open directories, registered buffers, and what they tell.
#pragma once

#include "vfsproto/abi/attributes.hpp"
#include "vfsproto/abi/caller.hpp"
#include "vfsproto/base/region.hpp"
#include "vfsproto/fuse/client/operations/directory_format.hpp"
#include "vfsproto/fuse/wire/linux_abi.hpp"
#include "vfsproto/posix/detail/asked_at.hpp"
#include "vfsproto/posix/detail/node_ref.hpp"
#include "vfsproto/posix/failure.hpp"
#include "vfsproto/posix/stop_source.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vfsproto::client {
class ReadDirectory;
}
namespace vfsproto::wire {
struct DirEntry;
}

namespace vfsproto::posix {

using abi::Attributes;

class Channel;
class Listing;
struct Held;

using wire::linux_abi::is_directory;
using wire::linux_abi::is_regular;
using wire::linux_abi::is_symlink;

// A handle that the server opened. It is released when this ends, whatever happened to it.
class OpenHandle {
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

    std::uint64_t nodeid; // of the node
    std::uint64_t fh = 0;
    std::uint32_t flags = 0;
    std::uint32_t open_flags = 0;
    Kind kind;
    bool owes_release = false;
    std::atomic<std::uint8_t> locks{0}; // Locks
    const std::uint64_t lock_owner;     // of its own locks; no other handle of this process has it
    MountLimits limits{};               // of the mount that opened it: its end must not wait for longer either
    Channel& channel;
    NodeRef node;

private:
    [[nodiscard]] bool may_write() const noexcept;
    void release() noexcept;
};

// An open file. Its calls stand in Mount; any number of threads may use it at once. Mount::close() reports what FLUSH
// says; a file that is merely destroyed is released without. Either gives up the locks the file owns. Must not outlive its mount.
// A File that is not open (made without arguments, moved from) has the nodeid 0, which no server gives: calls answer EBADF.
class File {
public:
    File() = default;

    [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }
    [[nodiscard]] std::uint64_t nodeid() const noexcept { return handle_ ? handle_->nodeid : 0; }
    [[nodiscard]] std::uint64_t fh() const noexcept { return handle_ ? handle_->fh : 0; }
    // Returns the owner of the locks that are taken for the file itself; 0 of one that is not open.
    [[nodiscard]] std::uint64_t lock_owner() const noexcept { return handle_ ? handle_->lock_owner : 0; }
    // Returns the Linux O_… it was opened with.
    [[nodiscard]] std::uint32_t flags() const noexcept { return handle_ ? handle_->flags : 0; }
    // Returns the FOPEN_… of the server.
    [[nodiscard]] std::uint32_t open_flags() const noexcept { return handle_ ? handle_->open_flags : 0; }
    // Returns its node. The file is open.
    [[nodiscard]] const NodeRef& node() const noexcept { return handle_->node; }
    // Returns what a request that names the file keeps until its late reply.
    [[nodiscard]] const std::shared_ptr<OpenHandle>& share() const noexcept { return handle_; }

private:
    friend class Mount;
    friend class AsyncMount;
    explicit File(std::unique_ptr<OpenHandle> handle) noexcept : handle_(std::move(handle)) {}

    // Shared with a request that its caller no longer waits for: it names the handle.
    std::shared_ptr<OpenHandle> handle_;
};

struct DirectoryEntry {
    std::string name;
    std::uint64_t ino = 0;
    std::uint32_t type = 0; // DT_…
    bool has_attributes = false;
    Attributes attributes{}; // READDIRPLUS
};

// Moves all but "." and ".." from one list to the end of another.
void append_names(std::vector<DirectoryEntry>& some, std::vector<DirectoryEntry>& all);

// An open directory, read front to back. It is moved, not copied. One thread at a time. Must not outlive its mount.
class Directory {
public:
    Directory(Directory&& other) noexcept;
    Directory& operator=(Directory&& other) noexcept;
    ~Directory();

    // The next entries in the server's order, "." and ".." included; none = the end. EBADF once it was moved from.
    [[nodiscard]] Expected<std::vector<DirectoryEntry>> read();
    // Starts the listing again.
    void rewind() noexcept {
        cookie_ = 0;
        is_at_start_ = true;
    }
    [[nodiscard]] std::uint64_t nodeid() const noexcept { return handle_ ? handle_->nodeid : 0; }
    [[nodiscard]] std::uint64_t fh() const noexcept { return handle_ ? handle_->fh : 0; }

private:
    friend class Mount;
    friend class AsyncMount;
    Directory(std::unique_ptr<OpenHandle> handle, NodeCache& cache, const abi::Caller& caller,
              client::DirectoryFormat format, std::unique_ptr<Listing> listing);
    // Returns what a request that names it keeps until its late reply.
    [[nodiscard]] Held held() const;
    // True if the next entries are known: they were added to `to` then, and none at the end. Else the server is to be asked.
    [[nodiscard]] bool take_known(std::vector<DirectoryEntry>& to);
    // Gives room for the records of one READDIR, and takes what they say.
    [[nodiscard]] std::span<std::byte> room();
    [[nodiscard]] Expected<std::vector<DirectoryEntry>> take(const client::ReadDirectory& read);
    [[nodiscard]] Failure take_records(std::span<const std::byte> records, std::vector<DirectoryEntry>& out);
    [[nodiscard]] DirectoryEntry entry_of(const wire::DirEntry& from);
    [[nodiscard]] Failure take_names(std::span<const std::byte> records, std::vector<DirectoryEntry>& out);
    [[nodiscard]] Failure take_entries(std::span<const std::byte> records, std::vector<DirectoryEntry>& out);

    std::shared_ptr<OpenHandle> handle_; // shared as a File's
    NodeCache* cache_;
    AskedAt asked_{};    // when the records in buffer_ were asked for
    abi::Caller caller_; // of the mount that opened it
    client::DirectoryFormat format_;
    std::uint64_t cookie_ = 0;
    std::vector<std::byte> buffer_;
    std::unique_ptr<Listing> listing_; // nullptr: it is not kept
    bool is_at_start_ = true;
};

// Memory the device can reach: transfers from and to it are not copied. It ends before its mount.
// A READ or a WRITE of a limited mount (Mount::limited_by()) that fails with `timed_out` or `abandoned` may be answered later, and
// keeps the memory until then. Meanwhile the Buffer is not free: the server may still change what is in it, or write what it finds
// in it to the file. Whoever has it may wait for is_free(), or let it end and allocate another: the memory is neither given
// to somebody else nor unmapped before the server is done with it. Limited mounts refuse to move anything from or to a Buffer that
// is not free, with EBUSY. Mounts without limits do not look: their caller has to.
class Buffer {
public:
    Buffer() = default;
    Buffer(Buffer&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)), region_(other.region_) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(channel_, other.channel_);
        std::swap(region_, other.region_);
        return *this;
    }
    ~Buffer();

    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return region_.bytes(); }
    // True if no request that was given up may still read or change it. What such requests did to it has happened before this
    // returns true. It stays true until another call fails at a limit. It is false for good once a device has failed and would not
    // stop, because that may write to any memory it ever knew. Any thread.
    [[nodiscard]] bool is_free() const noexcept;

private:
    friend class Mount;
    friend class AsyncMount;
    Buffer(Channel& channel, const Region& region) : channel_(&channel), region_(region) {}

    Channel* channel_ = nullptr;
    Region region_{};
};

} // namespace vfsproto::posix
