// SPDX-License-Identifier: BSD-2-Clause
#include "local_half.hpp"

#include "program.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace vfsproto::cli {

using abi::Errno;
using backends::FileDescriptor;
using posix::Expected;

namespace {

constexpr int kFlags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

bool is_half(const struct stat& there, std::optional<uid_t> owner) noexcept {
    const bool is_ours = there.st_uid == ::geteuid() || (owner && there.st_uid == *owner);
    return S_ISREG(there.st_mode) && there.st_nlink == 1 && is_ours;
}

// A half that got its last mode, and then no name, is taken back from all others.
bool make_private(int fd, const struct stat& there) noexcept {
    return (there.st_mode & 07777) == 0600 || ::fchmod(fd, 0600) == 0;
}

// Locks a file that was opened by this name. Errors: EBUSY; ENOENT where the name leads elsewhere by now.
Expected<FileDescriptor> locked(FileDescriptor fd, int directory, const std::string& name) {
    // A file system without locks keeps nobody away.
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return Errno::ebusy;
    if (!has_name(fd.get(), directory, name)) return Errno::enoent;
    return fd;
}

// Opens what has the name. EEXIST: it is no half, or one whose last mode has no write permission.
Expected<FileDescriptor> open_there(int directory, const std::string& name, std::optional<uid_t> owner) {
    struct stat there{};
    if (::fstatat(directory, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) return local_failure(errno);
    if (S_ISDIR(there.st_mode)) return Errno::eisdir;
    if (!is_half(there, owner)) return Errno::eexist;
    FileDescriptor fd(::openat(directory, name.c_str(), kFlags));
    if (!fd) return errno == EACCES || errno == EPERM ? Errno::eexist : static_cast<Errno>(errno);
    auto half = locked(std::move(fd), directory, name);
    if (!half) return half;
    const bool is_still = ::fstat((*half).get(), &there) == 0 && is_half(there, owner);
    if (!is_still || !make_private((*half).get(), there)) return Errno::eexist;
    return half;
}

} // namespace

bool has_name(int fd, int directory, const std::string& name) noexcept {
    struct stat open{};
    struct stat there{};
    return ::fstat(fd, &open) == 0 && ::fstatat(directory, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           open.st_ino == there.st_ino && open.st_dev == there.st_dev;
}

Expected<FileDescriptor> open_half(int directory, const std::string& name, std::optional<uid_t> owner) {
    constexpr int kTries = 10; // others may make and remove it meanwhile
    for (int i = 0; i < kTries; ++i) {
        FileDescriptor made(::openat(directory, name.c_str(), kFlags | O_CREAT | O_EXCL, 0600));
        if (!made && errno != EEXIST) return local_failure(errno);
        auto half = made ? locked(std::move(made), directory, name) : open_there(directory, name, owner);
        if (half) return half;
        const Errno error = half.failure().error;
        if (error != Errno::eexist && error != Errno::enoent) return half;
        const bool removed = error == Errno::enoent || ::unlinkat(directory, name.c_str(), 0) == 0;
        if (!removed && errno != ENOENT) return local_failure(errno);
    }
    return Errno::ebusy;
}

} // namespace vfsproto::cli
