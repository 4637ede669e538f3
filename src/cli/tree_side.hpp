// SPDX-License-Identifier: BSD-2-Clause
// One side of a tree that is made like another one: a directory of this host, or of the device.
#pragma once

#include "vfsproto/abi/attributes.hpp"
#include "vfsproto/posix/failure.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace vfsproto::cli {

// Paths are below the top of the tree, without slashes around them; "" is the top itself. Symbolic links are never followed. Only
// the main thread uses a side.
class TreeSide {
public:
    enum class Type : std::uint8_t { directory, other };
    struct Entry {
        std::string name;
        Type type;
    };

    virtual ~TreeSide() = default;
    // Looks for a file of whatever type. ENOENT: nothing has this path.
    [[nodiscard]] virtual posix::Failure look(const std::string& path) = 0;
    // Returns what is in a directory.
    [[nodiscard]] virtual posix::Expected<std::vector<Entry>> list(const std::string& path) = 0;
    // Removes a file, or a directory that is empty.
    [[nodiscard]] virtual posix::Failure remove(const std::string& path, Type type) = 0;
    // Returns the attributes of a directory, and sets times of access and modification that it had.
    [[nodiscard]] virtual posix::Expected<abi::Attributes> attributes(const std::string& directory) = 0;
    [[nodiscard]] virtual posix::Failure set_times(const std::string& directory, const abi::Attributes& had) = 0;
    // Returns the path for messages.
    [[nodiscard]] virtual std::string shown(const std::string& path) const = 0;
};

} // namespace vfsproto::cli
