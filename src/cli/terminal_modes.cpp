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
    if (are_kept) ::tcsetattr(STDIN_FILENO, TCSANOW, &kept);
}

} // namespace vfsproto::cli
