// SPDX-License-Identifier: BSD-2-Clause
#include "local_target.hpp"

#include "interrupt.hpp"
#include "paths.hpp"
#include "program.hpp"
#include "temporaries.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace vfsproto::cli {

using backends::FileDescriptor;
using posix::Expected;
using posix::Failure;
using wire::Errno;

namespace {

// A directory that takes no new files may still hold one that can be written.
bool directory_refuses(int error) noexcept { return error == EACCES || error == EPERM || error == EROFS; }

} // namespace

std::string temporary_name() {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number) {
        number =
            static_cast<std::uint64_t>(::getpid()) << 32 ^ reinterpret_cast<std::uintptr_t>(&number); // O_EXCL decides
    }
    return fmt::format(".vfsproto-{:016x}", number);
}

LocalTarget::LocalTarget(LocalTarget&& other) noexcept
    : directory_(other.directory_),
      name_(std::move(other.name_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::move(other.fd_)),
      replaced_(other.replaced_),
      regular_(other.regular_),
      in_order_(other.in_order_) {}

LocalTarget::~LocalTarget() {
    if (!temporary_.empty()) remove_temporary(directory_, temporary_);
}

Expected<LocalTarget> LocalTarget::open(int directory, const std::string& name, Existing existing) {
    if (!is_plain_name(name)) return Errno::einval;
    LocalTarget target;
    target.directory_ = directory;
    target.name_ = name;
    if (const Failure failure = target.look_at(existing)) return failure;
    const bool has_names = target.replaced_ && target.replaced_->st_nlink > 1;
    Failure failure;
    if (existing == Existing::follow && has_names) {
        failure = target.open_in_place();
    } else {
        failure = target.make_temporary();
    }
    if (failure.happened()) return failure;
    return target;
}

Failure LocalTarget::look_at(Existing existing) {
    struct stat there{};
    if (::fstatat(directory_, name_.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? Failure() : local_failure(errno);
    }
    if (S_ISDIR(there.st_mode)) return Errno::eisdir;
    if (S_ISREG(there.st_mode)) {
        replaced_ = there;
    } else if (!S_ISLNK(there.st_mode) || existing == Existing::follow) {
        return Errno::eexist;
    }
    return {};
}

Failure LocalTarget::make_temporary() {
    std::string temporary = temporary_name();
    fd_ = FileDescriptor(make_temporary_file(directory_, temporary));
    if (!fd_) {
        if (replaced_ && directory_refuses(errno)) return open_in_place();
        return local_failure(errno);
    }
    temporary_ = std::move(temporary);
    if (keeps_owner()) return {};
    remove_temporary(directory_, temporary_);
    temporary_.clear();
    return open_in_place();
}

// A file that is replaced keeps its owner, as it would if it were written in place.
bool LocalTarget::keeps_owner() const {
    struct stat made{};
    if (!replaced_ || ::fstat(fd_.get(), &made) != 0) return true;
    if (made.st_uid == replaced_->st_uid && made.st_gid == replaced_->st_gid) return true;
    return ::fchown(fd_.get(), replaced_->st_uid, replaced_->st_gid) == 0;
}

Failure LocalTarget::open_in_place() {
    fd_ = FileDescriptor(::openat(directory_, name_.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat opened{};
    if (!fd_ || ::fstat(fd_.get(), &opened) != 0) return local_failure(errno);
    if (opened.st_ino != replaced_->st_ino || opened.st_dev != replaced_->st_dev) return Errno::eexist;
    return ::ftruncate(fd_.get(), 0) == 0 ? Failure() : local_failure(errno);
}

Expected<LocalTarget> LocalTarget::open_special(const std::string& path) {
    LocalTarget target;
    target.regular_ = false;
    const LocalCall may_wait; // for a reader of a FIFO
    target.fd_ = FileDescriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!target.fd_) return local_failure(errno);
    return target;
}

Expected<LocalTarget> LocalTarget::inherited(int fd) {
    LocalTarget target;
    target.regular_ = false;
    target.in_order_ = true;
    target.fd_ = FileDescriptor(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!target.fd_) return local_failure(errno);
    return target;
}

Failure LocalTarget::commit() {
    if (::close(fd_.release()) != 0 && errno != EINTR) return local_failure(errno);
    if (temporary_.empty()) return {};
    if (const int error = rename_temporary(directory_, temporary_, name_); error != 0) return local_failure(error);
    temporary_.clear();
    return {};
}

} // namespace vfsproto::cli
