// SPDX-License-Identifier: BSD-2-Clause
#include "local_tree.hpp"

#include "paths.hpp"
#include "program.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace vfsproto::cli {

using posix::Expected;
using posix::Failure;
using wire::Errno;
namespace abi = wire::linux_abi;

namespace {

// Calls `make`, which answers 0 or an errno; where something is in the way that may be replaced, once more without it.
template <class Make> Failure make_anew(int parent, const std::string& name, Replaces replaces, Make&& make) {
    if (!is_plain_name(name)) return Errno::einval;
    const int error = make();
    if (error != EEXIST) return error == 0 ? Failure() : local_failure(error);
    struct stat there{};
    if (::fstatat(parent, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) return local_failure(errno);
    if (S_ISDIR(there.st_mode)) return Errno::eisdir;
    if (!may_replace(replaces, there.st_mode)) return Errno::eexist;
    if (::unlinkat(parent, name.c_str(), 0) != 0) return local_failure(errno);
    const int again = make();
    return again == 0 ? Failure() : local_failure(again);
}

int errno_of(int result) noexcept { return result >= 0 ? 0 : errno; }

std::array<timespec, 2> times_of(const posix::Attributes& a) noexcept {
    return {timespec{static_cast<time_t>(a.atime), static_cast<long>(a.atimensec)},
            timespec{static_cast<time_t>(a.mtime), static_cast<long>(a.mtimensec)}};
}

// Walks down without following anything.
Expected<FileDescriptor> open_below(int root, std::string_view directory) {
    FileDescriptor at(::fcntl(root, F_DUPFD_CLOEXEC, 0));
    if (!at) return local_failure(errno);
    while (!directory.empty()) {
        const std::size_t slash = directory.find('/');
        const std::string name(directory.substr(0, slash));
        directory.remove_prefix(slash == std::string_view::npos ? directory.size() : slash + 1);
        if (!is_plain_name(name)) return Errno::einval;
        at = FileDescriptor(::openat(at.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!at) return local_failure(errno);
    }
    return at;
}

} // namespace

Expected<FileDescriptor> make_directory(int parent, const std::string& name) {
    if (!is_plain_name(name)) return Errno::einval;
    if (::mkdirat(parent, name.c_str(), 0700) != 0 && errno != EEXIST) return local_failure(errno);
    FileDescriptor made(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made) return local_failure(errno);
    return made;
}

Expected<FileDescriptor> make_file(int parent, const std::string& name) {
    FileDescriptor made;
    const Failure failure = make_anew(parent, name, Replaces::files_and_links, [&] {
        made =
            FileDescriptor(::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        return errno_of(made.get());
    });
    if (failure.happened()) return failure;
    return made;
}

Failure make_symlink(int parent, const std::string& name, const std::string& target) {
    return make_anew(parent, name, Replaces::files_and_links,
                     [&] { return errno_of(::symlinkat(target.c_str(), parent, name.c_str())); });
}

Failure make_node(int parent, const std::string& name, const posix::Attributes& attributes) {
    return make_anew(parent, name, Replaces::special_files_too, [&] {
        const dev_t device = makedev(abi::device_major(attributes.rdev), abi::device_minor(attributes.rdev));
        return errno_of(::mknodat(parent, name.c_str(), attributes.mode, device));
    });
}

Failure make_link(int root, const std::string& existing, int parent, const std::string& name) {
    const std::size_t slash = existing.rfind('/');
    const auto directory =
        open_below(root, std::string_view(existing).substr(0, slash == std::string::npos ? 0 : slash));
    if (!directory) return directory.failure();
    const std::string first = slash == std::string::npos ? existing : existing.substr(slash + 1);
    return make_anew(parent, name, Replaces::files_and_links,
                     [&] { return errno_of(::linkat(directory->get(), first.c_str(), parent, name.c_str(), 0)); });
}

Failure set_attributes(int fd, const posix::Attributes& a, KeepOwner owner) {
    if (owner == KeepOwner::yes && ::fchown(fd, a.uid, a.gid) != 0 && errno != EPERM) return local_failure(errno);
    if (::fchmod(fd, a.mode & abi::kSIallugo) != 0) return local_failure(errno);
    return ::futimens(fd, times_of(a).data()) == 0 ? Failure() : local_failure(errno);
}

Failure set_attributes_at(int parent, const std::string& name, const posix::Attributes& a, KeepOwner owner) {
    if (owner == KeepOwner::yes && ::fchownat(parent, name.c_str(), a.uid, a.gid, AT_SYMLINK_NOFOLLOW) != 0 &&
        errno != EPERM) {
        return local_failure(errno);
    }
    // No mode: a link has none, and a special file was made with its own.
    const bool timed = ::utimensat(parent, name.c_str(), times_of(a).data(), AT_SYMLINK_NOFOLLOW) == 0;
    return timed ? Failure() : local_failure(errno);
}

} // namespace vfsproto::cli
