// SPDX-License-Identifier: BSD-2-Clause
// A change as the message that tells of it (virtio 1.2 §5.11.6.4).
#pragma once

#include "vfsproto/base/segment.hpp"
#include "vfsproto/fuse/server/change_sink.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::server {

// It refers to the name of its change, and is written before that goes.
class NotificationMessage {
public:
    // The longest message: the size of buffers that a device asks for (notify_buf_size).
    static constexpr std::uint32_t kLongest =
        sizeof(wire::OutHeader) + sizeof(wire::NotifyInvalEntryOut) + wire::kDirentNameMax + 1;

    // A change of a name that no client would take is told as `anything`.
    explicit NotificationMessage(const Change& change) noexcept;

    [[nodiscard]] bool tells_anything() const noexcept { return fixed_size_ == 0; }
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; } // bytes
    // Writes it to the beginning of the driver's memory. Returns the bytes written; 0 if it does not fit.
    [[nodiscard]] std::uint32_t write_to(std::span<const HostSegment> writable) const noexcept;

private:
    template <class Struct> void set(wire::NotifyCode code, const Struct& fixed, wire::Name name) noexcept;

    wire::OutHeader header_{};
    std::byte fixed_[sizeof(wire::NotifyInvalInodeOut)]{}; // the larger of the two structs
    std::uint32_t fixed_size_ = 0;
    wire::Name name_{};
    std::uint32_t size_ = 0;
};

} // namespace vfsproto::server
