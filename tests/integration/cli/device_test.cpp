// SPDX-License-Identifier: BSD-2-Clause
// The commands device list, bind and unbind, on a tree that looks like sysfs. The tests in a guest show what a kernel
// makes of them.
#include "support/catch.hpp"
#include "support/program.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

class Sysfs {
public:
    Sysfs() {
        fs::create_directories(devices());
        ::setenv("VFSPROTO_SYSFS", scratch_.path().c_str(), 1);
    }
    ~Sysfs() { ::unsetenv("VFSPROTO_SYSFS"); }
    Sysfs(const Sysfs&) = delete;
    Sysfs& operator=(const Sysfs&) = delete;

    void add(const std::string& address, const char* device) {
        fs::create_directories(devices() / address);
        std::ofstream(devices() / address / "vendor") << "0x1af4\n";
        std::ofstream(devices() / address / "device") << device << '\n';
    }

private:
    [[nodiscard]] fs::path devices() const { return scratch_.path() / "bus/pci/devices"; }
    ScratchDirectory scratch_;
};

} // namespace

TEST_CASE("virtio-fs devices are listed for people and for programs", "[cli]") {
    Sysfs sysfs;
    CHECK(run_program({"device", "list"}).out == "this machine has no virtio-fs device on PCI\n");
    CHECK(run_program({"--json", "device", "list"}).out == "[]\n");
    sysfs.add("0000:00:05.0", "0x105a");
    sysfs.add("0000:00:06.0", "0x1044");
    CHECK(run_program({"device", "list"}).out ==
          "address       driver  group  usable\n"
          "0000:00:05.0  -           -  no: it has no driver: run 'vfsproto device bind 0000:00:05.0'\n");
    const auto rows = nlohmann::json::parse(run_program({"device", "list", "--json"}).out);
    REQUIRE(rows.size() == 1);
    CHECK(rows[0]["address"] == "0000:00:05.0");
    CHECK(rows[0]["driver"].is_null());
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

TEST_CASE("a device that is no address is wrong usage, one that is not there a device that failed", "[cli]") {
    const Ran wrong = run_program({"--device", "vfio:nonsense", "ls"});
    CHECK(wrong.status == 2);
    CHECK(wrong.err == "vfsproto: ls: 'nonsense' is no PCI address: say 0000:00:03.0, or auto\n");
    const Ran none = run_program({"--device", "vfio:ffff:ff:1f.7", "ls"});
    CHECK(none.status == 3);
    CHECK(none.err == "vfsproto: ls: vfio:ffff:ff:1f.7: there is no PCI device ffff:ff:1f.7\n");
}
