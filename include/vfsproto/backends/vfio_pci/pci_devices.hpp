// SPDX-License-Identifier: BSD-2-Clause
// The machine's virtio-fs devices on PCI as sysfs shows them, and which driver has them.
#pragma once

#include "vfsproto/base/errc.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::backends {

struct PciDevice {
    std::string address; // "0000:00:03.0"
    std::uint16_t vendor = 0;
    std::uint16_t device = 0;
    std::string driver;        // empty: none
    std::string iommu_group;   // a number; empty: none
    bool is_unguarded = false; // the group is one of VFIO's for devices without an IOMMU
    std::string vfio_node;     // "vfio0": its character device; empty: the kernel makes none
    std::string obstacle;      // why it cannot be opened and what to do, one line; empty: it can

    [[nodiscard]] bool is_virtio_fs() const noexcept { return vendor == 0x1af4 && device == 0x105a; }
};

// "0000:00:03.0" of that, of "00:03.0", of upper case; nothing when it is no address of a PCI function.
[[nodiscard]] std::optional<std::string> pci_address(std::string_view text);

// Any thread; nothing is kept. `sysfs` and `dev`: where they are mounted. `mounts`: a file as /proc/self/mountinfo.
class PciDevices {
public:
    explicit PciDevices(std::string sysfs = "/sys", std::string dev = "/dev",
                        std::string mounts = "/proc/self/mountinfo")
        : sysfs_(std::move(sysfs)), dev_(std::move(dev)), mounts_(std::move(mounts)) {}

    // Returns the virtio-fs devices of the machine by address, ascending.
    [[nodiscard]] std::vector<PciDevice> virtio_fs() const;
    [[nodiscard]] std::optional<PciDevice> find(const std::string& address) const;

    struct Chosen {
        PciDevice device;
        Errc error = Errc::ok;
        std::string message; // for people, one line; empty when it did not fail
    };
    // An address, or "auto": the only virtio-fs device there is. Errors: bad_argument; device_gone (no such device, or
    // more than one).
    [[nodiscard]] Chosen choose(std::string_view address_or_auto) const;

    struct Change {
        Errc error = Errc::ok;
        std::string message;
    };
    // Takes the device from its driver and gives it to vfio-pci; nothing happens when that has it already. Errors:
    // transport_failed, also where it is no virtio-fs device or its file system is mounted.
    [[nodiscard]] Change bind(const PciDevice& device) const;
    // The reverse: whichever driver of the kernel's wants it gets it. Sleeps while a process has it open.
    [[nodiscard]] Change unbind(const PciDevice& device) const;

private:
    [[nodiscard]] std::string folder(const std::string& address) const;
    [[nodiscard]] std::string find_obstacle(const PciDevice& device) const;
    [[nodiscard]] std::string tag_of(const PciDevice& device) const;
    [[nodiscard]] std::string find_mount(const PciDevice& device) const;
    [[nodiscard]] std::string held_back_by(const PciDevice& device) const;
    [[nodiscard]] Change rebind(const PciDevice& device, std::string_view driver) const;
    [[nodiscard]] Change write(const std::string& path, std::string_view text) const;

    std::string sysfs_;
    std::string dev_;
    std::string mounts_;
};

} // namespace vfsproto::backends
