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

// True for an option that the next word belongs to.
[[nodiscard]] bool takes_value(const CLI::Option& option);

// Returns the line that shows how a command is used, by this name: "vfsproto ls [OPTION]... [PATH]...".
[[nodiscard]] std::string usage_line(const CLI::App& app, const std::string& name);
// Returns what stands before the description: "-a, --all", "    --trace FILE", "PATH". Long names are in one column.
[[nodiscard]] std::string names_of(const CLI::Option& option);
// Returns the description with what holds without the option. It may have several lines.
[[nodiscard]] std::string description_of(const CLI::Option& option);

using Options = std::vector<const CLI::Option*>;
// Return the arguments of a command, and the options of one heading of its help, in their order there.
[[nodiscard]] Options arguments_of(const CLI::App& app);
[[nodiscard]] Options options_of(const CLI::App& app, const std::string& heading);
// Returns the commands below a command, or below the program.
[[nodiscard]] std::vector<const CLI::App*> commands_of(const CLI::App& app);

// Returns the name of an argument as the usage line and messages show it: "PATH", "--size".
[[nodiscard]] std::string shown_name(const CLI::Option& option);

} // namespace vfsproto::cli
