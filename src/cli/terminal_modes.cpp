// SPDX-License-Identifier: BSD-2-Clause
#include "terminal_modes.hpp"

#include <termios.h>
#include <unistd.h>

#include <atomic>

namespace vfsproto::cli {
namespace {

termios kept;
std::atomic<bool> are_kept{false};

} // namespace

void keep_terminal_modes() noexcept {
    if (::tcgetattr(STDIN_FILENO, &kept) == 0) are_kept = true;
}

void restore_terminal_modes() noexcept {
    // A program in the background leaves the terminal to whoever has it.
    if (are_kept && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp()) ::tcsetattr(STDIN_FILENO, TCSANOW, &kept);
}

} // namespace vfsproto::cli
