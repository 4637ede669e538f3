// SPDX-License-Identifier: BSD-2-Clause
// Our driver before a device that nobody here wrote: DPDK's vhost. Every frame sent comes back.
#include "peers/net_driver.hpp"
#include "support/skip.hpp"
#include "support/testpmd.hpp"
#include "support/watchdog.hpp"

using namespace vfsproto;
using test::frames_to_send;
using test::NetDriver;
using test::skip;
using test::Testpmd;
using test::Waiting;
using test::Watchdog;

namespace {

constexpr const char* kNoPeer = "dpdk-testpmd is not installed (package dpdk-dev)";
constexpr const char* kVhost = "net_vhost0,iface=@,queues=1";

struct Kind {
    const char* name;
    FeatureSet features;
    std::uint16_t size;
};

const Kind kKinds[] = {
    {"split", {}, 256},
    {"split, of 64 entries", {}, 64},
    {"split with event index", FeatureSet::of(Feature::event_idx), 256},
    {"split, in order", FeatureSet::of(Feature::in_order), 256},
    {"split, in order, with event index", FeatureSet::of(Feature::in_order, Feature::event_idx), 256},
    {"packed", FeatureSet::of(Feature::ring_packed), 256},
    {"packed, of 230 entries", FeatureSet::of(Feature::ring_packed, Feature::event_idx), 230},
    {"packed with descriptor events", FeatureSet::of(Feature::ring_packed, Feature::event_idx), 256},
    {"packed, in order", FeatureSet::of(Feature::ring_packed, Feature::in_order), 256},
    {"packed, in order, with descriptor events",
     FeatureSet::of(Feature::ring_packed, Feature::in_order, Feature::event_idx), 256},
};

// The counts of a peer that has ended by itself, having lost nothing.
void check_counts(Testpmd& peer, std::uint64_t frames) {
    peer.ask_to_end();
    CHECK(peer.wait() == 0);
    CHECK(peer.count("RX-packets") == frames);
    CHECK(peer.count("TX-packets") == frames);
    CHECK(peer.count("TX-dropped") == 0);
}

} // namespace

TEST_CASE("frames through DPDK's vhost come back unchanged, on every kind of ring", "[peer]") {
    if (!Testpmd::find()) return skip(kNoPeer);
    const Watchdog watchdog("frames through testpmd", std::chrono::seconds(300));
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    const auto waiting = GENERATE(Waiting::polls, Waiting::sleeps);
    Testpmd peer(kVhost);
    peer.await_socket();
    const std::uint64_t frames = frames_to_send();
    std::uint64_t total = 0;
    for (const Kind& kind : kKinds) {
        const std::string label = test::label_of(kind.name, indirect, waiting);
        INFO(label);
        FeatureSet features = kind.features;
        if (indirect == IndirectTables::accepted) features.add(Feature::indirect_desc);
        NetDriver driver(peer.socket(), features, kind.size);
        NetDriver::Counts counts;
        test::exchange_all(frames, waiting, peer, [&](std::uint64_t some, const test::BeforeSleep& before_sleep) {
            const auto done = driver.exchange(some, waiting, before_sleep);
            counts.sleeps += done.sleeps;
            counts.time += done.time;
        });
        total += frames;
        const RingDriverCounters sent = driver.transmit_ring().counters();
        CHECK(sent.chains == frames);
        CHECK(sent.completions == frames);
        // Chains of one to four descriptors, or of one where a table holds them.
        CHECK((indirect == IndirectTables::accepted ? sent.descriptors == frames : sent.descriptors > 2 * frames));
        CHECK((counts.sleeps != 0) == (waiting == Waiting::sleeps));
        // It polls, and says so: doorbells are for the time before it did, and once in a lap of the 16-bit index.
        CHECK(sent.doorbells + driver.receive_ring().counters().doorbells <= 8 + frames / 4096);
        driver.tear_down();
        test::tell_time("DPDK's vhost: " + label, counts.time, frames);
    }
    check_counts(peer, total);
}

TEST_CASE("queues that DPDK's vhost was told to stop go on where they were", "[peer]") {
    if (!Testpmd::find()) return skip(kNoPeer);
    const Watchdog watchdog("stopping testpmd's queues");
    Testpmd peer(kVhost);
    peer.await_socket();
    std::uint64_t total = 0;
    for (const Kind& kind : kKinds) {
        INFO(kind.name);
        NetDriver driver(peer.socket(), kind.features, kind.size);
        // Odd numbers, so that it stops anywhere in the ring, in either lap.
        for (const unsigned frames : {1u, 77u, 501u, 1003u, 3u}) {
            driver.exchange(frames, Waiting::polls);
            driver.stop_and_go_on();
            total += frames;
        }
        driver.exchange(300, Waiting::sleeps);
        total += 300;
        driver.tear_down();
    }
    check_counts(peer, total);
}

TEST_CASE("DPDK's vhost takes a new front end when the last one left without a word", "[peer]") {
    if (!Testpmd::find()) return skip(kNoPeer);
    const Watchdog watchdog("leaving testpmd");
    Testpmd peer(kVhost);
    peer.await_socket();
    for (int i = 0; i < 5; ++i) {
        NetDriver driver(peer.socket(), FeatureSet::of(Feature::ring_packed), 128);
        driver.exchange(1000, Waiting::polls);
    }
    check_counts(peer, 5000);
}
