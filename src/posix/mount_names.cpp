// SPDX-License-Identifier: BSD-2-Clause
// Mount: names.
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"
#include "vfsproto/posix/mount.hpp"

#include "attribute_steps.hpp"
#include "mount_steps.hpp"

namespace vfsproto::posix {

Mount::Mount(std::unique_ptr<Channel> channel, const MountOptions& options)
    : channel_(std::move(channel)),
      cache_(std::make_unique<NodeCache>(*channel_, options.max_idle_nodes)),
      umask_(options.umask) {}

Mount::~Mount() = default;

void Mount::prune() { cache_->prune(); }

ChannelStats Mount::stats() { return channel_->stats(); }

Expected<std::unique_ptr<Mount>> Mount::open(std::unique_ptr<backends::Attachment> attachment,
                                             const MountOptions& options) {
    auto channel = Channel::open(std::move(attachment), options.channel);
    if (!channel) return channel.failure();
    return std::unique_ptr<Mount>(new Mount(*std::move(channel), options));
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
