// SPDX-License-Identifier: BSD-2-Clause
// Says whether something succeeded, and whose failure it was. One word, copied as one.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/base/errc.hpp"

#include <cstdint>

namespace vfsproto::client {

struct Verdict {
    Errc errc;        // the engine's or the protocol's failure
    abi::Errno error; // the server's

    // True if neither has anything to say. Both are compared at once: one branch.
    [[nodiscard]] bool succeeded() const noexcept {
        static_assert(Errc::ok == Errc{0} && abi::Errno::none == abi::Errno{0});
        return (static_cast<std::uint32_t>(errc) | static_cast<std::uint32_t>(error)) == 0;
    }
};

} // namespace vfsproto::client
