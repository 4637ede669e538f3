// SPDX-License-Identifier: BSD-2-Clause
// /dev/fuse, over which the kernel sends requests and takes replies and notifications, each with one system call.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>

namespace vfsproto::kernel_mount {

// Says what became of a reply. not_taken: the kernel has no such request any more, so that what the reply grants belongs to nobody.
enum class Delivery : std::uint8_t { taken, not_taken };

// Any thread.
class KernelDevice {
public:
    explicit KernelDevice(backends::FileDescriptor fd) noexcept : fd_(std::move(fd)) {}

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    // Answers a request with up to two pieces behind the header; `error` goes alone.
    Delivery reply(std::uint64_t unique, abi::Errno error, std::span<const std::byte> fixed = {},
                   std::span<const std::byte> data = {}) const noexcept {
        wire::OutHeader header{sizeof(header), -number_of(error), unique};
        if (error != abi::Errno::none) fixed = data = {};
        header.len += static_cast<std::uint32_t>(fixed.size() + data.size());
        const iovec pieces[] = {{&header, sizeof header},
                                {const_cast<std::byte*>(fixed.data()), fixed.size()},
                                {const_cast<std::byte*>(data.data()), data.size()}};
        for (;;) {
            if (::writev(fd_.get(), pieces, std::size(pieces)) >= 0) return Delivery::taken;
            if (errno != EINTR) return Delivery::not_taken;
        }
    }
    // Sends a notification, header included. Returns 0, or an errno: ENOENT for what the kernel does not know.
    int notify(std::span<const std::byte> message) const noexcept {
        return ::write(fd_.get(), message.data(), message.size()) < 0 ? errno : 0;
    }

private:
    // The kernel takes no other number, and its caller would go on waiting.
    [[nodiscard]] static std::int32_t number_of(abi::Errno error) noexcept {
        constexpr std::int32_t kBeyond = 512;
        const auto number = static_cast<std::int32_t>(error);
        return number >= 0 && number < kBeyond ? number : static_cast<std::int32_t>(abi::Errno::eio);
    }

    backends::FileDescriptor fd_;
};

} // namespace vfsproto::kernel_mount
