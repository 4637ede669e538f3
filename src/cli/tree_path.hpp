// SPDX-License-Identifier: BSD-2-Clause
// The path of a directory of a tree that is walked, put together from names when somebody asks for it. A directory that kept its
// path would make the memory of a deep tree grow with the square of its depth.
#pragma once

#include "paths.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vfsproto::cli {

// Takes a directory that has a `name` and perhaps a `parent`, and the member that holds a path where it does not follow from the
// parent's. Returns the path of the nearest directory above, or of this one, that has such a path, and the names from there on.
template <class Directory>
[[nodiscard]] std::string tree_path(const Directory& directory, std::optional<std::string> Directory::* own_path) {
    std::vector<const Directory*> way;
    const Directory* at = &directory;
    while (!(at->*own_path) && at->parent != nullptr) {
        way.push_back(at);
        at = at->parent.get();
    }
    std::string path = (at->*own_path).value_or(std::string());
    for (auto next = way.rbegin(); next != way.rend(); ++next) append_name(path, (*next)->name);
    return path;
}

} // namespace vfsproto::cli
