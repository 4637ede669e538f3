// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "support/scratch_directory.hpp"

#include "vfsproto/backends/vfio_pci.hpp"
#include "vfsproto/backends/vfio_pci/pci_devices.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

using namespace vfsproto;
using backends::PciDevices;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

// Trees such as sysfs and /dev have.
class Machine {
public:
    Machine() {
        make("bus/pci/drivers_probe");
        fs::create_directories(dev() / "vfio");
    }
    void add(const std::string& address, const char* device, const std::string& driver = "",
             const std::string& group = "") {
        const fs::path at = sysfs() / "bus/pci/devices" / address;
        write(at / "vendor", "0x1af4");
        write(at / "device", device);
        write(at / "driver_override", "(null)");
        if (!driver.empty()) {
            make("bus/pci/drivers/" + driver + "/unbind");
            fs::create_symlink(sysfs() / "bus/pci/drivers" / driver, at / "driver");
        }
        if (group.empty()) return;
        const fs::path folder = sysfs() / "kernel/iommu_groups" / group;
        write(folder / "devices" / address, "");
        fs::create_symlink(folder, at / "iommu_group");
    }
    void make(const std::string& file) { write(sysfs() / file, ""); }
    static void write(const fs::path& path, const std::string& text) {
        fs::create_directories(path.parent_path());
        std::ofstream(path) << text << '\n';
    }
    std::string read(const std::string& file) const {
        std::string text;
        std::ifstream stream(sysfs() / file);
        std::getline(stream, text);
        return text;
    }
    fs::path sysfs() const { return scratch_.path() / "sys"; }
    fs::path dev() const { return scratch_.path() / "dev"; }
    PciDevices devices() const { return PciDevices(sysfs(), dev(), sysfs() / "mountinfo"); }

private:
    test::ScratchDirectory scratch_;
};

constexpr const char* kFs = "0x105a";
constexpr const char* kRng = "0x1044";

} // namespace

TEST_CASE("addresses of PCI functions are taken long, short and in upper case", "[vfio]") {
    CHECK(backends::pci_address("0000:00:03.0") == "0000:00:03.0");
    CHECK(backends::pci_address("00:1F.7") == "0000:00:1f.7");
    for (const char* wrong :
         {"", "3", "0000:00:03.8", "0000:00:03,0", "0000:00:0g.0", "../../../x.0", "0000:00:03.00"}) {
        CHECK_FALSE(backends::pci_address(wrong));
    }
}

TEST_CASE("virtio-fs devices are listed with their driver, their group and what is in the way", "[vfio]") {
    Machine machine;
    machine.add("0000:00:05.0", kFs, "vfio-pci", "5");
    machine.add("0000:00:03.0", kFs, "virtio-pci", "3");
    machine.add("0000:00:04.0", kRng, "virtio-pci", "4");
    machine.add("0000:00:06.0", kFs, "vfio-pci");
    machine.add("0000:00:07.0", kFs);
    machine.write(machine.dev() / "vfio/5", "");
    const auto found = machine.devices().virtio_fs();
    REQUIRE(found.size() == 4);
    CHECK(found[0].address == "0000:00:03.0");
    CHECK(found[0].iommu_group == "3");
    CHECK_THAT(found[0].obstacle, Contains("virtio-pci") && Contains("vfsproto device bind 0000:00:03.0"));
    CHECK(found[1].driver == "vfio-pci");
    CHECK(found[1].obstacle == "");
    CHECK_THAT(found[2].obstacle, Contains("no IOMMU"));
    CHECK_THAT(found[3].obstacle, Contains("has no driver"));
}

TEST_CASE("files of sysfs are open for this process alone: a child it starts meanwhile does not get them", "[vfio]") {
    Machine machine;
    machine.add("0000:00:03.0", kFs);
    const fs::path vendor = machine.sysfs() / "bus/pci/devices/0000:00:03.0/vendor";
    fs::remove(vendor);
    REQUIRE(::mkfifo(vendor.c_str(), 0600) == 0);
    unsigned read_vendor = 0;
    std::thread reader([&] { read_vendor = machine.devices().find("0000:00:03.0")->vendor; });
    const int fd = ::open(vendor.c_str(), O_WRONLY | O_CLOEXEC); // returns once the reader has it open
    int inherited = 0;
    for (const auto& one : fs::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        if (fs::read_symlink(one.path(), gone) != vendor) continue;
        const int flags = ::fcntl(std::stoi(one.path().filename()), F_GETFD);
        inherited += (flags & FD_CLOEXEC) == 0;
    }
    CHECK(inherited == 0);
    CHECK(::write(fd, "0x1af4\n", 7) == 7);
    ::close(fd);
    reader.join();
    CHECK(read_vendor == 0x1af4);
}

