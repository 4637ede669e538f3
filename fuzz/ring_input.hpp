// SPDX-License-Identifier: BSD-2-Clause
// The fuzz targets of the rings by name. Shared by the targets and the tests that run their inputs.
#pragma once

#include "ring_session.hpp"

namespace vfsproto::fuzz {

enum class RingTarget : std::uint8_t { split_driver, packed_driver, split_device, packed_device };

// Returns the rule that any bytes broke; nullptr when everything held.
[[nodiscard]] inline const char* broken_rule(RingTarget target, std::span<const std::byte> input) {
    switch (target) {
    case RingTarget::split_driver: return RingSession<SplitAreas>(input, Side::device).run();
    case RingTarget::packed_driver: return RingSession<PackedAreas>(input, Side::device).run();
    case RingTarget::split_device: return RingSession<SplitAreas>(input, Side::driver).run();
    default: return RingSession<PackedAreas>(input, Side::driver).run();
    }
}

} // namespace vfsproto::fuzz
