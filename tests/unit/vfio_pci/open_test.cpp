// SPDX-License-Identifier: BSD-2-Clause
#include "unit/vfio_pci/opened.hpp"

#include "vfsproto/transport/bring_up.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using backends::Unguarded;
using Catch::Matchers::Contains;

namespace {

std::string described(const backends::Attachment& attachment, const std::string& key) {
    for (const auto& [name, value] : attachment.describe()) {
        if (name == key) return value;
    }
    return "nothing";
}

FeatureSet negotiated(backends::Attachment& attachment) {
    BringUp bring_up(attachment.transport());
    const auto features =
        bring_up.negotiate(FeatureSet::of(Feature::event_idx) | attachment.transport().supported_features());
    REQUIRE(features);
    return *features;
}

} // namespace

TEST_CASE("a group goes into a container before its device is asked for", "[vfio]") {
    ScriptedKernel kernel;
    {
        const auto device = open_scripted(kernel);
        const char* const order[] = {"open /dev/vfio/vfio", "version",       "extension", "open /dev/vfio/7",
                                     "group status",        "set container", "set iommu", "device 0000:00:03.0",
                                     "device info"};
        for (std::size_t i = 0; i + 1 < std::size(order); ++i)
            CHECK(kernel.place(order[i]) < kernel.place(order[i + 1]));
        CHECK(kernel.logged(order[8]));
        CHECK(described(*device, "vfio") == "group 7, IOMMU type 1");
        CHECK(described(*device, "interrupts") == "MSI-X, 3 vectors");
    }
    CHECK(kernel.leaks().empty());
    CHECK(kernel.place("close device") < kernel.place("unmap"));
    CHECK(kernel.place("unmap") < kernel.place("close /dev/vfio/7"));
}

TEST_CASE("a character device is preferred where the kernel has IOMMUFD", "[vfio]") {
    ScriptedKernel kernel;
    kernel.has_iommufd = true;
    {
        const auto device = open_scripted(kernel);
        CHECK(kernel.place("bind iommufd") < kernel.place("attach"));
        CHECK(kernel.place("attach") < kernel.place("iova ranges"));
        CHECK(kernel.place("attach") < kernel.place("device info"));
        CHECK_FALSE(kernel.logged("open /dev/vfio/vfio"));
        CHECK_THAT(described(*device, "vfio"), Contains("IOMMUFD") && Contains("scripted"));
        CHECK(device->allocate(100));
    }
    CHECK(kernel.leaks().empty());
}

TEST_CASE("many address ranges are asked for twice", "[vfio]") {
    ScriptedKernel kernel;
    kernel.has_iommufd = true;
    kernel.ranges.clear();
    for (std::uint64_t i = 1; i < 100; ++i) kernel.ranges.push_back({i << 32, (i << 32) + 0xffffff});
    CHECK(open_scripted(kernel));
    CHECK(std::count(kernel.log.begin(), kernel.log.end(), "iova ranges") == 2);
}

TEST_CASE("what the device may do it may do late, and not any more when it is closed", "[vfio]") {
    ScriptedKernel kernel;
    {
        const auto device = open_scripted(kernel);
        CHECK((kernel.command() & 6) == 6);
        // Reset by the function, then by virtio, and with its memory and its interrupts there, before it is a bus master.
        CHECK(kernel.place("reset") < kernel.place("status 0"));
        CHECK(kernel.place("status 0") < kernel.place("map"));
        CHECK(kernel.place("map") < kernel.place("master on"));
        CHECK(kernel.place("wire msix") < kernel.place("master on"));
        kernel.log.clear();
    }
    CHECK((kernel.command() & 4) == 0);
    CHECK(kernel.place("status 0") < kernel.place("master off"));
    CHECK(kernel.place("master off") < kernel.place("unwire msix"));
    CHECK(kernel.place("unwire msix") < kernel.place("reset"));
    CHECK(kernel.place("reset") < kernel.place("close device"));
    CHECK(kernel.place("close device") < kernel.place("unmap"));
}

TEST_CASE("MSI-X is on before a vector is given to a queue", "[vfio]") {
    ScriptedKernel kernel;
    const auto device = open_scripted(kernel);
    const auto memory = device->allocate(4096);
    REQUIRE(memory);
    REQUIRE(device->transport().enable_queue(QueueIndex{0}, lay_out(*memory)) == Errc::ok);
    CHECK(kernel.place("wire msix") < kernel.place("queue vector"));
}

TEST_CASE("whichever call fails, opening says why and leaves nothing behind", "[vfio]") {
    struct Way {
        bool iommufd;
        bool translated;
    };
    for (const Way way : {Way{false, true}, Way{true, true}, Way{false, false}}) {
        std::size_t failed = 0;
        for (std::size_t at = 0;; ++at) {
            ScriptedKernel kernel;
            kernel.has_iommufd = way.iommufd;
            if (!way.translated) kernel.model.offered.remove(Feature::access_platform);
            kernel.fails_at = at;
            bool reached = false;
            {
                backends::vfio_pci::Backend backend(kernel, scripted_device(), scripted_options());
                const auto why = backend.open();
                reached = kernel.calls > at;
                INFO(at << ": " << (reached ? kernel.log[at] : "") << ": " << why.message);
                CHECK(why.happened() == !why.message.empty());
                if (why.happened()) ++failed;
            }
            INFO(at);
            CHECK(kernel.leaks() == "");
            CHECK((kernel.command() & 4) == 0);
            if (!reached) break;
        }
        CHECK(failed > 15);
    }
}

