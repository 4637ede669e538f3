// SPDX-License-Identifier: BSD-2-Clause
// The form of a test with a peer, for every kind of ring.
#pragma once

#include "vfsproto/virtqueue/ring_options.hpp"

#include "support/testpmd.hpp"

#include <functional>
#include <string>

namespace vfsproto::test {

// Says how our side of a ring learns that the peer has done something.
enum class Waiting { polls, sleeps };

using BeforeSleep = std::function<void()>;

// `exchange(frames, before_sleep)` twice. Who sleeps does so for the last frame at any rate: the peer stands still until then.
template <class Exchange>
void exchange_all(std::uint64_t frames, Waiting waiting, Testpmd& peer, const Exchange& exchange) {
    exchange(frames - 1, BeforeSleep());
    if (waiting == Waiting::polls) return exchange(1, BeforeSleep());
    peer.pause();
    exchange(1, [&peer] { peer.resume(); });
}

inline std::string label_of(const char* kind, IndirectTables indirect, Waiting waiting) {
    return std::string(kind) + (indirect == IndirectTables::accepted ? ", indirect" : ", direct") +
           (waiting == Waiting::sleeps ? ", sleeping" : ", polling");
}

} // namespace vfsproto::test
