// SPDX-License-Identifier: BSD-2-Clause
// A mount of what a real virtiofsd serves.
#pragma once

#include "support/virtiofsd.hpp"

#include "vfsproto/backends/vhost_user.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/mount_options.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace vfsproto::test {

// No mount: `trouble` says why.
struct Connected {
    std::unique_ptr<posix::Mount> mount;
    std::string trouble;
};

[[nodiscard]] inline Connected connect(const Virtiofsd& daemon, posix::MountOptions options = {},
                                       std::uint16_t queue_size = 256) {
    backends::VhostUserOptions transport;
    transport.socket_path = daemon.socket();
    transport.queue_size = queue_size;
    transport.request_queues_at = backends::kFsRequestQueuesAt;
    auto opened = backends::VhostUser::open(std::move(transport));
    if (!opened) return {nullptr, opened.message};
    auto mount = posix::Mount::open(std::move(opened.device), options);
    if (!mount) return {nullptr, mount.failure().text()};
    return {std::move(*mount), ""};
}

} // namespace vfsproto::test
