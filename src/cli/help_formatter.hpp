// SPDX-License-Identifier: BSD-2-Clause
// HelpFormatter writes what --help prints. This header and what includes it see the parser's library.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace vfsproto::cli {

class HelpFormatter final : public CLI::FormatterBase {
public:
    std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

[[nodiscard]] bool is_positional(const CLI::Option& option);

// Returns the name of an argument as the usage line and messages show it: "PATH", "--size".
[[nodiscard]] std::string shown_name(const CLI::Option& option);

} // namespace vfsproto::cli
