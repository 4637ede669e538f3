// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/transport/bring_up.hpp"

namespace vfsproto {

//                                     negotiate enable_queue go_live tear_down reset_queue enable_again
constexpr bool BringUp::kLegal[4][6] = {{true, false, false, true, false, false},   // down
                                        {false, true, true, true, false, false},    // negotiated
                                        {false, false, false, true, true, true},    // live
                                        {false, false, false, true, false, false}}; // failed

bool BringUp::legal(Input input) const noexcept {
    return kLegal[static_cast<unsigned>(state_)][static_cast<unsigned>(input)];
}

Result<FeatureSet> BringUp::negotiate(FeatureSet wanted, FeatureSet required) noexcept {
    if (!legal(Input::negotiate)) return Errc::wrong_state;
    if (const Errc why = introduce(); why != Errc::ok) return fail(why);
    if (const Errc why = settle_features(wanted, required); why != Errc::ok) return fail(why);
    if (const Errc why = confirm_features(); why != Errc::ok) return fail(why);
    state_ = State::negotiated;
    return features_;
}

Errc BringUp::introduce() noexcept {
    step_ = Step::reset;
    status_ = 0;
    features_ = FeatureSet{};
    if (const Errc why = transport_.reset(); why != Errc::ok) return why;
    if (const Errc why = add_status(Step::acknowledge, status::kAcknowledge); why != Errc::ok) return why;
    return add_status(Step::driver, status::kDriver);
}

Errc BringUp::settle_features(FeatureSet wanted, FeatureSet required) noexcept {
    step_ = Step::read_features;
    const Result<FeatureSet> offered = transport_.device_features();
    if (!offered) return offered.error();
    offered_ = *offered;
    // A device without it is a legacy one, with other layouts and byte orders (virtio 1.2 §6.1 "Driver Requirements").
    if (!offered_.has(Feature::version_1)) return Errc::no_version_1;

    step_ = Step::accept_features;
    required.add(Feature::version_1);
    required = required | transport_.required_features();
    const FeatureSet missing(kTransportFeatures.bits() & ~transport_.supported_features().bits());
    const FeatureSet beyond = missing | kUnservedFeatures;
    if ((required & beyond) != FeatureSet{}) return Errc::features_refused;
    wanted = FeatureSet(wanted.bits() & ~beyond.bits());
    const FeatureSet accepted = offered_ & (wanted | required);
    if ((accepted & required) != required) return Errc::features_refused;
    features_ = accepted;
    return transport_.accept_features(accepted);
}

Errc BringUp::confirm_features() noexcept {
    if (const Errc why = add_status(Step::features_ok, status::kFeaturesOk); why != Errc::ok) return why;
    step_ = Step::confirm_features;
    const Result<std::uint8_t> now = transport_.status();
    if (!now) return now.error();
    if ((*now & status::kNeedsReset) != 0) return Errc::needs_reset;
    return (*now & status::kFeaturesOk) != 0 ? Errc::ok : Errc::features_refused;
}

Errc BringUp::enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept {
    if (!legal(Input::enable_queue)) return Errc::wrong_state;
    step_ = Step::enable_queue;
    const Errc why = transport_.enable_queue(index, addresses);
    return why == Errc::ok ? Errc::ok : fail(why);
}

Errc BringUp::reset_queue(QueueIndex index) noexcept {
    if (!legal(Input::reset_queue)) return Errc::wrong_state;
    if (!features_.has(Feature::ring_reset)) return Errc::not_negotiated;
    step_ = Step::reset_queue;
    const Errc why = transport_.reset_queue(index);
    return why == Errc::ok ? Errc::ok : fail(why);
}

Errc BringUp::enable_again(QueueIndex index, const QueueAddresses& addresses) noexcept {
    if (!legal(Input::enable_again)) return Errc::wrong_state;
    step_ = Step::enable_queue;
    const Errc why = transport_.enable_queue(index, addresses);
    return why == Errc::ok ? Errc::ok : fail(why);
}

Errc BringUp::go_live() noexcept {
    if (!legal(Input::go_live)) return Errc::wrong_state;
    if (const Errc why = add_status(Step::driver_ok, status::kDriverOk); why != Errc::ok) return fail(why);
    state_ = State::live;
    return Errc::ok;
}

Errc BringUp::tear_down() noexcept {
    if (!legal(Input::tear_down)) return Errc::wrong_state;
    step_ = Step::reset;
    const Errc why = transport_.reset();
    status_ = 0;
    features_ = FeatureSet{};
    state_ = why == Errc::ok || why == Errc::device_gone ? State::down : State::failed;
    return why;
}

Errc BringUp::add_status(Step step, std::uint8_t bit) noexcept {
    step_ = step;
    status_ = static_cast<std::uint8_t>(status_ | bit);
    return transport_.set_status(status_);
}

Errc BringUp::fail(Errc why) noexcept {
    state_ = State::failed;
    features_ = FeatureSet{};
    status_ = static_cast<std::uint8_t>(status_ | status::kFailed);
    // The device may be past hearing this; the first error is the one that explains.
    static_cast<void>(transport_.set_status(status_));
    return why;
}

const char* to_string(BringUp::Step step) noexcept {
    using Step = BringUp::Step;
    switch (step) {
    case Step::none: return "nothing yet";
    case Step::reset: return "resetting the device";
    case Step::acknowledge: return "acknowledging the device";
    case Step::driver: return "announcing a driver";
    case Step::read_features: return "reading the device's features";
    case Step::accept_features: return "accepting features";
    case Step::features_ok: return "setting FEATURES_OK";
    case Step::confirm_features: return "confirming FEATURES_OK";
    case Step::enable_queue: return "enabling a queue";
    case Step::driver_ok: return "setting DRIVER_OK";
    case Step::reset_queue: return "resetting a queue";
    }
    return "unknown step";
}

} // namespace vfsproto
