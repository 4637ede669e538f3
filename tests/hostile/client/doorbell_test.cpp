// SPDX-License-Identifier: BSD-2-Clause
// A back end that never reads its kick eventfds, and fills them.
#include "support/watchdog.hpp"
#include "unit/vhost_user/front_end.hpp"

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/transport/bring_up.hpp"
#include "vfsproto/transport/fs_config.hpp"

#include <algorithm>

using namespace vfsproto;
using backends::VhostUser;
using test::Message;
using test::ScriptedBackEnd;
using test::Watchdog;

namespace {

constexpr std::uint32_t kSetVringKick = 12;
constexpr std::uint64_t kFullCounter = 0xfffffffffffffffe; // eventfd(2): one more would block a writer

void fill(int event) { REQUIRE(::write(event, &kFullCounter, sizeof kFullCounter) == sizeof kFullCounter); }

} // namespace

TEST_CASE("a back end that fills its kick eventfd does not block the doorbell", "[doorbell]") {
    const Watchdog watchdog("a full kick eventfd");
    ScriptedBackEnd back_end;
    auto opened = VhostUser::open(test::options_for(back_end));
    REQUIRE(opened);
    Transport& transport = opened.device->transport();
    BringUp steps(transport);
    REQUIRE(steps.negotiate(FeatureSet::of(Feature::event_idx)));
    const auto memory = opened.device->allocate(4096);
    REQUIRE(memory);
    REQUIRE(steps.enable_queue(kHiprioQueue, test::lay_out(*memory)) == Errc::ok);
    REQUIRE(steps.go_live() == Errc::ok);
    test::until([&] {
        const auto seen = back_end.requests();
        return std::find(seen.begin(), seen.end(), kSetVringKick) != seen.end();
    });
    const Doorbell doorbell = transport.doorbell(kHiprioQueue);
    for (const Message& message : back_end.log()) {
        if (message.request == kSetVringKick) fill(message.fds.at(0));
    }
    doorbell.ring(doorbell.context, 0); // returns: the counter says already that there is something to see
    CHECK(opened.device->doorbells(kHiprioQueue) == 1);
}

TEST_CASE("an eventfd that a peer filled does not block who signals it", "[doorbell]") {
    const Watchdog watchdog("a full eventfd");
    const auto kick = backends::FileDescriptor::event();
    fill(kick.get());
    backends::signal_event(kick.get());
    const auto call = backends::FileDescriptor::blocking_event();
    fill(call.get());
    backends::signal_unless_full(call.get());
    CHECK(backends::take_event(call.get()));
    // A peer that reads what is ours to read does not make us wait for more.
    CHECK_FALSE(backends::take_event(call.get()));
    backends::signal_unless_full(call.get());
    CHECK(backends::take_event(call.get()));
}
