// SPDX-License-Identifier: BSD-2-Clause
// The memory that threads which copy files are given.
#include "../../../src/cli/workers.hpp"
#include "unit/posix/holding_server.hpp"

#include "vfsproto/posix/mount_stats.hpp"

#include <algorithm>
#include <atomic>
#include <span>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using cli::Workers;
using test::HoldingServer;
using test::kShort;
using test::succeeds;
using test::value_of;
using test::Watchdog;
using wire::Opcode;

namespace {

// Has a thread of theirs do it, and waits until it is done.
template <class Work> void do_by_one(Workers& workers, Work&& work) {
    std::atomic<bool> is_done{false};
    workers.give([&](std::span<std::byte> buffer) {
        work(buffer);
        is_done = true;
    });
    test::until([&] { return is_done.load(); });
}

} // namespace

TEST_CASE("what a job has given up never comes to the memory of the next one", "[cli][limits]") {
    const Watchdog watchdog("a job");
    constexpr std::byte kUntouched{7};
    HoldingServer server;
    const auto limited = server.mount->limited_by({.time = kShort});
    const posix::File file = value_of(server.mount->open_file("/dir/file", kORdwr));
    succeeds(server.mount->write_all(file, test::noise(4096), 0));
    server.hold(Opcode::read);
    Workers workers(*limited);
    std::thread::id thread;
    std::span<std::byte> given_up;
    do_by_one(workers, [&](std::span<std::byte> buffer) {
        thread = std::this_thread::get_id();
        given_up = buffer;
        while (server.mount->mount_stats().abandoned == 0) static_cast<void>(limited->read(file, buffer, 0));
    });
    // Any thread may take the next job; after a while it is the same one.
    std::span<std::byte> next;
    while (next.empty()) {
        do_by_one(workers, [&](std::span<std::byte> buffer) {
            if (std::this_thread::get_id() == thread) next = buffer;
        });
    }
    CHECK(next.data() != given_up.data());
    std::fill(next.begin(), next.end(), kUntouched);
    server.release();
    test::until([&] {
        const posix::MountStats stats = server.mount->mount_stats();
        return stats.late == stats.abandoned;
    });
    CHECK(std::all_of(next.begin(), next.end(), [](std::byte each) { return each == kUntouched; }));
    workers.finish();
}
