// SPDX-License-Identifier: BSD-2-Clause
#include "integration/cli/json_lines.hpp"

#include <sstream>

std::string Catch::StringMaker<nlohmann::json>::convert(const nlohmann::json& value) { return value.dump(); }

namespace vfsproto::test {

std::vector<nlohmann::json> json_lines(const std::string& text) {
    std::vector<nlohmann::json> values;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) values.push_back(nlohmann::json::parse(line));
    return values;
}

} // namespace vfsproto::test
