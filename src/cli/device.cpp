// SPDX-License-Identifier: BSD-2-Clause
// The commands device list, bind and unbind: virtio-fs devices on this machine's PCI buses, and the drivers that have
// them.
#include "commands.hpp"
#include "json.hpp"

#include "vfsproto/backends/vfio_pci/pci_devices.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace vfsproto::cli {
namespace {

using backends::PciDevice;
using backends::PciDevices;

struct WhichOptions {
    std::string device;
};

PciDevices devices_of_this_machine() {
    // VFSPROTO_SYSFS names the place of sysfs where it is not mounted at /sys, VFSPROTO_MOUNTINFO another list of mounts.
    const char* const sysfs = std::getenv("VFSPROTO_SYSFS");
    const char* const mounts = std::getenv("VFSPROTO_MOUNTINFO");
    return PciDevices(sysfs == nullptr ? "/sys" : sysfs, "/dev", mounts == nullptr ? "/proc/self/mountinfo" : mounts);
}

Json to_json(const PciDevice& device) {
    Json row;
    row.set("address", device.address);
    if (!device.driver.empty()) row.set("driver", device.driver);
    unsigned group = 0;
    const std::string& text = device.iommu_group;
    if (std::from_chars(text.data(), text.data() + text.size(), group).ec == std::errc()) row.set("iommu_group", group);
    row.set("usable", device.obstacle.empty());
    if (!device.obstacle.empty()) row.set("obstacle", device.obstacle);
    return row;
}

void run_list(Program& program) {
    const auto devices = devices_of_this_machine().virtio_fs();
    if (program.wants_json()) {
        for (const PciDevice& device : devices) print_json(program, to_json(device));
        return;
    }
    if (devices.empty()) return program.out().print("this machine has no virtio-fs device on PCI\n");
    const auto or_dash = [](const std::string& text) { return text.empty() ? std::string("-") : text; };
    std::size_t width = sizeof "driver" - 1;
    for (const PciDevice& device : devices) width = std::max(width, device.driver.size());
    program.out().print("{:<12}  {:<{}}  {:>5}  usable\n", "address", "driver", width, "group");
    for (const PciDevice& device : devices) {
        program.out().print("{:<12}  {:<{}}  {:>5}  {}\n", device.address, or_dash(device.driver), width,
                            or_dash(device.iommu_group), device.obstacle.empty() ? "yes" : "no: " + device.obstacle);
    }
}

using ChangeOne = PciDevices::Change (PciDevices::*)(const PciDevice&) const;

void change(Program& program, const std::string& which, ChangeOne how) {
    const PciDevices devices = devices_of_this_machine();
    const PciDevices::Chosen chosen = devices.choose(which);
    if (chosen.error != Errc::ok) {
        program.report("", chosen.message);
        throw Leave{chosen.error == Errc::bad_argument ? ExitCode::usage : ExitCode::device};
    }
    if (!chosen.device.is_virtio_fs()) {
        program.report(Subject::other(chosen.device.address), "this is no virtio-fs device");
        throw Leave{ExitCode::device};
    }
    const PciDevices::Change changed = (devices.*how)(chosen.device);
    if (changed.error == Errc::ok) {
        if (program.wants_json()) print_json(program, to_json(devices.choose(chosen.device.address).device));
        return;
    }
    program.report(Subject::other(chosen.device.address), changed.message);
    throw Leave{ExitCode::device};
}

void run_bind(Program& program, const WhichOptions& options) { change(program, options.device, &PciDevices::bind); }
void run_unbind(Program& program, const WhichOptions& options) { change(program, options.device, &PciDevices::unbind); }

void describe_which(Arguments& sub, WhichOptions& options) {
    sub.add_option("address", options.device, "such as 0000:00:03.0, or auto: the only one there is").required();
}

} // namespace

void add_device(Commands& commands) {
    Commands family = commands.add_family("device", "Virtio-fs devices on this machine's PCI buses");
    family.add({"list", "Show them, their drivers, and whether vfio:ADDRESS can use them"}, run_list);
    family.add<WhichOptions>({"bind", "Take one from the kernel, for vfio:ADDRESS"}, describe_which, run_bind);
    family.add<WhichOptions>({"unbind", "Give one back to the kernel"}, describe_which, run_unbind);
}

} // namespace vfsproto::cli
