// SPDX-License-Identifier: BSD-2-Clause
// A virtio-mmio device as registers, with a knob for each way to be wrong.
#pragma once

#include "unit/transport/register_model.hpp"

#include "vfsproto/transport/virtio_mmio.hpp"

namespace vfsproto::test {

class MmioModel final : public RegisterWindow {
public:
    MmioModel() : RegisterWindow(bus, "mmio", 0x200) {
        const char tag[] = "myfs";
        for (unsigned i = 0; i < 4; ++i) config[i] = static_cast<std::uint8_t>(tag[i]);
        config[36] = 1;
    }

    Bus bus;
    CountedPatience patience;
    WiredInterrupts interrupts;
    std::uint32_t magic = 0x74726976;
    std::uint32_t version = 2;
    std::uint32_t id = 26;
    FeatureSet offered = FeatureSet::of(Feature::version_1, Feature::event_idx);
    std::uint64_t driver_features = 0;
    std::uint32_t status = 0;
    std::uint32_t raised_status = 0;
    std::uint32_t reset_looks = 0;
    std::uint32_t generation = 7;
    std::uint32_t generation_moves = 0;
    std::uint32_t interrupt = 0;
    bool comes_up = true;
    std::uint64_t shared_base = 0x8'0000'0000;
    std::uint64_t shared_length = 0x1'0000'0000; // of region 0; there is no other
    std::vector<ModelQueue> queues = std::vector<ModelQueue>(2);
    std::vector<std::uint8_t> config = std::vector<std::uint8_t>(44);

private:
    std::uint32_t on_read(std::uint64_t offset, unsigned width) override {
        if (offset >= 0x100) {
            std::uint32_t value = 0;
            for (unsigned i = 0; i < width / 8; ++i)
                value |= std::uint32_t{config.at(static_cast<std::size_t>(offset) - 0x100 + i)} << (8 * i);
            return value;
        }
        if (width != 32) ++bus.misuses;
        ModelQueue none;
        none.largest = 0;
        ModelQueue& queue = selected_ < queues.size() ? queues[selected_] : none;
        const std::uint64_t length = shared_ == 0 ? shared_length : ~std::uint64_t{0};
        const std::uint64_t base = shared_ == 0 ? shared_base : ~std::uint64_t{0};
        switch (offset) {
        case 0x000: return magic;
        case 0x004: return version;
        case 0x008: return id;
        case 0x010: return static_cast<std::uint32_t>(offered.bits() >> (32 * (device_select_ & 1)));
        case 0x034: return queue.largest;
        case 0x044: return queue.enabled;
        case 0x060: return interrupt;
        case 0x070:
            if (reset_left_ != 0 && status == 0) return --reset_left_, 0x0f;
            return status | raised_status;
        case 0x0b0: return static_cast<std::uint32_t>(length);
        case 0x0b4: return static_cast<std::uint32_t>(length >> 32);
        case 0x0b8: return static_cast<std::uint32_t>(base);
        case 0x0bc: return static_cast<std::uint32_t>(base >> 32);
        case 0x0c0:
            if (queue.reset_left != 0 && --queue.reset_left == 0) queue.enabled = 0;
            return queue.reset_left != 0 ? 1 : 0;
        case 0x0fc:
            if (generation_moves != 0) --generation_moves, ++generation;
            return generation;
        default: return 0;
        }
    }

    void on_write(std::uint64_t offset, unsigned width, std::uint32_t value) override {
        if (width != 32) ++bus.misuses;
        ModelQueue none;
        ModelQueue& queue = selected_ < queues.size() ? queues[selected_] : none;
        switch (offset) {
        case 0x014: device_select_ = value; return;
        case 0x024: driver_select_ = value; return;
        case 0x020: put_half(driver_features, driver_select_ & 1, value); return;
        case 0x030: selected_ = value; return;
        case 0x038: queue.size = value; return;
        case 0x044: queue.enabled = comes_up ? value : 0; return;
        case 0x064: interrupt &= ~value; return;
        case 0x070:
            status = value;
            if (value != 0) return;
            reset_left_ = reset_looks;
            for (ModelQueue& each : queues) each.enabled = 0;
            return;
        case 0x080:
        case 0x084:
        case 0x090:
        case 0x094:
        case 0x0a0:
        case 0x0a4: put_half(queue.addresses[offset / 16 - 8], offset % 8 / 4, value); return;
        case 0x0ac: shared_ = value; return;
        case 0x0c0:
            ++queue.resets;
            queue.reset_left = queue.reset_looks;
            return;
        default: return;
        }
    }

    static void put_half(std::uint64_t& whole, std::uint64_t high, std::uint32_t value) {
        const auto shift = 32 * high;
        whole &= ~(std::uint64_t{0xffffffff} << shift);
        whole |= std::uint64_t{value} << shift;
    }

    std::uint32_t device_select_ = 0;
    std::uint32_t driver_select_ = 0;
    std::uint32_t selected_ = 0;
    std::uint32_t shared_ = 0;
    std::uint32_t reset_left_ = 0;
};

} // namespace vfsproto::test