TEST_CASE("neighbours in a group, and a missing node, are named", "[vfio]") {
    Machine machine;
    machine.add("0000:00:03.0", kFs, "vfio-pci", "3");
    machine.add("0000:00:03.1", kRng, "virtio-pci", "3");
    machine.add("0000:00:03.2", kRng, "pcieport", "3");
    CHECK_THAT(machine.devices().virtio_fs().at(0).obstacle,
               Contains("0000:00:03.1 (virtio-pci)") && !Contains("03.2"));
    machine.add("0000:00:04.0", kFs, "vfio-pci", "4");
    CHECK_THAT(machine.devices().virtio_fs().at(1).obstacle, Contains("vfio/4 is not there"));
}

TEST_CASE("a group without an IOMMU is only for those who say so", "[vfio]") {
    Machine machine;
    machine.add("0000:00:03.0", kFs, "vfio-pci", "3");
    machine.write(machine.sysfs() / "kernel/iommu_groups/3/name", "vfio-noiommu");
    const auto device = machine.devices().virtio_fs().at(0);
    CHECK(device.is_unguarded);
    CHECK_THAT(device.obstacle, Contains("vfio:0000:00:03.0,noiommu"));
}

TEST_CASE("auto is the only virtio-fs device", "[vfio]") {
    Machine machine;
    CHECK(machine.devices().choose("auto").error == Errc::device_gone);
    machine.add("0000:00:04.0", kRng);
    machine.add("0000:00:03.0", kFs);
    CHECK(machine.devices().choose("auto").device.address == "0000:00:03.0");
    CHECK(machine.devices().choose("00:04.0").device.device == 0x1044);
    machine.add("0000:00:05.0", kFs);
    CHECK_THAT(machine.devices().choose("auto").message, Contains("0000:00:03.0, 0000:00:05.0"));
    CHECK(machine.devices().choose("nonsense").error == Errc::bad_argument);
    CHECK(machine.devices().choose("0000:00:09.0").error == Errc::device_gone);
}

TEST_CASE("binding tells the kernel which driver, then takes the device from its own", "[vfio]") {
    Machine machine;
    machine.make("bus/pci/drivers/vfio-pci/bind");
    machine.add("0000:00:03.0", kFs, "virtio-pci", "3");
    const auto devices = machine.devices();
    // Nobody acts on it here, which is noticed.
    CHECK_THAT(devices.bind(*devices.find("0000:00:03.0")).message, Contains("did not take it"));
    CHECK(machine.read("bus/pci/devices/0000:00:03.0/driver_override") == "vfio-pci");
    CHECK(machine.read("bus/pci/drivers/virtio-pci/unbind") == "0000:00:03.0");
    CHECK(machine.read("bus/pci/drivers_probe") == "0000:00:03.0");
}

TEST_CASE("unbinding lets any driver have it again", "[vfio]") {
    Machine machine;
    machine.add("0000:00:03.0", kFs, "vfio-pci", "3");
    const auto devices = machine.devices();
    CHECK(devices.unbind(*devices.find("0000:00:03.0")).error == Errc::ok);
    CHECK(machine.read("bus/pci/devices/0000:00:03.0/driver_override") == "");
    CHECK(machine.read("bus/pci/drivers/vfio-pci/unbind") == "0000:00:03.0");
    CHECK(machine.read("bus/pci/drivers_probe") == "0000:00:03.0");
}

TEST_CASE("nothing is changed when there is nothing to do, or no driver to do it with", "[vfio]") {
    Machine machine;
    machine.add("0000:00:03.0", kFs, "virtio-pci", "3");
    const auto devices = machine.devices();
    const auto device = *devices.find("0000:00:03.0");
    CHECK_THAT(devices.bind(device).message, Contains("modprobe vfio-pci"));
    CHECK(devices.unbind(device).error == Errc::ok);
    CHECK(machine.read("bus/pci/drivers/virtio-pci/unbind") == "");
    machine.add("0000:00:05.0", kFs, "vfio-pci", "5");
    CHECK(devices.bind(*devices.find("0000:00:05.0")).error == Errc::ok);
    CHECK(machine.read("bus/pci/drivers/vfio-pci/unbind") == "");
}

TEST_CASE("opening what is no address, not there or wrongly sized says so", "[vfio]") {
    backends::VfioPciOptions options;
    options.device = "nonsense";
    CHECK(backends::VfioPci::open(options).error == Errc::bad_argument);
    options.device = "ffff:ff:1f.7";
    CHECK_THAT(backends::VfioPci::open(options).message, Contains("no PCI device ffff:ff:1f.7"));
    options.run_size = 4096;
    CHECK(backends::VfioPci::open(options).error == Errc::bad_argument);
}
