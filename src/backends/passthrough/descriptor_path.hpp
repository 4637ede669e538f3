// SPDX-License-Identifier: BSD-2-Clause
// The path "/proc/self/fd/N" leads to the very inode of a descriptor, O_PATH ones and symlinks included.
#pragma once

namespace vfsproto::backends {

class DescriptorPath {
public:
    explicit DescriptorPath(int fd) noexcept;
    [[nodiscard]] const char* text() const noexcept { return text_; }

private:
    char text_[32];
};

} // namespace vfsproto::backends
