// SPDX-License-Identifier: BSD-2-Clause
// Threads share a lane: who polls, who sleeps, who wakes whom, and what it costs.
#include "unit/posix/gated_channel.hpp"

#include "vfsproto/posix/io_queue.hpp"

#include <unistd.h>

#include <atomic>
#include <deque>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace vfsproto;
using posix::SharedLane;
using test::GatedChannel;
using test::GatedRead;
using test::LoopbackService;
using test::until;
using test::Waiting;
using test::Watchdog;

namespace {

// A thread in a READ.
struct Reader {
    Reader(GatedChannel& to, std::uint64_t offset)
        : read(offset), thread([this, &to] {
              tid.store(::gettid(), std::memory_order_release);
              read.run(*to.channel);
              done.store(true, std::memory_order_release);
          }) {}
    ~Reader() {
        if (thread.joinable()) thread.join();
    }
    // True if the thread is blocked in a system call, as far as the system can tell.
    [[nodiscard]] bool asleep() const {
        const int id = tid.load(std::memory_order_acquire);
        std::ifstream stat("/proc/self/task/" + std::to_string(id) + "/stat");
        std::string text;
        std::getline(stat, text);
        const std::size_t name_end = text.rfind(')');
        return id != 0 && name_end != std::string::npos && text.compare(name_end, 3, ") S") == 0;
    }
    [[nodiscard]] bool finished() const { return done.load(std::memory_order_acquire); }

    GatedRead read;
    std::atomic<int> tid{0};
    std::atomic<bool> done{false};
    std::thread thread;
};

// Every reader started so far waits at its gate, and has let go of the lane.
void until_waiting(GatedChannel& at, std::size_t count) {
    until([&] { return at.fs.waiting() == count; });
    const SharedLane::Lock lock(at.channel->shared_lane());
}

} // namespace

TEST_CASE("a lone thread makes no futex call, however it waits and whoever serves", "[shared_lane]") {
    const Waiting waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    const LoopbackService service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    const Watchdog watchdog("a lone thread");
    GatedChannel over(waiting, service);
    const std::uint64_t before = posix::futex_calls();
    int good = 0;
    for (std::uint64_t i = 0; i < 2000; ++i) {
        GatedRead read(i);
        read.run(*over.channel);
        good += read.good() ? 1 : 0;
    }
    CHECK(good == 2000);
    CHECK(posix::futex_calls() == before);
    if (waiting == Waiting::poll) CHECK(over.counters().sleeps == 0);
}

