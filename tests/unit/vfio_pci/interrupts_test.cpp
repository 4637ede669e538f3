// SPDX-License-Identifier: BSD-2-Clause
#include "unit/vfio_pci/opened.hpp"

#include <condition_variable>

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

constexpr std::uint32_t kLine = 0;
constexpr std::uint32_t kMsix = 2;
constexpr std::uint32_t kError = 3;
constexpr std::uint32_t kRequest = 4;

// Enables both queues and keeps what they wait on.
class Queues {
public:
    explicit Queues(backends::Attachment& attachment) {
        for (std::uint16_t i = 0; i < 2; ++i) {
            const auto memory = attachment.allocate(4096);
            REQUIRE(memory);
            REQUIRE(attachment.transport().enable_queue(QueueIndex{i}, lay_out(*memory)) == Errc::ok);
            events[i] = attachment.transport().wait_handle(QueueIndex{i}).fd;
        }
        REQUIRE(events[0] >= 0);
        REQUIRE(events[1] >= 0);
        REQUIRE(events[0] != events[1]);
    }
    int events[2]{};
};

// Is told when the device has gone.
class Farewell {
public:
    explicit Farewell(backends::Attachment& attachment) {
        attachment.on_gone([this] {
            const std::lock_guard lock(mutex_);
            ++times_;
            said_.notify_all();
        });
    }
    bool comes() {
        std::unique_lock lock(mutex_);
        return said_.wait_for(lock, std::chrono::seconds(5), [this] { return times_ != 0; });
    }
    int times() {
        const std::lock_guard lock(mutex_);
        return times_;
    }

private:
    std::mutex mutex_;
    std::condition_variable said_;
    int times_ = 0;
};

} // namespace

TEST_CASE("a queue with a vector of its own is woken by the kernel alone", "[vfio]") {
    ScriptedKernel kernel;
    const auto device = open_scripted(kernel);
    const Queues queues(*device);
    CHECK(kernel.wired.at({kMsix, 1}) == queues.events[0]);
    CHECK(kernel.wired.at({kMsix, 2}) == queues.events[1]);
    kernel.raise(kMsix, 2);
    CHECK(comes(queues.events[1]));
    CHECK(is_silent(queues.events[0]));
}

TEST_CASE("the kernel's word on how many vectors there are is taken", "[vfio]") {
    ScriptedKernel kernel;
    kernel.msix = 64;
    kernel.msix_left = 2;
    const auto device = open_scripted(kernel);
    CHECK(kernel.wired.count({kMsix, 1}) == 1);
    CHECK(kernel.wired.count({kMsix, 2}) == 0);
    const Queues queues(*device);
    // Both wait for vector 1, and neither takes the other's wake-up.
    kernel.raise(kMsix, 1);
    CHECK(comes(queues.events[0]));
    CHECK(comes(queues.events[1]));
}

// virtio 1.2 §4.1.5.3
TEST_CASE("one vector serves for everything", "[vfio]") {
    ScriptedKernel kernel;
    kernel.msix = 1;
    const auto device = open_scripted(kernel);
    const Queues queues(*device);
    kernel.raise(kMsix, 0);
    CHECK(comes(queues.events[0]));
    CHECK(comes(queues.events[1]));
}

// virtio 1.2 §4.1.5.3
TEST_CASE("queues share a vector when the device takes no more of them", "[vfio]") {
    ScriptedKernel kernel;
    kernel.model.vectors_taken = 2;
    const auto device = open_scripted(kernel);
    const Queues queues(*device);
    kernel.raise(kMsix, 1);
    CHECK(comes(queues.events[0]));
    CHECK(comes(queues.events[1]));
}

// virtio 1.2 §4.1.5.3
TEST_CASE("a line is handed on to every queue, and unmasked again", "[vfio]") {
    ScriptedKernel kernel;
    kernel.msix = 0;
    const auto device = open_scripted(kernel);
    const Queues queues(*device);
    for (std::size_t i = 1; i <= 3; ++i) {
        kernel.change([](PciModel& model) { model.isr.bytes[0] = 1; });
        kernel.raise(kLine);
        CHECK(comes(queues.events[0]));
        CHECK(comes(queues.events[1]));
    }
    CHECK(kernel.unmasks(3));
}

