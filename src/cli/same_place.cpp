// SPDX-License-Identifier: BSD-2-Clause
#include "same_place.hpp"

#include "local_target.hpp"
#include "paths.hpp"
#include "remote_temporaries.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace vfsproto::cli {

namespace {

bool has_inode(int fd, std::uint64_t ino) noexcept {
    struct stat info{};
    return ::fstat(fd, &info) == 0 && info.st_ino == ino;
}

} // namespace

bool is_same_file(const posix::Attributes& there, const struct stat& here) noexcept {
    return there.ino == here.st_ino && there.size == static_cast<std::uint64_t>(here.st_size) &&
           there.mode == here.st_mode && there.nlink == here.st_nlink && there.uid == here.st_uid &&
           there.gid == here.st_gid && there.mtime == static_cast<std::uint64_t>(here.st_mtim.tv_sec) &&
           there.mtimensec == static_cast<std::uint32_t>(here.st_mtim.tv_nsec) &&
           there.ctime == static_cast<std::uint64_t>(here.st_ctim.tv_sec) &&
           there.ctimensec == static_cast<std::uint32_t>(here.st_ctim.tv_nsec);
}

bool shows_there(posix::Mount& mount, const std::string& remote, const posix::Attributes& there, int here) {
    if (!has_inode(here, there.ino)) return false;
    const std::string name = temporary_name();
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const backends::FileDescriptor made(::openat(here, name.c_str(), kFlags, 0600));
    if (!made) return false; // nothing can be copied into it either
    const bool shows = static_cast<bool>(mount.stat(join(remote, name), posix::LastLink::keep));
    ::unlinkat(here, name.c_str(), 0);
    return shows;
}

bool shows_here(posix::Mount& mount, const std::string& remote, const posix::Attributes& there, int here) {
    if (!has_inode(here, there.ino)) return false;
    const std::string name = temporary_name();
    const std::string path = join(remote, name);
    const auto made = make_remote_temporary(mount, path);
    if (!made) return false;
    struct stat info{};
    const bool shows = ::fstatat(here, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
    remove_remote_temporary(mount, path);
    return shows;
}

} // namespace vfsproto::cli
