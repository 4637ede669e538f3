// SPDX-License-Identifier: BSD-2-Clause
// Open directories. Cookies are the host's own d_off, which nobody looks into.
#include "state.hpp"
#include "vfsproto/fuse/server/dirent_writer.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace vfsproto::backends {

namespace {

using FileRef = Slab<OpenFile>::Ref;

FileRef directory_of(Slab<OpenFile>& files, std::uint64_t fh) noexcept {
    FileRef file = files.acquire(fh);
    if (file && !file->directory) return {};
    return file;
}

// One record of getdents64(2); glibc keeps its layout to itself.
struct HostEntry {
    std::uint64_t ino;
    std::uint64_t next;
    std::uint16_t size; // of the record
    std::uint8_t type;
};
constexpr std::size_t kHostEntryName = 19; // offset of the name

// Moves the stream to the entry with this cookie. Returns 0 or an errno.
int seek(int fd, DirectoryStream& stream, std::uint64_t offset) noexcept {
    // The beginning is always read anew, as rewinddir(3) does.
    const bool there = offset == stream.next && (offset != 0 || stream.end == 0);
    if (there) return 0;
    if (::lseek(fd, static_cast<off_t>(offset), SEEK_SET) < 0) return errno;
    stream.at = stream.end = 0;
    stream.next = offset;
    return 0;
}

// Makes sure that there is an entry at stream.at. Returns false at the end of the directory or with an error.
bool refill(const FileRef& file, EntryBuffers& buffers, int& error) noexcept {
    DirectoryStream& stream = *file->directory;
    if (stream.at < stream.end) return true;
    stream.at = stream.end = 0;
    if (!stream.entries) stream.entries = buffers.lend();
    if (!stream.entries) {
        error = ENOMEM;
        return false;
    }
    const long bytes = uninterrupted(
        [&] { return ::syscall(SYS_getdents64, file->fd.get(), stream.entries.get(), EntryBuffers::kSize); });
    error = bytes < 0 ? errno : 0;
    if (bytes <= 0) {
        stream.entries.reset();
        return false;
    }
    stream.end = static_cast<std::size_t>(bytes);
    return true;
}

// Gives `put` entry after entry, until it says that one does not fit. Returns 0 or an errno. Called with the stream's mutex
// held.
template <class Put> int walk(const FileRef& file, EntryBuffers& buffers, std::uint64_t offset, Put&& put) noexcept {
    DirectoryStream& stream = *file->directory;
    int error = seek(file->fd.get(), stream, offset);
    if (error != 0) return error;
    bool any = false;
    while (refill(file, buffers, error)) {
        const std::byte* record = stream.entries.get() + stream.at;
        HostEntry entry; // NOLINT: copied over
        std::memcpy(&entry, record, kHostEntryName);
        const auto* name = static_cast<const char*>(static_cast<const void*>(record + kHostEntryName));
        wire::DirEntry out;
        out.ino = entry.ino;
        out.next = entry.next;
        out.type = entry.type;
        out.name = {name, std::strlen(name)};
        if (stream.parent_ino != 0 && out.name == wire::Name("..")) out.ino = stream.parent_ino;
        // An empty reply would mean the end of the directory.
        if (!put(out)) return any ? 0 : EINVAL;
        any = true;
        stream.at += entry.size;
        stream.next = entry.next;
    }
    return any ? 0 : error;
}

} // namespace

// A client may keep the listing of a directory whose changes it is told. Equal times of the directory would prove nothing: where the
// clock has steps of some milliseconds, a second change leaves them as they are.
void Passthrough::handle(const In<Opcode::opendir>& request, Out<Opcode::opendir>& reply) noexcept {
    const SessionNumber session = state_->inodes.session();
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    if (inode->type != S_IFDIR) return reply.error(abi::Errno::enotdir);
    if (!state_->has_room(1)) return reply.error(abi::Errno::emfile);
    OpenFile file;
    // Opens by the descriptor's path: to open "." in it would take permission to search the directory.
    file.fd = state_->reopen(inode->fd.get(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!file.fd) return reply.error(last_error());
    file.directory.reset(new (std::nothrow) DirectoryStream);
    if (!file.directory) return reply.error(abi::Errno::enomem);
    if (request.header.nodeid == InodeTable::kRoot) file.directory->parent_ino = state_->root_ino;
    std::uint64_t fh = 0;
    if (const int error = state_->add_handle(std::move(file), session, fh); error != 0) {
        return reply.error(to_errno(error));
    }
    return reply.ok({fh, state_->watch.tells_of(*inode) ? wire::kFopenCacheDir | wire::kFopenKeepCache : 0, 0});
}

void Passthrough::handle(const In<Opcode::readdir>& request, Out<Opcode::readdir>& reply) noexcept {
    const FileRef file = directory_of(state_->files, request.in.fh);
    if (!file) return reply.error(abi::Errno::ebadf);
    const std::lock_guard lock(file->directory->mutex);
    server::DirentWriter records(reply, request.in.size);
    const int error = walk(file, state_->entry_buffers, request.in.offset,
                           [&](const wire::DirEntry& entry) { return records.add(entry); });
    if (error != 0) return reply.error(to_errno(error));
    return reply.ok();
}

void Passthrough::handle(const In<Opcode::readdirplus>& request, Out<Opcode::readdirplus>& reply) noexcept {
    const SessionNumber session = state_->inodes.session();
    const FileRef file = directory_of(state_->files, request.in.fh);
    if (!file) return reply.error(abi::Errno::ebadf);
    const std::lock_guard lock(file->directory->mutex);
    server::DirentWriter records(reply, request.in.size);
    auto put = [&](wire::DirEntry& entry) {
        // Only what will be written is looked up, so that every count has a record.
        if (!records.fits(entry.name.size())) return false;
        wire::EntryOut found{};
        State::Found one(session);
        if (!entry.name.is_dot_or_dot_dot() && state_->find(file->fd.get(), entry.name.data(), one) == 0) {
            found = state_->entry_of(one);
            entry.ino = found.attr.ino;
            entry.type = abi::dirent_type(found.attr.mode);
        } else {
            found.attr.ino = entry.ino;
            found.attr.mode = entry.type << 12;
        }
        return records.add(entry, found);
    };
    const int error = walk(file, state_->entry_buffers, request.in.offset, put);
    if (error != 0) return reply.error(to_errno(error));
    return reply.ok();
}

void Passthrough::handle(const In<Opcode::releasedir>& request, Out<Opcode::releasedir>& reply) noexcept {
    if (!directory_of(state_->files, request.in.fh)) return reply.error(abi::Errno::ebadf);
    return state_->files.retire(request.in.fh) ? reply.ok() : reply.error(abi::Errno::ebadf);
}

void Passthrough::handle(const In<Opcode::fsyncdir>& request, Out<Opcode::fsyncdir>& reply) noexcept {
    const FileRef file = directory_of(state_->files, request.in.fh);
    if (!file) return reply.error(abi::Errno::ebadf);
    if (sync_file(file->fd.get(), request.in.fsync_flags) != 0) return reply.error(last_error());
    return reply.ok();
}

} // namespace vfsproto::backends
