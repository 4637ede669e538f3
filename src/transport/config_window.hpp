// SPDX-License-Identifier: BSD-2-Clause
// The device-specific configuration space in a register window, read as its fields ask (virtio 1.2 §4.1.3.1, §4.2.2.2):
// the tag is bytes, what follows it is 32 bits each.
#pragma once

#include "vfsproto/base/endian.hpp"
#include "vfsproto/transport/fs_config.hpp"
#include "vfsproto/transport/registers.hpp"

namespace vfsproto {

// The most tries to read a configuration space that changes while it is read.
inline constexpr unsigned kConfigTries = 32;

// Copies [offset, offset + out.size()) of the space that starts at `base`. The caller has bounded it.
inline void copy_config(Registers& window, std::uint64_t base, std::uint32_t offset,
                        std::span<std::byte> out) noexcept {
    std::size_t done = 0;
    while (done < out.size()) {
        const std::uint64_t at = offset + done;
        if (at >= FsConfig::kTagSize && at % 4 == 0 && out.size() - done >= 4) {
            const Le32 field = window.read32(base + at);
            __builtin_memcpy(out.data() + done, &field, sizeof field);
            done += sizeof field;
        } else {
            out[done++] = std::byte{window.read8(base + at)};
        }
    }
}

} // namespace vfsproto
