// SPDX-License-Identifier: BSD-2-Clause
// Device initialisation in the order of virtio 1.2 §3.1.1 "Driver Requirements: Device Initialization", for any
// transport:
//
//   negotiate()     1 reset  2 ACKNOWLEDGE  3 DRIVER  4 read features, accept a subset  5 FEATURES_OK  6 status re-read
//   (the caller)    reads configuration space, lays out its rings
//   enable_queue()  7 once for each queue
//   (the caller)    posts the buffers the device must find at once, without a doorbell
//   go_live()       8 DRIVER_OK; from here on doorbells are legal
//   reset_queue()   takes one queue back (§2.6.1); enable_again() gives it to the device anew
//   tear_down()     reset: when it returns, the device touches no memory any more
//
//   state \ input   negotiate    enable_queue   go_live   tear_down   reset_queue   enable_again
//   down            negotiated   -              -         down        -             -
//   negotiated      -            negotiated     live      down        -             -
//   live            -            -              -         down        live          live
//   failed          -            -              -         down        -             -
//
// A "-" answers wrong_state and changes nothing. Any other input that fails sets FAILED in the device, says why by its
// Errc, and leaves the state `failed`. The same table, as data, is kLegal in bring_up.cpp.
#pragma once

#include "vfsproto/transport/transport.hpp"

namespace vfsproto {

class BringUp {
public:
    enum class State : std::uint8_t { down, negotiated, live, failed };

    // The last step that was begun. When an input failed, this is where; it is for messages to people.
    enum class Step : std::uint8_t {
        none,
        reset,
        acknowledge,
        driver,
        read_features,
        accept_features,
        features_ok,
        confirm_features,
        enable_queue,
        driver_ok,
        reset_queue,
    };

    // The transport is not owned and must outlive this. One owner at a time; every call may sleep as the transport's do.
    explicit BringUp(Transport& transport) noexcept : transport_(transport) {}

    // Takes what is both offered and wanted, VERSION_1 always, of kTransportFeatures only what the transport supports,
    // of kUnservedFeatures none.
    // Returns what was accepted. Errors: no_version_1; features_refused when a bit that is required, here or by the
    // transport, is not offered or not supported, or FEATURES_OK does not stick; needs_reset; reset_timeout; what the
    // transport says.
    [[nodiscard]] Result<FeatureSet> negotiate(FeatureSet wanted, FeatureSet required = FeatureSet{}) noexcept;
    // Errors: what the transport says.
    [[nodiscard]] Errc enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept;
    // Errors: what the transport says.
    [[nodiscard]] Errc go_live() noexcept;
    // ok: the device touches nothing of that queue any more. Errors: not_negotiated (RING_RESET), which changes nothing;
    // what the transport says.
    [[nodiscard]] Errc reset_queue(QueueIndex index) noexcept;
    // Enables a queue after reset_queue(); the size may be another. Errors: what the transport says.
    [[nodiscard]] Errc enable_again(QueueIndex index, const QueueAddresses& addresses) noexcept;
    // Legal in every state. ok or device_gone: nothing reaches the driver's memory any more, the state is `down`.
    // Any other error (reset_timeout): the memory must not be reused, the state is `failed`.
    [[nodiscard]] Errc tear_down() noexcept;

    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] Step step() const noexcept { return step_; }
    // The features that negotiate() accepted; none while down.
    [[nodiscard]] FeatureSet features() const noexcept { return features_; }
    // The features that the device offered at the last negotiate().
    [[nodiscard]] FeatureSet offered() const noexcept { return offered_; }

private:
    enum class Input : std::uint8_t { negotiate, enable_queue, go_live, tear_down, reset_queue, enable_again };

    static const bool kLegal[4][6]; // [State][Input]
    [[nodiscard]] bool legal(Input input) const noexcept;
    [[nodiscard]] Errc introduce() noexcept;
    [[nodiscard]] Errc settle_features(FeatureSet wanted, FeatureSet required) noexcept;
    [[nodiscard]] Errc confirm_features() noexcept;
    [[nodiscard]] Errc add_status(Step step, std::uint8_t bit) noexcept;
    Errc fail(Errc why) noexcept;

    Transport& transport_;
    FeatureSet offered_;
    FeatureSet features_;
    State state_ = State::down;
    Step step_ = Step::none;
    std::uint8_t status_ = 0; // the bits we set; never read back from the device, never cleared but by reset
};

// "negotiating features" and so on: what a step does. Static storage.
[[nodiscard]] const char* to_string(BringUp::Step step) noexcept;

} // namespace vfsproto
