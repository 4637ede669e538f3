// SPDX-License-Identifier: BSD-2-Clause
// The model of a ring's two sides: what must be true after any step, whatever is written over the memory between them.
#pragma once

#include "ring_areas.hpp"

#include <algorithm>

namespace vfsproto::fuzz {

// The knowledge of the driver's owner.
class DriverModel {
public:
    struct Request {
        bool is_out = false;
        std::uint32_t writable = 0;
        std::uint32_t written = 0; // as the device's owner said
    };

    explicit DriverModel(std::size_t requests) : requests_(requests) {}

    [[nodiscard]] std::size_t out() const { return out_; }
    [[nodiscard]] Request& request(std::size_t token) { return requests_[token]; }
    // One that is not out; at the end of all when there is none.
    [[nodiscard]] std::uint16_t free_token() const {
        const auto is_out = [](const Request& each) { return each.is_out; };
        return static_cast<std::uint16_t>(std::find_if_not(requests_.begin(), requests_.end(), is_out) -
                                          requests_.begin());
    }
    [[nodiscard]] std::size_t tokens() const { return requests_.size(); }

    void submitted(std::uint16_t token, std::uint32_t writable) {
        requests_[token] = {true, writable, 0};
        ++out_;
    }
    // Takes a completion of poll() or evacuate(). Returns what is wrong with it, or nullptr.
    const char* completed(const Completion& completion) {
        if (completion.token.slot >= requests_.size()) return "a token that was never given";
        Request& request = requests_[completion.token.slot];
        if (!request.is_out) return "a token that is not out";
        if (completion.written > request.writable) return "more was written than there was room";
        request.is_out = false;
        --out_;
        return nullptr;
    }

private:
    std::vector<Request> requests_;
    std::size_t out_ = 0;
};

// The knowledge of the device's owner.
class DeviceModel {
public:
    struct Held {
        std::vector<HostSegment> storage;
        Chain chain;
    };

    [[nodiscard]] std::size_t out() const { return held_.size(); }
    [[nodiscard]] Held& held(std::size_t number) { return held_[number]; }
    [[nodiscard]] bool is_out(std::uint32_t head) const {
        return std::any_of(held_.begin(), held_.end(), [&](const Held& each) { return each.chain.head == head; });
    }
    void popped(Held&& held) {
        held_.push_back(std::move(held));
        held_.back().chain.storage = held_.back().storage;
    }
    void pushed(std::size_t number) { held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(number)); }
    void forget() { held_.clear(); }

    // Checks a chain that was popped. Returns what is wrong with it, or nullptr.
    [[nodiscard]] const char* check(const Chain& chain, std::uint16_t size, const RegionTable& table) const {
        const std::size_t segments = std::size_t{chain.readable_count} + chain.writable_count;
        if (chain.head >= size) return "a head outside the ring";
        if (is_out(chain.head)) return "a head that is out already";
        if (segments == 0 || segments > chain.storage.size()) return "more segments than there is room for, or none";
        if (chain.descriptors == 0 || held_.size() >= size) return "more chains than the ring has descriptors";
        for (const HostSegment& segment : chain.storage.first(segments)) {
            const auto holds = [&](const Region& region) { return region.contains(segment.data, segment.len); };
            const auto regions = table.regions();
            if (segment.len == 0) return "an empty segment";
            if (std::none_of(regions.begin(), regions.end(), holds)) return "memory that was not given";
        }
        return nullptr;
    }

private:
    std::vector<Held> held_;
};

} // namespace vfsproto::fuzz
