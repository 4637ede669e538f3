// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/lane_body.hpp"

namespace vfsproto::client {

template class RequestLane<QueueRef>;
template void Lane::start<wire::Opcode::read>(Transfer&, const TransferSpan&, const Caller&) noexcept;
template void Lane::start<wire::Opcode::write>(Transfer&, const TransferSpan&, const Caller&) noexcept;

} // namespace vfsproto::client
