// SPDX-License-Identifier: BSD-2-Clause
// Mount: names.
#include "vfsproto/posix/mount.hpp"

#include "name_requests.hpp"
#include "path_requests.hpp"

#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"

namespace vfsproto::posix {

using wire::Errno;
using namespace wire::linux_abi;

Mount::Mount(std::unique_ptr<Channel> channel, const MountOptions& options)
    : channel_(std::move(channel)), cache_(*channel_, options.max_idle_nodes), umask_(options.umask) {}

Outcome<std::unique_ptr<Mount>> Mount::open(std::unique_ptr<backends::Attachment> attachment,
                                            const MountOptions& options) {
    auto channel = Channel::open(std::move(attachment), options.channel);
    if (!channel) return channel.failure();
    return std::unique_ptr<Mount>(new Mount(*std::move(channel), options));
}

Outcome<Attributes> Mount::stat(std::string_view path, LastLink last) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_file(path, last); failure.happened()) return failure;
    return at.attributes();
}

Outcome<wire::Statx> Mount::statx(std::string_view path, LastLink last) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_file(path, last); failure.happened()) return failure;
    client::ExtendedStatus status;
    const wire::StatxIn wanted{
        .getattr_flags = 0, .reserved = 0, .fh = 0, .sx_flags = 0, .sx_mask = kStatxBasicStats | kStatxBtime};
    channel_->run(status, at.node().nodeid(), wanted);
    if (!status.succeeded()) return failure_of(status);
    return status.result().stat;
}

Failure Mount::access(std::string_view path, std::uint32_t mask) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_file(path, LastLink::follow); failure.happened()) return failure;
    client::CheckAccess check;
    check.call.args = {mask, 0};
    channel_->run(check, at.node().nodeid());
    return failure_of(check);
}

Failure Mount::mkdir(std::string_view path, std::uint32_t mode) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_parent(path); failure.happened()) return failure;
    if (Failure failure = check_makeable(at.place()); failure.happened()) return failure;
    client::MakeDirectory make;
    prepare(make, channel_->params(), at.name(), mode, umask_);
    channel_->run(make, at.parent().nodeid());
    if (make.succeeded()) cache_.count(make.call.reply);
    return failure_of(make);
}

Failure Mount::mknod(std::string_view path, std::uint32_t mode, std::uint32_t rdev) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_parent(path); failure.happened()) return failure;
    if (Failure failure = check_makeable(at.place()); failure.happened()) return failure;
    if (at.must_be_directory()) return why_not_with_slash(at.look_up_last());
    client::MakeNode make;
    const std::uint32_t type = mode & kSIfmt;
    make.call.args.mode =
        client::mode_to_send(channel_->params(), (mode & kSIallugo) | (type != 0 ? type : kSIfreg), umask_);
    make.call.args.rdev = rdev;
    make.call.args.umask = umask_;
    make.call.name = at.name();
    channel_->run(make, at.parent().nodeid());
    if (make.succeeded()) cache_.count(make.call.reply);
    return failure_of(make);
}

Failure Mount::symlink(std::string_view target, std::string_view path) {
    if (Failure failure = check_target(target); failure.happened()) return failure;
    PathWalk at = new_walk();
    if (Failure failure = at.to_parent(path); failure.happened()) return failure;
    if (Failure failure = check_makeable(at.place()); failure.happened()) return failure;
    if (at.must_be_directory()) return why_not_with_slash(at.look_up_last());
    client::MakeSymlink make;
    prepare(make, at.name(), target);
    channel_->run(make, at.parent().nodeid());
    if (make.succeeded()) cache_.count(make.call.reply);
    return failure_of(make);
}

Failure Mount::link(std::string_view existing, std::string_view path) {
    PathWalk from = new_walk();
    if (Failure failure = from.to_file(existing, LastLink::keep); failure.happened()) return failure;
    PathWalk at = new_walk();
    if (Failure failure = at.to_parent(path); failure.happened()) return failure;
    if (Failure failure = check_makeable(at.place()); failure.happened()) return failure;
    if (at.must_be_directory()) return why_not_with_slash(at.look_up_last());
    client::MakeLink make;
    make.call.args = {from.node().nodeid()};
    make.call.name = at.name();
    channel_->run(make, at.parent().nodeid());
    if (make.succeeded()) cache_.count(make.call.reply);
    return failure_of(make);
}

Failure Mount::rmdir(std::string_view path) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_parent(path); failure.happened()) return failure;
    if (Failure failure = check_directory_removable(at.place()); failure.happened()) return failure;
    if (Failure failure = at.look_up_last(); failure.happened()) return failure; // as for unlink()
    client::RemoveDirectory remove;
    remove.call.name = at.name();
    channel_->run(remove, at.parent().nodeid());
    return failure_of(remove);
}

Failure Mount::unlink(std::string_view path) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_parent(path); failure.happened()) return failure;
    if (Failure failure = check_unlinkable(at.place()); failure.happened()) return failure;
    // The node is looked up so that, once the last name is gone, its lookups go back at once and the server can free
    // the space. Servers count on it, as Linux looks up whatever it is about to remove or to rename: one of them answers
    // EIO for a name it was never asked about.
    if (Failure failure = at.look_up_last(); failure.happened()) return failure;
    if (Failure failure = check_found_unlinkable(at.place()); failure.happened()) return failure;
    client::RemoveFile remove;
    remove.call.name = at.name();
    channel_->run(remove, at.parent().nodeid());
    if (remove.succeeded() && at.attributes().nlink <= 1) at.node().reset_unlinked();
    return failure_of(remove);
}

Failure Mount::rename(std::string_view from, std::string_view to, std::uint32_t flags) {
    PathWalk source = new_walk();
    if (Failure failure = source.to_parent(from); failure.happened()) return failure;
    PathWalk target = new_walk();
    if (Failure failure = target.to_parent(to); failure.happened()) return failure;
    if (Failure failure = check_renameable(source.place()); failure.happened()) return failure;
    if (Failure failure = check_rename_target(target.place(), flags); failure.happened()) return failure;
    if (Failure failure = source.look_up_last(); failure.happened()) return failure; // as for unlink()
    Failure looked;
    if (is_target_looked_up(source.place(), target.place(), flags)) looked = target.look_up_last();
    if (Failure failure = check_found_renameable(source.place(), target.place(), flags, looked); failure.happened()) {
        return failure;
    }
    // Without flags always the plain form: servers on some file systems know no other.
    if (flags == 0) {
        client::Rename rename;
        prepare(rename, source.place(), target.place());
        channel_->run(rename, source.parent().nodeid());
        return failure_of(rename);
    }
    client::RenameWithFlags rename;
    prepare(rename, source.place(), target.place(), flags);
    channel_->run(rename, source.parent().nodeid());
    return failure_of(rename);
}

Outcome<std::string> Mount::readlink(std::string_view path) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_file(path, LastLink::keep); failure.happened()) return failure;
    if (!at.found_link()) return Errno::einval;
    ReadTarget read;
    channel_->run(read.operation, at.node().nodeid());
    if (!read.operation.succeeded()) return failure_of(read.operation);
    return std::string(read.target());
}

} // namespace vfsproto::posix
