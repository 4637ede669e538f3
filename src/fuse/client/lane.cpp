// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/lane_body.hpp"

namespace vfsproto::client {

template class BasicLane<QueueRef>;

} // namespace vfsproto::client
