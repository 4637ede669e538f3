// SPDX-License-Identifier: BSD-2-Clause
// Paths, here and at the server: bytes between slashes.
#pragma once

#include <string>
#include <string_view>

namespace vfsproto::cli {

// Makes the path of a directory that of what has a name in it.
inline void append_name(std::string& directory, std::string_view name) {
    if (!directory.empty() && directory.back() != '/') directory += '/';
    directory.append(name);
}

[[nodiscard]] inline std::string join(std::string_view directory, std::string_view name) {
    std::string path(directory);
    append_name(path, name);
    return path;
}

[[nodiscard]] inline std::string_view without_slashes(std::string_view path) noexcept {
    while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
    return path;
}

// The last name; empty where a path has none that something could be called by ("/", ".", "a/..").
[[nodiscard]] inline std::string_view base_name(std::string_view path) noexcept {
    path = without_slashes(path);
    const std::size_t slash = path.rfind('/');
    const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
    return name == "." || name == ".." ? std::string_view() : name;
}

// Returns the path of the directory that holds the last name: "." for a path of one name.
[[nodiscard]] inline std::string directory_name(std::string_view path) {
    path = without_slashes(path);
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return ".";
    return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

// True if something may be made by this name without leaving the directory it is to be in.
[[nodiscard]] inline bool is_single_component(std::string_view name) noexcept {
    return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
           name.find('\0') == std::string_view::npos;
}

} // namespace vfsproto::cli
