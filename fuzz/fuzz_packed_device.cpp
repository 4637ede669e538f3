// SPDX-License-Identifier: BSD-2-Clause
#include "ring_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = std::as_bytes(std::span(data, size));
    if (vfsproto::fuzz::broken_rule(vfsproto::fuzz::RingTarget::packed_device, input) != nullptr) __builtin_trap();
    return 0;
}
