// SPDX-License-Identifier: BSD-2-Clause
// A mount counts what it asked the server, what it knew without asking, and what it gave back.
#include "support/watchdog.hpp"
#include "unit/posix/mounted.hpp"

#include "vfsproto/fuse/wire/op_table.hpp"
#include "vfsproto/posix/lock.hpp"
#include "vfsproto/posix/mount_stats.hpp"
#include "vfsproto/posix/stop_source.hpp"

#include <string>
#include <thread>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::abi;
using posix::CacheMode;
using posix::File;
using posix::MountStats;
using posix::OperationStats;
using test::Errno;
using test::error_of;
using test::MountedOptions;
using test::OverMemfs;
using test::succeeds;
using test::value_of;
using test::Watchdog;
using wire::Opcode;

namespace {

constexpr std::uint64_t kHour = 3600ull * 1'000'000'000;

MountedOptions with_cache() {
    MountedOptions options;
    options.mount.cache.mode = CacheMode::automatic;
    options.memfs.entry_valid = kHour;
    options.memfs.attr_valid = kHour;
    options.memfs.negative_valid = kHour;
    return options;
}

// Returns the calls of all operations.
std::uint64_t sum_of(const MountStats& stats) {
    std::uint64_t calls = 0;
    for (const OperationStats& counts : stats.operations) calls += counts.calls;
    return calls;
}

} // namespace

TEST_CASE("a mount counts its requests by operation, with the errors that the server answered", "[stats]") {
    OverMemfs over;
    test::put(*over, "/f", "content");
    const MountStats before = over->mount_stats();
    for (int i = 0; i < 3; ++i) (void)value_of(over->stat("/f"));
    for (int i = 0; i < 2; ++i) CHECK(error_of(over->stat("/absent")) == Errno::enoent);
    const MountStats counted = over->mount_stats().since(before);
    CHECK(counted.of(Opcode::lookup).calls == 5);
    CHECK(counted.of(Opcode::lookup).errors == 2);
    CHECK(counted.of(Opcode::lookup).failures == 0);
    CHECK(sum_of(counted) == 5);
    CHECK(counted.channel.requests == 5);
    CHECK(counted.fast_transfers == 0);
    // A mount of the same session counts along.
    (void)value_of(over->looking_anew()->stat("/f"));
    CHECK(over->mount_stats().since(before).channel.requests == 6);
}

TEST_CASE("transfers of registered memory are one number, those that are copied are in their row", "[stats]") {
    OverMemfs over;
    auto buffer = value_of(over->allocate(4096));
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    const MountStats before = over->mount_stats();
    for (int i = 0; i < 2; ++i) CHECK(value_of(over->write(file, buffer.bytes(), 0)) == 4096);
    for (int i = 0; i < 3; ++i) CHECK(value_of(over->read(file, buffer.bytes(), 0)) == 4096);
    std::vector<std::byte> elsewhere(100);
    CHECK(value_of(over->read(file, elsewhere, 0)) == 100);
    const MountStats counted = over->mount_stats().since(before);
    CHECK(counted.channel.requests == 6);
    CHECK(counted.fast_transfers == 5);
    CHECK(counted.lost_transfers == 0);
    CHECK(counted.of(Opcode::read).calls == 1);
    CHECK(sum_of(counted) == 1);
    CHECK(counted.channel.copies == 1);
    succeeds(over->close(std::move(file)));
}

