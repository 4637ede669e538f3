// SPDX-License-Identifier: BSD-2-Clause
// Writes what a shell completes the program's lines by, from what --help says: commands, options, and files of this host for all
// else. Files of the device are completed by 'vfsproto shell' alone: a virtiofsd serves one connection, and ends with it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace vfsproto::cli {

// `shell`: bash, zsh or fish; nothing for any other.
[[nodiscard]] std::optional<std::string> completion_script(const CLI::App& program, std::string_view shell);

} // namespace vfsproto::cli
