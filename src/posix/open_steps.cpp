// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/open_steps.hpp"

#include "vfsproto/posix/mount.hpp"

namespace vfsproto::posix {

using abi::Errno;
using namespace abi;

namespace {

// True if the name may exist after CREATE said this: it is looked up then. Servers do not agree on the error for a name
// that exists, and a read-only one says so first.
bool may_be_there(Errno error) noexcept {
    return error == Errno::eexist || error == Errno::eloop || error == Errno::einval || error == Errno::ebadf ||
           error == Errno::erofs || error == Errno::eacces;
}

constexpr int kMostOvertaken = 16;

} // namespace

std::uint32_t OpenSteps::flags_to_create() const noexcept {
    return flags_ | kOLargefile | (form_ == CreateForm::exclusive ? kOExcl : 0);
}
std::uint32_t OpenSteps::flags_to_open() const noexcept { return (flags_ & ~(kOCreat | kOExcl)) | kOLargefile; }
std::uint32_t OpenSteps::flags_to_keep() const noexcept { return flags_ & ~(kOCreat | kOExcl | kOTrunc); }

void OpenSteps::begin(std::string_view path, std::uint32_t flags) {
    flags_ = flags;
    want_ = Want::walk;
    if ((flags & kOCreat) != 0) {
        if ((flags & kODirectory) != 0) return fail(Errno::einval); // open(2) makes no directories
        walking_ = Walking::to_parent;
        using Parent = PathSteps::ParentAttributes;
        return path_.to_parent(path, maker_.depends_on_directory() ? Parent::wanted : Parent::unneeded);
    }
    walking_ = Walking::to_file;
    path_.to_file(path, (flags & kONofollow) != 0 ? LastLink::keep : LastLink::follow);
}

void OpenSteps::handle_walked(const Failure& why) {
    if (why) {
        const bool absent = walking_ == Walking::to_last && why.error == Errno::enoent;
        if (!absent) return path_.judged() && is_refusal(why) ? refuse(why.error) : fail(why);
        // The file is not there: CREATE meant what it said, or somebody removed the file meanwhile.
        if (uncreated_.error == Errno::eexist && ++overtaken_ < kMostOvertaken) return want_create();
        return fail(uncreated_.error == Errno::eexist ? why : uncreated_);
    }
    if (walking_ == Walking::to_parent) {
        group_ = maker_.of(path_.attributes());
        return path_.judged() ? look_before_creating() : want_create();
    }
    const bool found = walking_ == Walking::to_last;
    if (found && (flags_ & kOExcl) != 0) return fail(Errno::eexist); // it was looked for before it was to be made
    if (found && !path_.found_link()) {
        return uncreated_.error == Errno::einval ? fail(uncreated_) : want_open();
    }
    if (!path_.found_link()) return want_open();
    if (walking_ == Walking::to_file || (flags_ & kONofollow) != 0) return fail(Errno::eloop);
    walking_ = Walking::to_parent;
    path_.follow_found_link();
}

// Goes on as if CREATE had met a file: if there is none after all, CREATE is sent.
void OpenSteps::look_before_creating() {
    if (const Failure why = check_name()) return fail(why);
    uncreated_ = Errno::eexist;
    walking_ = Walking::to_last;
    want_ = Want::walk;
    path_.look_up_last();
}

// A mode that was kept may be wrong about who may do this: it is looked at once more.
void OpenSteps::refuse(Errno why) {
    if (!is_refusal(why) || !path_.walk_again_without_cache()) return fail(why);
    walking_ = (flags_ & kOCreat) != 0 ? Walking::to_parent : Walking::to_file;
    want_ = Want::walk;
}

Failure OpenSteps::check_name() const noexcept {
    if (path_.ending() != PathSteps::Ending::name) return (flags_ & kOExcl) != 0 ? Errno::eexist : Errno::eisdir;
    return path_.must_be_directory() ? Failure(Errno::eisdir) : Failure();
}

void OpenSteps::want_create() {
    if (const Failure why = check_name()) return fail(why);
    if (const Failure why = path_.check_making()) return refuse(why.error);
    tries_ = 0;
    want_ = Want::create;
}

void OpenSteps::want_open() {
    const bool directory = is_directory(path_.attributes().mode);
    if ((flags_ & kODirectory) != 0 && !directory) return fail(Errno::enotdir);
    // A directory is opened by OPENDIR, a call of its own; servers differ in what they make of OPEN.
    if (directory) return fail(Errno::eisdir);
    if (path_.judged()) {
        const Errno error = client::check_open(*path_.judged(), path_.owner(), flags_);
        if (error != Errno::none) return refuse(error);
    }
    tries_ = 0;
    want_ = Want::open;
}

void OpenSteps::handle_refused(const Failure& why) {
    if (cache_.make_room(why, tries_)) {
        exhausted_ = why;
        return;
    }
    // The file may have been replaced since its name was last looked up.
    if (why.error == Errno::estale && want_ == Want::open && walking_ == Walking::to_file &&
        path_.walk_again_without_cache()) {
        want_ = Want::walk;
        return;
    }
    // A CREATE with O_EXCL that got half way finds its own file in its way.
    const bool half_made = tries_ != 0 && (flags_ & kOExcl) != 0 && why.error == Errno::eexist;
    if (half_made) return fail(exhausted_);
    want_ == Want::create ? handle_uncreated(why) : fail(why);
}

void OpenSteps::handle_uncreated(const Failure& why) {
    if ((flags_ & kOExcl) != 0 || !may_be_there(why.error)) return fail(why);
    uncreated_ = why;
    walking_ = Walking::to_last;
    want_ = Want::walk;
    path_.look_up_last();
}

OpenSteps::CreateForm create_form_of(Channel& channel) noexcept {
    const bool allowed = channel.attachment().quirks().create_existing == client::CreateExisting::allowed;
    const bool truncates = channel.params().flags.has(wire::InitFlag::atomic_o_trunc);
    return allowed && truncates ? OpenSteps::CreateForm::as_called : OpenSteps::CreateForm::exclusive;
}

void OpenSteps::fail(const Failure& why) noexcept {
    failure_ = why;
    want_ = Want::failed;
}

} // namespace vfsproto::posix
