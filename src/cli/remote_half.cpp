// SPDX-License-Identifier: BSD-2-Clause
#include "remote_half.hpp"

#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <unistd.h>

#include <utility>

namespace vfsproto::cli {

using abi::Errno;
using posix::Expected;
using posix::Failure;
using posix::LastLink;

namespace {

constexpr std::uint32_t kFlags = abi::kORdwr | abi::kONofollow;

bool is_half(const posix::Attributes& there, std::optional<std::uint32_t> owner) noexcept {
    const bool is_ours = there.uid == ::geteuid() || (owner && there.uid == *owner);
    return posix::is_regular(there.mode) && there.nlink == 1 && is_ours;
}

// A half that got its last mode, and then no name, is taken back from all others.
bool make_private(posix::Mount& mount, const posix::File& file, const posix::Attributes& there) {
    if ((there.mode & 07777) == 0600) return true;
    wire::SetattrIn in{};
    in.valid = wire::kSetattrMode;
    in.mode = abi::kSIfreg | 0600;
    return static_cast<bool>(mount.set_attributes(file, in));
}

// Opens what has the path. EEXIST: it is no half, or one whose last mode has no write permission.
Expected<posix::File> open_there(posix::Mount& mount, const std::string& path, std::optional<std::uint32_t> owner) {
    const auto there = mount.stat(path, LastLink::keep);
    if (!there) return there.failure();
    if (posix::is_directory(there->mode)) return Errno::eisdir;
    if (!is_half(*there, owner)) return Errno::eexist;
    auto opened = mount.open_file(path, kFlags);
    if (!opened) {
        const Errno error = opened.failure().error;
        return error == Errno::eacces || error == Errno::eperm ? Failure(Errno::eexist) : opened.failure();
    }
    if (!has_path(mount, *opened, path)) return Errno::enoent; // it is another one by now
    if (!make_private(mount, *opened, *there)) return Errno::eexist;
    return opened;
}

} // namespace

bool has_path(posix::Mount& mount, const posix::File& file, const std::string& path) {
    const auto open = mount.stat(file);
    const auto there = mount.stat(path, LastLink::keep);
    return open && there && open->ino == there->ino;
}

Expected<posix::File> open_remote_half(posix::Mount& mount, const std::string& path,
                                       std::optional<std::uint32_t> owner) {
    constexpr int kTries = 10; // others may make and remove it meanwhile
    for (int i = 0; i < kTries; ++i) {
        auto made = mount.open_file(path, kFlags | abi::kOCreat | abi::kOExcl, 0600);
        if (made || made.failure().error != Errno::eexist) return made;
        auto half = open_there(mount, path, owner);
        if (half) return half;
        const Errno error = half.failure().error;
        if (error != Errno::eexist && error != Errno::enoent) return half;
        const Failure removed = error == Errno::enoent ? Failure() : mount.unlink(path);
        if (removed.happened() && removed.error != Errno::enoent) return removed;
    }
    return Errno::ebusy;
}

} // namespace vfsproto::cli
