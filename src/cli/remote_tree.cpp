// SPDX-License-Identifier: BSD-2-Clause
#include "remote_tree.hpp"

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

// `set` sends one SETATTR.
template <class Set> Failure set_in_order(const posix::Attributes& a, KeepOwner owner, Set&& set) {
    wire::SetattrIn in{};
    in.valid = wire::kSetattrAtime | wire::kSetattrMtime;
    in.atime = a.atime;
    in.atimensec = a.atimensec;
    in.mtime = a.mtime;
    in.mtimensec = a.mtimensec;
    if (!posix::is_symlink(a.mode)) {
        in.valid |= wire::kSetattrMode;
        in.mode = a.mode;
    }
    if (owner == KeepOwner::no) return set(in);
    wire::SetattrIn given = in;
    given.uid = a.uid;
    given.gid = a.gid;
    given.valid |= wire::kSetattrUid | wire::kSetattrGid;
    // A new owner takes these bits away: they come after it.
    const bool twice = (a.mode & (abi::kSIsuid | abi::kSIsgid)) != 0;
    const Failure failure = set(given);
    if (failure.error == Errno::eperm || (twice && !failure.happened())) return set(in);
    return failure;
}

template <class T> Failure failure_in(const Expected<T>& outcome) { return outcome ? Failure() : outcome.failure(); }

} // namespace

Failure make_remote_directory(posix::Mount& mount, const std::string& path) {
    const Failure failure = mount.mkdir(path, 0700);
    if (failure.error != Errno::eexist) return failure;
    const auto there = mount.stat(path, posix::LastLink::keep);
    if (!there) return there.failure();
    return posix::is_directory(there->mode) ? Failure() : Failure(Errno::enotdir);
}

Expected<posix::File> make_remote_file(posix::Mount& mount, const std::string& path) {
    constexpr std::uint32_t kFlags = abi::kOWronly | abi::kOCreat | abi::kOExcl | abi::kONofollow;
    auto made = mount.open_file(path, kFlags, 0600);
    if (made || made.failure().error != Errno::eexist) return made;
    if (const Failure stuck = clear_way(mount, path, Replaces::files_and_links)) return stuck;
    return mount.open_file(path, kFlags, 0600);
}

Failure make_remote_symlink(posix::Mount& mount, const std::string& path, const std::string& target) {
    return make_anew(mount, path, Replaces::files_and_links, [&] { return mount.symlink(target, path); });
}

Failure make_remote_node(posix::Mount& mount, const std::string& path, const posix::Attributes& attributes) {
    return make_anew(mount, path, Replaces::special_files_too,
                     [&] { return mount.mknod(path, attributes.mode, attributes.rdev); });
}

Failure make_remote_link(posix::Mount& mount, const std::string& existing, const std::string& path) {
    return make_anew(mount, path, Replaces::files_and_links, [&] { return mount.link(existing, path); });
}

Failure set_remote_attributes(posix::Mount& mount, const std::string& path, const posix::Attributes& attributes,
                              KeepOwner owner) {
    return set_in_order(attributes, owner, [&](const wire::SetattrIn& in) {
        return failure_in(mount.set_attributes(path, in, posix::LastLink::keep));
    });
}

Failure set_remote_attributes(posix::Mount& mount, const posix::File& file, const posix::Attributes& attributes,
                              KeepOwner owner) {
    return set_in_order(attributes, owner,
                        [&](const wire::SetattrIn& in) { return failure_in(mount.set_attributes(file, in)); });
}

} // namespace vfsproto::cli
