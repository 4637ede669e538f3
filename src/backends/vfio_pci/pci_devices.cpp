// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/backends/vfio_pci/pci_devices.hpp"

#include "explain.hpp"
#include "vfsproto/backends/file_descriptor.hpp"
#include "virtiofs_mounts.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace vfsproto::backends {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDriver = "vfio-pci";
// Drivers that the kernel lets stay in a group that a process owns.
constexpr std::array<std::string_view, 3> kHarmlessDrivers{"", "pci-stub", "pcieport"};

// Returns the first line of a file of sysfs, whose files are one page at most; empty when it cannot be read. A std::ifstream
// would let a child that another thread starts meanwhile inherit the descriptor.
std::string read_line(const fs::path& path) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 4096> page; // NOLINT: filled by the kernel
    const ssize_t size = file ? ::read(file.get(), page.data(), page.size()) : -1;
    if (size <= 0) return {};
    const std::string_view text(page.data(), static_cast<std::size_t>(size));
    return std::string(text.substr(0, text.find('\n')));
}

// The last part of what a link points to; empty when it is none.
std::string link_name(const fs::path& path) {
    std::error_code none;
    const fs::path target = fs::read_symlink(path, none);
    return none ? std::string() : target.filename().string();
}

std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code none;
    for (fs::directory_iterator at(folder, none), end; !none && at != end; at.increment(none)) {
        names.push_back(at->path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::uint16_t read_id(const fs::path& path) {
    return static_cast<std::uint16_t>(std::strtoul(read_line(path).c_str(), nullptr, 16));
}

} // namespace

std::optional<std::string> pci_address(std::string_view text) {
    std::string address(text);
    for (char& character : address) {
        character = static_cast<char>(std::tolower(static_cast<unsigned char>(character)));
    }
    constexpr std::string_view kShort = "xx:xx.7";
    if (address.size() == kShort.size()) address.insert(0, "0000:");
    constexpr std::string_view kShape = "xxxx:xx:xx.7";
    if (address.size() != kShape.size()) return std::nullopt;
    for (std::size_t i = 0; i < kShape.size(); ++i) {
        const auto character = static_cast<unsigned char>(address[i]);
        const bool fits = kShape[i] == 'x'   ? std::isxdigit(character) != 0
                          : kShape[i] == '7' ? character >= '0' && character <= '7'
                                             : address[i] == kShape[i];
        if (!fits) return std::nullopt;
    }
    return address;
}

std::string PciDevices::folder(const std::string& address) const { return sysfs_ + "/bus/pci/devices/" + address; }

std::optional<PciDevice> PciDevices::find(const std::string& address) const {
    const fs::path at = folder(address);
    std::error_code none;
    if (!fs::exists(at, none)) return std::nullopt;
    PciDevice device;
    device.address = address;
    device.vendor = read_id(at / "vendor");
    device.device = read_id(at / "device");
    device.driver = link_name(at / "driver");
    device.iommu_group = link_name(at / "iommu_group");
    device.is_unguarded = read_line(at / "iommu_group" / "name") == "vfio-noiommu";
    const auto nodes = names_in(at / "vfio-dev");
    if (!nodes.empty()) device.vfio_node = nodes.front();
    device.obstacle = find_obstacle(device);
    return device;
}

std::vector<PciDevice> PciDevices::virtio_fs() const {
    std::vector<PciDevice> found;
    for (const std::string& address : names_in(sysfs_ + "/bus/pci/devices")) {
        auto device = find(address);
        if (device && device->is_virtio_fs()) found.push_back(std::move(*device));
    }
    return found;
}

std::string PciDevices::find_obstacle(const PciDevice& device) const {
    if (device.driver != kDriver) {
        if (!device.is_virtio_fs()) return "it is no virtio-fs device"; // and nobody is told to take it from its driver
        const std::string owner = device.driver.empty() ? "has no driver" : "belongs to the driver " + device.driver;
        return fmt::format("it {}: run 'vfsproto device bind {}'", owner, device.address);
    }
    if (device.iommu_group.empty()) return "there is no IOMMU for it: switch it on (kernel option intel_iommu=on)";
    if (device.is_unguarded) {
        return fmt::format(
            "there is no IOMMU for it: say vfio:{},noiommu if you trust it with all of the machine's memory",
            device.address);
    }
    if (std::string others = held_back_by(device); !others.empty()) return others;
    const std::string by_node = dev_ + "/vfio/devices/" + device.vfio_node;
    const std::string by_group = dev_ + "/vfio/" + device.iommu_group;
    for (const std::string& path : {device.vfio_node.empty() ? by_group : by_node, by_group}) {
        if (::access(path.c_str(), R_OK | W_OK) == 0) return {};
        if (errno == EACCES) return "no permission to use " + path + ": become root, or have its owner changed";
    }
    return by_group + " is not there: is the kernel module vfio loaded, and its device node made?";
}

std::string PciDevices::held_back_by(const PciDevice& device) const {
    std::string others;
    for (const std::string& address : names_in(folder(device.address) + "/iommu_group/devices")) {
        const std::string driver = link_name(folder(address) + "/driver");
        const bool harmless =
            std::find(kHarmlessDrivers.begin(), kHarmlessDrivers.end(), driver) != kHarmlessDrivers.end();
        if (address == device.address || harmless || driver == kDriver) continue;
        others += fmt::format("{}{} ({})", others.empty() ? "" : ", ", address, driver);
    }
    if (others.empty()) return {};
    return fmt::format("IOMMU group {} has devices of other drivers, which must be unbound first: {}",
                       device.iommu_group, others);
}

PciDevices::Chosen PciDevices::choose(std::string_view address_or_auto) const {
    if (address_or_auto != "auto") {
        const auto address = pci_address(address_or_auto);
        if (!address) {
            return {{},
                    Errc::bad_argument,
                    fmt::format("'{}' is no PCI address: say 0000:00:03.0, or auto", address_or_auto)};
        }
        auto device = find(*address);
        if (!device) return {{}, Errc::device_gone, "there is no PCI device " + *address};
        return {std::move(*device), Errc::ok, {}};
    }
    auto all = virtio_fs();
    if (all.empty()) return {{}, Errc::device_gone, "this machine has no virtio-fs device on PCI"};
    if (all.size() == 1) return {std::move(all.front()), Errc::ok, {}};
    std::string which;
    for (const PciDevice& device : all) which += (which.empty() ? "" : ", ") + device.address;
    return {{}, Errc::device_gone, "this machine has several virtio-fs devices: say which one of " + which};
}

PciDevices::Change PciDevices::write(const std::string& path, std::string_view text) const {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    const ssize_t written = fd < 0 ? -1 : ::write(fd, text.data(), text.size());
    const int error = -errno;
    if (fd >= 0) ::close(fd);
    if (written == static_cast<ssize_t>(text.size())) return {};
    return {Errc::transport_failed, vfio_pci::explain("cannot write " + path, error)};
}

// Tells the kernel which driver may have the device (a newline: any), unbinds the present driver, and probes again.
PciDevices::Change PciDevices::rebind(const PciDevice& device, std::string_view driver) const {
    const std::string at = folder(device.address);
    const std::string name = driver.empty() ? "\n" : std::string(driver);
    if (Change change = write(at + "/driver_override", name); change.error != Errc::ok) return change;
    if (!device.driver.empty()) {
        if (Change change = write(at + "/driver/unbind", device.address); change.error != Errc::ok) return change;
    }
    return write(sysfs_ + "/bus/pci/drivers_probe", device.address);
}

// Returns the tag as the kernel's driver tells it, from Linux 6.9 on; else nothing.
std::string PciDevices::tag_of(const PciDevice& device) const {
    std::error_code none;
    const fs::path pci = fs::canonical(folder(device.address), none);
    for (const std::string& name : names_in(sysfs_ + "/fs/virtiofs")) {
        const fs::path at = sysfs_ + "/fs/virtiofs/" + name;
        const fs::path virtio = fs::canonical(at / "device", none);
        if (!none && virtio.parent_path() == pci) return read_line(at / "tag");
    }
    return {};
}

// Says where the file system of the device is mounted; empty: it is not, as far as this kernel tells. An older one does not
// tell whose a tag is: then as many mounted tags as there are devices it could be are taken for theirs.
std::string PciDevices::find_mount(const PciDevice& device) const {
    const auto mounts = vfio_pci::virtiofs_mounts(mounts_);
    const std::string tag = tag_of(device);
    for (const auto& mount : mounts) {
        if (mount.tag == tag) return fmt::format("its file system '{}' is mounted at {}", tag, mount.place);
    }
    if (!tag.empty() || device.driver.empty()) return {};
    std::size_t of_the_kernel = 0;
    for (const PciDevice& other : virtio_fs()) of_the_kernel += other.driver.empty() || other.driver == kDriver ? 0 : 1;
    if (mounts.empty() || mounts.size() < of_the_kernel) return {};
    return fmt::format("its file system is mounted, as '{}' at {}", mounts.front().tag, mounts.front().place);
}

PciDevices::Change PciDevices::bind(const PciDevice& device) const {
    if (!device.is_virtio_fs()) return {Errc::transport_failed, "this is no virtio-fs device"};
    if (device.driver == kDriver) return {};
    if (const std::string mounted = find_mount(device); !mounted.empty()) {
        return {Errc::transport_failed, mounted + ": unmount it first"};
    }
    std::error_code none;
    if (!fs::exists(sysfs_ + "/bus/pci/drivers/vfio-pci", none)) {
        return {Errc::transport_failed, "the kernel module vfio-pci is not loaded: run 'modprobe vfio-pci'"};
    }
    if (Change change = rebind(device, kDriver); change.error != Errc::ok) return change;
    const auto now = find(device.address);
    if (now && now->driver == kDriver) return {};
    return {Errc::transport_failed, device.address + ": vfio-pci did not take it (the kernel's log may say why)"};
}

PciDevices::Change PciDevices::unbind(const PciDevice& device) const {
    if (device.driver != kDriver) return {};
    return rebind(device, "");
}

} // namespace vfsproto::backends
