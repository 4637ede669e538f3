// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/transport/detail/pci_capabilities.hpp"

namespace vfsproto {
namespace {

// PCI configuration space, as every function has it.
constexpr std::uint64_t kVendorId = 0x00;
constexpr std::uint64_t kStatus = 0x06;
constexpr std::uint16_t kStatusCapabilities = 0x10;
constexpr std::uint64_t kFirstCapability = 0x34;
constexpr std::uint64_t kCapabilityArea = 0x40; // to kSpaceEnd; capabilities are at least 4 bytes apart
constexpr std::uint64_t kSpaceEnd = 0x100;
constexpr unsigned kMostCapabilities = (kSpaceEnd - kCapabilityArea) / 4;
constexpr std::uint8_t kVendorSpecific = 0x09;
constexpr std::uint16_t kAllOnes = 0xffff;

// struct virtio_pci_cap, virtio 1.2 §4.1.4.
constexpr std::uint64_t kCapNext = 1;
constexpr std::uint64_t kCapLength = 2;
constexpr std::uint64_t kCapType = 3;
constexpr std::uint64_t kCapBar = 4;
constexpr std::uint64_t kCapId = 5;
constexpr std::uint64_t kCapOffset = 8;
constexpr std::uint64_t kCapBytes = 12;
constexpr std::uint64_t kCapMultiplier = 16; // struct virtio_pci_notify_cap
constexpr std::uint64_t kCapOffsetHigh = 16; // struct virtio_pci_cap64
constexpr std::uint64_t kCapBytesHigh = 20;
constexpr std::uint8_t kCapSize = 16;
constexpr std::uint8_t kNotifyCapSize = 20;
constexpr std::uint8_t kCap64Size = 24;

enum class Structure : std::uint8_t { common = 1, notify = 2, isr = 3, device = 4, shared_memory = 8 };

// The common structure up to and with queue_device. The fields behind it came with features, which check the size.
constexpr std::uint64_t kCommonSize = 0x38;

class Walk {
public:
    Walk(Registers& config, std::span<const std::uint64_t, 6> bar_sizes) noexcept
        : config_(config), bar_sizes_(bar_sizes) {}

    [[nodiscard]] Result<VirtioPciLayout> run() noexcept {
        const Errc why = follow_list();
        // This comes last: a function that left on the way has answered all ones to everything after that.
        if (config_.read16(kVendorId) == kAllOnes) return Errc::device_gone;
        if (why != Errc::ok) return why;
        if (found_.common.length == 0 || found_.notify.length == 0 || found_.isr.length == 0)
            return Errc::config_invalid;
        return found_;
    }

private:
    [[nodiscard]] Errc follow_list() noexcept {
        if (config_.size() < kSpaceEnd) return Errc::config_invalid;
        if ((config_.read16(kStatus) & kStatusCapabilities) == 0) return Errc::config_invalid;
        std::uint64_t at = config_.read8(kFirstCapability);
        for (unsigned count = 0; count < kMostCapabilities; ++count) {
            at &= ~std::uint64_t{3}; // the lower two bits are reserved
            if (at == 0) return Errc::ok;
            if (at < kCapabilityArea) return Errc::config_invalid;
            if (config_.read8(at) == kVendorSpecific && at + kCapSize <= kSpaceEnd) take(at);
            at = config_.read8(at + kCapNext);
        }
        return Errc::config_invalid; // more of them than there is room for: it goes round
    }

    void take(std::uint64_t at) noexcept {
        // One that is cut off, or shorter than it must be, is none; a longer one is fine (virtio 1.2 §4.1.4.1).
        const std::uint8_t length = config_.read8(at + kCapLength);
        if (length < kCapSize || at + length > kSpaceEnd) return;
        const auto type = static_cast<Structure>(config_.read8(at + kCapType));
        BarWindow where;
        where.bar = config_.read8(at + kCapBar);
        where.offset = config_.read32(at + kCapOffset);
        where.length = config_.read32(at + kCapBytes);
        switch (type) {
        case Structure::common: keep_first(found_.common, where, kCommonSize, 4); break;
        case Structure::isr: keep_first(found_.isr, where, 1, 1); break;
        case Structure::device: keep_first(found_.device, where, 1, 4); break;
        case Structure::notify:
            if (length >= kNotifyCapSize) take_notify(where, config_.read32(at + kCapMultiplier));
            break;
        case Structure::shared_memory:
            if (length < kCap64Size) break;
            where.offset |= std::uint64_t{config_.read32(at + kCapOffsetHigh)} << 32;
            where.length |= std::uint64_t{config_.read32(at + kCapBytesHigh)} << 32;
            take_shared(config_.read8(at + kCapId), where);
            break;
        default: break; // to be ignored (virtio 1.2 §4.1.4.1)
        }
    }

    void take_notify(const BarWindow& where, std::uint32_t multiplier) noexcept {
        // 0, or an even power of two: doorbells are aligned then (virtio 1.2 §4.1.4.4.1).
        if (multiplier == 1 || (multiplier & (multiplier - 1)) != 0) return;
        if (found_.notify.length != 0) return;
        keep_first(found_.notify, where, 2, 2);
        if (found_.notify.length != 0) found_.notify_multiplier = multiplier;
    }

    void take_shared(std::uint8_t id, const BarWindow& where) noexcept {
        if (found_.shared_count == found_.shared.size() || !usable(where, 1, 1)) return;
        for (std::size_t i = 0; i < found_.shared_count; ++i) {
            if (found_.shared[i].id == id) return;
        }
        found_.shared[found_.shared_count++] = {id, where};
    }

    void keep_first(BarWindow& kept, const BarWindow& where, std::uint64_t least, std::uint64_t align) const noexcept {
        if (kept.length == 0 && usable(where, least, align)) kept = where;
    }

    [[nodiscard]] bool usable(const BarWindow& where, std::uint64_t least, std::uint64_t align) const noexcept {
        if (where.bar >= bar_sizes_.size() || where.length < least || where.offset % align != 0) return false;
        const std::uint64_t size = bar_sizes_[where.bar];
        return where.length <= size && where.offset <= size - where.length;
    }

    Registers& config_;
    std::span<const std::uint64_t, 6> bar_sizes_;
    VirtioPciLayout found_{};
};

} // namespace

Result<VirtioPciLayout> find_virtio_structures(Registers& config,
                                               std::span<const std::uint64_t, 6> bar_sizes) noexcept {
    return Walk(config, bar_sizes).run();
}

} // namespace vfsproto
