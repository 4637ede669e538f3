// SPDX-License-Identifier: BSD-2-Clause
// Mount: names.
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/mount_options.hpp"
#include "vfsproto/posix/mount_stats.hpp"

#include "attribute_steps.hpp"
#include "mount_steps.hpp"
#include "notification_taker.hpp"

#include <system_error>

namespace vfsproto::posix {

namespace {

// Returns the credentials with the server's ids. A supplementary group without an image is none there.
Credentials at_server(const abi::IdMap& ids, const Credentials& said) {
    Credentials there{ids.at_server(said.caller), said.umask, {}};
    for (const std::uint32_t group : said.groups) {
        const std::uint32_t image = ids.at_server(abi::IdKind::group, group);
        if (image != abi::kNoId) there.groups.push_back(image);
    }
    return there;
}

} // namespace

Mount::Mount(std::shared_ptr<Channel> channel, std::shared_ptr<NodeCache> cache, const Credentials& credentials,
             const MountLimits& limits, Look look)
    : channel_(std::move(channel)),
      cache_(std::move(cache)),
      credentials_(std::make_unique<Credentials>(credentials)),
      asking_(std::make_unique<Credentials>(at_server(channel_->ids(), credentials))),
      limits_(limits),
      look_(look) {
    if (limits_.has_any() || channel_->has_side_lanes() || !abi::has_image(asking_->caller)) return;
    read_pieces_ = channel_->piece_limits<wire::Opcode::read>();
    write_pieces_ = channel_->piece_limits<wire::Opcode::write>();
}

// The hook may use this mount until its thread has ended.
Mount::~Mount() {
    if (channel_.use_count() == 1) channel_->end_notifications();
}

void Mount::prune() { cache_->prune(); }

ChannelStats Mount::stats() { return channel_->stats(); }

MountStats Mount::mount_stats() {
    MountStats stats = channel_->mount_stats();
    cache_->add_to(stats);
    return stats;
}

Expected<std::unique_ptr<Mount>> Mount::open(std::unique_ptr<backends::Attachment> attachment) {
    return open(std::move(attachment), MountOptions());
}

Expected<std::unique_ptr<Mount>> Mount::open(std::unique_ptr<backends::Attachment> attachment,
                                             const MountOptions& options) {
    ChannelOptions wanted = options.channel;
    wanted.init.pid = options.credentials.caller.pid;
    if (options.cache.mode != CacheMode::none || options.on_change) wanted.notifications = Notifications::taken;
    auto opened = Channel::open(std::move(attachment), wanted);
    if (!opened) return opened.failure();
    std::shared_ptr<Channel> channel = *std::move(opened);
    auto cache = std::make_shared<NodeCache>(*channel, options.max_idle_nodes, options.cache, options.permissions);
    try {
        channel->take_notifications(notification_taker(*cache, options.on_change));
    } catch (const std::system_error&) { // no thread
        return Errc::no_memory;
    }
    return std::unique_ptr<Mount>(
        new Mount(std::move(channel), std::move(cache), options.credentials, {}, Look::as_kept));
}

std::unique_ptr<Mount> Mount::acting_for(const Credentials& credentials) {
    return beginning_alike(std::unique_ptr<Mount>(new Mount(channel_, cache_, credentials, limits_, look_)));
}

std::unique_ptr<Mount> Mount::limited_by(const MountLimits& limits) {
    return beginning_alike(std::unique_ptr<Mount>(new Mount(channel_, cache_, *credentials_, limits, look_)));
}

std::unique_ptr<Mount> Mount::looking_anew() {
    return beginning_alike(std::unique_ptr<Mount>(new Mount(channel_, cache_, *credentials_, limits_, Look::anew)));
}

std::unique_ptr<Mount> Mount::beginning_at(std::string_view directory) {
    std::unique_ptr<Mount> mount = limited_by(limits_);
    if (directory.starts_with('/')) mount->from_.clear();
    if (!mount->from_.empty()) mount->from_ += '/';
    mount->from_ += directory;
    return mount;
}

std::unique_ptr<Mount> Mount::taking_long_paths() {
    std::unique_ptr<Mount> mount = limited_by(limits_);
    mount->path_length_ = PathLength::any;
    return mount;
}

std::unique_ptr<Mount> Mount::beginning_alike(std::unique_ptr<Mount> mount) const {
    mount->from_ = from_;
    mount->path_length_ = path_length_;
    return mount;
}

Expected<Attributes> Mount::stat(std::string_view path, LastLink last) { return ask<StatSteps>(path, last); }

Expected<wire::Statx> Mount::statx(std::string_view path, LastLink last) { return ask<StatxSteps>(path, last); }

Failure Mount::access(std::string_view path, std::uint32_t mask) { return perform<AccessSteps>(path, mask); }

Expected<std::string> Mount::readlink(std::string_view path) { return ask<ReadLinkSteps>(path); }

Failure Mount::mkdir(std::string_view path, std::uint32_t mode) { return perform<MakeDirectorySteps>(path, mode); }

Failure Mount::mknod(std::string_view path, std::uint32_t mode, std::uint32_t rdev) {
    return perform<MakeNodeSteps>(path, mode, rdev);
}

Failure Mount::symlink(std::string_view target, std::string_view path) {
    return perform<MakeSymlinkSteps>(target, path);
}

Failure Mount::link(std::string_view existing, std::string_view path) { return perform<MakeLinkSteps>(existing, path); }

Failure Mount::rmdir(std::string_view path) { return perform<RemoveDirectorySteps>(path); }

Failure Mount::unlink(std::string_view path) { return perform<RemoveFileSteps>(path); }

Failure Mount::rename(std::string_view from, std::string_view to, std::uint32_t flags) {
    return perform<RenameSteps>(from, to, flags);
}

} // namespace vfsproto::posix
