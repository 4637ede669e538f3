// SPDX-License-Identifier: BSD-2-Clause
// The backend on a scripted kernel.
#pragma once

#include "../../../src/backends/vfio_pci/backend.hpp"

#include "support/catch.hpp"
#include "unit/vfio_pci/scripted_kernel.hpp"

#include <poll.h>

namespace vfsproto::test {

inline backends::PciDevice scripted_device() {
    backends::PciDevice device;
    device.address = "0000:00:03.0";
    device.vendor = 0x1af4;
    device.device = 0x105a;
    device.driver = "vfio-pci";
    device.iommu_group = "7";
    device.vfio_node = "vfio0";
    return device;
}

inline backends::VfioPciOptions scripted_options() {
    backends::VfioPciOptions options;
    options.run_size = std::size_t{4} << 20;
    options.reset_patience = std::chrono::milliseconds(1);
    return options;
}

// A device that came up. The kernel outlives it.
inline std::unique_ptr<backends::vfio_pci::Backend> open_scripted(ScriptedKernel& kernel,
                                                                  backends::PciDevice device = scripted_device()) {
    auto backend = std::make_unique<backends::vfio_pci::Backend>(kernel, std::move(device), scripted_options());
    const auto why = backend->open();
    INFO(why.message);
    REQUIRE_FALSE(why.happened());
    return backend;
}

// Returns the message with which opening the device fails.
inline std::string refusal(ScriptedKernel& kernel, backends::PciDevice device = scripted_device(),
                           backends::VfioPciOptions options = scripted_options()) {
    backends::vfio_pci::Backend backend(kernel, std::move(device), std::move(options));
    return backend.open().message;
}

// Waits for an eventfd; false when nothing comes.
inline bool comes(int event) {
    pollfd interest{event, POLLIN, 0};
    return ::poll(&interest, 1, 5000) == 1 && backends::wait_event(event);
}
inline bool is_silent(int event) {
    pollfd interest{event, POLLIN, 0};
    return ::poll(&interest, 1, 0) == 0;
}

inline QueueAddresses lay_out(const Region& memory) {
    const auto piece = [&](std::size_t offset, std::uint32_t len) {
        return memory.segment(memory.host() + offset, len);
    };
    return {8, piece(0, 128), piece(128, 22), piece(192, 70)};
}

} // namespace vfsproto::test
