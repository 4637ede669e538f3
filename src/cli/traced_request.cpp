// SPDX-License-Identifier: BSD-2-Clause
#include "traced_request.hpp"

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"

#include <fmt/format.h>

namespace vfsproto::cli {

std::string errno_word(std::int32_t error) {
    const auto number = static_cast<abi::Errno>(error);
    return abi::has_name(number) ? abi::errno_name(number) : fmt::format("{}", error);
}

const char* word_of(client::TraceEnd end) noexcept {
    switch (end) {
    case client::TraceEnd::abandoned: return "abandoned";
    case client::TraceEnd::late: return "late";
    case client::TraceEnd::over: break;
    }
    return "end";
}

} // namespace vfsproto::cli
