// SPDX-License-Identifier: BSD-2-Clause
#include "support/watchdog.hpp"
#include "unit/posix/gated_channel.hpp"
#include "unit/posix/mounted.hpp"

#include "vfsproto/posix/io_queue.hpp"

#include <deque>
#include <set>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using posix::File;
using posix::IoQueue;
using posix::QueuedRead;
using posix::QueuedWrite;
using test::GatedChannel;
using test::GatedRead;
using test::LoopbackService;
using test::MountedOptions;
using test::OverMemfs;
using test::succeeds;
using test::value_of;
using test::Waiting;
using test::Watchdog;

TEST_CASE("a queue of any depth reads and writes a file in pieces", "[io_queue]") {
    const Watchdog watchdog("depths");
    MountedOptions options;
    options.device.service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    options.mount.channel.waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    const std::size_t depth = GENERATE(1u, 2u, 7u, 32u, 64u, 100u);
    OverMemfs over(options);
    constexpr std::size_t kPiece = 4096;
    constexpr std::size_t kPieces = 200;
    const auto data = test::noise(kPiece * kPieces);
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));

    IoQueue queue(over->channel());
    std::deque<QueuedWrite> writes(depth);
    std::size_t next = 0;
    std::size_t done = 0;
    const auto write_at = [&](QueuedWrite& slot) {
        slot.tag = &slot;
        REQUIRE(queue.write(slot, file, std::span(data).subspan(next * kPiece, kPiece), next * kPiece) == Errc::ok);
        ++next;
    };
    for (QueuedWrite& slot : writes) write_at(slot);
    CHECK(queue.in_flight() == depth);
    while (client::Operation* finished = queue.next()) {
        auto& slot = *static_cast<QueuedWrite*>(finished->tag);
        REQUIRE(finished == &slot);
        REQUIRE(finished->succeeded());
        REQUIRE(slot.bytes() == kPiece);
        ++done;
        if (next < kPieces) write_at(slot);
    }
    CHECK(done == kPieces);
    CHECK(queue.in_flight() == 0);

    std::vector<std::byte> back(data.size());
    std::deque<QueuedRead> reads(kPieces);
    std::set<client::Operation*> seen;
    next = 0;
    while (seen.size() < kPieces) {
        while (next < kPieces && queue.in_flight() < depth) {
            REQUIRE(queue.read(reads[next], file, std::span(back).subspan(next * kPiece, kPiece), next * kPiece) ==
                    Errc::ok);
            ++next;
        }
        client::Operation* finished = queue.next();
        REQUIRE(finished != nullptr);
        REQUIRE(finished->succeeded());
        REQUIRE(seen.insert(finished).second);
    }
    CHECK(queue.next() == nullptr);
    CHECK(back == data);
    succeeds(over->close(std::move(file)));
}

TEST_CASE("a burst of a queue is one doorbell and at most one sleep", "[io_queue]") {
    const Watchdog watchdog("a burst");
    GatedChannel over(Waiting::event);
    IoQueue queue(*over.channel);
    std::deque<GatedRead> reads;
    const auto before = over.channel->stats();
    for (std::uint64_t i = 0; i < 32; ++i) queue.start(reads.emplace_back(i).operation, wire::kRootNodeId);
    while (queue.next() != nullptr) {}
    const auto after = over.channel->stats();
    CHECK(after.requests - before.requests == 32);
    CHECK(after.doorbells - before.doorbells == 1);
    CHECK(after.sleeps - before.sleeps <= 1);
    CHECK(after.syscalls - before.syscalls <= 3);
}

TEST_CASE("operations come back in the order they finished", "[io_queue]") {
    const Watchdog watchdog("order");
    GatedChannel over;
    over.fs.close_gate(1);
    over.fs.close_gate(2);
    IoQueue queue(*over.channel);
    GatedRead first(1);
    GatedRead second(2);
    GatedRead third(3);
    queue.start(first.operation, wire::kRootNodeId);
    queue.start(second.operation, wire::kRootNodeId);
    queue.start(third.operation, wire::kRootNodeId);
    queue.flush();
    CHECK_FALSE(queue.has_finished());
    CHECK(queue.next() == &third.operation);
    over.open_gate(2);
    CHECK(queue.next() == &second.operation);
    over.open_gate(1);
    CHECK(queue.next() == &first.operation);
    CHECK(queue.next() == nullptr);
}

