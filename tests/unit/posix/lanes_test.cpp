// SPDX-License-Identifier: BSD-2-Clause
// Several request queues: who goes by which, and that each of them ends as one does.
#include "support/watchdog.hpp"
#include "unit/posix/gated_channel.hpp"
#include "unit/posix/on_lanes.hpp"
#include "unit/posix/stubborn_device.hpp"

#include "vfsproto/posix/async_mount.hpp"
#include "vfsproto/posix/io_queue.hpp"

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using backends::loopback::FaultKind;
using backends::loopback::FaultPlan;
using posix::Buffer;
using posix::Channel;
using posix::File;
using posix::IoQueue;
using posix::Mount;
using posix::QueuedRead;
using test::GatedChannel;
using test::GatedRead;
using test::on_side_lane;
using test::OverDirectory;
using test::OverMemfs;
using test::requests_by_queue;
using test::succeeds;
using test::until;
using test::value_of;
using test::Watchdog;
using test::with_queues;

namespace {

constexpr std::uint16_t kTwo = 2;

// Returns the queues on which requests ended since.
std::vector<std::size_t> moved(Mount& mount, const std::vector<std::uint64_t>& before) {
    const auto now = requests_by_queue(mount);
    REQUIRE(now.size() == before.size());
    std::vector<std::size_t> queues;
    for (std::size_t i = 0; i < now.size(); ++i) {
        if (now[i] != before[i]) queues.push_back(i);
    }
    return queues;
}

posix::ChannelOptions with_two_queues() {
    posix::ChannelOptions options;
    options.rings.request_queues = kTwo;
    return options;
}
backends::LoopbackOptions of_two_queues() {
    backends::LoopbackOptions device;
    device.num_request_queues = kTwo;
    return device;
}

// Writes a file of its own and reads it again, by both ways of a transfer.
bool writes_and_reads(Mount& mount, unsigned number) {
    const std::string path = "/file" + std::to_string(number);
    const auto data = test::noise(200'000, number);
    auto file = mount.open_file(path, kOCreat | kORdwr);
    auto buffer = mount.allocate(data.size());
    if (!file || !buffer || mount.write_all(*file, data, 0).happened()) return false;
    const auto bytes = buffer->bytes();
    for (std::size_t at = 0; at < data.size(); at += 4096) {
        const std::size_t length = std::min<std::size_t>(4096, data.size() - at);
        const auto read = mount.read(*file, bytes.subspan(at, length), at);
        if (!read || *read != length) return false;
    }
    if (!std::equal(data.begin(), data.end(), bytes.begin())) return false;
    const auto names = mount.list("/");
    return names && !mount.close(*std::move(file)).happened() && !mount.unlink(path).happened();
}

} // namespace

TEST_CASE("threads take the request queues in turn, and each keeps its own", "[lanes]") {
    constexpr std::uint16_t kQueues = 3;
    OverMemfs over(with_queues(kQueues));
    succeeds(over->mkdir("/dir"));
    std::vector<std::size_t> taken;
    for (int i = 0; i < 2 * kQueues; ++i) {
        const auto before = requests_by_queue(*over);
        std::thread([&] {
            for (int call = 0; call < 5; ++call) succeeds(over->access("/dir", 4));
        }).join();
        const auto queues = moved(*over, before);
        REQUIRE(queues.size() == 1);
        taken.push_back(queues.front());
    }
    for (std::size_t i = 0; i + 1 < taken.size(); ++i) CHECK(taken[i + 1] == (taken[i] + 1) % kQueues);
}

TEST_CASE("a thread with two mounts goes by a queue of either", "[lanes]") {
    OverMemfs one(with_queues(kTwo));
    OverMemfs other(with_queues(kTwo));
    for (int i = 0; i < 3; ++i) {
        succeeds(one->mkdir("/dir" + std::to_string(i)));
        succeeds(other->mkdir("/dir" + std::to_string(i)));
    }
    CHECK(value_of(one->list("/")).size() == 3);
    CHECK(value_of(other->list("/")).size() == 3);
}

TEMPLATE_TEST_CASE("threads over several queues read what they wrote, however they wait and whoever serves", "[lanes]",
                   OverMemfs, OverDirectory) {
    const Watchdog watchdog("threads over several queues");
    auto options = with_queues(GENERATE(as<std::uint16_t>{}, 2, 3));
    options.scratch = test::Scratch::memory;
    options.device.service =
        GENERATE(backends::LoopbackService::inline_in_doorbell, backends::LoopbackService::threads);
    options.mount.channel.waiting = GENERATE(posix::Waiting::event, posix::Waiting::adaptive);
    TestType over(options);
    std::atomic<int> good{0};
    constexpr unsigned kThreads = 5;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i)
        threads.emplace_back([&, i] { good += writes_and_reads(*over, i) ? 1 : 0; });
    for (std::thread& thread : threads) thread.join();
    CHECK(good == kThreads);
    const auto requests = requests_by_queue(*over);
    CHECK(std::count(requests.begin(), requests.end(), std::uint64_t{0}) == 0);
    std::uint64_t sum = 0;
    for (const std::uint64_t count : requests) sum += count;
    CHECK(over->stats().requests == sum);
}

