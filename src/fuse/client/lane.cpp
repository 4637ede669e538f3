// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/lane_body.hpp"

namespace vfsproto::client {

template class BasicLane<QueueRef>;
template bool Lane::start_plain<wire::Opcode::read>(const PlainTransfer&, PlainAnswer&) noexcept;
template bool Lane::start_plain<wire::Opcode::write>(const PlainTransfer&, PlainAnswer&) noexcept;

} // namespace vfsproto::client
