// SPDX-License-Identifier: BSD-2-Clause
#include "traced_request.hpp"

#include "vfsproto/fuse/wire/linux_abi.hpp"

#include <fmt/format.h>

namespace vfsproto::cli {

std::string errno_word(std::int32_t error) {
    const std::string name = wire::errno_name(static_cast<wire::Errno>(error));
    return name.ends_with('?') ? fmt::format("{}", error) : name;
}

} // namespace vfsproto::cli
