// SPDX-License-Identifier: BSD-2-Clause
// Operations the server answered with ENOSYS once: not asked again in this session. One word of relaxed bits, shared by
// every lane without a lock; reset by a new INIT.
#pragma once

#include "vfsproto/fuse/wire/op_table.hpp"

#include <cstdint>

namespace vfsproto::client {

static_assert(wire::kOpInfo.size() <= 64);

class StickyEnosys {
public:
    [[nodiscard]] bool is_missing(wire::Opcode op) const noexcept {
        return (__atomic_load_n(&bits_, __ATOMIC_RELAXED) & bit(op)) != 0;
    }
    void mark(wire::Opcode op) noexcept { __atomic_fetch_or(&bits_, bit(op), __ATOMIC_RELAXED); }
    void reset() noexcept { __atomic_store_n(&bits_, 0, __ATOMIC_RELAXED); }

private:
    [[nodiscard]] static std::uint64_t bit(wire::Opcode op) noexcept {
        return std::uint64_t{1} << (&wire::op_info(op) - wire::kOpInfo.data());
    }
    std::uint64_t bits_ = 0;
};

} // namespace vfsproto::client