TEST_CASE("a hundred bring-ups leave nothing behind", "[vfio]") {
    for (const bool translated : {true, false}) {
        ScriptedKernel kernel;
        if (!translated) kernel.model.offered.remove(Feature::access_platform);
        for (unsigned i = 0; i < 50; ++i) {
            // Huge pages that were given back can be had again.
            if (!translated)
                kernel.frames.insert(kernel.frames.end(), {i * 8 * kernel.kHuge + (std::uint64_t{1} << 32),
                                                           (i * 8 + 1) * kernel.kHuge + (std::uint64_t{1} << 32)});
            const auto device = open_scripted(kernel);
            const auto memory = device->allocate(4096);
            REQUIRE(memory);
            REQUIRE(device->transport().enable_queue(QueueIndex{0}, lay_out(*memory)) == Errc::ok);
            device->release(*memory);
        }
        CHECK(kernel.leaks() == "");
    }
}

TEST_CASE("what a person can do something about is said in one line", "[vfio]") {
    ScriptedKernel kernel;
    SECTION("no VFIO") {
        kernel.has_vfio = false;
        CHECK_THAT(refusal(kernel), Contains("modprobe vfio-pci"));
    }
    SECTION("another process has it") {
        kernel.group_is_busy = true;
        CHECK_THAT(refusal(kernel), Contains("in use by another process"));
    }
    SECTION("other devices of the group belong to the kernel") {
        kernel.is_viable = false;
        CHECK_THAT(refusal(kernel), Contains("other devices of IOMMU group 7"));
    }
    SECTION("no interrupt remapping") {
        kernel.set_iommu = -EPERM;
        CHECK_THAT(refusal(kernel), Contains("allow_unsafe_interrupts"));
    }
    SECTION("too little may be locked") {
        kernel.map_answer = -ENOMEM;
        CHECK_THAT(refusal(kernel), Contains("cannot pin 4 MiB"));
    }
    SECTION("no device there") {
        kernel.model.bus.leaves_at = 0;
        CHECK_THAT(refusal(kernel), Contains("does not answer"));
    }
    SECTION("no interrupt at all") {
        kernel.msix = kernel.lines = 0;
        CHECK_THAT(refusal(kernel), Contains("no interrupt"));
    }
}

TEST_CASE("without an IOMMU a device is taken only by who asks for that", "[vfio]") {
    ScriptedKernel kernel;
    kernel.has_iommu = false;
    backends::PciDevice device = scripted_device();
    device.is_unguarded = true;
    device.obstacle = "there is no IOMMU";
    CHECK(refusal(kernel, device) == "there is no IOMMU");
    CHECK(kernel.calls == 0);

    backends::VfioPciOptions options = scripted_options();
    options.unguarded = Unguarded::allowed;
    {
        backends::vfio_pci::Backend backend(kernel, device, options);
        REQUIRE_FALSE(backend.open().happened());
        CHECK(kernel.logged("open /dev/vfio/noiommu-7"));
        CHECK_FALSE(kernel.logged("map"));
        CHECK_THAT(described(backend, "vfio"), Contains("without an IOMMU"));
        CHECK_THAT(described(backend, "addresses"), Contains("no IOMMU"));
        const auto memory = backend.allocate(4096);
        REQUIRE(memory);
        CHECK(to_number(memory->device()) == kernel.frames[0]); // although the device offers ACCESS_PLATFORM
    }
    CHECK(kernel.leaks() == "");
}

// virtio 1.2 §6.1
TEST_CASE("translated addresses are used only when the device agrees to it", "[vfio]") {
    ScriptedKernel kernel;
    const auto device = open_scripted(kernel);
    CHECK_THAT(described(*device, "addresses"), Contains("IOMMU translates"));
    CHECK(negotiated(*device).has(Feature::access_platform));
    CHECK(device->transport().required_features().has(Feature::access_platform));
    CHECK(device->transport().accept_features(FeatureSet::of(Feature::version_1)) == Errc::features_refused);
}

TEST_CASE("a device that takes its offer back gets no addresses", "[vfio]") {
    ScriptedKernel kernel;
    const auto device = open_scripted(kernel);
    kernel.model.offered.remove(Feature::access_platform);
    BringUp bring_up(device->transport());
    const auto features = bring_up.negotiate(FeatureSet{}, device->transport().required_features());
    CHECK(features.error() == Errc::features_refused);
}

// virtio 1.2 §6.1
TEST_CASE("a device without ACCESS_PLATFORM gets huge pages where they really are", "[vfio]") {
    ScriptedKernel kernel;
    kernel.model.offered.remove(Feature::access_platform);
    const auto device = open_scripted(kernel);
    CHECK_THAT(described(*device, "addresses"), Contains("physical") && Contains("past the IOMMU"));
    CHECK_FALSE(device->transport().required_features().has(Feature::access_platform));
    for (const auto& [iova, piece] : kernel.mapped) CHECK(iova >= kernel.frames[0]);
    alignas(4096) static std::byte own[4096];
    CHECK(device->map(own).error() == Errc::not_negotiated);
}

TEST_CASE("what is known of the server behind a device is what the options say, and nothing without them", "[vfio]") {
    ScriptedKernel kernel;
    CHECK(open_scripted(kernel)->quirks().interrupts == client::InterruptUse::never);
    auto options = scripted_options();
    options.quirks.interrupts = client::InterruptUse::allowed;
    options.quirks.lock_waits = client::LockWaits::by_server;
    const backends::vfio_pci::Backend device(kernel, scripted_device(), options);
    CHECK(device.quirks().interrupts == client::InterruptUse::allowed);
    CHECK(device.quirks().lock_waits == client::LockWaits::by_server);
}
