// SPDX-License-Identifier: BSD-2-Clause
// Mount: attributes, extended attributes, and the file system as a whole.
#include "vfsproto/posix/mount.hpp"

#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/xattrs.hpp"

namespace vfsproto::posix {

using wire::Errno;
using namespace wire::linux_abi;

namespace {

wire::SetattrIn times_in(const SetTime& atime, const SetTime& mtime) {
    wire::SetattrIn in{};
    if (atime.kind != SetTime::Kind::keep) {
        in.valid |= wire::kSetattrAtime | (atime.kind == SetTime::Kind::now ? wire::kSetattrAtimeNow : 0);
        in.atime = static_cast<std::uint64_t>(atime.seconds);
        in.atimensec = atime.nanoseconds;
    }
    if (mtime.kind != SetTime::Kind::keep) {
        in.valid |= wire::kSetattrMtime | (mtime.kind == SetTime::Kind::now ? wire::kSetattrMtimeNow : 0);
        in.mtime = static_cast<std::uint64_t>(mtime.seconds);
        in.mtimensec = mtime.nanoseconds;
    }
    return in;
}

wire::SetattrIn size_in(std::uint64_t size) {
    wire::SetattrIn in{};
    in.valid = wire::kSetattrSize;
    in.size = size;
    return in;
}

// How much one reply can bring: a longer value or list is ERANGE.
std::uint32_t room(const Channel& channel, std::size_t wanted) {
    const std::uint32_t most = channel.max_bounced();
    return wanted < most ? static_cast<std::uint32_t>(wanted) : most;
}

template <class T> Failure failure_in(const Outcome<T>& outcome) { return outcome ? Failure() : outcome.failure(); }

} // namespace

Outcome<Attributes> Mount::set_attributes(std::uint64_t nodeid, const wire::SetattrIn& what) {
    client::SetAttributes set;
    set.call.args = what;
    channel_->run(set, nodeid);
    if (!set.succeeded()) return failure_of(set);
    return set.call.reply.attr;
}

Outcome<Attributes> Mount::set_attributes(std::string_view path, const wire::SetattrIn& what, LastLink last) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_file(path, last); failure.happened()) return failure;
    if ((what.valid & wire::kSetattrSize) != 0 && is_directory(at.attributes().mode)) return Errno::eisdir;
    return set_attributes(at.node().nodeid(), what);
}

Outcome<Attributes> Mount::set_attributes(const File& file, const wire::SetattrIn& what) {
    wire::SetattrIn in = what;
    in.valid |= wire::kSetattrFh;
    in.fh = file.fh();
    return set_attributes(file.nodeid(), in);
}

Failure Mount::chmod(std::string_view path, std::uint32_t mode) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_file(path, LastLink::follow); failure.happened()) return failure;
    wire::SetattrIn in{};
    in.valid = wire::kSetattrMode;
    in.mode = (at.attributes().mode & kSIfmt) | (mode & kSIallugo);
    return failure_in(set_attributes(at.node().nodeid(), in));
}

Failure Mount::chown(std::string_view path, std::optional<std::uint32_t> uid, std::optional<std::uint32_t> gid,
                     LastLink last) {
    wire::SetattrIn in{};
    if (uid) in.valid |= wire::kSetattrUid, in.uid = *uid;
    if (gid) in.valid |= wire::kSetattrGid, in.gid = *gid;
    return failure_in(set_attributes(path, in, last));
}

Failure Mount::truncate(std::string_view path, std::uint64_t size) {
    return failure_in(set_attributes(path, size_in(size)));
}

Failure Mount::truncate(const File& file, std::uint64_t size) {
    return failure_in(set_attributes(file, size_in(size)));
}

Failure Mount::set_times(std::string_view path, const SetTime& atime, const SetTime& mtime, LastLink last) {
    return failure_in(set_attributes(path, times_in(atime, mtime), last));
}

Failure Mount::set_times(const File& file, const SetTime& atime, const SetTime& mtime) {
    return failure_in(set_attributes(file, times_in(atime, mtime)));
}

Outcome<Attributes> Mount::stat(const File& file) {
    client::GetAttributes get;
    get.call.args = {wire::kGetattrFh, 0, file.fh()};
    channel_->run(get, file.nodeid());
    if (!get.succeeded()) return failure_of(get);
    return get.call.reply.attr;
}

Outcome<wire::Kstatfs> Mount::statfs(std::string_view path) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_file(path, LastLink::follow); failure.happened()) return failure;
    client::FileSystemStatus status;
    channel_->run(status, at.node().nodeid());
    if (!status.succeeded()) return failure_of(status);
    return status.call.reply;
}

Failure Mount::sync() {
    client::SyncFileSystem sync;
    channel_->run(sync, wire::kRootNodeId);
    return failure_of(sync);
}

Outcome<std::vector<std::byte>> Mount::get_xattr(std::string_view path, std::string_view name, LastLink last) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_file(path, last); failure.happened()) return failure;
    std::vector<std::byte> value(room(*channel_, kXattrSizeMax));
    client::GetXattr get;
    get.call.args = {static_cast<std::uint32_t>(value.size()), 0};
    get.call.name = name;
    get.call.data_out = {value.data(), static_cast<std::uint32_t>(value.size()), {}};
    channel_->run(get, at.node().nodeid());
    if (!get.succeeded()) return failure_of(get);
    value.resize(get.call.bytes);
    return value;
}

Failure Mount::set_xattr(std::string_view path, std::string_view name, std::span<const std::byte> value,
                         XattrSpace space, LastLink last) {
    if (value.size() > kXattrSizeMax) return Errno::e2big;
    PathWalk at = new_walk();
    if (Failure failure = at.to_file(path, last); failure.happened()) return failure;
    std::uint32_t flags = 0;
    if (space == XattrSpace::create) flags = kXattrCreate;
    if (space == XattrSpace::replace) flags = kXattrReplace;
    client::SetXattr set;
    client::prepare_setxattr(set, channel_->params(), name, value, flags);
    channel_->run(set, at.node().nodeid());
    return failure_of(set);
}

Outcome<std::vector<std::string>> Mount::list_xattrs(std::string_view path, LastLink last) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_file(path, last); failure.happened()) return failure;
    std::string list(room(*channel_, kXattrListMax), '\0');
    client::ListXattr get;
    get.call.args = {static_cast<std::uint32_t>(list.size()), 0};
    get.call.data_out = {reinterpret_cast<std::byte*>(list.data()), static_cast<std::uint32_t>(list.size()), {}};
    channel_->run(get, at.node().nodeid());
    if (!get.succeeded()) return failure_of(get);
    list.resize(get.call.bytes);
    std::vector<std::string> names;
    for (std::size_t from = 0; from < list.size();) {
        const std::size_t end = list.find('\0', from);
        if (end == std::string::npos) return Errc::protocol_violation;
        names.push_back(list.substr(from, end - from));
        from = end + 1;
    }
    return names;
}

Failure Mount::remove_xattr(std::string_view path, std::string_view name, LastLink last) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_file(path, last); failure.happened()) return failure;
    client::RemoveXattr remove;
    remove.call.name = name;
    channel_->run(remove, at.node().nodeid());
    return failure_of(remove);
}

} // namespace vfsproto::posix
