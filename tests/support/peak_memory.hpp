// SPDX-License-Identifier: BSD-2-Clause
// Measures how much memory a run of the program takes.
#pragma once

#include "support/catch.hpp"
#include "support/program.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace vfsproto::test {

// Runs the program, which has to leave with 0, and returns the most memory that it had, in KiB. Its output goes nowhere.
inline long peak_memory_of(const std::vector<std::string>& arguments) {
    std::vector<std::string> words{program_path()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    int status = -1;
    rusage used{};
    REQUIRE(::wait4(child, &status, 0, &used) == child);
    CHECK(status == 0);
    return used.ru_maxrss;
}

} // namespace vfsproto::test
