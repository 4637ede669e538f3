// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "json.hpp"

#include <cstdint>
#include <initializer_list>
#include <utility>

namespace vfsproto::cli {

class Output;

// Returns an object of these counts.
[[nodiscard]] Json counts_part(std::initializer_list<std::pair<const char*, std::uint64_t>> counts);

// Prints an object of objects for people: the name of each, and below it a line for each of its values.
void print_parts(Output& out, const Json& parts);

} // namespace vfsproto::cli
