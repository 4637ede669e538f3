// SPDX-License-Identifier: BSD-2-Clause
#include "virtiofs_mounts.hpp"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <sstream>
#include <string_view>

namespace vfsproto::backends::vfio_pci {
namespace {

// The kernel writes blanks, tabs, newlines and backslashes as a backslash and three octal digits.
std::string unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 3 >= text.size()) {
            plain += text[i];
            continue;
        }
        plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
        i += 3;
    }
    return plain;
}

} // namespace

std::vector<VirtiofsMount> virtiofs_mounts(const std::string& mountinfo) {
    std::vector<VirtiofsMount> mounts;
    std::ifstream file(mountinfo);
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
