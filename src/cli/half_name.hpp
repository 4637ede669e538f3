// SPDX-License-Identifier: BSD-2-Clause
// The name of a file that a copy with --resume leaves beside its target when it is cut. It is made of the target's name and of
// the version of the source, so that a later run finds it and no run goes on with another version.
#pragma once

#include "vfsproto/abi/attributes.hpp"

#include <string>
#include <string_view>

namespace vfsproto::cli {

// Returns how the names of all halves of a target begin.
[[nodiscard]] std::string half_name_prefix(std::string_view target);
// Returns the name of the half of this version: another inode, size, modification or change time is another version.
[[nodiscard]] std::string half_name(std::string_view target, const abi::Attributes& source);
// True for what half_name() may return, of whatever target.
[[nodiscard]] bool is_half_name(std::string_view name) noexcept;

} // namespace vfsproto::cli
