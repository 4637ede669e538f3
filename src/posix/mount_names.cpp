// SPDX-License-Identifier: BSD-2-Clause
// Mount: names.
#include "vfsproto/posix/mount.hpp"

#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"

namespace vfsproto::posix {

using wire::Errno;
using namespace wire::linux_abi;

namespace {

// A path that ends in the directory itself has no name to make or remove.
Failure need_name(const PathWalk& walk, Errno otherwise) {
    return walk.name().empty() ? Failure(otherwise) : Failure();
}

} // namespace

Mount::Mount(std::unique_ptr<Channel> channel, const MountOptions& options)
    : channel_(std::move(channel)), keeper_(*channel_, options.max_idle_nodes), umask_(options.umask) {}

Outcome<std::unique_ptr<Mount>> Mount::open(std::unique_ptr<backends::Attachment> attachment,
                                            const MountOptions& options) {
    auto channel = Channel::open(std::move(attachment), options.channel);
    if (!channel) return channel.failure();
    return std::unique_ptr<Mount>(new Mount(*std::move(channel), options));
}

Outcome<Attributes> Mount::stat(std::string_view path, LastLink last) {
    PathWalk at = walk();
    if (Failure failure = at.to_file(path, last); failure.happened()) return failure;
    return at.attributes();
}

Outcome<wire::Statx> Mount::statx(std::string_view path, LastLink last) {
    PathWalk at = walk();
    if (Failure failure = at.to_file(path, last); failure.happened()) return failure;
    client::ExtendedStatus status;
    const wire::StatxIn wanted{
        .getattr_flags = 0, .reserved = 0, .fh = 0, .sx_flags = 0, .sx_mask = kStatxBasicStats | kStatxBtime};
    channel_->run(status, at.node().nodeid(), wanted);
    if (!status.succeeded()) return failure_of(status);
    return status.result().stat;
}

Failure Mount::access(std::string_view path, std::uint32_t mask) {
    PathWalk at = walk();
    if (Failure failure = at.to_file(path, LastLink::follow); failure.happened()) return failure;
    client::CheckAccess check;
    check.call.args = {mask, 0};
    channel_->run(check, at.node().nodeid());
    return failure_of(check);
}

Failure Mount::mkdir(std::string_view path, std::uint32_t mode) {
    PathWalk at = walk();
    if (Failure failure = at.to_parent(path); failure.happened()) return failure;
    if (Failure failure = need_name(at, Errno::eexist); failure.happened()) return failure;
    client::MakeDirectory make;
    make.call.args = {client::mode_to_send(channel_->params(), mode & kSIallugo, umask_), umask_};
    make.call.name = at.name();
    channel_->run(make, at.parent().nodeid());
    if (make.succeeded()) keeper_.count(make.call.reply);
    return failure_of(make);
}

Failure Mount::mknod(std::string_view path, std::uint32_t mode, std::uint32_t rdev) {
    PathWalk at = walk();
    if (Failure failure = at.to_parent(path); failure.happened()) return failure;
    if (Failure failure = need_name(at, Errno::eexist); failure.happened()) return failure;
    if (at.must_be_directory()) return Errno::enoent;
    client::MakeNode make;
    const std::uint32_t type = mode & kSIfmt;
    make.call.args.mode =
        client::mode_to_send(channel_->params(), (mode & kSIallugo) | (type != 0 ? type : kSIfreg), umask_);
    make.call.args.rdev = rdev;
    make.call.args.umask = umask_;
    make.call.name = at.name();
    channel_->run(make, at.parent().nodeid());
    if (make.succeeded()) keeper_.count(make.call.reply);
    return failure_of(make);
}

Failure Mount::symlink(std::string_view target, std::string_view path) {
    if (target.empty()) return Errno::enoent;
    if (target.size() > kPathMax) return Errno::enametoolong;
    PathWalk at = walk();
    if (Failure failure = at.to_parent(path); failure.happened()) return failure;
    if (Failure failure = need_name(at, Errno::eexist); failure.happened()) return failure;
    if (at.must_be_directory()) return Errno::enoent;
    client::MakeSymlink make;
    make.call.name = at.name();
    make.call.name2 = target;
    channel_->run(make, at.parent().nodeid());
    if (make.succeeded()) keeper_.count(make.call.reply);
    return failure_of(make);
}

Failure Mount::link(std::string_view existing, std::string_view path) {
    PathWalk from = walk();
    if (Failure failure = from.to_file(existing, LastLink::keep); failure.happened()) return failure;
    PathWalk at = walk();
    if (Failure failure = at.to_parent(path); failure.happened()) return failure;
    if (Failure failure = need_name(at, Errno::eexist); failure.happened()) return failure;
    client::MakeLink make;
    make.call.args = {from.node().nodeid()};
    make.call.name = at.name();
    channel_->run(make, at.parent().nodeid());
    if (make.succeeded()) keeper_.count(make.call.reply);
    return failure_of(make);
}

Failure Mount::rmdir(std::string_view path) {
    PathWalk at = walk();
    if (Failure failure = at.to_parent(path); failure.happened()) return failure;
    if (Failure failure = need_name(at, path.ends_with("..") ? Errno::enotempty : Errno::ebusy); failure.happened()) {
        return failure;
    }
    client::RemoveDirectory remove;
    remove.call.name = at.name();
    channel_->run(remove, at.parent().nodeid());
    return failure_of(remove);
}

Failure Mount::unlink(std::string_view path) {
    PathWalk at = walk();
    if (Failure failure = at.to_parent(path); failure.happened()) return failure;
    if (Failure failure = need_name(at, Errno::eisdir); failure.happened()) return failure;
    // The node is looked up so that, once the last name is gone, its lookups go back at once and the server can free
    // the space; it also turns the EIO of one server for a missing name into ENOENT.
    if (Failure failure = at.look_up_last(); failure.happened()) return failure;
    if (at.must_be_directory() && !is_directory(at.attributes().mode)) return Errno::enotdir;
    client::RemoveFile remove;
    remove.call.name = at.name();
    channel_->run(remove, at.parent().nodeid());
    if (remove.succeeded() && at.attributes().nlink <= 1) at.node().reset_unlinked();
    return failure_of(remove);
}

Failure Mount::rename(std::string_view from, std::string_view to, std::uint32_t flags) {
    PathWalk source = walk();
    if (Failure failure = source.to_parent(from); failure.happened()) return failure;
    if (Failure failure = need_name(source, Errno::ebusy); failure.happened()) return failure;
    PathWalk target = walk();
    if (Failure failure = target.to_parent(to); failure.happened()) return failure;
    if (Failure failure = need_name(target, Errno::ebusy); failure.happened()) return failure;
    if (source.must_be_directory() || target.must_be_directory()) {
        if (Failure failure = source.look_up_last(); failure.happened()) return failure;
        if (!is_directory(source.attributes().mode)) return Errno::enotdir;
    }
    // Without flags always the plain form: servers on some file systems know no other.
    if (flags == 0) {
        client::Rename rename;
        rename.call.args = {target.parent().nodeid()};
        rename.call.name = source.name();
        rename.call.name2 = target.name();
        channel_->run(rename, source.parent().nodeid());
        return failure_of(rename);
    }
    client::RenameWithFlags rename;
    rename.call.args = {target.parent().nodeid(), flags, 0};
    rename.call.name = source.name();
    rename.call.name2 = target.name();
    channel_->run(rename, source.parent().nodeid());
    return failure_of(rename);
}

Outcome<std::string> Mount::readlink(std::string_view path) {
    PathWalk at = walk();
    if (Failure failure = at.to_file(path, LastLink::keep); failure.happened()) return failure;
    if (!at.found_link()) return Errno::einval;
    std::string target(kPathMax + 1, '\0');
    client::ReadLink read;
    read.call.data_out = {reinterpret_cast<std::byte*>(target.data()), static_cast<std::uint32_t>(target.size()), {}};
    channel_->run(read, at.node().nodeid());
    if (!read.succeeded()) return failure_of(read);
    target.resize(read.call.bytes);
    return target;
}

} // namespace vfsproto::posix
