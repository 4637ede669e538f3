// SPDX-License-Identifier: BSD-2-Clause
// These functions say what is wrong with a command line, in one line, and what to do. This header sees the parser's library.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace vfsproto::cli {

// A word that looks like an option where it was taken for an argument.
struct UnknownOption {
    std::string word;
};

[[nodiscard]] std::string complaint(const CLI::App& program, const UnknownOption& unknown);
[[nodiscard]] std::string complaint(const CLI::App& program, const CLI::ParseError& error);

} // namespace vfsproto::cli
