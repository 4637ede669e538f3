// SPDX-License-Identifier: BSD-2-Clause
// Writes that follow no rule but the layout: what a hostile side of a ring does to the memory it shares.
#pragma once

#include "ring_areas.hpp"
#include "ring_script.hpp"

namespace vfsproto::fuzz {

template <class Areas> class RingPeer {
public:
    explicit RingPeer(RingAreas<Areas>& areas) : areas_(areas) {}

    // Follows where the honest sides go on, because a forged entry is found only there.
    void follow_used(std::uint16_t place) { used_place_ = place; }
    void follow_avail(std::uint16_t place) { avail_place_ = place; }

    void scribble(Script& script) {
        const std::uint8_t choice = script.byte();
        const std::span<std::byte> area = areas_.shared(choice);
        const unsigned width = 1u << (choice >> 2 & 3);
        const std::size_t offset = script.word();
        const std::uint64_t value = script.number(width);
        for (unsigned i = 0; i < width && !area.empty(); ++i) {
            area[(offset + i) % area.size()] = static_cast<std::byte>(value >> 8 * i);
        }
    }

    void forge_used(Script& script) {
        const std::uint32_t id = id_of(script.byte());
        const std::uint32_t len = length_of(script.byte());
        const std::uint8_t how = script.byte();
        if constexpr (Areas::kIsPacked) {
            const bool wrap = (used_place_ & packed::kWrap) != 0;
            const unsigned flags = (wrap ? packed::kBoth : 0u) ^ spread(how & 15u);
            areas_.ring.descriptors()[used_place_ & ~packed::kWrap].word = PackedDesc::pack(len, id, flags);
            used_place_ = after(used_place_, how >> 4);
        } else {
            Le16& index = areas_.ring.used()[SplitRing::kIndex];
            areas_.ring.used_entries()[index.value() & (areas_.ring.size() - 1u)] = {id, len};
            index = static_cast<std::uint16_t>(index.value() + static_cast<std::int8_t>(how));
        }
    }

    void forge_chain(Script& script) {
        const std::uint32_t id = id_of(script.byte());
        const std::uint64_t addr = address_of(script.byte());
        const std::uint32_t len = length_of(script.byte());
        const std::uint8_t flags = script.byte();
        const std::uint8_t next = script.byte();
        if constexpr (Areas::kIsPacked) {
            const bool wrap = (avail_place_ & packed::kWrap) != 0;
            const unsigned bits = (wrap ? packed::kAvail : packed::kUsed) ^ spread(flags & 31u);
            areas_.ring.descriptors()[avail_place_ & ~packed::kWrap] = {addr, PackedDesc::pack(len, id, bits)};
            avail_place_ = after(avail_place_, next);
        } else {
            const auto at = static_cast<std::uint16_t>(id & (areas_.ring.size() - 1u));
            areas_.ring.descriptors()[at] = {addr, len, SplitDesc::pack(flags & 15u, next)};
            if ((flags & 0x80) != 0) return; // one in the middle of a chain
            Le16& index = areas_.ring.avail()[SplitRing::kIndex];
            areas_.ring.avail_entries()[index.value() & (areas_.ring.size() - 1u)] = static_cast<std::uint16_t>(id);
            index = static_cast<std::uint16_t>(index.value() + 1 + (flags >> 5 & 3));
        }
    }

private:
    [[nodiscard]] std::uint32_t id_of(std::uint8_t byte) const {
        const std::uint32_t size = areas_.ring.size();
        const std::uint32_t extremes[] = {size, 0x7fff, 0x8000, 0xffff, 0x10000, 0x80000000, 0xffffffff, size - 1};
        return byte < 0xf8 ? byte % size : extremes[byte & 7];
    }
    [[nodiscard]] static std::uint32_t length_of(std::uint8_t byte) {
        constexpr std::uint32_t extremes[] = {0xffffffff, 0xfffffffe, 0x80000000, 0x10000, 0xffff0, 0x100, 0x200, 0x11};
        return byte < 0xf8 ? byte : extremes[byte & 7];
    }
    // Returns an address in the data, or at an edge of something.
    [[nodiscard]] std::uint64_t address_of(std::uint8_t byte) {
        const Region data = areas_.data.region();
        const std::uint64_t start = to_number(data.device());
        const std::uint64_t tables = to_number(areas_.tables.region().device());
        const std::uint64_t extremes[] = {0,
                                          start - 1,
                                          start + data.size(),
                                          start + data.size() - 1,
                                          ~std::uint64_t{0},
                                          tables,
                                          tables + 1,
                                          to_number(areas_.descriptors.region().device())};
        return byte < 0xf8 ? start + std::uint64_t{byte} * 64 : extremes[byte & 7];
    }
    // NEXT, WRITE, INDIRECT; then the two that say whose it is.
    [[nodiscard]] static unsigned spread(unsigned bits) {
        return (bits & 7) | ((bits & 8) != 0 ? packed::kUsed : 0u) | ((bits & 16) != 0 ? packed::kAvail : 0u);
    }
    [[nodiscard]] std::uint16_t after(std::uint16_t place, unsigned descriptors) const {
        const unsigned size = areas_.ring.size();
        const unsigned offset = (place & 0x7fffu) + descriptors % (size + 1);
        const unsigned wrap = place & packed::kWrap;
        return static_cast<std::uint16_t>(offset < size ? offset | wrap : (offset - size) | (wrap ^ packed::kWrap));
    }

    RingAreas<Areas>& areas_;
    std::uint16_t used_place_ = packed::kStart;
    std::uint16_t avail_place_ = packed::kStart;
};

} // namespace vfsproto::fuzz
