// SPDX-License-Identifier: BSD-2-Clause
// The commands device list, bind and unbind, on a tree that looks like sysfs. The tests in a guest show what a kernel
// makes of them.
#include "integration/cli/json_lines.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/skip.hpp"

#include <filesystem>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

class Sysfs {
public:
    Sysfs() {
        fs::create_directories(devices());
        ::setenv("VFSPROTO_SYSFS", scratch_.path().c_str(), 1);
        ::setenv("VFSPROTO_MOUNTINFO", mounts().c_str(), 1);
    }
    ~Sysfs() {
        ::unsetenv("VFSPROTO_SYSFS");
        ::unsetenv("VFSPROTO_MOUNTINFO");
    }
    Sysfs(const Sysfs&) = delete;
    Sysfs& operator=(const Sysfs&) = delete;

    void add(const std::string& address, const char* device) {
        fs::create_directories(devices() / address);
        std::ofstream(devices() / address / "vendor") << "0x1af4\n";
        std::ofstream(devices() / address / "device") << device << '\n';
    }
    // The kernel's driver has the device.
    void add_bound(const std::string& address) {
        add(address, "0x105a");
        fs::create_directories(scratch_.path() / "bus/pci/drivers/virtio-pci");
        fs::create_directories(devices() / address / "virtio0");
        fs::create_symlink(scratch_.path() / "bus/pci/drivers/virtio-pci", devices() / address / "driver");
    }
    // The driver tells the device's tag, as Linux does from 6.9 on.
    void tell_tag(const std::string& address, const std::string& tag) {
        const fs::path at = scratch_.path() / "fs/virtiofs" / address;
        fs::create_directories(at);
        std::ofstream(at / "tag") << tag << '\n';
        fs::create_symlink(devices() / address / "virtio0", at / "device");
    }
    void mount(const std::string& tag, const std::string& place) {
        std::ofstream(mounts(), std::ios::app) << "29 1 0:26 / / rw shared:1 - ext4 /dev/vda rw\n"
                                               << "30 29 0:27 / " << place << " rw - virtiofs " << tag << " rw\n";
    }

private:
    [[nodiscard]] fs::path mounts() const { return scratch_.path() / "mountinfo"; }
    [[nodiscard]] fs::path devices() const { return scratch_.path() / "bus/pci/devices"; }
    ScratchDirectory scratch_;
};

} // namespace

TEST_CASE("virtio-fs devices are listed for people and for programs", "[cli]") {
    Sysfs sysfs;
    CHECK(run_program({"device", "list"}).out == "this machine has no virtio-fs device on PCI\n");
    CHECK(run_program({"--json", "device", "list"}).out.empty());
    sysfs.add("0000:00:05.0", "0x105a");
    sysfs.add("0000:00:06.0", "0x1044");
    CHECK(run_program({"device", "list"}).out ==
          "address       driver  group  usable\n"
          "0000:00:05.0  -           -  no: it has no driver: run 'vfsproto device bind 0000:00:05.0'\n");
    const auto rows = json_lines(run_program({"device", "list", "--json"}).out);
    REQUIRE(rows.size() == 1);
    CHECK(rows[0]["address"] == "0000:00:05.0");
    CHECK(!rows[0].contains("driver"));
    CHECK(rows[0]["usable"] == false);
}

TEST_CASE("binding what is not there, or no virtio-fs device, says so and leaves with 3", "[cli]") {
    Sysfs sysfs;
    sysfs.add("0000:00:06.0", "0x1044");
    const auto refused = [](const std::string& which) { return run_program({"device", "bind", which}); };
    CHECK(refused("auto").status == 3);
    CHECK(refused("auto").err == "vfsproto: device bind: this machine has no virtio-fs device on PCI\n");
    CHECK(refused("0000:00:06.0").err == "vfsproto: device bind: 0000:00:06.0: this is no virtio-fs device\n");
    CHECK(refused("0000:00:07.0").status == 3);
    CHECK(refused("nonsense").status == 2);
    sysfs.add("0000:00:05.0", "0x105a");
    const Ran ran = refused("auto");
    CHECK(ran.status == 3);
    CHECK(ran.err ==
          "vfsproto: device bind: 0000:00:05.0: the kernel module vfio-pci is not loaded: run 'modprobe vfio-pci'\n");
    CHECK(run_program({"device", "unbind", "auto"}).status == 0);
}

TEST_CASE("a device whose file system is mounted is not taken from the kernel", "[cli]") {
    Sysfs sysfs;
    const auto bind = [](const std::string& address) { return run_program({"device", "bind", address}).err; };
    const std::string said = "vfsproto: device bind: ";
    sysfs.add_bound("0000:00:05.0");
    CHECK(bind("auto").find("modprobe") != std::string::npos); // nothing is mounted: it would have gone on

    SECTION("and the kernel does not tell whose the mounted file system is") {
        sysfs.mount("share", "/the\\040share");
        CHECK(bind("auto") == said + "0000:00:05.0: its file system is mounted, as 'share' at /the share: unmount it "
                                     "first\n");
        sysfs.add_bound("0000:00:06.0"); // now it may be the other one's
        CHECK(bind("0000:00:05.0").find("modprobe") != std::string::npos);
    }
    SECTION("and the kernel tells") {
        sysfs.add_bound("0000:00:06.0");
        sysfs.tell_tag("0000:00:05.0", "mine");
        sysfs.tell_tag("0000:00:06.0", "other");
        sysfs.mount("mine", "/mnt");
        CHECK(bind("0000:00:05.0") ==
              said + "0000:00:05.0: its file system 'mine' is mounted at /mnt: unmount it first\n");
        CHECK(bind("0000:00:06.0").find("modprobe") != std::string::npos);
    }
}

TEST_CASE("the advice to bind is given for virtio-fs devices alone", "[cli]") {
    for (const auto& entry : fs::directory_iterator("/sys/bus/pci/devices")) {
        const std::string address = entry.path().filename();
        std::ifstream vendor(entry.path() / "vendor"), device(entry.path() / "device");
        std::string numbers[2];
        vendor >> numbers[0];
        device >> numbers[1];
        if (numbers[0] == "0x1af4" && numbers[1] == "0x105a") continue;
        const Ran ran = run_program({"--device", "vfio:" + address, "ls"});
        CHECK(ran.status == 3);
        CHECK(ran.err == "vfsproto: ls: vfio:" + address + ": " + address + ": it is no virtio-fs device\n");
        return;
    }
    skip("this machine has no PCI device");
}

TEST_CASE("a device that is no address is wrong usage, one that is not there a device that failed", "[cli]") {
    const Ran wrong = run_program({"--device", "vfio:nonsense", "ls"});
    CHECK(wrong.status == 2);
    CHECK(wrong.err == "vfsproto: ls: 'nonsense' is no PCI address: say 0000:00:03.0, or auto\n");
    const Ran none = run_program({"--device", "vfio:ffff:ff:1f.7", "ls"});
    CHECK(none.status == 3);
    CHECK(none.err == "vfsproto: ls: vfio:ffff:ff:1f.7: there is no PCI device ffff:ff:1f.7\n");
}
