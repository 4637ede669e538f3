// SPDX-License-Identifier: BSD-2-Clause
#include "notification_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (vfsproto::fuzz::broken_notification_rule(std::as_bytes(std::span(data, size))) != nullptr) __builtin_trap();
    return 0;
}
