// SPDX-License-Identifier: BSD-2-Clause
// Calls of a port while a handler of the file system runs: most must not wait for it.
#include "support/catch.hpp"
#include "support/watchdog.hpp"
#include "unit/loopback/parking_file_system.hpp"
#include "unit/serving/port_pair.hpp"

#include <atomic>
#include <thread>

using namespace vfsproto;
using test::Message;
using test::PackedParts;
using test::ParkingFileSystem;
using test::PortPair;
using test::SplitParts;
using test::until;
using test::Watchdog;
using wire::Opcode;

namespace {

// Slots of the driver's requests.
constexpr std::uint16_t kLock = 0;
constexpr std::uint16_t kSlow = 1;
constexpr std::uint16_t kGetattr = 2;

constexpr std::int64_t kNotTaken = -1;
constexpr std::int64_t kHeaderOnly = sizeof(wire::OutHeader);

// A file system whose STATFS takes as long as the test wants, as one on a network file system that hangs.
class SlowFileSystem : public ParkingFileSystem {
public:
    std::atomic<bool> inside{false};
    std::atomic<bool> let_go{false};
    std::atomic<bool> left{false};

    using ParkingFileSystem::handle;
    void handle(const In<Opcode::statfs>&, Out<Opcode::statfs>& reply) noexcept {
        inside = true;
        until([&] { return let_go.load(); });
        left = true;
        return reply.error(abi::Errno::eio);
    }
};

test::Bytes statfs() { return Message(Opcode::statfs, 1).bytes(); }
test::Bytes getattr() { return Message(Opcode::getattr, 1).fixed(wire::GetattrIn{}).bytes(); }
test::Bytes wait_for_lock() { return Message(Opcode::setlkw, 1).fixed(wire::LkIn{}).bytes(); }

// A port, one of whose requests is inside a handler on another thread. Leave its scope only after let_go().
template <class Parts> class BusyPort : public PortPair<Parts, SlowFileSystem> {
public:
    BusyPort() {
        this->ring.submit(kLock, wait_for_lock());
        this->port.ring_doorbell();
        this->ring.submit(kSlow, statfs());
        server_ = std::thread([this] { this->port.ring_doorbell(); });
        until([&] { return this->fs.inside.load(); });
    }
    ~BusyPort() { let_go(); }
    void let_go() {
        this->fs.let_go = true;
        if (server_.joinable()) server_.join();
    }

private:
    std::thread server_;
};

} // namespace

TEMPLATE_TEST_CASE("a parked request is answered while a handler of the same queue waits for a file", "[serving]",
                   SplitParts, PackedParts) {
    const Watchdog watchdog("answering what was parked");
    BusyPort<TestType> busy;
    REQUIRE(busy.ring.taken(kLock) == kNotTaken);
    busy.fs.release();
    SECTION("by whoever served another queue") { busy.port.answer_parked(); }
    SECTION("by a thread of the file system") {
        std::thread([&] { busy.port.complete(); }).join();
    }
    CHECK(busy.ring.taken(kLock) == kHeaderOnly);
    CHECK_FALSE(busy.fs.left);
    busy.let_go();
    CHECK(busy.ring.taken(kSlow) == kHeaderOnly);
}

TEMPLATE_TEST_CASE("a doorbell does not wait for another thread's handler, and is served when that one is done",
                   "[serving]", SplitParts, PackedParts) {
    const Watchdog watchdog("ringing a doorbell");
    BusyPort<TestType> busy;
    busy.ring.submit(kGetattr, getattr());
    busy.port.ring_doorbell();
    CHECK(busy.ring.taken(kGetattr) == kNotTaken);
    busy.let_go();
    CHECK(busy.ring.taken(kGetattr) > kHeaderOnly);
}

TEMPLATE_TEST_CASE("memory is added while a handler waits for a file", "[serving]", SplitParts, PackedParts) {
    constexpr DeviceAddr kElsewhere{0x5000'0000};
    const test::Pages more(4096);
    const Watchdog watchdog("adding memory");
    BusyPort<TestType> busy;
    CHECK(busy.port.add_memory(more.at(kElsewhere)) == Errc::ok);
    CHECK_FALSE(busy.fs.left);
}

TEMPLATE_TEST_CASE("a port that was stopped is inside no handler", "[serving]", SplitParts, PackedParts) {
    const Watchdog watchdog("stopping");
    BusyPort<TestType> busy;
    std::atomic<bool> stops{false};
    std::thread control([&] {
        stops = true;
        busy.port.stop();
        CHECK(busy.fs.left);
    });
    until([&] { return stops.load(); });
    busy.let_go();
    control.join();
    CHECK(busy.fs.waiting() == 0); // the lock's request was abandoned with its queue
}

TEMPLATE_TEST_CASE("what is parked on one thread is answered by another without a lost reply", "[serving]", SplitParts,
                   PackedParts) {
    constexpr int kRounds = 2000;
    constexpr DeviceAddr kElsewhere{0x5000'0000};
    const test::Pages more(4096);
    const Watchdog watchdog("two threads on one port");
    PortPair<TestType, ParkingFileSystem> pair;
    std::atomic<bool> done{false};
    std::thread other([&] {
        while (!done) {
            pair.fs.release();
            pair.port.answer_parked();
            if (pair.port.add_memory(more.at(kElsewhere)) == Errc::ok) pair.port.remove_memory(more.at(kElsewhere));
        }
    });
    std::int64_t wrong = 0;
    for (int round = 0; round < kRounds; ++round) {
        pair.ring.submit(kLock, wait_for_lock());
        pair.ring.submit(kGetattr, getattr());
        pair.port.ring_doorbell();
        std::int64_t locked = kNotTaken;
        until([&] { return (locked = pair.ring.taken(kLock)) != kNotTaken; });
        std::int64_t answered = kNotTaken;
        until([&] { return (answered = pair.ring.taken(kGetattr)) != kNotTaken; });
        wrong += locked == kHeaderOnly && answered > kHeaderOnly ? 0 : 1;
    }
    done = true;
    other.join();
    CHECK(wrong == 0);
}
