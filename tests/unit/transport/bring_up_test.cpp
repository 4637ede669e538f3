// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "unit/transport/scripted_transport.hpp"

#include "vfsproto/transport/bring_up.hpp"

using namespace vfsproto;
using test::ScriptedTransport;
using State = BringUp::State;
using Step = BringUp::Step;

namespace {

const FeatureSet kWanted = FeatureSet::of(Feature::event_idx, Feature::ring_packed);

Errc run_all(BringUp& device) {
    if (const auto features = device.negotiate(kWanted); !features) return features.error();
    if (const Errc why = device.enable_queue(QueueIndex{0}, {}); why != Errc::ok) return why;
    if (const Errc why = device.enable_queue(QueueIndex{1}, {}); why != Errc::ok) return why;
    return device.go_live();
}

const std::vector<std::string> kOrder = {"reset",     "status=1", "status=3", "features", "accept",
                                         "status=11", "status?",  "queue 0",  "queue 1",  "status=15"};

} // namespace

// virtio 1.2 §2.1.1
TEST_CASE("bring-up follows the order of virtio 1.2 3.1.1 and never clears a status bit", "[transport]") {
    ScriptedTransport transport;
    BringUp device(transport);
    REQUIRE(run_all(device) == Errc::ok);
    CHECK(transport.calls == kOrder);
    CHECK(device.state() == State::live);
    CHECK(device.tear_down() == Errc::ok);
    CHECK(transport.calls.back() == "reset");
    CHECK(device.state() == State::down);
    CHECK(device.features() == FeatureSet{});
}

TEST_CASE("bring-up accepts what is offered and wanted, and VERSION_1 always", "[transport]") {
    ScriptedTransport transport;
    BringUp device(transport);
    const auto features = device.negotiate(kWanted);
    REQUIRE(features);
    CHECK(*features == FeatureSet::of(Feature::version_1, Feature::event_idx));
    CHECK(transport.accepted == *features);
    CHECK(device.offered() == transport.offered);
}

TEST_CASE("every bring-up step may fail once: FAILED is set, the error is named, a reset starts over", "[transport]") {
    const std::vector<Step> steps = {
        Step::reset,       Step::acknowledge,      Step::driver,       Step::read_features, Step::accept_features,
        Step::features_ok, Step::confirm_features, Step::enable_queue, Step::enable_queue,  Step::driver_ok};
    REQUIRE(steps.size() == kOrder.size());
    for (std::size_t i = 0; i < kOrder.size(); ++i) {
        INFO("step " << kOrder[i]);
        ScriptedTransport transport;
        transport.fail_at = i;
        transport.fail_with = i == 0 ? Errc::reset_timeout : Errc::transport_failed;
        BringUp device(transport);
        CHECK(run_all(device) == transport.fail_with);
        CHECK(device.state() == State::failed);
        CHECK(device.step() == steps[i]);
        REQUIRE(transport.calls.size() == i + 2); // one more call after the failing one, and that is FAILED
        CHECK(transport.calls.back().rfind("status=", 0) == 0);
        CHECK((std::stoi(transport.calls.back().substr(7)) & status::kFailed) != 0);

        CHECK(device.enable_queue(QueueIndex{0}, {}) == Errc::wrong_state);
        CHECK(device.negotiate(kWanted).error() == Errc::wrong_state);
        CHECK(transport.calls.size() == i + 2);
        CHECK(device.tear_down() == Errc::ok);
        CHECK(run_all(device) == Errc::ok);
    }
}

// virtio 1.2 §6.1
TEST_CASE("bring-up refuses a legacy device", "[transport]") {
    ScriptedTransport transport;
    transport.offered.remove(Feature::version_1);
    BringUp device(transport);
    CHECK(device.negotiate(kWanted).error() == Errc::no_version_1);
    CHECK(transport.calls.back() == "status=131");
}

