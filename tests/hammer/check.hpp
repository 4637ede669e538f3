// SPDX-License-Identifier: BSD-2-Clause
// What a process of the hammer does when something is not as it must be: one line, and the end.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace hammer {

[[noreturn]] inline void give_up(const std::string& what, const std::string& why) {
    std::fprintf(stderr, "hammer: %s: %s\n", what.c_str(), why.c_str());
    std::fflush(stderr);
    std::_Exit(1);
}
// For the result of a system call.
inline void succeed(bool is_so, const std::string& what) {
    if (!is_so) give_up(what, std::strerror(errno));
}
inline void require(bool is_so, const std::string& what) {
    if (!is_so) give_up(what, "is not so");
}

} // namespace hammer
