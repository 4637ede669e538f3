// SPDX-License-Identifier: BSD-2-Clause
// A walk visits a file of the share and, where it is a directory, everything below it, names in order. Links that it finds are
// not followed.
#pragma once

#include "vfsproto/posix/mount.hpp"

#include <functional>
#include <string>

namespace vfsproto::cli {

class Program;

struct Visited {
    const std::string& path;
    const posix::Attributes& attributes;
    unsigned level; // 0: the file that the walk began with
};

enum class Descend : std::uint8_t { yes, no };

struct Visitor {
    // Called for every file, for a directory before what is in it.
    std::function<Descend(const Visited&)> before;
    // Called for a directory after what is in it, where `before` said to descend. May be empty.
    std::function<void(const Visited&)> after;
};

// Reports what cannot be looked at, and goes on. Throws Leave as Program::check().
void walk_remote(Program& program, const std::string& path, posix::LastLink last, const Visitor& visitor);

} // namespace vfsproto::cli
