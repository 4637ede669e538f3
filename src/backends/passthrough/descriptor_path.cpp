// SPDX-License-Identifier: BSD-2-Clause
#include "descriptor_path.hpp"

#include <charconv>
#include <cstring>

namespace vfsproto::backends {

DescriptorPath::DescriptorPath(int fd) noexcept {
    constexpr char kPrefix[] = "/proc/self/fd/";
    std::memcpy(text_, kPrefix, sizeof(kPrefix) - 1);
    *std::to_chars(text_ + sizeof(kPrefix) - 1, text_ + sizeof(text_) - 1, fd).ptr = '\0';
}

} // namespace vfsproto::backends
