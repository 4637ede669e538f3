// SPDX-License-Identifier: BSD-2-Clause
// Operands are the paths on the line of get, put, cp, mv, ln and sync-tree: sources and a target, as cp(1) takes them.
#pragma once

#include "command_line.hpp"
#include "program.hpp"

#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace vfsproto::cli {

struct Operands {
    std::vector<std::string> paths;       // the last is the target, unless -t names it
    std::optional<std::string> directory; // of -t
    bool exactly = false;                 // -T

    [[nodiscard]] std::span<const std::string> sources() const noexcept {
        return std::span(paths).first(paths.size() - (directory ? 0 : 1));
    }
    [[nodiscard]] const std::string& target() const noexcept { return directory ? *directory : paths.back(); }

    // Adds the options -t and -T.
    void describe(Arguments& command);
    // Throws Leave where the line has too few or too many paths, which is said.
    void check(Program& program) const;
};

// A destination says what each source is to become.
class Destination {
public:
    // `is_directory` tells whether the target is one. Throws Leave when it has to be and is not, which is said.
    Destination(Program& program, const Operands& operands, const posix::Expected<bool>& is_directory);

    // Returns whether sources go into the target, by their own names.
    [[nodiscard]] bool is_directory() const noexcept { return into_; }
    [[nodiscard]] std::string of(const std::string& source) const;
    // False, which is said, if an earlier source of this line already became what this one is to become.
    [[nodiscard]] bool is_free(const std::string& source);

private:
    Program& program_;
    const Operands& operands_;
    bool into_;
    std::set<std::string> taken_;
};

// Asks the server whether a path is a directory, links followed.
[[nodiscard]] posix::Expected<bool> is_remote_directory(posix::Mount& mount, const std::string& path);

} // namespace vfsproto::cli
