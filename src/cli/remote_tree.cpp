// SPDX-License-Identifier: BSD-2-Clause
#include "remote_tree.hpp"

#include "vfsproto/fuse/wire/structs.hpp"

#include <unistd.h>

namespace vfsproto::cli {

using posix::Expected;
using posix::Failure;
using wire::Errno;
namespace abi = wire::linux_abi;

namespace {

Failure clear_way(posix::Mount& mount, const std::string& path, Replaces replaces) {
    const auto there = mount.stat(path, posix::LastLink::keep);
    if (!there) return there.failure();
    if (posix::is_directory(there->mode)) return Errno::eisdir;
    if (!may_replace(replaces, there->mode)) return Errno::eexist;
    return mount.unlink(path);
}

template <class Make> Failure make_anew(posix::Mount& mount, const std::string& path, Replaces replaces, Make&& make) {
    const Failure failure = make();
    if (failure.error != Errno::eexist) return failure;
    if (const Failure stuck = clear_way(mount, path, replaces)) return stuck;
    return make();
}

template <class T> Failure failure_in(const Expected<T>& outcome) { return outcome ? Failure() : outcome.failure(); }

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
    wire::SetattrIn rest{};
    rest.valid = wire::kSetattrAtime | wire::kSetattrMtime;
    rest.atime = a.atime;
    rest.atimensec = a.atimensec;
    rest.mtime = a.mtime;
    rest.mtimensec = a.mtimensec;
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
    const auto there = mount.stat(path, posix::LastLink::keep);
    if (!there) return there.failure();
    if (!posix::is_directory(there->mode)) return Errno::enotdir;
    return false;
}

Failure make_remote_symlink(posix::Mount& mount, const std::string& path, const std::string& target) {
    return make_anew(mount, path, Replaces::files_and_links, [&] { return mount.symlink(target, path); });
}

Failure make_remote_node(posix::Mount& mount, const std::string& path, std::uint32_t mode, std::uint32_t rdev) {
    return make_anew(mount, path, Replaces::special_files_too, [&] { return mount.mknod(path, mode, rdev); });
}

Failure make_remote_link(posix::Mount& mount, const std::string& existing, const std::string& path) {
    return make_anew(mount, path, Replaces::files_and_links, [&] { return mount.link(existing, path); });
}

namespace {

Failure set_mode(posix::Mount& mount, const posix::File& file, std::uint32_t mode) {
    wire::SetattrIn in{};
    in.valid = wire::kSetattrMode;
    in.mode = mode;
    return failure_in(mount.set_attributes(file, in));
}

} // namespace

Failure finish_remote_file(posix::Mount& mount, const posix::File& file, const posix::Attributes& original,
                           const Keeping& keeping, const std::optional<posix::Attributes>& replaced) {
    if (keeping.preserve == Preserve::nothing) {
        const std::uint32_t mode = replaced ? without_set_id(replaced->mode) : fresh_mode(original.mode, keeping);
        return set_mode(mount, file, abi::kSIfreg | mode);
    }
    return preserve_all(original,
                        [&](const wire::SetattrIn& in) { return failure_in(mount.set_attributes(file, in)); });
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
    if (keeping.preserve == Preserve::nothing) return {};
    return preserve_all(original, [&](const wire::SetattrIn& in) {
        return failure_in(mount.set_attributes(path, in, posix::LastLink::keep));
    });
}

} // namespace vfsproto::cli
