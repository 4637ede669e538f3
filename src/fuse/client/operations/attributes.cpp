// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/operations/attributes.hpp"

namespace vfsproto::client {

using abi::Errno;
using wire::Opcode;

void ExtendedStatus::start(Client& client, const Caller& caller, std::uint64_t nodeid,
                           const wire::StatxIn& wanted) noexcept {
    begin(client, caller);
    nodeid_ = nodeid;
    statx_.args = wanted;
    statx_.reply = {};
    if (client.params->minor < wire::RowOf<Opcode::statx>::since || client.sticky->is_missing(Opcode::statx)) {
        return ask_attributes();
    }
    send(statx_, nodeid, [](Request& request) noexcept { static_cast<ExtendedStatus*>(request.owner)->answered(); });
}

void ExtendedStatus::answered() noexcept {
    if (noted_missing(statx_)) return ask_attributes();
    if (!statx_.succeeded()) return finish(statx_);
    // Linux fs/fuse/dir.c, fuse_do_statx: what the mask says is there must make sense.
    const wire::Statx& stat = statx_.reply.stat;
    const bool size_valid = (stat.mask & abi::kStatxSize) == 0 || stat.size <= INT64_MAX;
    const bool type_valid = (stat.mask & abi::kStatxType) == 0 || wire::has_file_type(stat.mode);
    finish(size_valid && type_valid ? Errc::ok : Errc::protocol_violation, Errno::none);
}

void ExtendedStatus::ask_attributes() noexcept {
    getattr_.args = {};
    getattr_.args.getattr_flags = statx_.args.getattr_flags;
    getattr_.args.fh = statx_.args.fh;
    send(getattr_, nodeid_,
         [](Request& request) noexcept { static_cast<ExtendedStatus*>(request.owner)->attributes(); });
}

void ExtendedStatus::attributes() noexcept {
    if (!getattr_.succeeded()) return finish(getattr_);
    const wire::AttrOut& from = getattr_.reply;
    if (const Errc errc = wire::check_attr(from.attr); errc != Errc::ok) return finish(errc, Errno::none);
    const auto time = [](std::uint64_t seconds, std::uint32_t nanoseconds) noexcept {
        return wire::SxTime{static_cast<std::int64_t>(seconds), nanoseconds, 0};
    };
    wire::StatxOut& to = statx_.reply;
    to.attr_valid = from.attr_valid;
    to.attr_valid_nsec = from.attr_valid_nsec;
    to.stat.mask = abi::kStatxBasicStats;
    to.stat.blksize = from.attr.blksize;
    to.stat.nlink = from.attr.nlink;
    to.stat.uid = from.attr.uid;
    to.stat.gid = from.attr.gid;
    to.stat.mode = static_cast<std::uint16_t>(from.attr.mode);
    to.stat.ino = from.attr.ino;
    to.stat.size = from.attr.size;
    to.stat.blocks = from.attr.blocks;
    to.stat.atime = time(from.attr.atime, from.attr.atimensec);
    to.stat.mtime = time(from.attr.mtime, from.attr.mtimensec);
    to.stat.ctime = time(from.attr.ctime, from.attr.ctimensec);
    to.stat.rdev_major = abi::device_major(from.attr.rdev);
    to.stat.rdev_minor = abi::device_minor(from.attr.rdev);
    finish(Errc::ok, Errno::none);
}

} // namespace vfsproto::client
