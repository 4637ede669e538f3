// SPDX-License-Identifier: BSD-2-Clause
#include "state.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <system_error>
#include <utility>

namespace vfsproto::backends {

namespace {

int status_of(int fd, struct statx& out) noexcept {
    return ::statx(fd, "", AT_EMPTY_PATH, kStatxMask, &out) == 0 ? 0 : errno;
}

void raise_file_limit() noexcept {
    struct rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

} // namespace

DescriptorPath::DescriptorPath(int fd) noexcept {
    constexpr char kPrefix[] = "/proc/self/fd/";
    std::memcpy(text_, kPrefix, sizeof(kPrefix) - 1);
    *std::to_chars(text_ + sizeof(kPrefix) - 1, text_ + sizeof(text_) - 1, fd).ptr = '\0';
}

Passthrough::State::State(const PassthroughOptions& options)
    : process(ProcessIdentity::current()),
      access(options.access),
      entry_valid(options.entry_valid),
      attr_valid(options.attr_valid) {
    FileDescriptor root(::open(options.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) throw std::system_error(errno, std::generic_category(), options.root);
    struct statx status{};
    if (const int error = status_of(root.get(), status); error != 0) {
        throw std::system_error(error, std::generic_category(), options.root);
    }
    struct statx again{};
    const DescriptorPath path(root.get());
    if (::statx(AT_FDCWD, path.text(), 0, kStatxMask, &again) != 0 ||
        InodeIdentity(again).key != InodeIdentity(status).key) {
        throw std::system_error(ENOENT, std::generic_category(), "/proc/self/fd");
    }
    root_key_ = InodeIdentity(status).key;
    root_ino = status.stx_ino;
    if (!inodes.insert_root(std::move(root), status)) throw std::bad_alloc();
    raise_file_limit();
}

int Passthrough::State::find(int directory, const char* name, Found& found) noexcept {
    if (expect_known_.load(std::memory_order_relaxed)) {
        if (::statx(directory, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, kStatxMask, &found.status) != 0) {
            return errno;
        }
        found.nodeid = inodes.count_known(found.status);
        if (found.nodeid != 0) return 0;
        expect_known_.store(false, std::memory_order_relaxed);
    }
    return find_new(directory, name, found);
}

int Passthrough::State::find_new(int directory, const char* name, Found& found) noexcept {
    FileDescriptor fd(::openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return errno;
    if (const int error = status_of(fd.get(), found.status); error != 0) return error;
    const InodeTable::Counted counted = inodes.count(std::move(fd), found.status);
    found.nodeid = counted.nodeid;
    if (counted.was_known) expect_known_.store(true, std::memory_order_relaxed);
    return counted.nodeid != 0 ? 0 : ENOMEM;
}

int Passthrough::State::find_open(int fd, Found& found) noexcept {
    if (const int error = status_of(fd, found.status); error != 0) return error;
    found.nodeid = inodes.count_known(found.status);
    if (found.nodeid != 0) return 0;
    FileDescriptor handle(::open(DescriptorPath(fd).text(), O_PATH | O_CLOEXEC));
    if (!handle) return errno;
    found.nodeid = inodes.count(std::move(handle), found.status).nodeid;
    return found.nodeid != 0 ? 0 : ENOMEM;
}

int Passthrough::State::ascend(int directory, Found& found) noexcept {
    FileDescriptor up(::openat(directory, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!up) return errno;
    if (!is_beneath_root(FileDescriptor(::fcntl(up.get(), F_DUPFD_CLOEXEC, 0)))) return ENOENT;
    if (const int error = status_of(up.get(), found.status); error != 0) return error;
    found.nodeid = inodes.count(std::move(up), found.status).nodeid;
    return found.nodeid != 0 ? 0 : ENOMEM;
}

// A directory the host moved out of the root while the client held it has a ".." that leads astray.
bool Passthrough::State::is_beneath_root(FileDescriptor at) const noexcept {
    constexpr int kDeepest = 4096;
    InodeKey below{};
    for (int depth = 0; at && depth < kDeepest; ++depth) {
        struct statx status{};
        if (status_of(at.get(), status) != 0) return false;
        const InodeKey here = InodeIdentity(status).key;
        if (here == root_key_) return true;
        if (here == below) return false; // the host's own root
        below = here;
        at = FileDescriptor(::openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    return false;
}

wire::EntryOut Passthrough::State::entry_of(const Found& found) const noexcept {
    wire::EntryOut out{};
    out.nodeid = found.nodeid;
    out.generation = found.nodeid >> 32;
    out.entry_valid = entry_valid.seconds;
    out.entry_valid_nsec = entry_valid.nanoseconds;
    out.attr_valid = attr_valid.seconds;
    out.attr_valid_nsec = attr_valid.nanoseconds;
    out.attr = attr_of(found.status);
    return out;
}

std::uint64_t Passthrough::State::add_handle(FileDescriptor fd, bool writable) noexcept {
    OpenFile file;
    file.fd = std::move(fd);
    file.writable = writable;
    return files.insert(std::move(file));
}

int Passthrough::State::strip_privileges(int fd) noexcept {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return errno;
    mode_t mode = status.st_mode & ~static_cast<mode_t>(S_ISUID);
    if ((mode & S_IXGRP) != 0) mode &= ~static_cast<mode_t>(S_ISGID);
    if (!S_ISREG(mode) || mode == status.st_mode) return 0;
    return ::chmod(DescriptorPath(fd).text(), mode & 07777) == 0 ? 0 : errno;
}

} // namespace vfsproto::backends
