// SPDX-License-Identifier: BSD-2-Clause
// A virtio-pci device as registers, with a knob for each way to be wrong.
#pragma once

#include "unit/transport/register_model.hpp"

#include "vfsproto/transport/virtio_pci.hpp"

namespace vfsproto::test {

class PciModel {
public:
    explicit PciModel(std::uint16_t vectors = 3)
        : interrupts(vectors),
          common(*this),
          notify(bus, "notify", std::vector<std::uint8_t>(0x100)),
          isr(bus, "isr", std::vector<std::uint8_t>(1)),
          device(bus, "device", std::vector<std::uint8_t>(44)) {
        const char tag[] = "myfs";
        for (unsigned i = 0; i < 4; ++i) device.bytes[i] = static_cast<std::uint8_t>(tag[i]);
        device.bytes[36] = 1;
        for (std::uint32_t i = 0; i < queues.size(); ++i) {
            queues[i].notify_off = i;
            queues[i].config_data = 0x40 + i;
        }
    }
    VirtioPciWindows windows() {
        VirtioPciWindows all;
        all.common = &common;
        all.notify = &notify;
        all.isr = &isr;
        all.device = &device;
        all.notify_multiplier = 4;
        return all;
    }

    Bus bus;
    CountedPatience patience;
    WiredInterrupts interrupts;
    FeatureSet offered = FeatureSet::of(Feature::version_1, Feature::event_idx);
    std::uint64_t driver_features = 0;
    std::uint8_t status = 0;
    std::uint8_t raised_status = 0; // bits that appear by themselves
    std::uint32_t reset_looks = 0;  // looks at a status that is not yet 0 after a reset
    std::uint32_t generation = 7;
    std::uint32_t generation_moves = 0;  // times it changes between two looks
    std::uint32_t vectors_taken = 0x800; // vectors from this on are answered with NO_VECTOR
    bool refuses_config_vector = false;
    std::uint32_t hidden_queues = 0; // of those below, not counted by num_queues
    bool comes_up = true;            // queues do
    std::vector<ModelQueue> queues = std::vector<ModelQueue>(2);

private:
    class Common final : public RegisterWindow {
    public:
        explicit Common(PciModel& owner) : RegisterWindow(owner.bus, "common", 0x40), model_(owner) {}

    private:
        std::uint32_t on_read(std::uint64_t offset, unsigned width) override { return model_.read(offset, width); }
        void on_write(std::uint64_t offset, unsigned width, std::uint32_t value) override {
            model_.write(offset, width, value);
        }
        PciModel& model_;
    };

    std::uint32_t read(std::uint64_t offset, unsigned) {
        ModelQueue none;
        none.largest = 0;
        ModelQueue& queue = selected_ < queues.size() ? queues[selected_] : none;
        switch (offset) {
        case 0x04: return static_cast<std::uint32_t>(offered.bits() >> (32 * (device_select_ & 1)));
        case 0x10: return config_vector_;
        case 0x12: return static_cast<std::uint32_t>(queues.size()) - hidden_queues;
        case 0x14:
            if (reset_left_ != 0 && status == 0) return --reset_left_, 0x0f;
            return status | raised_status;
        case 0x15:
            if (generation_moves != 0) --generation_moves, ++generation;
            return generation;
        case 0x18: return queue.size != 0 ? queue.size : queue.largest;
        case 0x1a: return queue.vector;
        case 0x1c: return queue.enabled;
        case 0x1e: return queue.notify_off;
        case 0x38: return queue.config_data;
        case 0x3a:
            if (queue.reset_left != 0 && --queue.reset_left == 0) queue.enabled = queue.size = 0;
            return queue.reset_left != 0 ? 1 : 0;
        default: return 0;
        }
    }

    void write(std::uint64_t offset, unsigned, std::uint32_t value) {
        ModelQueue none;
        ModelQueue& queue = selected_ < queues.size() ? queues[selected_] : none;
        switch (offset) {
        case 0x00: device_select_ = value; return;
        case 0x08: driver_select_ = value; return;
        case 0x0c: {
            const unsigned shift = 32 * (driver_select_ & 1);
            driver_features &= ~(std::uint64_t{0xffffffff} << shift);
            driver_features |= std::uint64_t{value} << shift;
            return;
        }
        case 0x10: config_vector_ = refuses_config_vector || value >= vectors_taken ? 0xffff : value; return;
        case 0x14: set_status(static_cast<std::uint8_t>(value)); return;
        case 0x16: selected_ = value; return;
        case 0x18: queue.size = value; return;
        case 0x1a: queue.vector = value >= vectors_taken ? 0xffff : value; return;
        case 0x1c: queue.enabled = comes_up ? value : 0; return;
        case 0x3a:
            ++queue.resets;
            queue.reset_left = queue.reset_looks;
            return;
        default: break;
        }
        if (offset >= 0x20 && offset < 0x38) {
            std::uint64_t& address = queue.addresses[(offset - 0x20) / 8];
            const unsigned shift = offset % 8 * 8;
            address &= ~(std::uint64_t{0xffffffff} << shift);
            address |= std::uint64_t{value} << shift;
        }
    }

    void set_status(std::uint8_t value) {
        status = value;
        if (value != 0) return;
        reset_left_ = reset_looks;
        config_vector_ = 0xffff;
        for (ModelQueue& queue : queues) queue.enabled = queue.size = 0, queue.vector = 0xffff;
    }

    std::uint32_t device_select_ = 0;
    std::uint32_t driver_select_ = 0;
    std::uint32_t selected_ = 0;
    std::uint32_t reset_left_ = 0;
    std::uint32_t config_vector_ = 0xffff;

public:
    Common common;
    ByteWindow notify;
    ByteWindow isr;
    ByteWindow device;
};

} // namespace vfsproto::test
