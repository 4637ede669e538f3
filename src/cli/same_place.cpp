// SPDX-License-Identifier: BSD-2-Clause
#include "same_place.hpp"

#include "local_target.hpp"
#include "paths.hpp"
#include "remote_temporaries.hpp"
#include "temporaries.hpp"

#include "vfsproto/backends/passthrough.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vfsproto::cli {

namespace {

bool has_inode(int fd, std::uint64_t ino) noexcept {
    struct stat info{};
    return ::fstat(fd, &info) == 0 && info.st_ino == ino;
}

} // namespace

std::optional<posix::Attributes> attributes_of(int fd) noexcept {
    struct stat info{};
    if (::fstat(fd, &info) != 0) return std::nullopt;
    return backends::attr_of(info);
}

bool is_one_remote_file(posix::Mount& mount, const std::string& a, const std::string& b) {
    constexpr std::uint32_t kFlags = abi::kORdonly | abi::kONofollow;
    const auto one = mount.open_file(a, kFlags);
    const auto other = mount.open_file(b, kFlags);
    return one && other && one->nodeid() == other->nodeid();
}

bool shows_there(posix::Mount& mount, const std::string& remote, const posix::Attributes& there, int here) {
    if (!has_inode(here, there.ino)) return false;
    const std::string name = temporary_name();
    const backends::FileDescriptor made(make_temporary_file(here, name));
    if (!made) return false; // nothing can be copied into it either
    const auto found = mount.stat(join(remote, name), posix::LastLink::keep);
    const bool shows = found || is_unanswered(found);
    remove_temporary(here, name);
    return shows;
}

bool shows_here(posix::Mount& mount, const std::string& remote, const posix::Attributes& there, int here) {
    if (!has_inode(here, there.ino)) return false;
    const std::string name = temporary_name();
    const std::string path = join(remote, name);
    const auto made = make_remote_temporary(mount, path);
    if (!made) return is_unanswered(made);
    struct stat info{};
    const bool shows = ::fstatat(here, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
    remove_remote_temporary(mount, path);
    return shows;
}

} // namespace vfsproto::cli
