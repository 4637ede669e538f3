// SPDX-License-Identifier: BSD-2-Clause
// The open file or directory that a handle of the client names.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

namespace vfsproto::backends {

// The entries read ahead from an open directory. One reader at a time.
struct DirectoryStream {
    static constexpr std::size_t kRoom = 32 * 1024; // bytes

    std::mutex mutex;
    std::uint64_t next = 0; // cookie of the entry at `at`
    std::size_t at = 0;
    std::size_t end = 0;
    std::uint64_t parent_ino = 0; // what ".." is said to be; 0: as the host says
    alignas(8) std::byte entries[kRoom];
};

struct OpenFile {
    FileDescriptor fd{};
    std::unique_ptr<DirectoryStream> directory{}; // of a directory
    bool writable = false;
};

} // namespace vfsproto::backends
