// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"

#include "vfsproto/virtqueue/detail/notification.hpp"

using namespace vfsproto;

// virtio 1.2 §2.7.7.2
TEST_CASE("an event is due exactly when a step of the index passes it", "[virtqueue]") {
    // The arguments are event, new, old: entries old to new-1 were written, and the result says whether `event` is one
    // of them.
    CHECK_FALSE(need_event(0, 0, 0));
    CHECK(need_event(0, 1, 0));
    CHECK_FALSE(need_event(1, 1, 0));
    CHECK(need_event(1, 2, 0));
    CHECK(need_event(1, 2, 1));
    CHECK_FALSE(need_event(0, 2, 1));
    CHECK(need_event(4, 8, 0));
    CHECK_FALSE(need_event(8, 8, 0));
    // These go across the wrap of 2^16.
    CHECK(need_event(0xffff, 0, 0xffff));
    CHECK(need_event(0xffff, 3, 0xfffe));
    CHECK(need_event(2, 3, 0xfffe));
    CHECK_FALSE(need_event(3, 3, 0xfffe));
    CHECK_FALSE(need_event(0xfffd, 3, 0xfffe));
    CHECK_FALSE(need_event(0x8000, 3, 0xfffe));
}

TEST_CASE("the event arithmetic equals a walk over the entries written", "[virtqueue]") {
    for (unsigned old_index = 0xffe0; old_index < 0x10020; ++old_index) {
        for (unsigned step = 0; step <= 40; step += 5) {
            for (unsigned event = 0xffd0; event < 0x10060; ++event) {
                bool is_passed = false;
                for (unsigned entry = old_index; entry < old_index + step; ++entry) {
                    is_passed = is_passed || (entry & 0xffff) == (event & 0xffff);
                }
                const bool is_due =
                    need_event(static_cast<std::uint16_t>(event), static_cast<std::uint16_t>(old_index + step),
                               static_cast<std::uint16_t>(old_index));
                if (is_due != is_passed) FAIL("event " << event << ", old " << old_index << ", step " << step);
            }
        }
    }
}

// virtio 1.2 §2.9
TEST_CASE("notification data is the queue below and the place to go on at above", "[virtqueue]") {
    CHECK(notification_data(0x1234, 0x8005) == 0x80051234);
    CHECK(notification_data(1, 0) == 1);
}