TEST_CASE("a walk counts the names and attributes that it knows, and those that it has to ask for", "[stats]") {
    OverMemfs over(with_cache());
    succeeds(over->mkdir("/d"));
    succeeds(over->mknod("/d/f", kSIfreg | 0600, 0));
    const MountStats start = over->mount_stats();
    for (int i = 0; i < 2; ++i) (void)value_of(over->stat("/d/f"));
    const MountStats known = over->mount_stats().since(start);
    CHECK(known.channel.requests == 0);
    CHECK(known.caches.name_hits == 4); // of "d" and of "f"
    CHECK(known.caches.absent_hits == 0);
    CHECK(known.caches.name_misses == 0);
    CHECK(known.caches.attribute_hits == 2);
    CHECK(known.caches.attribute_misses == 0);

    for (int i = 0; i < 2; ++i) CHECK(error_of(over->stat("/d/absent")) == Errno::enoent);
    const MountStats absent = over->mount_stats().since(start);
    CHECK(absent.caches.name_hits == 6);
    CHECK(absent.caches.name_misses == 1);
    CHECK(absent.caches.names_kept == 1);
    CHECK(absent.caches.absent_hits == 1);
    CHECK(absent.caches.names_expired == 0);
    CHECK(absent.caches.names_evicted == 0);
    CHECK(absent.caches.attribute_hits == 2);
    CHECK(absent.of(Opcode::lookup).calls == 1);
    CHECK(absent.of(Opcode::lookup).errors == 0); // an entry says it
    CHECK(absent.held.names == 3);
    CHECK(absent.held.nodes == 2);
    CHECK(absent.held.idle_nodes == 2);
}

TEST_CASE("attributes without a name are counted too, and a mount that looks anew counts nothing", "[stats]") {
    OverMemfs over(with_cache());
    const MountStats start = over->mount_stats();
    for (int i = 0; i < 3; ++i) (void)value_of(over->stat("/"));
    const MountStats counted = over->mount_stats().since(start);
    CHECK(counted.caches.attribute_misses == 1);
    CHECK(counted.caches.attribute_hits == 2);
    CHECK(counted.of(Opcode::getattr).calls == 1);
    (void)value_of(over->looking_anew()->stat("/"));
    const MountStats more = over->mount_stats().since(start);
    CHECK(more.caches.attribute_misses == 1);
    CHECK(more.caches.attribute_hits == 2);
    CHECK(more.of(Opcode::getattr).calls == 2);
}

TEST_CASE("a rename looks names up for nobody, and counts none", "[stats]") {
    OverMemfs over(with_cache());
    succeeds(over->mkdir("/d"));
    succeeds(over->mknod("/d/f", kSIfreg | 0600, 0));
    const MountStats start = over->mount_stats();
    succeeds(over->rename("/d/f", "/d/g"));
    const MountStats counted = over->mount_stats().since(start);
    CHECK(counted.caches.name_hits == 2); // "d", on the way to each of the two
    CHECK(counted.caches.name_misses == 0);
    CHECK(counted.caches.absent_hits == 0);
}

TEST_CASE("a mount without a cache counts its nodes alone", "[stats]") {
    OverMemfs over;
    for (const char* const name : {"/a", "/b", "/c"}) succeeds(over->mknod(name, kSIfreg | 0600, 0));
    (void)value_of(over->stat("/a"));
    const MountStats counted = over->mount_stats();
    CHECK(counted.caches.name_hits + counted.caches.name_misses + counted.caches.names_kept == 0);
    CHECK(counted.caches.attribute_hits + counted.caches.attribute_misses == 0);
    CHECK(counted.held.names == 0);
    CHECK(counted.held.nodes == 3);
    CHECK(counted.held.idle_nodes == 3);
    const File file = value_of(over->open_file("/a", kORdonly));
    CHECK(over->mount_stats().held.nodes == 3);
    CHECK(over->mount_stats().held.idle_nodes == 2);
    over->prune();
    CHECK(over->mount_stats().held.nodes == 1);
    CHECK(over->mount_stats().held.idle_nodes == 0);
}

TEST_CASE("what goes back to the server is counted by message and by file", "[stats]") {
    OverMemfs over;
    for (const char* const name : {"/a", "/b", "/c"}) succeeds(over->mknod(name, kSIfreg | 0600, 0));
    const MountStats before = over->mount_stats();
    over->prune();
    const MountStats batched = over->mount_stats().since(before);
    CHECK(batched.batch_forgets == 1);
    CHECK(batched.forgets == 0);
    CHECK(batched.forgotten == 3);
    (void)value_of(over->stat("/a"));
    over->prune();
    const MountStats counted = over->mount_stats().since(before);
    CHECK(counted.batch_forgets == 1);
    CHECK(counted.forgets == 1);
    CHECK(counted.forgotten == 4);
    CHECK(counted.interrupts_sent == 0);
    CHECK(counted.channel.requests == 1); // the LOOKUP
}

