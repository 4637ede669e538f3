// SPDX-License-Identifier: BSD-2-Clause
// A command that goes on in the background: the program starts itself once more, in a session of its own, and ends when that says
// that it is ready. No thread is lost thereby, as with fork(2).
#pragma once

#include "program.hpp"

namespace vfsproto::cli {

// Runs the same command line in the background. Returns what the program is to leave with: 0 once the other one is ready, else what
// that left with. Throws as Program::check().
[[nodiscard]] ExitCode run_in_background(Program& program);

// Says to whoever started this process in the background that it is ready, and lets go of terminal and directory. Does nothing
// in a process that nobody started so.
void say_ready() noexcept;

// True if this process was started so.
[[nodiscard]] bool is_in_background() noexcept;

} // namespace vfsproto::cli
