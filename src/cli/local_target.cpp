// SPDX-License-Identifier: BSD-2-Clause
#include "local_target.hpp"

#include "interrupt.hpp"
#include "local_half.hpp"
#include "paths.hpp"
#include "program.hpp"
#include "temporaries.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace vfsproto::cli {

using abi::Errno;
using backends::FileDescriptor;
using posix::Expected;
using posix::Failure;

std::string temporary_name() {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number) {
        number =
            static_cast<std::uint64_t>(::getpid()) << 32 ^ reinterpret_cast<std::uintptr_t>(&number); // O_EXCL decides
    }
    return fmt::format(".vfsproto-{:016x}", number);
}

LocalTarget::LocalTarget(LocalTarget&& other) noexcept
    : kind_(other.kind_),
      directory_(other.directory_),
      name_(std::move(other.name_)),
      options_(other.options_),
      there_(other.there_),
      is_new_(other.is_new_),
      half_name_(std::move(other.half_name_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::move(other.fd_)) {}

LocalTarget::~LocalTarget() {
    if (temporary_.empty() || (is_half() && !is_empty())) return;
    remove_temporary(directory_, temporary_);
}

Expected<LocalTarget> LocalTarget::at(int directory, const std::string& name, const TargetOptions& options) {
    if (!is_single_component(name)) return Errno::einval;
    LocalTarget target;
    target.directory_ = directory;
    target.name_ = name;
    target.options_ = options;
    struct stat there{};
    if (directory < 0) return target;
    if (::fstatat(directory, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
        target.there_ = there;
    } else if (errno != ENOENT) {
        return local_failure(errno);
    }
    return target;
}

Expected<LocalTarget> LocalTarget::special(const std::string& path) {
    LocalTarget target;
    target.kind_ = Kind::special;
    target.name_ = path;
    struct stat there{};
    if (::stat(path.c_str(), &there) != 0) return local_failure(errno);
    target.there_ = there;
    return target;
}

LocalTarget LocalTarget::inherited(int fd) {
    LocalTarget target;
    target.kind_ = Kind::inherited;
    target.directory_ = fd;
    return target;
}

Failure LocalTarget::obstacle() const noexcept {
    if (!there_ || S_ISREG(there_->st_mode)) return {};
    if (S_ISDIR(there_->st_mode)) return Errno::eisdir;
    if (kind_ != Kind::regular) return {};
    return S_ISLNK(there_->st_mode) && options_.existing == Existing::replace ? Failure() : Errno::eexist;
}

std::optional<struct stat> LocalTarget::replaced() const noexcept {
    const bool is_replaced = there_ && !is_new_ && kind_ == Kind::regular && S_ISREG(there_->st_mode);
    return is_replaced ? there_ : std::nullopt;
}

std::optional<struct stat> LocalTarget::changed() const noexcept {
    struct stat now{};
    int looked = -1;
    switch (kind_) {
    case Kind::regular: looked = ::fstatat(directory_, name_.c_str(), &now, AT_SYMLINK_NOFOLLOW); break;
    case Kind::special: break;
    case Kind::inherited: looked = ::fstat(directory_, &now); break;
    }
    return looked == 0 && S_ISREG(now.st_mode) ? std::optional(now) : std::nullopt;
}

Expected<FileDescriptor> LocalTarget::open_there() const { return open_itself(O_RDONLY); }

Failure LocalTarget::open() {
    switch (kind_) {
    case Kind::regular: return open_file();
    case Kind::special: {
        const LocalCall may_wait; // for a reader of a FIFO
        fd_ = FileDescriptor(::open(name_.c_str(), O_WRONLY | O_CLOEXEC));
        break;
    }
    case Kind::inherited: fd_ = FileDescriptor(::fcntl(directory_, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)); break;
    }
    return fd_ ? Failure() : local_failure(errno);
}

Failure LocalTarget::open_file() {
    if (const Failure failure = obstacle()) return failure;
    if (there_ && options_.clobber == Clobber::never) return Errno::eexist;
    const bool has_names = replaced() && there_->st_nlink > 1;
    const bool in_place = options_.existing == Existing::follow && has_names;
    const Failure failure = in_place ? open_in_place() : make_temporary(Owner::as_before);
    const bool insists = cannot_be_written(failure) && replaced() && options_.clobber == Clobber::forced;
    if (!insists) return failure;
    is_new_ = true;
    return make_temporary(Owner::any);
}

Failure LocalTarget::make_temporary(Owner owner) {
    if (const Failure failure = open_temporary()) {
        return replaced() && directory_refuses(failure) ? open_in_place() : failure;
    }
    if (owner == Owner::any || keeps_owner()) return {};
    remove_temporary(directory_, temporary_);
    temporary_.clear();
    return open_in_place();
}

Failure LocalTarget::open_temporary() {
    if (!half_name_.empty()) {
        const auto before = replaced();
        auto half = open_half(directory_, half_name_, before ? std::optional(before->st_uid) : std::nullopt);
        if (!half) return half.failure();
        fd_ = std::move(*half);
        temporary_ = half_name_;
        return {};
    }
    std::string temporary = temporary_name();
    fd_ = FileDescriptor(make_temporary_file(directory_, temporary));
    if (!fd_) return local_failure(errno);
    temporary_ = std::move(temporary);
    return {};
}

Failure LocalTarget::restart() {
    remove_temporary(directory_, temporary_);
    temporary_.clear();
    fd_ = FileDescriptor();
    if (const Failure failure = open_temporary()) return failure;
    return keeps_owner() ? Failure() : Errno::eperm;
}

bool LocalTarget::is_empty() const noexcept {
    struct stat held{};
    return fd_ && ::fstat(fd_.get(), &held) == 0 && held.st_size == 0;
}

// A file that is replaced keeps its owner, as it would if it were written in place.
bool LocalTarget::keeps_owner() const {
    struct stat made{};
    if (!replaced() || ::fstat(fd_.get(), &made) != 0) return true;
    if (made.st_uid == there_->st_uid && made.st_gid == there_->st_gid) return true;
    return ::fchown(fd_.get(), there_->st_uid, there_->st_gid) == 0;
}

// Opens what at() found, and nothing else.
Expected<FileDescriptor> LocalTarget::open_itself(int access) const {
    FileDescriptor fd(::openat(directory_, name_.c_str(), access | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat opened{};
    if (!fd || ::fstat(fd.get(), &opened) != 0) return local_failure(errno);
    if (opened.st_ino != there_->st_ino || opened.st_dev != there_->st_dev) return Errno::eexist;
    return fd;
}

Failure LocalTarget::open_in_place() {
    auto opened = open_itself(O_WRONLY);
    if (!opened) return opened.failure();
    fd_ = std::move(*opened);
    return ::ftruncate(fd_.get(), 0) == 0 ? Failure() : local_failure(errno);
}

Failure LocalTarget::commit() {
    // Nobody but us writes to a half, but somebody may have taken its name away.
    if (is_half() && !has_name(fd_.get(), directory_, temporary_)) return Errno::estale;
    if (::close(fd_.release()) != 0 && errno != EINTR) return local_failure(errno);
    if (temporary_.empty()) return {};
    const int error = rename_temporary(directory_, temporary_, name_, options_.clobber);
    const bool is_taken = error == EEXIST && options_.clobber == Clobber::never;
    if (is_taken) remove_temporary(directory_, temporary_); // nobody goes on with it, also a half
    if (error == 0 || is_taken) temporary_.clear();
    return error == 0 ? Failure() : local_failure(error);
}

} // namespace vfsproto::cli
