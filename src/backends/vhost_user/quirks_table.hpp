// SPDX-License-Identifier: BSD-2-Clause
// Recognises a back end by the features it offers: nothing in the protocol names it.
#pragma once

#include "vfsproto/fuse/client/quirks.hpp"
#include "vfsproto/transport/features.hpp"

namespace vfsproto::backends::vhost_user {

// `protocol` = what GET_PROTOCOL_FEATURES answered, 0 if it could not be asked.
[[nodiscard]] client::Quirks recognise(FeatureSet offered, std::uint64_t protocol) noexcept;

} // namespace vfsproto::backends::vhost_user