TEST_CASE("an IoQueue goes by the queue of the thread that makes it", "[lanes]") {
    OverMemfs over(with_queues(kTwo));
    test::put(*over, "/file", "content");
    const File file = value_of(over->open_file("/file", kORdonly));
    const auto before = requests_by_queue(*over);
    on_side_lane(over->channel(), [&] {
        const Buffer buffer = value_of(over->allocate(7));
        const std::span<std::byte> bytes = buffer.bytes().first(7);
        IoQueue queue(over->channel());
        std::array<QueuedRead, 4> reads;
        for (QueuedRead& read : reads) REQUIRE(queue.read(read, file, bytes, 0) == Errc::ok);
        std::size_t done = 0;
        while (const client::Operation* read = queue.next()) done += read->succeeded() ? 1 : 0;
        CHECK(done == reads.size());
        CHECK(test::text_of(bytes) == "content");
    });
    CHECK(moved(*over, before) == std::vector<std::size_t>{1});
}

TEST_CASE("asynchronous calls take the queues in turn", "[lanes][async]") {
    const Watchdog watchdog("asynchronous calls");
    auto options = with_queues(kTwo);
    options.device.service = backends::LoopbackService::threads;
    OverMemfs over(options);
    const auto before = requests_by_queue(*over);
    boost::asio::io_context io;
    int good = 0;
    {
        posix::AsyncMount files(*over, io.get_executor());
        for (int i = 0; i < 8; ++i) {
            files.statfs("/",
                         [&](const posix::Failure& failure, const wire::Kstatfs&) { good += !failure.happened(); });
        }
        io.run();
    }
    CHECK(good == 8);
    CHECK(moved(*over, before) == std::vector<std::size_t>{0, 1});
}

TEST_CASE("what breaks one queue ends the calls on all of them", "[lanes]") {
    const Watchdog watchdog("a broken queue");
    backends::Memfs fs;
    FaultPlan plan;
    plan.queue = QueueIndex{2};
    plan.faults = {{FaultKind::reply_unique, 1}};
    posix::MountOptions options;
    options.channel = with_two_queues();
    const auto mount = test::mount_of(backends::make_faulty_loopback(fs, plan, of_two_queues()), options);
    succeeds(mount->access("/", 4)); // by the first
    on_side_lane(mount->channel(), [&] { CHECK(mount->access("/", 4).is_fatal()); });
    CHECK(mount->access("/", 4).is_fatal());
    CHECK(mount->channel().failure() != Errc::ok);
}

TEST_CASE("what breaks one queue ends the sleep of a thread on another", "[lanes]") {
    const auto waiting = GENERATE(posix::Waiting::event, posix::Waiting::poll);
    const auto service = GENERATE(backends::LoopbackService::inline_in_doorbell, backends::LoopbackService::threads);
    const Watchdog watchdog("a broken queue beside a sleeper");
    test::GateFileSystem fs;
    fs.close_gate(1);
    FaultPlan plan;
    const bool is_first = GENERATE(true, false); // the queue that breaks; INIT is the first request there
    plan.queue = is_first ? QueueIndex{1} : QueueIndex{2};
    plan.faults = {{FaultKind::reply_unique, is_first ? 2u : 1u}};
    auto options = with_two_queues();
    options.waiting = waiting;
    auto device = of_two_queues();
    device.service = service;
    auto opened = Channel::open(backends::make_faulty_loopback(fs, plan, device), options);
    REQUIRE(opened);
    Channel& channel = **opened;
    GatedRead waits(1);
    GatedRead breaks(0);
    CHECK(channel.side_lane_of_this_thread() == nullptr); // this thread takes the first queue
    const auto wait = [&] { waits.run(channel); };
    const auto broken = [&] {
        until([&] { return fs.waiting() == 1; });
        breaks.run(channel);
    };
    std::thread other([&] {
        CHECK(channel.side_lane_of_this_thread() != nullptr);
        is_first ? wait() : broken();
    });
    is_first ? broken() : wait();
    other.join();
    CHECK_FALSE(breaks.operation.succeeded());
    CHECK_FALSE(waits.operation.succeeded());
    CHECK(channel.failure() != Errc::ok);
}

TEST_CASE("a failure that nobody was told of is found on any queue", "[lanes]") {
    const Watchdog watchdog("a failure to be found");
    backends::Memfs fs;
    FaultPlan plan;
    plan.queue = QueueIndex{2};
    plan.faults = {{FaultKind::reply_unique, 1}};
    auto opened = Channel::open(backends::make_faulty_loopback(fs, plan, of_two_queues()), with_two_queues());
    REQUIRE(opened);
    Channel& channel = **opened;
    on_side_lane(channel, [&] {
        client::Single<wire::Opcode::statfs> operation;
        channel.run(operation, channel.own_caller(), wire::kRootNodeId);
        CHECK_FALSE(operation.succeeded());
    });
    CHECK(channel.find_failure() != Errc::ok);
    CHECK(channel.is_over());
}

