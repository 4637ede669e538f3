// SPDX-License-Identifier: BSD-2-Clause
// The objects a mount hands out: open files, open directories, registered buffers, and what they tell.
#pragma once

#include "vfsproto/abi/attributes.hpp"
#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/posix/failure.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vfsproto {
class Region;
}

namespace vfsproto::posix {

using abi::Attributes;

class Channel;
class DirectoryReader;
class NodeRef;
class OpenHandle;

using abi::is_directory;
using abi::is_regular;
using abi::is_symlink;

// Holds what requests say of a handle that the server opened.
struct HandleNumbers {
    std::uint64_t nodeid = 0;
    std::uint64_t fh = 0;
    std::uint32_t flags = 0;
    std::uint32_t open_flags = 0;
    std::uint64_t lock_owner = 0; // of its own locks; no other handle of this process has it
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
    // Return its node and its handle, which a request that names the file keeps until its late reply. The file is open. For the
    // engine itself.
    [[nodiscard]] const NodeRef& node() const noexcept;
    [[nodiscard]] std::shared_ptr<OpenHandle> handle() const noexcept;

private:
    friend class Mount;
    friend class AsyncMount;
    explicit File(std::unique_ptr<OpenHandle> handle) noexcept;

    // Points to an OpenHandle. A request that its caller no longer waits for shares it, because it names the handle.
    std::shared_ptr<HandleNumbers> handle_;
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
    void rewind() noexcept;
    [[nodiscard]] std::uint64_t nodeid() const noexcept;
    [[nodiscard]] std::uint64_t fh() const noexcept;

private:
    friend class Mount;
    explicit Directory(std::unique_ptr<DirectoryReader> reader) noexcept;

    std::unique_ptr<DirectoryReader> reader_;
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
    Buffer(Buffer&& other) noexcept
        : channel_(std::exchange(other.channel_, nullptr)), bytes_(other.bytes_), device_(other.device_) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(channel_, other.channel_);
        std::swap(bytes_, other.bytes_);
        std::swap(device_, other.device_);
        return *this;
    }
    ~Buffer();

    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
    // True if no request that was given up may still read or change it. What such requests did to it has happened before this
    // returns true. It stays true until another call fails at a limit. It is false for good once a device has failed and would not
    // stop, because that may write to any memory it ever knew. Any thread.
    [[nodiscard]] bool is_free() const noexcept;

private:
    friend class Mount;
    Buffer(Channel& channel, const Region& region) noexcept;
    [[nodiscard]] Region region() const noexcept;

    Channel* channel_ = nullptr;
    std::span<std::byte> bytes_{};
    std::uint64_t device_ = 0; // where the device sees it
};

} // namespace vfsproto::posix
