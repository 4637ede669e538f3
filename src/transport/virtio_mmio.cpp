// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/transport/virtio_mmio.hpp"

#include "config_window.hpp"

namespace vfsproto {
namespace {

// virtio 1.2 §4.2.2, table "MMIO Device Register Layout".
constexpr std::uint64_t kMagicValue = 0x000;
constexpr std::uint64_t kVersion = 0x004;
constexpr std::uint64_t kDeviceId = 0x008;
constexpr std::uint64_t kDeviceFeatures = 0x010;
constexpr std::uint64_t kDeviceFeaturesSel = 0x014;
constexpr std::uint64_t kDriverFeatures = 0x020;
constexpr std::uint64_t kDriverFeaturesSel = 0x024;
constexpr std::uint64_t kQueueSel = 0x030;
constexpr std::uint64_t kQueueSizeMax = 0x034;
constexpr std::uint64_t kQueueSize = 0x038;
constexpr std::uint64_t kQueueReady = 0x044;
constexpr std::uint64_t kQueueNotify = 0x050;
constexpr std::uint64_t kInterruptStatus = 0x060;
constexpr std::uint64_t kInterruptAck = 0x064;
constexpr std::uint64_t kStatus = 0x070;
constexpr std::uint64_t kQueueDescriptors = 0x080;
constexpr std::uint64_t kQueueDriver = 0x090;
constexpr std::uint64_t kQueueDevice = 0x0a0;
constexpr std::uint64_t kShmSel = 0x0ac;
constexpr std::uint64_t kShmLength = 0x0b0;
constexpr std::uint64_t kShmBase = 0x0b8;
constexpr std::uint64_t kQueueReset = 0x0c0;
constexpr std::uint64_t kConfigGeneration = 0x0fc;

constexpr std::uint32_t kMagic = 0x74726976; // "virt"
constexpr std::uint32_t kLegacyVersion = 1;
constexpr std::uint32_t kModernVersion = 2;
constexpr std::uint32_t kGone = 0xffffffff;
constexpr std::uint32_t kLargestQueue = 32768;
constexpr std::uint32_t kStatusBits = 0xff;
constexpr std::uint32_t kInterruptQueues = 1;
constexpr std::uint32_t kInterruptConfiguration = 2;

} // namespace

Errc VirtioMmio::blame(Errc otherwise) noexcept {
    return registers_.read32(kMagicValue) == kGone ? Errc::device_gone : otherwise;
}

Result<std::uint32_t> VirtioMmio::identify() noexcept {
    if (registers_.size() < kConfigOffset) return Errc::config_invalid;
    const std::uint32_t magic = registers_.read32(kMagicValue);
    if (magic == kGone) return Errc::device_gone;
    if (magic != kMagic) return Errc::config_invalid;
    const std::uint32_t version = registers_.read32(kVersion);
    if (version == kLegacyVersion) return Errc::no_version_1;
    if (version != kModernVersion) return blame(Errc::config_invalid);
    const std::uint32_t id = registers_.read32(kDeviceId);
    if (id == kGone) return blame(Errc::config_invalid);
    return id;
}

Result<FeatureSet> VirtioMmio::device_features() noexcept {
    registers_.write32(kDeviceFeaturesSel, 0);
    const std::uint32_t low = registers_.read32(kDeviceFeatures);
    registers_.write32(kDeviceFeaturesSel, 1);
    const std::uint32_t high = registers_.read32(kDeviceFeatures);
    if (high == kGone) {
        if (const Errc why = blame(Errc::ok); why != Errc::ok) return why;
    }
    return FeatureSet(std::uint64_t{high} << 32 | low);
}

FeatureSet VirtioMmio::supported_features() const noexcept {
    FeatureSet can = kTransportFeatures;
    can.remove(Feature::notif_config_data);
    return FeatureSet(can.bits() & ~withheld_.bits());
}

Errc VirtioMmio::accept_features(FeatureSet features) noexcept {
    registers_.write32(kDriverFeaturesSel, 0);
    registers_.write32(kDriverFeatures, features.low_word());
    registers_.write32(kDriverFeaturesSel, 1);
    registers_.write32(kDriverFeatures, features.high_word());
    accepted_ = features;
    return Errc::ok;
}

Errc VirtioMmio::read_config(std::uint32_t offset, std::span<std::byte> out) noexcept {
    const std::uint64_t room = registers_.size() < kConfigOffset ? 0 : registers_.size() - kConfigOffset;
    if (offset > room || out.size() > room - offset) return Errc::config_invalid;
    std::uint32_t before = registers_.read32(kConfigGeneration);
    for (unsigned tries = 0; tries < kConfigTries; ++tries) {
        copy_config(registers_, kConfigOffset, offset, out);
        const std::uint32_t after = registers_.read32(kConfigGeneration);
        if (after == before) return after == kGone ? blame(Errc::ok) : Errc::ok;
        before = after;
    }
    return blame(Errc::config_invalid);
}

Result<std::uint16_t> VirtioMmio::queue_count() noexcept {
    std::uint16_t count = 0;
    while (count < queues_.size()) {
        const auto size = max_queue_size(QueueIndex{count});
        if (size.error() == Errc::queue_absent) break;
        if (!size) return size.error();
        ++count;
    }
    return count;
}

VirtioMmio::Queue* VirtioMmio::queue(QueueIndex index) noexcept {
    const auto number = static_cast<std::size_t>(index);
    return number < queues_.size() ? &queues_[number] : nullptr;
}

Result<std::uint16_t> VirtioMmio::max_queue_size(QueueIndex index) noexcept {
    if (queue(index) == nullptr) return Errc::queue_absent;
    registers_.write32(kQueueSel, static_cast<std::uint16_t>(index));
    const std::uint32_t size = registers_.read32(kQueueSizeMax);
    if (size == 0) return Errc::queue_absent;
    if (size > kLargestQueue) return blame(Errc::config_invalid);
    return static_cast<std::uint16_t>(size);
}

Errc VirtioMmio::enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept {
    const auto largest = max_queue_size(index);
    if (!largest) return largest.error();
    if (addresses.size == 0 || addresses.size > *largest) return Errc::bad_argument;
    if (registers_.read32(kQueueReady) != 0) return blame(Errc::wrong_state);
    registers_.write32(kQueueSize, addresses.size);
    write_address(kQueueDescriptors, addresses.descriptors.addr);
    write_address(kQueueDriver, addresses.driver.addr);
    write_address(kQueueDevice, addresses.device.addr);
    registers_.write32(kQueueReady, 1);
    if (registers_.read32(kQueueReady) != 1) return blame(Errc::transport_failed);
    const auto write = accepted_.has(Feature::notification_data) ? DoorbellWrite::position : DoorbellWrite::queue32;
    *queue(index) = {{&registers_, kQueueNotify, static_cast<std::uint16_t>(index), write}, true};
    return Errc::ok;
}

void VirtioMmio::write_address(std::uint64_t offset, DeviceAddr address) noexcept {
    const std::uint64_t number = to_number(address);
    registers_.write32(offset, static_cast<std::uint32_t>(number));
    registers_.write32(offset + 4, static_cast<std::uint32_t>(number >> 32));
}

std::uint64_t VirtioMmio::read_pair(std::uint64_t offset) noexcept {
    const std::uint32_t low = registers_.read32(offset);
    return std::uint64_t{registers_.read32(offset + 4)} << 32 | low;
}

Errc VirtioMmio::reset_queue(QueueIndex index) noexcept {
    if (!accepted_.has(Feature::ring_reset)) return Errc::not_negotiated;
    Queue* const which = queue(index);
    if (which == nullptr || !which->enabled) return Errc::wrong_state;
    registers_.write32(kQueueSel, static_cast<std::uint16_t>(index));
    registers_.write32(kQueueReset, 1);
    for (std::uint32_t looks = 0;; ++looks) {
        if (registers_.read32(kQueueReset) == 0 && registers_.read32(kQueueReady) == 0) break;
        if (const Errc why = blame(Errc::ok); why != Errc::ok) return why;
        if (!patience_.wait(looks)) return Errc::reset_timeout;
    }
    *which = Queue{};
    return Errc::ok;
}

Result<std::uint8_t> VirtioMmio::status() noexcept {
    const std::uint32_t now = registers_.read32(kStatus);
    if (now == kGone || now == kStatusBits) return Errc::device_gone;
    return static_cast<std::uint8_t>(now & kStatusBits);
}

Errc VirtioMmio::set_status(std::uint8_t status) noexcept {
    registers_.write32(kStatus, status);
    const auto now = this->status();
    return now ? Errc::ok : now.error();
}

Errc VirtioMmio::reset() noexcept {
    const auto id = identify();
    if (!id) return id.error();
    if (*id == 0) return Errc::device_gone;
    queues_.fill(Queue{});
    accepted_ = FeatureSet{};
    registers_.write32(kStatus, 0);
    for (std::uint32_t looks = 0;; ++looks) {
        const auto now = status();
        if (!now) return now.error();
        if (*now == 0) return Errc::ok;
        if (!patience_.wait(looks)) return Errc::reset_timeout;
    }
}

Doorbell VirtioMmio::doorbell(QueueIndex index) noexcept {
    Queue* const which = queue(index);
    return which != nullptr && which->enabled ? which->bell.doorbell() : Doorbell{};
}

WaitHandle VirtioMmio::wait_handle(QueueIndex index) noexcept {
    const Queue* const which = queue(index);
    return which != nullptr && which->enabled ? WaitHandle{interrupts_.wait_handle(0)} : WaitHandle{};
}

Result<SharedMemory> VirtioMmio::shared_memory(std::uint8_t id) noexcept {
    registers_.write32(kShmSel, id);
    const SharedMemory found{read_pair(kShmBase), read_pair(kShmLength), SharedMemory::kNoBar};
    // The length reads as all ones if there is no region of this id (virtio 1.2 §4.2.2), and also if the device is not there.
    if (found.length == ~std::uint64_t{0} || found.length == 0) {
        if (const Errc why = blame(Errc::ok); why != Errc::ok) return why;
        return SharedMemory{};
    }
    if (found.length > ~found.address) return blame(Errc::config_invalid);
    return found;
}

Result<InterruptCause> VirtioMmio::acknowledge_interrupt() noexcept {
    const std::uint32_t cause = registers_.read32(kInterruptStatus);
    if (cause == kGone) {
        if (const Errc why = blame(Errc::ok); why != Errc::ok) return why;
    }
    const std::uint32_t known = cause & (kInterruptQueues | kInterruptConfiguration);
    if (known != 0) registers_.write32(kInterruptAck, known);
    return InterruptCause{(cause & kInterruptQueues) != 0, (cause & kInterruptConfiguration) != 0};
}

} // namespace vfsproto
