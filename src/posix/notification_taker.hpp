// SPDX-License-Identifier: BSD-2-Clause
// A mount takes the notifications of its server.
#pragma once

#include "vfsproto/fuse/wire/notifications.hpp"
#include "vfsproto/posix/server_change.hpp"

#include <functional>

namespace vfsproto::posix {

class NodeCache;

// Returns what Channel::take_notifications() takes: the cache, which outlives the watch, learns of each, then the hook, if there
// is one, hears of changes.
[[nodiscard]] std::function<void(const wire::Notification&)>
notification_taker(NodeCache& cache, std::function<void(const ServerChange&)> on_change);

} // namespace vfsproto::posix
