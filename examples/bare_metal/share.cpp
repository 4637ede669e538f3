// SPDX-License-Identifier: BSD-2-Clause
#include "share.hpp"

using namespace vfsproto;
using client::SessionState;

namespace {

constexpr std::uint64_t kLongest = 10'000'000; // microseconds a server may think

void require(Errc why, const char* what) noexcept {
    if (why != Errc::ok) host::fail(what, to_string(why));
}

class Deadline {
public:
    void check(const char* what) const noexcept {
        if (machine::microseconds() - begun_ > kLongest) host::fail(what, "no answer");
        cpu_relax();
    }

private:
    std::uint64_t begun_ = machine::microseconds();
};

} // namespace

void Share::mount() noexcept {
    const FeatureSet wanted = FeatureSet::of(Feature::event_idx) | transport_.supported_features();
    const auto features = bring_up_.negotiate(wanted);
    if (!features) host::fail(to_string(bring_up_.step()), to_string(features.error()));
    const auto config = read_fs_config(transport_, *features);
    if (!config) host::fail("configuration", to_string(config.error()));
    config_ = *config;
    set_up(hiprio_, kHiprioQueue);
    set_up(requests_, request_queue_index(*features, 0));
    require(bring_up_.go_live(), "DRIVER_OK");

    const QueueLimits limits = requests_.driver.limits();
    const client::SessionOptions session{client::Quirks{}, limits.written};
    require(connection_.init(host::take_memory(client::Session::kMemoryBytes), session, make_queue_ref(hiprio_.driver),
                             make_queue_ref(requests_.driver)),
            "session");
    require(connection_.open(client::InitOptions{}), "INIT");
    await_session(SessionState::ready);

    client::LaneOptions options;
    options.bounce = kBounce;
    const Region memory = host::take_memory(client::Lane::memory_bytes(kSlots, kBounce));
    require(lane_.init(make_queue_ref(requests_.driver), slots_, memory, options), "lane");
    require(connection_.add_lane(lane_), "lane");
}

void Share::set_up(Queue& queue, QueueIndex index) noexcept {
    const auto most = transport_.max_queue_size(index);
    if (!most) host::fail("queue", to_string(most.error()));
    const std::uint16_t size = split_size_within(*most < kRingSize ? *most : kRingSize);
    const auto ring = SplitRing::in(host::take_memory(split_layout(size).total_bytes), size);
    if (!ring) host::fail("ring", to_string(ring.error()));
    const FeatureSet features = bring_up_.features();
    SplitDriverOptions options;
    options.event_index = features.has(Feature::event_idx) ? EventIndex::on : EventIndex::off;
    options.ordering = features.has(Feature::order_platform) ? Ordering::platform : Ordering::smp;
    require(queue.driver.init(*ring, queue.shadow, options), "ring");
    const QueueAddresses addresses{size, ring->descriptor_area(), ring->driver_area(), ring->device_area()};
    if (const Errc why = bring_up_.enable_queue(index, addresses); why != Errc::ok)
        host::fail(to_string(bring_up_.step()), to_string(why));
    queue.driver.set_doorbell(transport_.doorbell(index));
}

void Share::await_finish() noexcept {
    const Deadline deadline;
    lane_.kick();
    while (!finished_) {
        if (lane_.drain() == 0) deadline.check("a request");
        require(connection_.drained(), "a queue");
        lane_.kick();
    }
}

void Share::pump() noexcept { require(connection_.pump(), "a queue"); }

void Share::await_session(SessionState wanted) noexcept {
    const Deadline deadline;
    for (;;) {
        pump();
        const client::Session& session = connection_.session();
        if (session.state() == wanted) return;
        if (session.state() == SessionState::failed) host::fail("session", to_string(session.failure()));
        deadline.check("the session");
    }
}

void Share::forget(std::uint64_t nodeid) noexcept {
    forgotten_ = {nodeid, 1, nullptr};
    connection_.forget(forgotten_);
    const Deadline deadline;
    do {
        pump();
        deadline.check("FORGET");
    } while (connection_.take_forgotten() == nullptr);
}

void Share::unmount() noexcept {
    require(connection_.close(), "closing");
    await_session(SessionState::closed);
    require(bring_up_.tear_down(), "reset");
}
