// SPDX-License-Identifier: BSD-2-Clause
// Extended attributes. A server without them answers ENOSYS once and is not asked again (EOPNOTSUPP to the caller).
#pragma once

#include "vfsproto/fuse/client/operations/operation.hpp"

namespace vfsproto::client {

// args.size = data_out.len; 0 asks for the size alone, which comes in reply.size; else bytes = the value's length.
using GetXattr = Single<wire::Opcode::getxattr>;
using ListXattr = Single<wire::Opcode::listxattr>;
using RemoveXattr = Single<wire::Opcode::removexattr>;
using SetXattr = Single<wire::Opcode::setxattr>;

// Fills in name and value; the fixed struct is 8 bytes without SETXATTR_EXT and 16 with it (fuse.h 7.33).
void prepare_setxattr(SetXattr& operation, const SessionParams& params, std::span<const char> name,
                      std::span<const std::byte> value, std::uint32_t flags) noexcept;

} // namespace vfsproto::client
