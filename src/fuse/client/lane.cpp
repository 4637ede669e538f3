// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/lane_body.hpp"

namespace vfsproto::client {

template class BasicLane<QueueRef>;
template void BasicLane<QueueRef>::enqueue_as<wire::Opcode::read>(Request&) noexcept;
template void BasicLane<QueueRef>::enqueue_as<wire::Opcode::write>(Request&) noexcept;

} // namespace vfsproto::client