TEST_CASE("a call that is let go of is counted as abandoned, interrupted and answered late", "[stats][limits]") {
    const Watchdog watchdog("a late answer");
    constexpr posix::WantedLock kAll{posix::LockType::exclusive, {}, 0};
    MountedOptions options;
    options.device.service = backends::LoopbackService::threads;
    options.device.quirks.interrupts = client::InterruptUse::allowed;
    OverMemfs over(options);
    File holder = value_of(over->open_file("/f", kOCreat | kORdwr));
    File file = value_of(over->open_file("/f", kORdwr));
    succeeds(over->lock(holder, kAll));
    const MountStats before = over->mount_stats();
    posix::StopSource stop;
    posix::Failure failure;
    std::thread waiter([&] { failure = over->lock(file, kAll, posix::WhenLocked::wait, {.stop = &stop}); });
    test::until([&] { return over.fs.waiting_locks() == 1; });
    stop.stop();
    waiter.join();
    CHECK(failure.errc == Errc::abandoned);
    CHECK(over->mount_stats().since(before).abandoned == 1);
    test::until([&] { return over->mount_stats().since(before).late == 1; });
    const MountStats counted = over->mount_stats().since(before);
    CHECK(counted.interrupts_sent == 1);
    CHECK(counted.of(Opcode::setlkw).calls == 1);
    CHECK(counted.of(Opcode::setlkw).errors == 1);
    CHECK(counted.of(Opcode::setlkw).failures == 0);
    succeeds(over->close(std::move(file)));
    succeeds(over->close(std::move(holder)));
}

TEST_CASE("what was counted since a moment is the difference, and what is held is that of now", "[stats]") {
    MountStats before;
    for (const wire::OpInfo& op : wire::kOpInfo) before.operations.push_back({op.opcode, 3, 2, 1});
    before.channel.requests = 5;
    before.channel.violations = 1;
    before.interrupts_sent = 2;
    before.caches.name_hits = 10;
    before.caches.attribute_misses = 1;
    before.held.names = 6;
    MountStats now = before;
    now.channel.requests = 9;
    now.lost_transfers = 3;
    OperationStats& open = now.operations[wire::op_info(Opcode::open).row];
    REQUIRE(open.op == Opcode::open);
    open.calls = 10;
    open.failures = 5;
    now.interrupts_sent = 7;
    now.caches.name_hits = 11;
    now.caches.names_evicted = 4;
    now.held = {2, 8, 7};
    const MountStats counted = now.since(before);
    CHECK(counted.channel.requests == 4);
    CHECK(counted.channel.violations == 0);
    CHECK(counted.lost_transfers == 3);
    CHECK(counted.of(Opcode::open).calls == 7);
    CHECK(counted.of(Opcode::open).errors == 0);
    CHECK(counted.of(Opcode::open).failures == 4);
    CHECK(sum_of(counted) == 7);
    CHECK(counted.interrupts_sent == 5);
    CHECK(counted.caches.name_hits == 1);
    CHECK(counted.caches.names_evicted == 4);
    CHECK(counted.caches.attribute_misses == 0);
    CHECK(counted.held.names == 2);
    CHECK(counted.held.nodes == 8);
    CHECK(counted.held.idle_nodes == 7);
    CHECK(now.since({}).channel.requests == 9); // from the start
    CHECK(now.since({}).of(Opcode::open).calls == 10);
}

TEST_CASE("a channel counts what a mount adds up", "[stats]") {
    OverMemfs over;
    test::put(*over, "/f", "content");
    const MountStats counted = over->mount_stats();
    CHECK(counted.operations.size() == wire::kOpInfo.size());
    CHECK(counted.channel.requests == over->stats().requests);
    CHECK(counted.channel.requests == sum_of(counted) + counted.fast_transfers);
    CHECK(counted.of(Opcode::create).calls == 1);
    CHECK(counted.channel.since(counted.channel).requests == 0);
}