TEST_CASE("a line that is another device's wakes nobody, and is unmasked", "[vfio]") {
    ScriptedKernel kernel;
    kernel.msix = 0;
    const auto device = open_scripted(kernel);
    const Queues queues(*device);
    kernel.raise(kLine);
    CHECK(kernel.unmasks(1));
    CHECK(is_silent(queues.events[0]));
    CHECK(is_silent(queues.events[1]));
}

TEST_CASE("an error, or the kernel's wish to have the device back, stops it first and is told once", "[vfio]") {
    const std::uint32_t kind = GENERATE(kError, kRequest);
    ScriptedKernel kernel;
    {
        const auto device = open_scripted(kernel);
        Farewell farewell(*device);
        const Queues queues(*device);
        REQUIRE(device->transport().set_status(15) == Errc::ok);
        CHECK(device->gone_reason().empty());
        kernel.raise(kind);
        REQUIRE(farewell.comes());
        kernel.change([&](PciModel& model) {
            CHECK(model.status == 0);
            CHECK((kernel.command() & 4) == 0);
            CHECK((kernel.command() & 2) != 0); // doorbells may still be on their way
        });
        CHECK_FALSE(device->gone_reason().empty());
        Transport& transport = device->transport();
        CHECK(transport.status().error() == Errc::device_gone);
        CHECK(transport.set_status(4) == Errc::device_gone);
        CHECK(transport.reset() == Errc::device_gone);
        CHECK(device->allocate(1).error() == Errc::device_gone);
        // Rung by somebody who does not know yet.
        const Doorbell bell = transport.doorbell(QueueIndex{1});
        REQUIRE(bell.ring != nullptr);
        bell.ring(bell.context, 0);
        kernel.raise(kind);
        kernel.raise(kRequest);
        CHECK(farewell.times() == 1);
    }
    CHECK(kernel.leaks() == "");
}

TEST_CASE("a handler that comes late is told at once", "[vfio]") {
    ScriptedKernel kernel;
    const auto device = open_scripted(kernel);
    kernel.raise(kRequest);
    while (device->gone_reason().empty()) {}
    Farewell farewell(*device);
    CHECK(farewell.comes());
}

TEST_CASE("a device that needs a reset, or does not answer, has gone", "[vfio]") {
    const bool by_line = GENERATE(true, false);
    const std::uint8_t says = GENERATE(std::uint8_t{0x40}, std::uint8_t{0xff});
    ScriptedKernel kernel;
    if (by_line) kernel.msix = 0;
    const auto device = open_scripted(kernel);
    Farewell farewell(*device);
    const Queues queues(*device);
    kernel.change([&](PciModel& model) {
        model.isr.bytes[0] = 2;
        model.raised_status = says;
    });
    kernel.raise(by_line ? kLine : kMsix, 0);
    CHECK(farewell.comes());
}

TEST_CASE("a device that somebody else has reset has gone", "[vfio]") {
    ScriptedKernel kernel;
    const auto device = open_scripted(kernel);
    Farewell farewell(*device);
    const Queues queues(*device);
    REQUIRE(device->transport().set_status(status::kDriverOk) == Errc::ok);
    kernel.raise(kMsix, 0); // nothing has happened yet
    kernel.change([](PciModel& model) { model.status = 0; });
    kernel.raise(kMsix, 0);
    REQUIRE(farewell.comes());
    CHECK(device->gone_reason() == "somebody else has reset the device");
}

TEST_CASE("a change of the configuration alone is no reason to leave", "[vfio]") {
    ScriptedKernel kernel;
    const auto device = open_scripted(kernel);
    Farewell farewell(*device);
    const Queues queues(*device);
    kernel.raise(kMsix, 0);
    // This waits for an access that the watcher makes now. One that it makes later is not waited for.
    kernel.change([](PciModel&) {});
    CHECK(device->transport().status());
    CHECK(device->gone_reason().empty());
}

TEST_CASE("error and request interrupts need not be there", "[vfio]") {
    ScriptedKernel kernel;
    kernel.error_interrupts = kernel.request_interrupts = 0;
    const auto device = open_scripted(kernel);
    CHECK(kernel.wired.size() == 3);
}
