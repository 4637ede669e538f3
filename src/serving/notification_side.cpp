// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/serving/detail/notification_side.hpp"

namespace vfsproto::serving {

std::unique_ptr<DeviceSide> make_notification_side(const server::ServerSession& session, std::uint16_t size) {
    return std::make_unique<NotificationSide>(session, size);
}

// Doorbells are of use only while something is owed: a buffer that is posted lies there until something changes. A driver that goes
// on posting buffers which are too short is left alone after a while, so that nobody waits for it.
std::size_t NotificationSide::settle(int call) noexcept {
    constexpr int kMostLooks = 16;
    std::size_t interrupts = 0;
    for (int looks = 0; looks < kMostLooks && notifier_.owes(); ++looks) {
        const bool settled = notifier_.settle();
        interrupts += notify(call); // also of what went back empty
        if (!settled && !ring_.arm()) return interrupts;
    }
    if (!notifier_.owes()) ring_.disarm();
    return interrupts;
}

std::size_t NotificationSide::notify(int call) noexcept {
    if (!ring_.wants_notification()) return 0;
    backends::signal_event(call);
    return 1;
}

} // namespace vfsproto::serving
