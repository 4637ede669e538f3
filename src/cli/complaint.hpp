// SPDX-License-Identifier: BSD-2-Clause
// These functions say what is wrong with a command line, and what to do. This header sees the parser's library.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace vfsproto::cli {

// A word that looks like an option where it was taken for an argument.
struct UnknownOption {
    std::string word;
};

struct Complaint {
    std::string command; // "xattr get"; empty where the line names none
    std::string text;
};

[[nodiscard]] Complaint complaint(const CLI::App& program, const UnknownOption& unknown);
[[nodiscard]] Complaint complaint(const CLI::App& program, const CLI::ParseError& error);

} // namespace vfsproto::cli
