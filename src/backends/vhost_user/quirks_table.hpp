// SPDX-License-Identifier: BSD-2-Clause
// Which back end is it? Nothing in the protocol says so; what it offers does.
#pragma once

#include "vfsproto/fuse/client/quirks.hpp"
#include "vfsproto/transport/features.hpp"

namespace vfsproto::backends::vhost_user {

// `protocol` = what GET_PROTOCOL_FEATURES answered, 0 if it could not be asked.
[[nodiscard]] client::Quirks recognise(FeatureSet offered, std::uint64_t protocol) noexcept;

} // namespace vfsproto::backends::vhost_user
