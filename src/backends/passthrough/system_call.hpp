// SPDX-License-Identifier: BSD-2-Clause
// System calls that signals do not cut short.
#pragma once

#include <cerrno>

namespace vfsproto::backends {

// Repeats a system call until no signal interrupts it: the client has no use for EINTR. A program that embeds the server may
// take signals in the thread that serves. Only for calls that have done nothing when they report EINTR.
template <class Call> auto uninterrupted(Call&& call) noexcept {
    for (;;) {
        const auto result = call();
        if (result >= 0 || errno != EINTR) return result;
    }
}

} // namespace vfsproto::backends
