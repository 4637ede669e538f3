// SPDX-License-Identifier: BSD-2-Clause
// Runs command lines one after the other on one device, which stays open between them.
#pragma once

#include "program.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

class Interpreter {
public:
    // `program` runs run or shell, and outlives this.
    explicit Interpreter(Program& program) noexcept : program_(program) {}

    // Runs a line: a command with its options and arguments, "help", or nothing. Returns what that command would have left with
    // as a program of its own; what went wrong has been said, of a line that is not complete with its `place`. Throws Leave when
    // the device failed or the program is to end, and OutputFailed.
    ExitCode run(std::string_view line, const Subject& place);

    // Returns the names of all commands that a line can begin with, in the order of the help.
    [[nodiscard]] static std::vector<std::string> commands();

private:
    ExitCode run(std::vector<std::string> words);

    Program& program_;
};

} // namespace vfsproto::cli