TEST_CASE("bring-up names a device that does not keep FEATURES_OK", "[transport]") {
    ScriptedTransport transport;
    transport.refuse_status = status::kFeaturesOk;
    BringUp device(transport);
    CHECK(device.negotiate(kWanted).error() == Errc::features_refused);
    CHECK(transport.calls.back() == "status=139");
    CHECK(device.features() == FeatureSet{});
}

TEST_CASE("bring-up does not accept less than what is required", "[transport]") {
    ScriptedTransport transport;
    BringUp device(transport);
    CHECK(device.negotiate(kWanted, FeatureSet::of(Feature::access_platform)).error() == Errc::features_refused);
    CHECK(transport.accepted == FeatureSet{});
}

// virtio 1.2 §6.1
TEST_CASE("bring-up never takes SUSPEND, and a device that sets its status bit all the same changes nothing",
          "[transport]") {
    ScriptedTransport transport;
    transport.offered.add(Feature::suspend);
    transport.extra_status = status::kSuspend; // reserved while the feature was not accepted
    const FeatureSet suspend = FeatureSet::of(Feature::suspend);
    {
        BringUp device(transport);
        const auto features = device.negotiate(kWanted | suspend);
        REQUIRE(features);
        CHECK_FALSE(features->has(Feature::suspend));
        CHECK_FALSE(transport.accepted.has(Feature::suspend));
        REQUIRE(device.go_live() == Errc::ok);
        CHECK(check_health(transport) == Errc::ok);
    }
    transport.accepted = FeatureSet{};
    BringUp device(transport);
    CHECK(device.negotiate(kWanted, suspend).error() == Errc::features_refused);
    CHECK(transport.accepted == FeatureSet{});
}

TEST_CASE("bring-up sees a device that asks for a reset", "[transport]") {
    ScriptedTransport transport;
    transport.extra_status = status::kNeedsReset;
    BringUp device(transport);
    CHECK(device.negotiate(kWanted).error() == Errc::needs_reset);
}

TEST_CASE("bring-up answers wrong_state to an input out of order and touches nothing", "[transport]") {
    ScriptedTransport transport;
    BringUp device(transport);
    CHECK(device.enable_queue(QueueIndex{0}, {}) == Errc::wrong_state);
    CHECK(device.go_live() == Errc::wrong_state);
    CHECK(transport.calls.empty());
    REQUIRE(device.negotiate(kWanted));
    CHECK(device.negotiate(kWanted).error() == Errc::wrong_state);
    REQUIRE(device.go_live() == Errc::ok);
    const std::size_t before = transport.calls.size();
    CHECK(device.go_live() == Errc::wrong_state);
    CHECK(device.enable_queue(QueueIndex{0}, {}) == Errc::wrong_state);
    CHECK(device.negotiate(kWanted).error() == Errc::wrong_state);
    CHECK(transport.calls.size() == before);
    CHECK(device.state() == State::live);
}

TEST_CASE("tearing down a device that has gone counts as down, one that does not finish does not", "[transport]") {
    for (const Errc why : {Errc::device_gone, Errc::reset_timeout}) {
        ScriptedTransport transport;
        BringUp device(transport);
        REQUIRE(run_all(device) == Errc::ok);
        transport.fail_at = transport.calls.size();
        transport.fail_with = why;
        CHECK(device.tear_down() == why);
        CHECK(device.state() == (why == Errc::device_gone ? State::down : State::failed));
    }
}

TEST_CASE("every bring-up step has words for people", "[transport]") {
    for (int i = 0; i <= static_cast<int>(Step::reset_queue); ++i) {
        CHECK(std::string(to_string(static_cast<Step>(i))) != "unknown step");
    }
}

TEST_CASE("feature bits have the names of the specification", "[transport]") {
    CHECK(std::string(feature_name(static_cast<unsigned>(Feature::event_idx))) == "EVENT_IDX");
    CHECK(std::string(feature_name(32)) == "VERSION_1");
    CHECK(std::string(feature_name(30)) == "VHOST_PROTOCOL_FEATURES");
    CHECK(feature_name(31) == nullptr);
    CHECK(feature_name(64) == nullptr);
    CHECK(feature_name(1000) == nullptr);
}