TEST_CASE("eight threads at depth 1 all get their answers, however they wait and whoever serves", "[shared_lane]") {
    const Waiting waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    const LoopbackService service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    const Watchdog watchdog("eight threads");
    GatedChannel over(waiting, service);
    constexpr int kReads = 400;
    std::atomic<int> good{0};
    {
        std::vector<std::thread> threads;
        for (std::uint64_t t = 0; t < 8; ++t) {
            threads.emplace_back([&, t] {
                // They leave one after the other, the poller of the moment among them.
                for (std::uint64_t i = 0; i < kReads / (t + 1); ++i) {
                    GatedRead read(t * 1000 + i);
                    read.run(*over.channel);
                    good += read.good() ? 1 : 0;
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
    }
    int expected = 0;
    for (int t = 0; t < 8; ++t) expected += kReads / (t + 1);
    CHECK(good == expected);
    CHECK(over.channel->stats().requests == static_cast<std::uint64_t>(expected));
    CHECK(over.channel->stats().violations == 0);
}

TEST_CASE("the poller passes its role on when its own request is done", "[shared_lane]") {
    const Waiting waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    const Watchdog watchdog("passing the role");
    GatedChannel over(waiting);
    for (std::uint64_t gate = 1; gate <= 3; ++gate) over.fs.close_gate(gate);
    Reader first(over, 1);
    until_waiting(over, 1);
    Reader second(over, 2);
    until_waiting(over, 2);
    Reader third(over, 3);
    until_waiting(over, 3);
    CHECK(over.counters().roles_passed == 0);

    over.open_gate(1); // the poller's own
    until([&] { return first.finished(); });
    CHECK(over.counters().roles_passed == 1);
    CHECK_FALSE(second.finished());
    CHECK_FALSE(third.finished());

    over.open_gate(3); // not the new poller's: it wakes the sleeper
    until([&] { return third.finished(); });
    CHECK(over.counters().sleepers_woken == 1);
    CHECK(over.counters().roles_passed == 1);
    CHECK_FALSE(second.finished());

    over.open_gate(2);
    until([&] { return second.finished(); });
    CHECK(first.read.good());
    CHECK(second.read.good());
    CHECK(third.read.good());
    // Nobody is left to pass it to, and a newcomer takes it without being asked.
    GatedRead later(7);
    later.run(*over.channel);
    CHECK(later.good());
    CHECK(over.counters().roles_passed == 1);
}

TEST_CASE("one futex call wakes each sleeper, and no more are made", "[shared_lane]") {
    const Watchdog watchdog("waking sleepers");
    GatedChannel over(Waiting::event);
    over.fs.close_gate(1);
    std::deque<Reader> readers;
    for (std::size_t i = 0; i < 8; ++i) {
        readers.emplace_back(over, 1);
        until([&] { return over.fs.waiting() == i + 1 && readers.back().asleep(); });
    }
    const std::uint64_t before = posix::futex_calls();
    over.open_gate(1);
    for (Reader& reader : readers) until([&] { return reader.finished(); });
    CHECK(posix::futex_calls() - before == 7);
    CHECK(over.counters().sleepers_woken == 7);
    CHECK(over.counters().roles_passed == 0);
    for (Reader& reader : readers) CHECK(reader.read.good());
}

TEST_CASE("every sleeper returns when the device goes", "[shared_lane]") {
    const Waiting waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    const LoopbackService service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    const Watchdog watchdog("a device that goes");
    GatedChannel over(waiting, service);
    over.fs.close_gate(1);
    std::deque<Reader> readers;
    for (std::size_t i = 0; i < 8; ++i) readers.emplace_back(over, 1);
    until([&] { return over.fs.waiting() == 8; });
    over.loopback->fail("pulled out");
    for (Reader& reader : readers) until([&] { return reader.finished(); });
    for (Reader& reader : readers) CHECK(reader.read.operation.errc() == Errc::device_gone);
    // A thread that comes later fails at once as well.
    GatedRead later(2);
    later.run(*over.channel);
    CHECK(later.operation.errc() == Errc::device_gone);
    CHECK(over.channel->failure() == Errc::device_gone);
}

TEST_CASE("a request the lane refuses ends at once, and leaves the others alone", "[shared_lane]") {
    const Watchdog watchdog("a refused request");
    GatedChannel over;
    over.fs.close_gate(1);
    Reader reader(over, 1);
    until_waiting(over, 1);
    std::vector<std::byte> large(1 << 20);
    client::Single<wire::Opcode::read> refused;
    refused.call.args.size = static_cast<std::uint32_t>(large.size());
    refused.call.data_out = {large.data(), static_cast<std::uint32_t>(large.size()), {}};
    over.channel->run(refused, over.channel->own_caller(), wire::kRootNodeId);
    CHECK(refused.errc() == Errc::too_large);
    CHECK_FALSE(reader.finished());
    over.open_gate(1);
    until([&] { return reader.finished(); });
    CHECK(reader.read.good());
}

TEST_CASE("threads beyond the slots wait their turn", "[shared_lane]") {
    const Waiting waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    const LoopbackService service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    const Watchdog watchdog("slots");
    posix::ChannelOptions options;
    options.slots = GENERATE(std::uint16_t{1}, std::uint16_t{4});
    GatedChannel over(waiting, service, options);
    REQUIRE(over.channel->slots() == options.slots);
    over.fs.close_gate(1);
    std::deque<Reader> readers;
    for (std::size_t i = 0; i < 12; ++i) readers.emplace_back(over, 1);
    until([&] { return over.channel->stats().waited_for_slot == 12u - options.slots; });
    until([&] { return over.fs.waiting() == options.slots; });
    over.open_gate(1);
    for (Reader& reader : readers) until([&] { return reader.finished(); });
    for (Reader& reader : readers) CHECK(reader.read.good());
}

TEST_CASE("a blocked request holds up none of 31 others, whatever its position", "[shared_lane]") {
    const Waiting waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    const LoopbackService service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    const Watchdog watchdog("31 beside one");
    GatedChannel over(waiting, service);
    for (std::size_t blocked = 0; blocked < 32; ++blocked) {
        const std::uint64_t gate = 1000 + blocked;
        over.fs.close_gate(gate);
        posix::IoQueue queue(*over.channel);
        std::deque<GatedRead> reads;
        for (std::size_t i = 0; i < 32; ++i) {
            reads.emplace_back(i == blocked ? gate : i);
            queue.start(reads.back().operation, wire::kRootNodeId);
        }
        std::size_t others = 0;
        while (others < 31) {
            const client::Operation* done = queue.next();
            REQUIRE(done != &reads[blocked].operation);
            ++others;
        }
        CHECK(queue.in_flight() == 1);
        over.open_gate(gate);
        CHECK(queue.next() == &reads[blocked].operation);
        CHECK(queue.next() == nullptr);
        int good = 0;
        for (const GatedRead& read : reads) good += read.good() ? 1 : 0;
        CHECK(good == 32);
    }
}

TEST_CASE("a blocked thread holds up none of 31 others, poller or not", "[shared_lane]") {
    const Waiting waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    const LoopbackService service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    const std::size_t blocked = GENERATE(0, 15, 31);
    const Watchdog watchdog("31 threads beside one");
    GatedChannel over(waiting, service);
    over.fs.close_gate(1000);
    std::deque<Reader> readers;
    for (std::size_t i = 0; i < 32; ++i) {
        readers.emplace_back(over, i == blocked ? 1000 : i);
        if (i == blocked) until_waiting(over, 1);
    }
    for (std::size_t i = 0; i < 32; ++i) {
        if (i != blocked) until([&] { return readers[i].finished(); });
    }
    CHECK_FALSE(readers[blocked].finished());
    over.open_gate(1000);
    until([&] { return readers[blocked].finished(); });
    for (const Reader& reader : readers) CHECK(reader.read.good());
}

TEST_CASE("a thread in an IoQueue and threads in calls serve each other", "[shared_lane]") {
    const Waiting waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    const Watchdog watchdog("a queue beside calls");
    GatedChannel over(waiting, LoopbackService::threads);
    over.fs.close_gate(1);
    Reader blocked(over, 1);
    until_waiting(over, 1);
    std::atomic<bool> stop{false};
    std::thread caller([&] {
        while (!stop) {
            GatedRead read(5);
            read.run(*over.channel);
            if (!read.good()) std::terminate();
        }
    });
    for (int round = 0; round < 50; ++round) {
        posix::IoQueue queue(*over.channel);
        std::deque<GatedRead> reads;
        for (std::uint64_t i = 10; i < 26; ++i) queue.start(reads.emplace_back(i).operation, wire::kRootNodeId);
        while (queue.next() != nullptr) {}
        for (const GatedRead& read : reads) REQUIRE(read.good());
    }
    stop = true;
    caller.join();
    over.open_gate(1);
    until([&] { return blocked.finished(); });
    CHECK(blocked.read.good());
}

TEST_CASE("operations nobody waits for are polled by a thread of their own", "[shared_lane]") {
    const Waiting waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    const LoopbackService service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    const Watchdog watchdog("detached operations");
    GatedChannel over(waiting, service);
    over.fs.close_gate(1);
    struct Detached {
        GatedRead read;
        posix::DetachedPoller* poller = nullptr;
        std::atomic<int>* done = nullptr;
    };
    std::atomic<int> done{0};
    std::deque<Detached> calls;
    const auto start = [&](std::uint64_t offset) {
        Detached& call = calls.emplace_back();
        call.read.prepare(offset);
        call.poller = &over.channel->detached();
        call.done = &done;
        call.read.operation.user = &call;
        call.read.operation.on_finish = [](client::Operation& finished) noexcept {
            auto& self = *static_cast<Detached*>(finished.user);
            self.poller->finished();
            self.done->fetch_add(1, std::memory_order_release);
        };
        over.channel->detached().start(call.read.operation, over.channel->own_caller(), wire::kRootNodeId);
    };
    // The thread sleeps between the rounds.
    for (int round = 1; round <= 50; ++round) {
        for (std::uint64_t i = 10; i < 14; ++i) start(i);
        until([&] { return done.load(std::memory_order_acquire) == round * 4; });
    }
    // The detached operation runs beside a thread that waits for itself.
    start(1);
    GatedRead read(7);
    read.run(*over.channel);
    CHECK(read.good());
    CHECK(done == 200);
    over.open_gate(1);
    until([&] { return done.load(std::memory_order_acquire) == 201; });
    for (const Detached& call : calls) CHECK(call.read.good());
}
