// SPDX-License-Identifier: BSD-2-Clause
// A port and the driver of its queue, on a ring of either kind. The driver's calls belong to one thread; which thread rings
// the port is the test's choice.
#pragma once

#include "support/message.hpp"
#include "support/ring_pair.hpp"
#include "vfsproto/serving/port.hpp"

#include <array>
#include <map>
#include <stdexcept>

namespace vfsproto::test {

template <class Parts> inline const FeatureSet kFeaturesOf = FeatureSet::of(Feature::version_1);
template <> inline const FeatureSet kFeaturesOf<PackedParts> = FeatureSet::of(Feature::version_1, Feature::ring_packed);

// A ring in memory of its own, with its driver.
template <class Parts> class DrivenRing {
public:
    static constexpr DeviceAddr kRingAddr{0x10000};
    static constexpr DeviceAddr kDataAddr{0x7000'0000'0000};
    static constexpr std::uint16_t kSize = 8;
    static constexpr std::uint32_t kRoom = 256; // bytes of a request, and of a reply

    DrivenRing() {
        typename Parts::DriverOptions options;
        options.max_segments = 2;
        options.doorbell = {[](void*, std::uint16_t) noexcept {}, nullptr};
        if (driver_.init(ring_, shadow_, options) != Errc::ok) throw std::runtime_error("no driver");
    }

    [[nodiscard]] Region ring_memory() const { return ring_pages_.at(kRingAddr); }
    [[nodiscard]] Region data_memory() const { return data_pages_.at(kDataAddr); }
    [[nodiscard]] serving::RingPlace place() const {
        const auto area = [&](const Segment& segment) {
            return ring_memory().part(to_number(segment.addr) - to_number(kRingAddr), segment.len);
        };
        return {kSize, area(ring_.descriptor_area()), area(ring_.driver_area()), area(ring_.device_area())};
    }

    // Makes a request available, without a doorbell.
    void submit(std::uint16_t slot, const Bytes& request) {
        std::byte* const at = data_memory().host() + slot * std::size_t{2 * kRoom};
        std::memcpy(at, request.data(), request.size());
        const Segment readable = data_memory().segment(at, static_cast<std::uint32_t>(request.size()));
        const Segment writable = data_memory().segment(at + kRoom, kRoom);
        if (driver_.submit({&readable, 1}, {&writable, 1}, Token{slot}) != Errc::ok) throw std::runtime_error("submit");
        driver_.kick();
    }
    // Returns the bytes written for this slot once its request has completed; -1 before.
    [[nodiscard]] std::int64_t taken(std::uint16_t slot) {
        std::array<Completion, kSize> done{};
        const std::size_t count = driver_.poll(done);
        for (std::size_t i = 0; i < count; ++i) written_[done[i].token.slot] = done[i].written;
        if (driver_.error() != Errc::ok) throw std::runtime_error(to_string(driver_.error()));
        const auto found = written_.find(slot);
        if (found == written_.end()) return -1;
        const std::int64_t written = found->second;
        written_.erase(found);
        return written;
    }

private:
    Pages ring_pages_{Parts::ring_bytes(kSize)};
    Pages data_pages_{kSize * std::size_t{2 * kRoom}};
    typename Parts::Ring ring_ = *Parts::Ring::in(ring_pages_.at(kRingAddr), kSize);
    std::vector<typename Parts::Shadow> shadow_{kSize};
    typename Parts::Driver driver_;
    std::map<std::uint16_t, std::uint32_t> written_;
};

template <class Parts, server::FileSystem Fs> class PortPair {
public:
    Fs fs;
    DrivenRing<Parts> ring;

private:
    class Alone final : public serving::Port::Owner { // there is no other queue
        void served(serving::Port&) noexcept override {}
        void broke(serving::Port&, Errc) noexcept override {}
    };
    serving::ServedBy<Fs, Fs*> served_{&fs};
    Alone alone_;

public:
    serving::Port port{alone_, served_.make_queue({wire::QueueKind::request, 1}, DrivenRing<Parts>::kSize)};

    // Brings the port up and a session in it.
    PortPair() {
        const bool is_up = port.add_memory(ring.data_memory()) == Errc::ok &&
                           port.set_up(ring.place(), kFeaturesOf<Parts>) == Errc::ok;
        if (!is_up) throw std::runtime_error("no port");
        port.go_live();
        wire::InitIn in{};
        in.major = wire::kMajor;
        in.minor = wire::kMinor;
        constexpr std::uint16_t kSlot = 0;
        ring.submit(kSlot, Message(wire::Opcode::init, 0).fixed(in).bytes());
        port.ring_doorbell();
        if (ring.taken(kSlot) <= 0) throw std::runtime_error("no session");
    }
    ~PortPair() { port.stop(); }
};

} // namespace vfsproto::test
