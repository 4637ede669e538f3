// SPDX-License-Identifier: BSD-2-Clause
// A driver that nobody here wrote before our device side: DPDK's virtio-user. Every frame it is sent comes back.
#include "peers/net_device.hpp"
#include "support/skip.hpp"
#include "support/testpmd.hpp"
#include "support/watchdog.hpp"

using namespace vfsproto;
using test::BackEndSocket;
using test::frames_to_send;
using test::kMergedBuffers;
using test::NetDevice;
using test::skip;
using test::Testpmd;
using test::Waiting;
using test::Watchdog;

namespace {

constexpr const char* kNoPeer = "dpdk-testpmd is not installed (package dpdk-dev)";
constexpr std::size_t kLongFrame = 6000; // of several buffers

struct Kind {
    const char* name;
    FeatureSet features;
    const char* options; // of the driver
};

const FeatureSet kMerged(kMergedBuffers);
const FeatureSet kPacked = FeatureSet::of(Feature::ring_packed);

// Merged buffers in order are left out. The buffers of a frame must become used at once, each with its length; our
// device side publishes them in order as one batch, with one length.
const Kind kKinds[] = {
    {"split", {}, "queue_size=256,packed_vq=0,in_order=0,mrg_rxbuf=0"},
    {"split, merged buffers", kMerged, "queue_size=256,packed_vq=0,in_order=0,mrg_rxbuf=1"},
    {"split, vectorised", {}, "queue_size=128,packed_vq=0,in_order=1,mrg_rxbuf=0,vectorized=1"},
    {"split, in order", FeatureSet::of(Feature::in_order), "queue_size=256,packed_vq=0,in_order=1,mrg_rxbuf=0"},
    {"packed", kPacked, "queue_size=256,packed_vq=1,in_order=0,mrg_rxbuf=0"},
    {"packed, merged buffers", kPacked | kMerged, "queue_size=256,packed_vq=1,in_order=0,mrg_rxbuf=1"},
    {"packed, in order", kPacked | FeatureSet::of(Feature::in_order),
     "queue_size=256,packed_vq=1,in_order=1,mrg_rxbuf=0"},
};

// The driver, its socket and our device before it.
template <class Parts> class Joined {
public:
    Joined(const Kind& kind, IndirectTables indirect)
        : features_(features_of(kind, indirect)),
          peer_(std::string("net_virtio_user0,path=@,queues=1,") + kind.options,
                merges() ? std::vector<std::string>{"--max-pkt-len=9000", "--enable-scatter"}
                         : std::vector<std::string>()),
          socket_(peer_.socket(), features_.bits()),
          device_(socket_, merges() ? kLongFrame : test::kMaxFrame) {
        REQUIRE(socket_.accept());
        device_.await_driver();
        // It takes all that was offered, and nothing else.
        CHECK(socket_.features() == (features_.bits() | BackEndSocket::kProtocolFeatures));
    }

    [[nodiscard]] bool merges() const { return (features_.bits() & kMergedBuffers) != 0; }
    [[nodiscard]] NetDevice<Parts>& device() { return device_; }
    [[nodiscard]] Testpmd& peer() { return peer_; }

    // The driver stops its port, which takes our answers, and ends. It has lost nothing.
    void end(std::uint64_t frames) {
        peer_.ask_to_end();
        while (socket_.hear() == BackEndSocket::Heard::message) {}
        CHECK(peer_.wait() == 0);
        CHECK(peer_.count("RX-packets") == frames);
        CHECK(peer_.count("TX-packets") == frames);
        CHECK(peer_.count("TX-dropped") == 0);
    }

private:
    static FeatureSet features_of(const Kind& kind, IndirectTables indirect) {
        FeatureSet features = kind.features | FeatureSet::of(Feature::version_1);
        if (indirect == IndirectTables::accepted) features.add(Feature::indirect_desc);
        return features;
    }

    FeatureSet features_;
    Testpmd peer_;
    BackEndSocket socket_;
    NetDevice<Parts> device_;
};

template <class Parts> void exchange_with_driver(const Kind& kind, IndirectTables indirect, Waiting waiting) {
    const std::string label = test::label_of(kind.name, indirect, waiting);
    INFO(label);
    Joined<Parts> joined(kind, indirect);
    NetDevice<Parts>& device = joined.device();
    const std::uint64_t frames = frames_to_send();
    const auto start = std::chrono::steady_clock::now();
    test::exchange_all(frames, waiting, joined.peer(), [&](std::uint64_t some, const test::BeforeSleep& before_sleep) {
        REQUIRE(device.exchange(some, waiting, before_sleep) == Errc::ok);
    });
    test::tell_time("DPDK's virtio-user: " + label, std::chrono::steady_clock::now() - start, frames);

    const auto& counts = device.counts();
    CHECK(device.from_driver().chains == frames);
    CHECK(device.from_driver().completions == frames);
    CHECK(device.to_driver().completions == counts.buffers);
    // Frames that came in several buffers leave in several, through tables where there may be any.
    CHECK((counts.buffers > frames) == joined.merges());
    CHECK((counts.linked > frames / 2) == joined.merges());
    CHECK(counts.indirect == (indirect == IndirectTables::accepted ? counts.linked : 0));
    CHECK((counts.sleeps != 0) == (waiting == Waiting::sleeps));
    CHECK(counts.interrupts == 0); // it polls, and says so
    joined.end(frames);
}

} // namespace

TEST_CASE("frames through DPDK's virtio-user driver come back unchanged, on every kind of ring", "[peer]") {
    if (!Testpmd::find()) return skip(kNoPeer);
    const Watchdog watchdog("frames through virtio-user", std::chrono::seconds(600));
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    const auto waiting = GENERATE(Waiting::polls, Waiting::sleeps);
    for (const Kind& kind : kKinds) {
        if (!kind.features.has(Feature::ring_packed)) {
            exchange_with_driver<test::SplitParts>(kind, indirect, waiting);
        } else if (indirect == IndirectTables::refused || (kind.features & kMerged) != kMerged) {
            exchange_with_driver<test::PackedParts>(kind, indirect, waiting);
        }
    }
}

// DPDK's table keeps WRITE on the header, which the device is to read, from when it was cleared; the rest of the frame
// follows without it. A device must find what it reads before what it writes (virtio 1.2 §2.8.17); a device that does
// not look at WRITE takes the frame all the same.
TEST_CASE("an indirect table of DPDK's virtio-user on a packed ring is refused by name", "[peer]") {
    if (!Testpmd::find()) return skip(kNoPeer);
    const Watchdog watchdog("a frame through a table");
    const Kind kind{"packed, merged buffers", kPacked | kMerged, "queue_size=256,packed_vq=1,in_order=0,mrg_rxbuf=1"};
    Joined<test::PackedParts> joined(kind, IndirectTables::accepted);
    CHECK(joined.device().exchange(1000, Waiting::polls) == Errc::chain_order);
}
