// SPDX-License-Identifier: BSD-2-Clause
// A lane over a scripted queue, and requests that count how often they ended.
#pragma once

#include "support/catch.hpp"
#include "support/scripted_queue.hpp"
#include "vfsproto/fuse/client/lane.hpp"

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::test {

template <wire::Opcode Op> struct CountedCall : client::Call<Op> {
    CountedCall() {
        this->owner = this;
        this->on_done = [](client::Request& request) noexcept { ++static_cast<CountedCall*>(request.owner)->ended; };
    }
    int ended = 0;
};

struct LaneFixture {
    static constexpr std::uint32_t kBounce = 16384;

    explicit LaneFixture(QueueLimits limits = {.max_inflight = 64, .max_segments = 64}, std::size_t slots = 4,
                         client::LaneOptions lane_options = {})
        : queue(memory, limits), entries(slots), options(lane_options) {
        if (options.bounce == client::LaneOptions{}.bounce) options.bounce = kBounce;
        block = memory.add(client::Lane::memory_bytes(slots, options.bounce));
        init_result = lane.init(make_queue_ref(queue), entries, block, options);
    }
    LaneFixture(const LaneFixture&) = delete;
    LaneFixture& operator=(const LaneFixture&) = delete;
    ~LaneFixture() { CHECK(queue.blamed() == ""); }

    // Everything visible to the device, then everything it said taken.
    void kick() { lane.kick(); }
    std::size_t drain() { return lane.drain(); }
    // The list of registered segments of a request, behind the one that is the lane's. It lives as long as the fixture.
    std::span<Segment> list(std::span<const Segment> registered) {
        std::vector<Segment>& list = lists.emplace_back(1);
        list.insert(list.end(), registered.begin(), registered.end());
        return list;
    }
    std::span<Segment> list(const Segment& registered) { return list({&registered, 1}); }

    SharedMemory memory;
    ScriptedQueue queue;
    std::vector<client::Lane::Entry> entries;
    client::LaneOptions options;
    Region block;
    client::Lane lane;
    Errc init_result = Errc::wrong_state;
    std::deque<std::vector<Segment>> lists;
};

inline std::span<const char> text_span(std::string_view text) { return {text.data(), text.size()}; }

inline std::vector<std::byte> pattern(std::size_t size, unsigned seed = 1) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 131 + seed * 17 + (i >> 8)) & 0xff);
    return bytes;
}

} // namespace vfsproto::test
