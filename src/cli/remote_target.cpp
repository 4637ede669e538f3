// SPDX-License-Identifier: BSD-2-Clause
#include "remote_target.hpp"

#include "cleaning_up.hpp"
#include "local_target.hpp"
#include "paths.hpp"
#include "remote_half.hpp"
#include "remote_temporaries.hpp"
#include "same_place.hpp"

#include "vfsproto/fuse/wire/structs.hpp"

#include <utility>

namespace vfsproto::cli {

using abi::Errno;
using posix::Expected;
using posix::Failure;
using posix::LastLink;

namespace {

constexpr int kMostLinks = 40; // as Linux follows in one path

} // namespace

RemoteTarget::RemoteTarget(RemoteTarget&& other) noexcept
    : mount_(other.mount_),
      path_(std::move(other.path_)),
      options_(other.options_),
      there_(other.there_),
      is_new_(other.is_new_),
      half_(std::move(other.half_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)) {}

RemoteTarget::~RemoteTarget() {
    if (temporary_.empty()) return;
    const CleaningUp cleaning(*mount_);
    mount_ = &cleaning.mount();
    if (!is_half() || is_empty()) remove_temporary();
}

void RemoteTarget::remove_temporary() {
    remove_remote_temporary(*mount_, temporary_);
    temporary_.clear();
}

Expected<RemoteTarget> RemoteTarget::at(posix::Mount& mount, const std::string& path, const TargetOptions& options) {
    RemoteTarget target(mount, path, options);
    if (const Failure failure = target.look()) return failure;
    return target;
}

Failure RemoteTarget::look() {
    for (int links = 0;; ++links) {
        const auto there = mount_->stat(path_, LastLink::keep);
        if (!there) {
            const bool is_new = there.failure().error == Errno::enoent && links == 0;
            return is_new ? Failure() : there.failure(); // a link that leads nowhere is not written through
        }
        if (!posix::is_symlink(there->mode) || options_.existing == Existing::replace) {
            there_ = *there;
            return {};
        }
        if (links == kMostLinks) return Errno::eloop;
        if (const Failure failure = follow_link()) return failure;
    }
}

Failure RemoteTarget::obstacle() const noexcept {
    if (!there_) return {};
    if (posix::is_directory(there_->mode)) return Errno::eisdir;
    return !is_regular() && options_.existing == Existing::replace ? Failure(Errno::eexist) : Failure();
}

Failure RemoteTarget::open() {
    if (const Failure failure = obstacle()) return failure;
    if (there_ && options_.clobber == Clobber::never) return Errno::eexist;
    const bool has_names = replaced() && there_->nlink > 1;
    const bool in_place = options_.existing == Existing::follow && (has_names || !is_regular());
    const Failure failure = in_place ? open_in_place() : make_temporary(Owner::as_before);
    const bool insists = cannot_be_written(failure) && replaced() && options_.clobber == Clobber::forced;
    if (!insists) return failure;
    is_new_ = true;
    return make_temporary(Owner::any);
}

Failure RemoteTarget::follow_link() {
    const auto target = mount_->readlink(path_);
    if (!target) return target.failure();
    path_ = target->starts_with('/') ? *target : join(directory_name(path_), *target);
    return {};
}

Failure RemoteTarget::make_temporary(Owner owner) {
    if (const Failure failure = open_temporary()) {
        return replaced() && directory_refuses(failure) ? open_in_place() : failure;
    }
    if (owner == Owner::any) return {};
    const Failure kept = keep_owner();
    if (!kept.happened() || kept.errc != Errc::ok) return kept;
    file_ = posix::File();
    remove_temporary();
    return open_in_place();
}

Failure RemoteTarget::open_temporary() {
    const auto before = replaced();
    const std::optional<std::uint32_t> owner = before ? std::optional(before->uid) : std::nullopt;
    std::string temporary = half_.empty() ? join(directory_name(path_), temporary_name()) : half_;
    auto made = half_.empty() ? make_remote_temporary(*mount_, temporary) : open_remote_half(*mount_, temporary, owner);
    if (!made) return made.failure();
    file_ = std::move(*made);
    temporary_ = std::move(temporary);
    return {};
}

void RemoteTarget::resume_by(const std::string& half_name) { half_ = join(directory_name(path_), half_name); }

Failure RemoteTarget::restart() {
    file_ = posix::File();
    remove_temporary();
    if (const Failure failure = open_temporary()) return failure;
    return keep_owner();
}

bool RemoteTarget::is_empty() const {
    if (!file_) return false;
    const auto held = mount_->stat(file_);
    return held && held->size == 0;
}

// A file that is replaced keeps its owner, as it would if it were written in place.
Failure RemoteTarget::keep_owner() const {
    if (!replaced()) return {};
    const auto made = mount_->stat(file_);
    if (!made) return is_unanswered(made) ? made.failure() : Failure();
    if (made->uid == there_->uid && made->gid == there_->gid) return {};
    wire::SetattrIn in{};
    in.valid = wire::kSetattrUid | wire::kSetattrGid;
    in.uid = there_->uid;
    in.gid = there_->gid;
    const auto set = mount_->set_attributes(file_, in);
    if (set) return {};
    return set.failure().errc != Errc::ok ? set.failure() : Failure(Errno::eperm);
}

Failure RemoteTarget::open_in_place() {
    auto opened = mount_->open_file(path_, abi::kOWronly | abi::kONofollow);
    if (!opened) return opened.failure();
    if (there_) { // another file may have the name by now, or a link
        const auto now = mount_->stat(*opened);
        if (!now) return now.failure();
        if (now->ino != there_->ino) return Errno::eexist;
    }
    file_ = std::move(*opened);
    return is_regular() ? mount_->truncate(file_, 0) : Failure();
}

Failure RemoteTarget::commit() {
    // Another copy may have given the half its name, and a third one may be at making the next.
    if (is_half() && !has_path(*mount_, file_, temporary_)) return Errno::estale;
    if (const Failure failure = mount_->close(std::move(file_))) return failure;
    if (temporary_.empty()) return {};
    const Failure failure = rename_remote_temporary(*mount_, temporary_, path_, options_.clobber);
    const bool is_taken = failure.error == Errno::eexist && options_.clobber == Clobber::never;
    if (is_taken) remove_temporary(); // nobody goes on with it, also a half
    if (!failure.happened()) temporary_.clear();
    return failure;
}

} // namespace vfsproto::cli
