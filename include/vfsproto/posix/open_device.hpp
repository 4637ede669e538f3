// SPDX-License-Identifier: BSD-2-Clause
// From a URI to a device:
//   dir:PATH            a host directory, served in this process
//   memfs:              a file system in the memory of this process, empty and gone with the device
//   vhost-user:SOCKET   a virtiofsd (or any vhost-user virtio-fs back end) listening there
//   fuse-stream:SOCKET  a FUSE server listening there, that reads and writes FUSE messages as /dev/fuse carries them
//   vfio:ADDRESS        a virtio-fs device on PCI that vfio-pci has: vfio:0000:00:03.0, or vfio:auto for the only one;
//                       ",noiommu" behind it takes one that no IOMMU holds back, which must be trusted with all memory
#pragma once

#include "vfsproto/backends/attachment.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace vfsproto::posix {

// A window is made of units of this many bytes. There are 32,768 of them at most, half of the mappings that Linux allows a process.
inline constexpr std::uint64_t kWindowUnit = std::uint64_t{2} << 20;
inline constexpr std::uint64_t kMostWindow = std::uint64_t{64} << 30;

struct DeviceOptions {
    std::uint16_t queue_size = 256;   // entries a queue may have at most
    std::uint16_t request_queues = 1; // that a directory served in this process offers: 1 to kMostRequestQueues
    std::chrono::milliseconds reply_timeout{5000}; // for the control messages of a transport
    // Bytes of the shared memory window of a device that is served in this process, a multiple of kWindowUnit; 0: it has none.
    // MappedFiles reads and writes through it. Others have their own or none: to ask for one is Trouble::usage.
    std::uint64_t window = 0;
    // Hears what whoever runs the device should know, of one that is served in this process. Any thread, until the device ends.
    std::function<void(const std::string&)> log{};
};

struct OpenedDevice {
    std::unique_ptr<backends::Attachment> attachment; // nullptr when it failed
    enum class Trouble : std::uint8_t {
        none,
        usage,  // not a URI we know
        device, // no such device, or it does not answer
    } trouble = Trouble::none;
    std::string message; // one line: what is wrong and what to try
};

// May sleep for as long as the transport needs.
[[nodiscard]] OpenedDevice open_device(std::string_view uri, const DeviceOptions& options = {});

} // namespace vfsproto::posix
