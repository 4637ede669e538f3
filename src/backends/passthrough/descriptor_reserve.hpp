// SPDX-License-Identifier: BSD-2-Clause
// Descriptors laid by for what cannot be taken back.
#pragma once

#include "system_call.hpp"
#include "vfsproto/backends/file_descriptor.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>

namespace vfsproto::backends {

// A file that was just made needs an O_PATH descriptor before the client can be told of it. At the process' limit that open
// would fail, and the client would hear EMFILE of a file that exists. The reserve gives one of its own descriptors up
// then. Any thread.
class DescriptorReserve {
public:
    // `limit`: how many descriptors the process may have. An eighth of a low limit is laid by.
    explicit DescriptorReserve(std::size_t limit) noexcept : size_(std::clamp(limit / 8, kLeast, kMost)) {}

    // Makes sure that something is in reserve. False when the process has no descriptors left for it: then nothing may be
    // made. `any` is a descriptor to duplicate. Costs one load while the reserve is full.
    [[nodiscard]] bool fill(int any) noexcept {
        if (held_.load(std::memory_order_relaxed) == size_) return true;
        const std::lock_guard lock(mutex_);
        std::size_t held = held_.load(std::memory_order_relaxed);
        for (; held < size_; ++held) {
            spare_[held] = FileDescriptor(::fcntl(any, F_DUPFD_CLOEXEC, 0));
            if (!spare_[held]) break;
        }
        held_.store(held, std::memory_order_relaxed);
        return held >= size_ / 2; // as many threads may be between fill() and open() at the limit
    }

    // Returns what `open`, which returns a descriptor or -1 with errno, opens. At the process' limit, gives up descriptors
    // of the reserve until it succeeds.
    template <class Open> [[nodiscard]] FileDescriptor open(Open&& open) noexcept {
        FileDescriptor fd(uninterrupted(open));
        if (fd || (errno != EMFILE && errno != ENFILE)) return fd;
        const std::lock_guard lock(mutex_);
        std::size_t held = held_.load(std::memory_order_relaxed);
        while (!fd && held > 0 && (errno == EMFILE || errno == ENFILE)) {
            spare_[--held].close();
            fd = FileDescriptor(uninterrupted(open));
        }
        held_.store(held, std::memory_order_relaxed);
        return fd;
    }

private:
    static constexpr std::size_t kLeast = 4;
    static constexpr std::size_t kMost = 32;

    const std::size_t size_;
    std::mutex mutex_;
    std::atomic<std::size_t> held_{0};          // written under the mutex
    std::array<FileDescriptor, kMost> spare_{}; // under the mutex
};

} // namespace vfsproto::backends
