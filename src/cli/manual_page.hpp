// SPDX-License-Identifier: BSD-2-Clause
// Writes the program's page for man(1) from what --help says.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace vfsproto::cli {

// Returns one page with all commands, for the macros of man(7).
[[nodiscard]] std::string manual_page(const CLI::App& program);

} // namespace vfsproto::cli
