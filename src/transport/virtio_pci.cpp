// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/transport/virtio_pci.hpp"

#include "config_window.hpp"

namespace vfsproto {
namespace {

// struct virtio_pci_common_cfg, virtio 1.2 §4.1.4.3.
constexpr std::uint64_t kDeviceFeatureSelect = 0x00;
constexpr std::uint64_t kDeviceFeature = 0x04;
constexpr std::uint64_t kDriverFeatureSelect = 0x08;
constexpr std::uint64_t kDriverFeature = 0x0c;
constexpr std::uint64_t kConfigMsixVector = 0x10;
constexpr std::uint64_t kNumQueues = 0x12;
constexpr std::uint64_t kDeviceStatus = 0x14;
constexpr std::uint64_t kConfigGeneration = 0x15;
constexpr std::uint64_t kQueueSelect = 0x16;
constexpr std::uint64_t kQueueSize = 0x18;
constexpr std::uint64_t kQueueMsixVector = 0x1a;
constexpr std::uint64_t kQueueEnable = 0x1c;
constexpr std::uint64_t kQueueNotifyOff = 0x1e;
constexpr std::uint64_t kQueueDescriptors = 0x20;
constexpr std::uint64_t kQueueDriver = 0x28;
constexpr std::uint64_t kQueueDevice = 0x30;
constexpr std::uint64_t kQueueNotifConfigData = 0x38;
constexpr std::uint64_t kQueueReset = 0x3a;

constexpr std::uint8_t kGone8 = 0xff;
constexpr std::uint16_t kGone16 = 0xffff;
constexpr std::uint32_t kGone32 = 0xffffffff;
constexpr std::uint16_t kLargestQueue = 32768;
constexpr std::uint16_t kConfigVector = 0;
constexpr std::uint16_t kFirstQueueVector = 1;

constexpr std::uint8_t kIsrQueues = 1;
constexpr std::uint8_t kIsrConfiguration = 2;

} // namespace

Errc VirtioPci::blame(Errc otherwise) noexcept {
    // A device that left answers all ones everywhere; no device has all status bits set.
    return windows_.common->read8(kDeviceStatus) == kGone8 ? Errc::device_gone : otherwise;
}

Result<FeatureSet> VirtioPci::device_features() noexcept {
    Registers& common = *windows_.common;
    common.write32(kDeviceFeatureSelect, 0);
    const std::uint32_t low = common.read32(kDeviceFeature);
    common.write32(kDeviceFeatureSelect, 1);
    const std::uint32_t high = common.read32(kDeviceFeature);
    if (high == kGone32) {
        if (const Errc why = blame(Errc::ok); why != Errc::ok) return why;
    }
    return FeatureSet(std::uint64_t{high} << 32 | low);
}

FeatureSet VirtioPci::supported_features() const noexcept {
    FeatureSet can = kTransportFeatures;
    if (windows_.common->size() < kQueueNotifConfigData + 2) can.remove(Feature::notif_config_data);
    if (windows_.common->size() < kQueueReset + 2) can.remove(Feature::ring_reset);
    return FeatureSet(can.bits() & ~withheld_.bits());
}

Errc VirtioPci::accept_features(FeatureSet features) noexcept {
    Registers& common = *windows_.common;
    common.write32(kDriverFeatureSelect, 0);
    common.write32(kDriverFeature, features.low_word());
    common.write32(kDriverFeatureSelect, 1);
    common.write32(kDriverFeature, features.high_word());
    accepted_ = features;
    return Errc::ok;
}

Errc VirtioPci::read_config(std::uint32_t offset, std::span<std::byte> out) noexcept {
    Registers* const device = windows_.device;
    if (device == nullptr || offset > device->size() || out.size() > device->size() - offset)
        return Errc::config_invalid;
    std::uint8_t before = windows_.common->read8(kConfigGeneration);
    for (unsigned tries = 0; tries < kConfigTries; ++tries) {
        copy_config(*device, 0, offset, out);
        const std::uint8_t after = windows_.common->read8(kConfigGeneration);
        if (after == before) return after == kGone8 ? blame(Errc::ok) : Errc::ok;
        before = after;
    }
    return blame(Errc::config_invalid);
}

Result<std::uint16_t> VirtioPci::queue_count() noexcept {
    const std::uint16_t count = windows_.common->read16(kNumQueues);
    if (count == kGone16) {
        if (const Errc why = blame(Errc::ok); why != Errc::ok) return why;
    }
    return count;
}

VirtioPci::Queue* VirtioPci::queue(QueueIndex index) noexcept {
    const auto number = static_cast<std::size_t>(index);
    return number < queues_.size() ? &queues_[number] : nullptr;
}

Result<std::uint16_t> VirtioPci::select(QueueIndex index) noexcept {
    if (queue(index) == nullptr) return Errc::queue_absent;
    windows_.common->write16(kQueueSelect, static_cast<std::uint16_t>(index));
    const std::uint16_t size = windows_.common->read16(kQueueSize);
    if (size == 0) return Errc::queue_absent;
    if (size > kLargestQueue) return blame(Errc::config_invalid);
    return size;
}

Result<std::uint16_t> VirtioPci::max_queue_size(QueueIndex index) noexcept {
    const auto count = queue_count();
    if (!count) return count.error();
    // Beyond num_queues there may be administration queues, which are none of ours.
    if (static_cast<std::uint16_t>(index) >= *count) return Errc::queue_absent;
    return select(index);
}

Errc VirtioPci::enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept {
    const auto largest = max_queue_size(index);
    if (!largest) return largest.error();
    if (addresses.size == 0 || addresses.size > *largest) return Errc::bad_argument;
    Registers& common = *windows_.common;
    if (common.read16(kQueueEnable) != 0) return blame(Errc::wrong_state);

    Queue next;
    if (const Errc why = place_doorbell(index, next.bell); why != Errc::ok) return why;
    if (interrupts_.vectors() != 0) {
        const auto vector = take_queue_vector(index);
        if (!vector) return vector.error();
        next.vector = *vector;
    }
    common.write16(kQueueSize, addresses.size);
    write_address(kQueueDescriptors, addresses.descriptors.addr);
    write_address(kQueueDriver, addresses.driver.addr);
    write_address(kQueueDevice, addresses.device.addr);
    common.write16(kQueueEnable, 1);
    if (common.read16(kQueueEnable) != 1) return blame(Errc::transport_failed);
    next.enabled = true;
    *queue(index) = next;
    return Errc::ok;
}

Errc VirtioPci::place_doorbell(QueueIndex index, RegisterDoorbell& bell) noexcept {
    Registers& common = *windows_.common;
    const std::uint16_t place = common.read16(kQueueNotifyOff);
    bell.offset = std::uint64_t{place} * windows_.notify_multiplier;
    bell.queue = static_cast<std::uint16_t>(index);
    if (accepted_.has(Feature::notif_config_data)) bell.queue = common.read16(kQueueNotifConfigData);
    if (accepted_.has(Feature::notification_data)) bell.write = DoorbellWrite::position;
    const std::uint32_t width = write_bytes(bell.write);
    const std::uint64_t room = windows_.notify->size();
    if (width > room || bell.offset > room - width || bell.offset % width != 0) return blame(Errc::config_invalid);
    bell.registers = windows_.notify;
    return Errc::ok;
}

Errc VirtioPci::take_config_vector() noexcept {
    Registers& common = *windows_.common;
    common.write16(kConfigMsixVector, kConfigVector);
    if (common.read16(kConfigMsixVector) != kConfigVector) return blame(Errc::transport_failed);
    config_vector_ = kConfigVector;
    return Errc::ok;
}

Result<std::uint16_t> VirtioPci::take_queue_vector(QueueIndex index) noexcept {
    if (config_vector_ == kNoVector) {
        if (const Errc why = take_config_vector(); why != Errc::ok) return why;
    }
    // Tries a vector of its own, then the one of the first queue, then the one of everything. A device that has no more
    // vectors says so when the vector is read back (virtio 1.2 §4.1.5.1.2).
    const std::uint32_t candidates[] = {kFirstQueueVector + static_cast<std::uint32_t>(index), kFirstQueueVector,
                                        kConfigVector};
    std::uint32_t refused = kNoVector;
    for (const std::uint32_t candidate : candidates) {
        if (candidate >= interrupts_.vectors() || candidate == refused) continue;
        const auto vector = static_cast<std::uint16_t>(candidate);
        windows_.common->write16(kQueueMsixVector, vector);
        if (windows_.common->read16(kQueueMsixVector) == vector) return vector;
        refused = candidate;
    }
    return blame(Errc::transport_failed);
}

void VirtioPci::write_address(std::uint64_t offset, DeviceAddr address) noexcept {
    const std::uint64_t number = to_number(address);
    windows_.common->write32(offset, static_cast<std::uint32_t>(number));
    windows_.common->write32(offset + 4, static_cast<std::uint32_t>(number >> 32));
}

Errc VirtioPci::reset_queue(QueueIndex index) noexcept {
    if (!accepted_.has(Feature::ring_reset)) return Errc::not_negotiated;
    Queue* const which = queue(index);
    if (which == nullptr || !which->enabled) return Errc::wrong_state;
    Registers& common = *windows_.common;
    common.write16(kQueueSelect, static_cast<std::uint16_t>(index));
    common.write16(kQueueReset, 1);
    for (std::uint32_t looks = 0;; ++looks) {
        // Both are 0 when it is done (virtio 1.2 §4.1.4.3.1); a device that left says all ones to the first already.
        if (common.read16(kQueueReset) == 0 && common.read16(kQueueEnable) == 0) break;
        if (const Errc why = blame(Errc::ok); why != Errc::ok) return why;
        if (!patience_.wait(looks)) return Errc::reset_timeout;
    }
    *which = Queue{};
    return Errc::ok;
}

Result<std::uint8_t> VirtioPci::status() noexcept {
    const std::uint8_t now = windows_.common->read8(kDeviceStatus);
    if (now == kGone8) return Errc::device_gone;
    return now;
}

Errc VirtioPci::set_status(std::uint8_t status) noexcept {
    windows_.common->write8(kDeviceStatus, status);
    return blame(Errc::ok);
}

Errc VirtioPci::reset() noexcept {
    queues_.fill(Queue{});
    config_vector_ = kNoVector;
    accepted_ = FeatureSet{};
    windows_.common->write8(kDeviceStatus, 0);
    for (std::uint32_t looks = 0;; ++looks) {
        const std::uint8_t now = windows_.common->read8(kDeviceStatus);
        if (now == 0) return Errc::ok;
        if (now == kGone8) return Errc::device_gone;
        if (!patience_.wait(looks)) return Errc::reset_timeout;
    }
}

Doorbell VirtioPci::doorbell(QueueIndex index) noexcept {
    Queue* const which = queue(index);
    return which != nullptr && which->enabled ? which->bell.doorbell() : Doorbell{};
}

WaitHandle VirtioPci::wait_handle(QueueIndex index) noexcept {
    const Queue* const which = queue(index);
    if (which == nullptr || !which->enabled) return {};
    return {interrupts_.wait_handle(which->vector == kNoVector ? std::uint16_t{0} : which->vector)};
}

std::uint16_t VirtioPci::queue_vector(QueueIndex index) const noexcept {
    const auto number = static_cast<std::size_t>(index);
    return number < queues_.size() ? queues_[number].vector : kNoVector;
}

Result<SharedMemory> VirtioPci::shared_memory(std::uint8_t id) noexcept {
    for (std::size_t i = 0; i < windows_.shared_count && i < windows_.shared.size(); ++i) {
        const SharedMemoryWindow& window = windows_.shared[i];
        if (window.id == id) return SharedMemory{window.where.offset, window.where.length, window.where.bar};
    }
    return SharedMemory{};
}

Result<InterruptCause> VirtioPci::acknowledge_interrupt() noexcept {
    const std::uint8_t cause = windows_.isr->read8(0);
    if (cause == kGone8) {
        if (const Errc why = blame(Errc::ok); why != Errc::ok) return why;
    }
    return InterruptCause{(cause & kIsrQueues) != 0, (cause & kIsrConfiguration) != 0};
}

} // namespace vfsproto
