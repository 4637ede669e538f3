// SPDX-License-Identifier: BSD-2-Clause
#include "local_half.hpp"

#include "program.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace vfsproto::cli {

using backends::FileDescriptor;
using posix::Expected;
using wire::Errno;

namespace {

bool is_half(const struct stat& there, std::optional<uid_t> owner) noexcept {
    const bool is_ours = there.st_uid == ::geteuid() || (owner && there.st_uid == *owner);
    return S_ISREG(there.st_mode) && there.st_nlink == 1 && is_ours;
}

// A half that got its last mode, and then no name, is taken back from all others.
bool make_private(int fd, const struct stat& there) noexcept {
    return (there.st_mode & 07777) == 0600 || ::fchmod(fd, 0600) == 0;
}

bool is_locked_by_other(int fd) noexcept { return ::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; }

} // namespace

bool has_name(int fd, int directory, const std::string& name) noexcept {
    struct stat open{};
    struct stat there{};
    return ::fstat(fd, &open) == 0 && ::fstatat(directory, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           open.st_ino == there.st_ino && open.st_dev == there.st_dev;
}

Expected<FileDescriptor> open_half(int directory, const std::string& name, std::optional<uid_t> owner) {
    constexpr int kTries = 10; // others may make and remove it meanwhile
    constexpr int kFlags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    for (int i = 0; i < kTries; ++i) {
        FileDescriptor fd(::openat(directory, name.c_str(), kFlags | O_CREAT | O_EXCL, 0600));
        if (!fd && errno != EEXIST) return local_failure(errno);
        struct stat there{};
        if (!fd && ::fstatat(directory, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno != ENOENT) return local_failure(errno);
            continue;
        }
        if (S_ISDIR(there.st_mode)) return Errno::eisdir;
        if (!fd && is_half(there, owner)) {
            fd = FileDescriptor(::openat(directory, name.c_str(), kFlags));
            // One whose last mode has no write permission is made anew.
            if (!fd && errno != EACCES && errno != EPERM && errno != ENOENT) return local_failure(errno);
        }
        if (fd) {
            if (is_locked_by_other(fd.get())) return Errno::ebusy;
            if (::fstat(fd.get(), &there) != 0) return local_failure(errno);
            if (!has_name(fd.get(), directory, name)) continue;
            if (is_half(there, owner) && make_private(fd.get(), there)) return fd;
        }
        if (::unlinkat(directory, name.c_str(), 0) != 0 && errno != ENOENT) return local_failure(errno);
    }
    return Errno::ebusy;
}

} // namespace vfsproto::cli
