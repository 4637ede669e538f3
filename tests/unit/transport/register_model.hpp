// SPDX-License-Identifier: BSD-2-Clause
// Register windows of a device model: every access is written down with its width, and the device may leave at any of them.
#pragma once

#include "vfsproto/transport/registers.hpp"
#include "vfsproto/transport/transport.hpp"

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace vfsproto::test {

// The state that all windows of one device share.
class Bus {
public:
    std::vector<std::string> log;
    std::size_t accesses = 0;
    std::size_t leaves_at = ~std::size_t{0}; // from that access on the device is not there
    std::size_t misuses = 0;                 // accesses out of bounds or not aligned

    [[nodiscard]] bool present() { return accesses++ < leaves_at; }
    void note(const char* window, char what, unsigned width, std::uint64_t offset, std::uint32_t value) {
        char line[64];
        std::snprintf(line, sizeof line, "%s %c%u %02x=%x", window, what, width, static_cast<unsigned>(offset),
                      static_cast<unsigned>(value));
        log.push_back(line);
    }
};

class RegisterWindow : public Registers {
public:
    RegisterWindow(Bus& bus, const char* name, std::uint64_t size) : bus_(bus), name_(name), size_(size) {}
    virtual ~RegisterWindow() = default;

    std::uint8_t read8(std::uint64_t offset) noexcept final { return static_cast<std::uint8_t>(read(offset, 8)); }
    std::uint16_t read16(std::uint64_t offset) noexcept final { return static_cast<std::uint16_t>(read(offset, 16)); }
    std::uint32_t read32(std::uint64_t offset) noexcept final { return read(offset, 32); }
    void write8(std::uint64_t offset, std::uint8_t value) noexcept final { write(offset, 8, value); }
    void write16(std::uint64_t offset, std::uint16_t value) noexcept final { write(offset, 16, value); }
    void write32(std::uint64_t offset, std::uint32_t value) noexcept final { write(offset, 32, value); }
    std::uint64_t size() const noexcept final { return size_; }
    void resize(std::uint64_t size) { size_ = size; }

protected:
    virtual std::uint32_t on_read(std::uint64_t offset, unsigned width) = 0;
    virtual void on_write(std::uint64_t offset, unsigned width, std::uint32_t value) = 0;

private:
    void check(std::uint64_t offset, unsigned width) {
        if (offset % (width / 8) != 0 || offset > size_ || width / 8 > size_ - offset) ++bus_.misuses;
    }
    std::uint32_t read(std::uint64_t offset, unsigned width) {
        check(offset, width);
        const std::uint32_t ones = width == 32 ? ~0u : (1u << width) - 1;
        const std::uint32_t value = bus_.present() ? on_read(offset, width) & ones : ones;
        bus_.note(name_, 'r', width, offset, value);
        return value;
    }
    void write(std::uint64_t offset, unsigned width, std::uint32_t value) {
        check(offset, width);
        bus_.note(name_, 'w', width, offset, value);
        if (bus_.present()) on_write(offset, width, value);
    }

    Bus& bus_;
    const char* name_;
    std::uint64_t size_;
};

// Bytes as they lie in the device, little endian.
class ByteWindow final : public RegisterWindow {
public:
    ByteWindow(Bus& bus, const char* name, std::vector<std::uint8_t> content)
        : RegisterWindow(bus, name, content.size()), bytes(std::move(content)) {}
    std::vector<std::uint8_t> bytes;

    void put(std::uint64_t offset, unsigned width, std::uint32_t value) { on_write(offset, width, value); }

private:
    std::uint32_t on_read(std::uint64_t offset, unsigned width) override {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < width / 8; ++i)
            value |= std::uint32_t{bytes.at(static_cast<std::size_t>(offset) + i)} << (8 * i);
        return value;
    }
    void on_write(std::uint64_t offset, unsigned width, std::uint32_t value) override {
        for (unsigned i = 0; i < width / 8; ++i)
            bytes.at(static_cast<std::size_t>(offset) + i) = static_cast<std::uint8_t>(value >> (8 * i));
    }
};

class CountedPatience final : public Patience {
public:
    std::uint32_t limit = 10;
    std::uint32_t waits = 0; // in all

    bool wait(std::uint32_t looks) noexcept override {
        ++waits;
        return looks < limit;
    }
};

class WiredInterrupts final : public Interrupts {
public:
    explicit WiredInterrupts(std::uint16_t count = 0) : count_(count) {}
    std::uint16_t vectors() const noexcept override { return count_; }
    int wait_handle(std::uint16_t vector) const noexcept override { return 100 + vector; }

private:
    std::uint16_t count_;
};

// One queue of a device model, as its driver set it up.
struct ModelQueue {
    std::uint32_t largest = 128;
    std::uint32_t size = 0;
    std::uint32_t enabled = 0;
    std::uint32_t vector = 0xffff;
    std::uint32_t notify_off = 0;
    std::uint32_t config_data = 0;
    std::uint32_t resets = 0;      // times it was asked to
    std::uint32_t reset_looks = 2; // looks until it is done
    std::uint32_t reset_left = 0;  // of those
    std::uint64_t addresses[3] = {};
};

// The queues that tests set up, and where these lie: in three areas that have nothing in common.
inline constexpr QueueIndex kQueue0{0};
inline constexpr QueueIndex kQueue1{1};
[[nodiscard]] inline QueueAddresses addresses(std::uint16_t size = 64) {
    return {size,
            {DeviceAddr{0x1'2345'6000}, 1024},
            {DeviceAddr{0x2'0000'0000}, 134},
            {DeviceAddr{0xffff'ffff'0000'1000}, 518}};
}

} // namespace vfsproto::test
