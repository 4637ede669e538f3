// SPDX-License-Identifier: BSD-2-Clause
// The example in the class comment of ServerLane, run. tools/check_examples.py compares it with the comment.
#include "recording_file_system.hpp"
#include "support/catch.hpp"
#include "support/message.hpp"

#include <memory>

using namespace vfsproto;
using namespace vfsproto::test;
using namespace vfsproto::server;

TEST_CASE("the example of ServerLane runs", "[server]") {
    constexpr std::size_t kBudget = 16;
    constexpr std::size_t kSegments = 8;
    constexpr std::size_t kRoom = 4096; // writable bytes of each chain
    FakeDeviceQueue queue;
    RecordingFileSystem fs;
    ServerSession session;
    std::array<HostSegment, kSegments> segments{};
    const auto scratch = std::make_unique<RequestScratch>();
    int notified = 0;
    const auto notify = [&] { ++notified; };
    wire::InitIn in{};
    in.major = wire::kMajor;
    in.minor = wire::kMinor;
    const std::size_t init = queue.add({Message(wire::Opcode::init, 0).fixed(in).bytes()}, {kRoom});
    const std::size_t getattr =
        queue.add({Message(wire::Opcode::getattr, 9).fixed(wire::GetattrIn{}).bytes()}, {kRoom});

    ServerLane lane(queue, fs, session, {segments, *scratch}, {wire::QueueKind::request, 1});

    for (;;) {
        while (lane.serve(kBudget) != 0) {
            if (queue.wants_notification()) notify();
        }
        if (!queue.arm()) break;
    }

    CHECK(notified == 1);
    CHECK(take_apart(queue.entry(init)).ok());
    CHECK(take_apart(queue.entry(getattr)).as<wire::AttrOut>().attr.ino == 9);
}
