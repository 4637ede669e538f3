// SPDX-License-Identifier: BSD-2-Clause
// Channel: how it waits for the session's messages. Its other files share this.
#pragma once

#include "vfsproto/posix/detail/channel.hpp"

namespace vfsproto::posix {

// Moves the session's messages until `done`, which is asked with the lock held. False when that takes longer than the
// patience.
template <class Done> bool Channel::pump_until(Done&& done) noexcept {
    const auto until = std::chrono::steady_clock::now() + options_.patience;
    for (;;) {
        client::SessionWaits waits;
        {
            const SharedLane::Lock lock(shared_lane_);
            pump();
            if (done()) return true;
            if (connection_.arm()) continue;
            waits = connection_.next_wait();
        }
        if (!wait_for_interrupt(waits, until)) return false;
    }
}

} // namespace vfsproto::posix