TEST_CASE("a device that goes away ends what waits on each queue", "[lanes]") {
    const auto waiting = GENERATE(posix::Waiting::event, posix::Waiting::poll, posix::Waiting::adaptive);
    const auto service = GENERATE(backends::LoopbackService::inline_in_doorbell, backends::LoopbackService::threads);
    const Watchdog watchdog("a device that goes away");
    GatedChannel over(waiting, service, with_two_queues(), of_two_queues());
    constexpr std::size_t kThreads = 4;
    over.fs.close_gate(1);
    std::array<GatedRead, kThreads> reads;
    std::vector<std::thread> threads;
    for (GatedRead& read : reads) {
        read.prepare(1);
        threads.emplace_back([&over, &read] { read.run(*over.channel); });
    }
    until([&] { return over.fs.waiting() == kThreads; });
    over.loopback->fail("a test ends it");
    for (std::thread& thread : threads) thread.join();
    for (const GatedRead& read : reads) CHECK(read.operation.errc() == Errc::device_gone);
}

TEST_CASE("a queue that gives no answer makes a device silent, though another queue answers", "[lanes]") {
    const Watchdog watchdog("a silent queue");
    auto options = with_two_queues();
    options.silence = std::chrono::milliseconds(20);
    GatedChannel over(posix::Waiting::event, backends::LoopbackService::threads, options, of_two_queues());
    over.fs.close_gate(1);
    const bool is_first = GENERATE(true, false); // the silent queue
    GatedRead silent(1);
    std::atomic<bool> is_over{false};
    const auto wait = [&] {
        silent.run(*over.channel);
        is_over = true;
    };
    const auto answer = [&] {
        until([&] {
            GatedRead read(0);
            read.run(*over.channel);
            return is_over.load();
        });
    };
    // This thread takes the first queue, the next one the other.
    CHECK(over.channel->side_lane_of_this_thread() == nullptr);
    if (is_first) {
        std::thread others([&] {
            CHECK(over.channel->side_lane_of_this_thread() != nullptr);
            answer();
        });
        wait();
        others.join();
    } else {
        std::thread waits(wait);
        answer();
        waits.join();
    }
    CHECK(silent.operation.errc() == Errc::transport_failed);
}

TEST_CASE("a device with fewer queues than its configuration says is used by those it has", "[lanes]") {
    backends::Memfs fs;
    backends::LoopbackOptions offered;
    offered.num_request_queues = 4;
    auto device = std::make_unique<test::StubbornDevice>(backends::make_loopback(fs, offered));
    struct Case {
        std::uint32_t said;
        std::uint16_t hidden_from;
        std::size_t used; // 0: it cannot be mounted
    };
    const Case one = GENERATE(Case{4, 0xffff, 4}, Case{4, 3, 2}, Case{4, 2, 1}, Case{4, 1, 0}, Case{60'000, 0xffff, 4},
                              Case{3, 0xffff, 3}, Case{0, 0xffff, 0}, Case{65'535, 0xffff, 0}, Case{~0u, 0xffff, 0});
    CAPTURE(one.said, one.hidden_from);
    device->say_request_queues(one.said);
    device->hide_queues_from(one.hidden_from);
    test::StubbornDevice& kept = *device;
    posix::MountOptions options;
    options.channel.rings.request_queues = 0xffff;
    auto mount = Mount::open(std::move(device), options);
    REQUIRE(static_cast<bool>(mount) == (one.used != 0));
    if (one.used == 0) return;
    CHECK((*mount)->channel().lanes() == one.used);
    kept.say_request_queues(1); // what it says later is not asked for
    for (std::size_t i = 0; i < one.used; ++i) std::thread([&] { succeeds((*mount)->access("/", 4)); }).join();
    const auto requests = requests_by_queue(**mount);
    CHECK(std::count(requests.begin(), requests.end(), std::uint64_t{0}) == 0);
}

TEST_CASE("no more than 63 request queues are used, and each has slots of its own", "[lanes]") {
    auto options = with_queues(70);
    options.device.queue_size = 8;
    options.mount.channel.slots = 2;
    options.mount.channel.bounce = 8192;
    OverMemfs over(options);
    CHECK(over->channel().lanes() == posix::kMostRequestQueues);
    CHECK(over->channel().slots() == 2 * posix::kMostRequestQueues);
    test::put(*over, "/file", "content");
    CHECK(test::get(*over, "/file") == "content");
}

TEST_CASE("the threads of a mount over one queue have no other", "[lanes]") {
    OverMemfs over(with_queues(1));
    CHECK_FALSE(over->channel().has_side_lanes());
    std::thread([&] { CHECK(over->channel().side_lane_of_this_thread() == nullptr); }).join();
    CHECK(&over->channel().lane_of_this_thread() == &over->channel().shared_lane());
    CHECK(&over->channel().detached_in_turn() == &over->channel().detached());
}
