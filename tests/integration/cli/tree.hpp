// SPDX-License-Identifier: BSD-2-Clause
// Directory trees to copy, and what must be equal of a copy.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace vfsproto::test {

// Directories, files of many sizes, one with holes, links of both kinds, odd modes and times; as root also other owners.
// Two names of the tree are hard links of others, one is a FIFO.
void make_tree(const std::filesystem::path& top, int files);

// All that a copy has to keep of one file, in a line: type, mode, owner (as root), times, size, contents, whether it has
// holes, target.
[[nodiscard]] std::string describe(const std::filesystem::path& path);

// Describes everything below `top`, by relative path. Names of one file name each other.
[[nodiscard]] std::map<std::string, std::string> describe_tree(const std::filesystem::path& top);

// The first few that differ; empty when none do.
[[nodiscard]] std::string difference(const std::map<std::string, std::string>& expected,
                                     const std::map<std::string, std::string>& found);

// Compares two files without reading holes.
[[nodiscard]] bool same_contents(const std::filesystem::path& a, const std::filesystem::path& b);

} // namespace vfsproto::test