TEST_CASE("what one request cannot carry is not started", "[io_queue]") {
    MountedOptions options;
    options.mount.channel.bounce = 8192;
    OverMemfs over(options);
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    IoQueue queue(over->channel());
    std::vector<std::byte> bytes(8193);
    QueuedRead read;
    CHECK(queue.read(read, file, bytes, 0) == Errc::too_large);
    CHECK(queue.in_flight() == 0);
    CHECK(queue.next() == nullptr);
    // Registered memory is not bound by it.
    auto buffer = value_of(over->allocate(65536));
    CHECK(queue.read(read, file, buffer.bytes(), 0) == Errc::ok);
    CHECK(queue.next() == &read);
    CHECK(over->channel().stats().copies == 0);
    // Nothing at all is carried as well, and the same storage again.
    CHECK(queue.read(read, file, buffer.bytes().first(0), 0) == Errc::ok);
    CHECK(queue.next() == &read);
    CHECK(read.succeeded());
    CHECK(read.bytes() == 0);
    CHECK(queue.read(read, file, std::span(bytes).first(10), 0) == Errc::ok);
    CHECK(queue.next() == &read);
    CHECK(read.succeeded());
    succeeds(over->close(std::move(file)));
}

TEST_CASE("a queue ends when the device goes", "[io_queue]") {
    const Waiting waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    const Watchdog watchdog("a device that goes");
    GatedChannel over(waiting, LoopbackService::threads);
    over.fs.close_gate(1);
    IoQueue queue(*over.channel);
    std::deque<GatedRead> reads;
    for (std::uint64_t i = 0; i < 100; ++i) queue.start(reads.emplace_back(1).operation, wire::kRootNodeId);
    queue.flush();
    std::thread killer([&] {
        test::until([&] { return over.fs.waiting() != 0; });
        over.loopback->fail("pulled out");
    });
    int gone = 0;
    while (const client::Operation* done = queue.next()) gone += done->errc() == Errc::device_gone;
    killer.join();
    CHECK(gone == 100);
    // An operation that is started afterwards ends at once.
    GatedRead later(2);
    queue.start(later.operation, wire::kRootNodeId);
    CHECK(queue.next() == &later.operation);
    CHECK(later.operation.errc() == Errc::device_gone);
}

TEST_CASE("several queues of several threads share the lane", "[io_queue]") {
    const Waiting waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    const LoopbackService service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    const Watchdog watchdog("several queues");
    GatedChannel over(waiting, service);
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int round = 0; round < 20; ++round) {
                IoQueue queue(*over.channel);
                std::deque<GatedRead> reads;
                for (std::uint64_t i = 0; i < 40; ++i) {
                    queue.start(reads.emplace_back(i).operation, wire::kRootNodeId);
                }
                while (queue.next() != nullptr) {}
                for (const GatedRead& read : reads) good += read.good() ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(good == 4 * 20 * 40);
}

TEST_CASE("operations that take a node alone are started together, however many, and after staged transfers",
          "[io_queue]") {
    const Watchdog watchdog("staged starts");
    OverMemfs over;
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    const auto data = test::noise(4096);
    auto buffer = value_of(over->allocate(data.size()));
    std::copy(data.begin(), data.end(), buffer.bytes().begin());
    IoQueue queue(over->channel());
    QueuedWrite write;
    REQUIRE(queue.write(write, file, buffer.bytes(), 0) == Errc::ok);
    const std::size_t count =
        GENERATE(std::size_t{1}, std::size_t{31}, std::size_t{32}, std::size_t{33}, std::size_t{100});
    std::deque<client::Single<wire::Opcode::getattr>> attributes(count);
    for (auto& each : attributes) queue.start(each, file.nodeid());
    CHECK(queue.in_flight() == count + 1);
    std::set<client::Operation*> seen;
    while (client::Operation* finished = queue.next()) {
        CHECK(finished->succeeded());
        seen.insert(finished);
    }
    CHECK(seen.size() == count + 1);
    if (count <= 32) CHECK(attributes[0].call.reply.attr.size == data.size());
    CHECK(queue.in_flight() == 0);
    succeeds(over->close(std::move(file)));
}
