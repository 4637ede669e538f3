// SPDX-License-Identifier: BSD-2-Clause
// Requests on names: what may be asked of the place a path leads to (the rest is the server's to judge), and with which
// arguments. Whoever waits for the answer.
#pragma once

#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/posix/path_steps.hpp"

#include <cstdint>
#include <string_view>

namespace vfsproto::posix {

// The errors are those of Linux fs/namei.c for paths that end in no name.
[[nodiscard]] inline Failure check_makeable(const PathSteps& at) {
    return at.ending() == PathSteps::Ending::name ? Failure() : Failure(wire::Errno::eexist);
}
[[nodiscard]] inline Failure check_unlinkable(const PathSteps& at) {
    return at.ending() == PathSteps::Ending::name ? Failure() : Failure(wire::Errno::eisdir);
}
[[nodiscard]] inline Failure check_renameable(const PathSteps& at) {
    return at.ending() == PathSteps::Ending::name ? Failure() : Failure(wire::Errno::ebusy);
}
// Of the new name, RENAME_NOREPLACE says first that there is something.
[[nodiscard]] inline Failure check_rename_target(const PathSteps& at, std::uint32_t flags) {
    if (at.ending() == PathSteps::Ending::name) return {};
    return (flags & wire::linux_abi::kRenameNoreplace) != 0 ? wire::Errno::eexist : wire::Errno::ebusy;
}
[[nodiscard]] inline Failure check_directory_removable(const PathSteps& at) {
    switch (at.ending()) {
    case PathSteps::Ending::name: return {};
    case PathSteps::Ending::dot: return wire::Errno::einval;
    case PathSteps::Ending::dot_dot: return wire::Errno::enotempty;
    case PathSteps::Ending::root: return wire::Errno::ebusy;
    }
    return {};
}
// "new/" can only be a directory: ENOENT, unless there is something already. `looked` is what looking the name up said.
[[nodiscard]] inline Failure why_not_with_slash(const Failure& looked) {
    return looked.happened() ? looked : Failure(wire::Errno::eexist);
}
// A slash behind a name to unlink: only a directory could be meant, and that is not unlinked.
[[nodiscard]] inline Failure check_found_unlinkable(const PathSteps& at) {
    const bool wrong = at.must_be_directory() && !wire::linux_abi::is_directory(at.attributes().mode);
    return wrong ? Failure(wire::Errno::enotdir) : Failure();
}
// Slashes behind the names of a rename: the server sees none of them. With flags it must be known what the new name is.
[[nodiscard]] inline bool is_target_looked_up(const PathSteps& source, const PathSteps& target, std::uint32_t flags) {
    constexpr std::uint32_t kTargetMatters = wire::linux_abi::kRenameNoreplace | wire::linux_abi::kRenameExchange;
    return (source.must_be_directory() || target.must_be_directory()) && (flags & kTargetMatters) != 0;
}
// The old name was found. What Linux fs/namei.c makes of the slashes, in its order; `looked` is what looking the new name up
// said, where is_target_looked_up().
[[nodiscard]] inline Failure check_found_renameable(const PathSteps& source, const PathSteps& target,
                                                    std::uint32_t flags, const Failure& looked) {
    using wire::linux_abi::is_directory;
    if (!source.must_be_directory() && !target.must_be_directory()) return {};
    const bool exchange = (flags & wire::linux_abi::kRenameExchange) != 0;
    if ((flags & wire::linux_abi::kRenameNoreplace) != 0 && !looked.happened()) return wire::Errno::eexist;
    if (exchange) {
        if (looked.happened()) return looked;
        if (target.must_be_directory() && !is_directory(target.attributes().mode)) return wire::Errno::enotdir;
    }
    if (is_directory(source.attributes().mode)) return {};
    return source.must_be_directory() || !exchange ? Failure(wire::Errno::enotdir) : Failure();
}
[[nodiscard]] inline Failure check_target(std::string_view target) {
    if (target.empty()) return wire::Errno::enoent;
    if (target.size() > wire::linux_abi::kPathMax) return wire::Errno::enametoolong;
    return {};
}

inline void prepare(client::MakeDirectory& make, const client::SessionParams& params, std::string_view name,
                    std::uint32_t mode, std::uint32_t umask) {
    make.call.args = {client::mode_to_send(params, mode & wire::linux_abi::kSIallugo, umask), umask};
    make.call.name = name;
}
inline void prepare(client::MakeSymlink& make, std::string_view name, std::string_view target) {
    make.call.name = name;
    make.call.name2 = target;
}
inline void prepare(client::Rename& rename, const PathSteps& from, const PathSteps& to) {
    rename.call.args = {to.parent().nodeid()};
    rename.call.name = from.name();
    rename.call.name2 = to.name();
}
inline void prepare(client::RenameWithFlags& rename, const PathSteps& from, const PathSteps& to, std::uint32_t flags) {
    rename.call.args = {to.parent().nodeid(), flags, 0};
    rename.call.name = from.name();
    rename.call.name2 = to.name();
}

} // namespace vfsproto::posix
