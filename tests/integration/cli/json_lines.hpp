// SPDX-License-Identifier: BSD-2-Clause
// Reads what the program prints with --json: one value a line.
#pragma once

#include "support/catch.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

// Each file would compile how a value is printed, and that takes longest of all.
namespace Catch {
template <> struct StringMaker<nlohmann::json> {
    static std::string convert(const nlohmann::json& value);
};
} // namespace Catch

namespace vfsproto::test {

// Returns the value of each line. Throws if a line is no JSON.
[[nodiscard]] std::vector<nlohmann::json> json_lines(const std::string& text);

} // namespace vfsproto::test
