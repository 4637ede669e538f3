// SPDX-License-Identifier: BSD-2-Clause
#include "remote_tree.hpp"

#include "replace_remote.hpp"

#include "vfsproto/fuse/wire/structs.hpp"

#include <unistd.h>

namespace vfsproto::cli {

using abi::Errno;
using posix::Expected;
using posix::Failure;

namespace {

// Calls `make` with the path; where something is in the way that may be replaced, what is made takes its place in one step.
Failure make_anew(posix::Mount& mount, const NewPath& at, const MakeRemote& make) {
    const Failure failure = make(at.path);
    if (failure.error != Errno::eexist) return failure;
    const auto there = mount.stat(at.path, posix::LastLink::keep);
    if (!there) return there.failure();
    if (posix::is_directory(there->mode)) return Errno::eisdir;
    if (!may_replace(at.replaces, there->mode)) return Errno::eexist;
    return replace_remote(mount, at.path, make);
}

template <class T> Failure failure_in(const Expected<T>& outcome) { return outcome ? Failure() : outcome.failure(); }

wire::SetattrIn times_of(const posix::Attributes& a) noexcept {
    wire::SetattrIn times{};
    times.valid = wire::kSetattrAtime | wire::kSetattrMtime;
    times.atime = a.atime;
    times.atimensec = a.atimensec;
    times.mtime = a.mtime;
    times.mtimensec = a.mtimensec;
    return times;
}

// Sends SETATTRs until all is set, or says what was not. `send` sends one.
template <class Send> Failure preserve_all(const posix::Attributes& a, Send&& send) {
    Failure first;
    const auto take = [&first](const Failure& failure) {
        const bool worse = failure.happened() && cannot_be_kept(first) && !cannot_be_kept(failure);
        if (!first.happened() || worse) first = failure;
    };
    wire::SetattrIn owner{};
    owner.valid = wire::kSetattrUid | wire::kSetattrGid;
    owner.uid = a.uid;
    owner.gid = a.gid;
    const Failure owned = send(owner);
    // Only root may give files away: for anybody else that is no failure, as cp -p has it.
    if (owned.error != Errno::eperm || ::geteuid() == 0) take(owned);
    wire::SetattrIn rest = times_of(a);
    if (!posix::is_symlink(a.mode)) {
        const std::uint32_t set_id = owned.happened() ? abi::kSIsuid | abi::kSIsgid : 0; // not for another owner
        rest.valid |= wire::kSetattrMode;
        rest.mode = a.mode & ~set_id;
    }
    take(send(rest));
    return first;
}

} // namespace

Expected<bool> make_remote_directory(posix::Mount& mount, const std::string& path) {
    const Failure failure = mount.mkdir(path, 0700);
    if (!failure.happened()) return true;
    if (failure.error != Errno::eexist) return failure;
    const auto missing = find_remote_directory(mount, path);
    if (missing && *missing) return Errno::enoent; // it was removed meanwhile
    return missing;
}

Expected<bool> find_remote_directory(posix::Mount& mount, const std::string& path) {
    const auto there = mount.stat(path, posix::LastLink::keep);
    if (!there && there.failure().error == Errno::enoent) return true;
    if (!there) return there.failure();
    if (!posix::is_directory(there->mode)) return Errno::enotdir;
    return false;
}

Failure make_remote_symlink(posix::Mount& mount, const NewPath& at, const std::string& target) {
    return make_anew(mount, at, [&](const std::string& path) { return mount.symlink(target, path); });
}

Failure make_remote_node(posix::Mount& mount, const NewPath& at, std::uint32_t mode, std::uint32_t rdev) {
    return make_anew(mount, at, [&](const std::string& path) { return mount.mknod(path, mode, rdev); });
}

Failure make_remote_link(posix::Mount& mount, const NewPath& at, const std::string& existing) {
    return make_anew(mount, at, [&](const std::string& path) { return mount.link(existing, path); });
}

Failure finish_remote_file(posix::Mount& mount, const posix::File& file, const posix::Attributes& original,
                           const Keeping& keeping, const std::optional<posix::Attributes>& replaced) {
    const auto send = [&](const wire::SetattrIn& in) { return failure_in(mount.set_attributes(file, in)); };
    if (keeping.preserve == Preserve::all) return preserve_all(original, send);
    wire::SetattrIn in{};
    in.valid = wire::kSetattrMode;
    in.mode = abi::kSIfreg | (replaced ? without_set_id(replaced->mode) : fresh_mode(original.mode, keeping));
    return send(in);
}

Failure finish_remote_directory(posix::Mount& mount, const std::string& path, Age age,
                                const posix::Attributes& original, const Keeping& keeping) {
    const auto send = [&](const wire::SetattrIn& in) {
        return failure_in(mount.set_attributes(path, in, posix::LastLink::keep));
    };
    if (keeping.preserve == Preserve::all) return preserve_all(original, send);
    if (age == Age::old) return {};
    const auto now = mount.stat(path, posix::LastLink::keep);
    if (!now) return now.failure();
    // A directory inherits S_ISGID of its parent; a new mode would take it away.
    wire::SetattrIn in{};
    in.valid = wire::kSetattrMode;
    in.mode = abi::kSIfdir | fresh_mode(original.mode, keeping) | (now->mode & abi::kSIsgid);
    return send(in);
}

Failure finish_remote_at(posix::Mount& mount, const std::string& path, const posix::Attributes& original,
                         const Keeping& keeping) {
    const auto send = [&](const wire::SetattrIn& in) {
        return failure_in(mount.set_attributes(path, in, posix::LastLink::keep));
    };
    return keeping.preserve == Preserve::all ? preserve_all(original, send) : Failure();
}

} // namespace vfsproto::cli
