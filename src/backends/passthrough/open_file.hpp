// SPDX-License-Identifier: BSD-2-Clause
// The open file or directory that a handle of the client names.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>

namespace vfsproto::backends {

// Lends the memory that entries are read into, and bounds how much of it a client can hold. Any thread.
class EntryBuffers {
public:
    static constexpr std::size_t kSize = 32 * 1024; // bytes of a buffer
    static constexpr std::size_t kMost = 4096;      // buffers lent at once: 128 MiB

    struct GiveBack {
        EntryBuffers* owner = nullptr;
        void operator()(std::byte* buffer) const noexcept {
            delete[] buffer;
            owner->lent_.fetch_sub(1, std::memory_order_relaxed);
        }
    };
    using Buffer = std::unique_ptr<std::byte[], GiveBack>;

    // Returns an empty one when there is no memory, or too many are lent.
    [[nodiscard]] Buffer lend() noexcept {
        std::byte* buffer = nullptr;
        if (lent_.fetch_add(1, std::memory_order_relaxed) < kMost) buffer = new (std::nothrow) std::byte[kSize];
        if (buffer == nullptr) lent_.fetch_sub(1, std::memory_order_relaxed);
        return Buffer(buffer, GiveBack{this});
    }
    [[nodiscard]] std::size_t lent() const noexcept { return lent_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::size_t> lent_{0};
};

// The entries read ahead from an open directory. One reader at a time.
struct DirectoryStream {
    std::mutex mutex;
    std::uint64_t next = 0; // cookie of the entry at `at`
    std::size_t at = 0;
    std::size_t end = 0;
    std::uint64_t parent_ino = 0;   // what ".." is said to be; 0: as the host says
    EntryBuffers::Buffer entries{}; // from the first READDIR on, until the end of the directory was met
};

struct OpenFile {
    FileDescriptor fd{};
    std::unique_ptr<DirectoryStream> directory{}; // of a directory
    bool writable = false;
    std::uint64_t nodeid = 0; // of a file: by which it was opened. The client may have forgotten it since
};

} // namespace vfsproto::backends
