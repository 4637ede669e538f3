// SPDX-License-Identifier: BSD-2-Clause
// The device seam without a ring: a list of chains a test made up, and what became of them.
#pragma once

#include "vfsproto/virtqueue/device_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <vector>

namespace vfsproto::test {

using Bytes = std::vector<std::byte>;

class FakeDeviceQueue {
public:
    struct Entry {
        std::vector<Bytes> readable; // every segment its own allocation, so that a sanitizer sees an overrun
        std::vector<Bytes> writable;
        std::optional<std::uint32_t> written; // set when pushed

        // The reply as the driver sees it: the first `written` bytes of the writable part.
        [[nodiscard]] Bytes reply() const {
            Bytes all;
            for (const Bytes& part : writable) all.insert(all.end(), part.begin(), part.end());
            all.resize(written.value_or(0));
            return all;
        }
    };

    // A chain of these readable segments and writable segments of these sizes (filled with 0xaa). Returns its number.
    std::size_t add(std::vector<Bytes> readable, const std::vector<std::size_t>& writable) {
        Entry entry;
        entry.readable = std::move(readable);
        for (const std::size_t size : writable) entry.writable.emplace_back(size, std::byte{0xaa});
        entries_.push_back(std::move(entry));
        return entries_.size() - 1;
    }
    [[nodiscard]] const Entry& entry(std::size_t number) const { return entries_[number]; }
    [[nodiscard]] std::size_t pushed() const { return pushed_; }
    // Forgets every chain, when none is out.
    void recycle() {
        if (pushed_ != entries_.size()) return;
        entries_.clear();
        next_ = pushed_ = 0;
    }

    bool pop(Chain& chain) noexcept {
        if (next_ == entries_.size() || error_ != Errc::ok) return false;
        Entry& entry = entries_[next_];
        std::size_t count = 0;
        for (Bytes& part : entry.readable)
            chain.storage[count++] = {part.data(), static_cast<std::uint32_t>(part.size())};
        chain.readable_count = static_cast<std::uint16_t>(count);
        for (Bytes& part : entry.writable)
            chain.storage[count++] = {part.data(), static_cast<std::uint32_t>(part.size())};
        chain.writable_count = static_cast<std::uint16_t>(count - chain.readable_count);
        chain.descriptors = static_cast<std::uint16_t>(count);
        chain.head = static_cast<std::uint16_t>(next_++);
        return true;
    }
    Errc push(const Chain& chain, std::uint32_t written) noexcept {
        if (chain.head >= next_ || entries_[chain.head].written) return Errc::bad_argument;
        std::size_t capacity = 0;
        for (const Bytes& part : entries_[chain.head].writable) capacity += part.size();
        if (written > capacity) return Errc::bad_argument;
        entries_[chain.head].written = written;
        ++pushed_;
        return Errc::ok;
    }
    void publish() noexcept {}
    bool wants_notification() noexcept { return pushed_ > 0; }
    bool arm() noexcept { return next_ < entries_.size(); }
    void disarm() noexcept {}
    Errc error() noexcept { return error_; }

    void latch(Errc why) { error_ = why; }

private:
    std::deque<Entry> entries_;
    std::size_t next_ = 0;
    std::size_t pushed_ = 0;
    Errc error_ = Errc::ok;
};

static_assert(DeviceQueue<FakeDeviceQueue>);

} // namespace vfsproto::test
