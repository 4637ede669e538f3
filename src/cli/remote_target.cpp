// SPDX-License-Identifier: BSD-2-Clause
#include "remote_target.hpp"

#include "interrupt.hpp"
#include "paths.hpp"
#include "remote_temporaries.hpp"

#include "vfsproto/fuse/wire/structs.hpp"

#include <utility>

namespace vfsproto::cli {

using posix::Expected;
using posix::Failure;
using posix::LastLink;
using wire::Errno;
namespace abi = wire::linux_abi;

namespace {

constexpr int kMostLinks = 40; // as Linux follows in one path

// A directory that takes no new files may still hold one that can be written.
bool directory_refuses(const Failure& failure) noexcept {
    return failure.error == Errno::eacces || failure.error == Errno::eperm || failure.error == Errno::erofs;
}

} // namespace

RemoteTarget::RemoteTarget(RemoteTarget&& other) noexcept
    : mount_(other.mount_),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)),
      replaced_(other.replaced_),
      regular_(other.regular_) {}

RemoteTarget::~RemoteTarget() {
    if (temporary_.empty()) return;
    const CleaningUp more_time;
    remove_temporary();
}

void RemoteTarget::remove_temporary() {
    remove_remote_temporary(*mount_, temporary_);
    temporary_.clear();
}

Expected<RemoteTarget> RemoteTarget::open(posix::Mount& mount, const std::string& path, Existing existing) {
    RemoteTarget target(mount, path);
    if (const Failure failure = target.look_at(existing)) return failure;
    const bool has_names = target.replaced_ && target.replaced_->nlink > 1;
    const bool in_place = existing == Existing::follow && (has_names || !target.regular_);
    const Failure failure = in_place ? target.open_in_place() : target.make_temporary();
    if (failure.happened()) return failure;
    return target;
}

Failure RemoteTarget::look_at(Existing existing) {
    for (int links = 0;; ++links) {
        const auto there = mount_->stat(path_, LastLink::keep);
        if (!there) {
            const bool is_new = there.failure().error == Errno::enoent && links == 0;
            return is_new ? Failure() : there.failure(); // a link that leads nowhere is not written through
        }
        if (posix::is_directory(there->mode)) return Errno::eisdir;
        if (posix::is_symlink(there->mode)) {
            if (existing == Existing::replace) return {};
            if (links == kMostLinks) return Errno::eloop;
            if (const Failure failure = follow_link()) return failure;
            continue;
        }
        regular_ = posix::is_regular(there->mode);
        if (regular_) replaced_ = *there;
        return !regular_ && existing == Existing::replace ? Failure(Errno::eexist) : Failure();
    }
}

Failure RemoteTarget::follow_link() {
    const auto target = mount_->readlink(path_);
    if (!target) return target.failure();
    path_ = target->starts_with('/') ? *target : join(directory_name(path_), *target);
    return {};
}

Failure RemoteTarget::make_temporary() {
    std::string temporary = join(directory_name(path_), temporary_name());
    auto made = make_remote_temporary(*mount_, temporary);
    if (!made) {
        if (replaced_ && directory_refuses(made.failure())) return open_in_place();
        return made.failure();
    }
    file_ = std::move(*made);
    temporary_ = std::move(temporary);
    if (keeps_owner()) return {};
    file_ = posix::File();
    remove_temporary();
    return open_in_place();
}

// A file that is replaced keeps its owner, as it would if it were written in place.
bool RemoteTarget::keeps_owner() const {
    if (!replaced_) return true;
    const auto made = mount_->stat(file_);
    if (!made || (made->uid == replaced_->uid && made->gid == replaced_->gid)) return true;
    wire::SetattrIn in{};
    in.valid = wire::kSetattrUid | wire::kSetattrGid;
    in.uid = replaced_->uid;
    in.gid = replaced_->gid;
    return static_cast<bool>(mount_->set_attributes(file_, in));
}

Failure RemoteTarget::open_in_place() {
    auto opened = mount_->open_file(path_, abi::kOWronly | (regular_ ? abi::kOTrunc : 0));
    if (!opened) return opened.failure();
    file_ = std::move(*opened);
    return {};
}

Failure RemoteTarget::commit() {
    if (const Failure failure = mount_->close(std::move(file_))) return failure;
    if (temporary_.empty()) return {};
    if (const Failure failure = mount_->rename(temporary_, path_)) return failure;
    forget_remote_temporary(temporary_);
    temporary_.clear();
    return {};
}

} // namespace vfsproto::cli
