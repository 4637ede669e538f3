// SPDX-License-Identifier: BSD-2-Clause
// Operations the server answered with ENOSYS once, or is known not to have: not asked again in this session. One word of relaxed
// bits, shared by every lane without a lock; reset by a new INIT.
#pragma once

#include "vfsproto/base/fence.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

#include <cstdint>

namespace vfsproto::client {

static_assert(wire::kOpInfo.size() <= 64);

class StickyEnosys {
public:
    // Any thread, as mark() is.
    [[nodiscard]] bool is_missing(wire::Opcode op) const noexcept { return (load_relaxed(bits_) & bit(op)) != 0; }
    // Two lanes that mark at once may lose one mark: its operation is asked once more.
    void mark(wire::Opcode op) noexcept { store_relaxed(bits_, load_relaxed(bits_) | bit(op)); }
    void reset() noexcept { store_relaxed(bits_, 0); }

private:
    [[nodiscard]] static std::uint64_t bit(wire::Opcode op) noexcept {
        return std::uint64_t{1} << (&wire::op_info(op) - wire::kOpInfo.data());
    }
    std::uint64_t bits_ = 0;
};

} // namespace vfsproto::client
