// SPDX-License-Identifier: BSD-2-Clause
// The line editor changes the modes of the terminal. Whoever ends the process without it puts them back.
#pragma once

namespace vfsproto::cli {

// Remembers the modes of standard input, if that is a terminal. Main thread, before another one may restore them.
void keep_terminal_modes() noexcept;
// Puts back what was kept; does nothing if nothing was. Any thread.
void restore_terminal_modes() noexcept;

} // namespace vfsproto::cli
