// SPDX-License-Identifier: BSD-2-Clause
#include "request_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (!vfsproto::fuzz::request_input_holds(std::as_bytes(std::span(data, size)))) __builtin_trap();
    return 0;
}
