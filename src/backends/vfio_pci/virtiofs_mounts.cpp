// SPDX-License-Identifier: BSD-2-Clause
#include "virtiofs_mounts.hpp"

#include "vfsproto/backends/file_descriptor.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <sstream>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace vfsproto::backends::vfio_pci {
namespace {

// The kernel writes blanks, tabs, newlines and backslashes as a backslash and three octal digits.
std::string unescaped(std::string_view text) {
    std::string unescaped;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 3 >= text.size()) {
            unescaped += text[i];
            continue;
        }
        unescaped += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
        i += 3;
    }
    return unescaped;
}

// Returns a file as text, as far as it can be read. A std::ifstream would let a child that another thread starts meanwhile
// inherit the descriptor.
std::string read_file(const std::string& path) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    std::array<char, 4096> part; // NOLINT: filled by the kernel
    while (file) {
        const ssize_t size = ::read(file.get(), part.data(), part.size());
        if (size <= 0) break;
        text.append(part.data(), static_cast<std::size_t>(size));
    }
    return text;
}

} // namespace

std::vector<VirtiofsMount> virtiofs_mounts(const std::string& mountinfo) {
    std::vector<VirtiofsMount> mounts;
    std::istringstream file(read_file(mountinfo));
    for (std::string line; std::getline(file, line);) {
        // proc(5): ID, parent, device, root, mount point, options, optional fields, "-", type, source, options.
        std::istringstream fields(line);
        std::string skipped, place, type, source;
        fields >> skipped >> skipped >> skipped >> skipped >> place;
        while (fields >> skipped && skipped != "-") {}
        if (!(fields >> type >> source) || type != "virtiofs") continue;
        const std::string tag = unescaped(source);
        const bool known =
            std::any_of(mounts.begin(), mounts.end(), [&tag](const VirtiofsMount& mount) { return mount.tag == tag; });
        if (!known) mounts.push_back({tag, unescaped(place)});
    }
    return mounts;
}

} // namespace vfsproto::backends::vfio_pci
