// SPDX-License-Identifier: BSD-2-Clause
// A virtio device on PCI, driven from user space through the kernel's VFIO. Nothing here is of one device type.
#pragma once

#include "vfsproto/backends/attachment.hpp"
#include "vfsproto/backends/opened.hpp"

#include <chrono>
#include <string>

namespace vfsproto::backends {

// Says whether a device without an IOMMU may be opened. Such a device can read and write all of the machine's memory.
enum class Unguarded : std::uint8_t { refused, allowed };

struct VfioPciOptions {
    std::string device = "auto"; // "0000:00:03.0", or auto: the machine's only virtio-fs device
    Unguarded unguarded = Unguarded::refused;
    std::size_t run_size = std::size_t{16} << 20;   // bytes of memory mapped at a time; pinned
    std::chrono::milliseconds reset_patience{5000}; // a device that needs longer for a reset has failed
    // The server behind the device has these quirks. Nothing on the bus tells which server it is, so that by default the client takes
    // no risk.
    client::Quirks quirks{};
};

// The device chooses what addresses it uses (virtio 1.2 §6.1, VIRTIO_F_ACCESS_PLATFORM), and that decides what memory it
// can be given. With the feature offered, the IOMMU translates them and any memory will do. Without it they are
// physical addresses, past any IOMMU: then allocate() hands out huge pages at their physical addresses, and opening fails
// where there are none. describe() shows which it is.
class VfioPci : public Attachment {
public:
    // Takes the device, which vfio-pci must have, and resets it. By IOMMUFD where the kernel has it, else by groups.
    // Errors: bad_argument; device_gone (no such device); transport_failed; no_memory; config_invalid (no virtio device).
    [[nodiscard]] static Opened<VfioPci> open(VfioPciOptions options);

    // Lets the device reach memory of the caller's, at addresses of the attachment's; `memory` starts and ends at pages,
    // and the caller keeps it, and leaves it to no child process, until unmap(). Errors: bad_argument; no_memory (also: not
    // to be pinned); not_negotiated when the device uses physical addresses; device_gone.
    [[nodiscard]] virtual Result<Region> map(std::span<std::byte> memory) noexcept = 0;
    virtual void unmap(const Region& region) noexcept = 0;
};

} // namespace vfsproto::backends
