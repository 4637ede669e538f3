// SPDX-License-Identifier: BSD-2-Clause
// Looks at a shared memory window whose bytes need not be there.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/backends/shared_window.hpp"

#include <sys/mman.h>

#include <cstddef>

namespace vfsproto::test {

// True if this byte of the window can be read; asks the kernel, which answers EFAULT where the program would die.
[[nodiscard]] inline bool is_there(const backends::SharedWindow& window, std::size_t offset) {
    const backends::FileDescriptor scratch(::memfd_create("scratch", MFD_CLOEXEC));
    return ::pwrite(scratch.get(), window.bytes().data() + offset, 1, 0) == 1;
}

} // namespace vfsproto::test
