// SPDX-License-Identifier: BSD-2-Clause
#include "open.hpp"

#include "backend.hpp"
#include "system.hpp"

#include <system_error>

namespace vfsproto::backends {

Opened<VfioPci> VfioPci::open(VfioPciOptions options) {
    return vfio_pci::open(vfio_pci::the_system(), PciDevices(), std::move(options));
}

namespace vfio_pci {

Opened<VfioPci> open(Calls& calls, const PciDevices& devices, VfioPciOptions options) {
    constexpr std::size_t kHuge = std::size_t{2} << 20;
    if (options.run_size == 0 || options.run_size % kHuge != 0) {
        return {nullptr, Errc::bad_argument, "memory is mapped in multiples of 2 MiB"};
    }
    PciDevices::Chosen chosen = devices.choose(options.device);
    if (chosen.error != Errc::ok) return {nullptr, chosen.error, std::move(chosen.message)};
    const std::string address = chosen.device.address;
    const bool ours = chosen.device.driver == "vfio-pci";
    const bool allowed = ours && chosen.device.is_unguarded && options.unguarded == Unguarded::allowed;
    if (!chosen.device.obstacle.empty() && !allowed) {
        return {nullptr, Errc::transport_failed, address + ": " + chosen.device.obstacle};
    }
    try {
        auto backend = std::make_unique<Backend>(calls, std::move(chosen.device), std::move(options));
        const Refusal why = backend->open();
        if (why) return {nullptr, why.error, address + ": " + why.message};
        return {std::move(backend), Errc::ok, {}};
    } catch (const std::system_error&) {
        return {nullptr, Errc::no_memory, address + ": no descriptors or threads left"};
    }
}

} // namespace vfio_pci
} // namespace vfsproto::backends
