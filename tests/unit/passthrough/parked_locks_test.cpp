// SPDX-License-Identifier: BSD-2-Clause
// Requests that wait for a lock are parked: what answers them, what ends them, and how many there may be.
#include "../../../src/backends/passthrough/parked_locks.hpp"
#include "passthrough_fixture.hpp"
#include "support/catch.hpp"
#include "support/watchdog.hpp"

#include "vfsproto/backends/file_descriptor.hpp"

#include <sys/file.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

constexpr std::uint64_t kOne = 11;
constexpr std::uint64_t kTwo = 12;
constexpr std::uint16_t kLane = 1; // of the fixture's queue
constexpr wire::FileLock kExclusive{0, abi::kLockToEof, abi::kLockWrite, 0};
constexpr wire::FileLock kShared{0, abi::kLockToEof, abi::kLockRead, 0};
constexpr wire::FileLock kUnlock{0, abi::kLockToEof, abi::kLockUnlock, 0};

class CountingSink final : public server::AnswerSink {
public:
    void can_answer(std::uint16_t lane) noexcept override {
        if (lane == kLane) ++told;
    }
    std::atomic<int> told{0};
};

// Holds the first who tells it something until the test opens it.
class GatedSink final : public server::AnswerSink {
public:
    void can_answer(std::uint16_t lane) noexcept override {
        begun = true;
        while (!open) std::this_thread::yield();
        const std::lock_guard guard(mutex_);
        told_.insert(lane);
    }
    [[nodiscard]] std::size_t lanes_told() {
        const std::lock_guard guard(mutex_);
        return told_.size();
    }
    std::atomic<bool> begun{false};
    std::atomic<bool> open{false};

private:
    std::mutex mutex_;
    std::set<std::uint16_t> told_;
};

// One file, which two handles of the client and a process of the host have open. Somebody listens to the file system.
struct Parking : PassthroughFixture {
    Parking() {
        write_host("file", "0123456789");
        node = PassthroughFixture::node(wire::kRootNodeId, "file");
        one = handle(node, abi::kORdwr);
        two = handle(node, abi::kORdwr);
        process = backends::FileDescriptor(::open((directory.root() / "file").c_str(), O_RDWR | O_CLOEXEC));
        served.tell_answers_to(&sink);
    }
    ~Parking() { served.tell_answers_to(nullptr); }

    // Ask for the lock of a whole file through a handle, and for records of an owner.
    [[nodiscard]] static wire::LkIn whole(std::uint64_t fh, const wire::FileLock& lock) {
        return {fh, fh, lock, wire::kLkFlock, 0};
    }
    [[nodiscard]] wire::LkIn records(std::uint64_t owner, const wire::FileLock& lock) const {
        return {owner == kOne ? one : two, owner, lock, 0, 0};
    }
    Errno set(const wire::LkIn& in) { return client.call<Opcode::setlk>(node, in).error; }
    // Sends a SETLKW. Returns the number of its chain.
    std::size_t wait(const wire::LkIn& in, std::uint64_t unique = 1) {
        const Message message = Message(Opcode::setlkw, node).fixed(in).unique(unique);
        const std::size_t number = client.queue().add({message.bytes()}, {sizeof(wire::OutHeader)});
        client.lane().serve(1);
        return number;
    }
    [[nodiscard]] bool is_answered(std::size_t number) { return client.queue().entry(number).written.has_value(); }
    [[nodiscard]] Errno answer_of(std::size_t number) { return take_apart(client.queue().entry(number)).error; }
    // Answers as a queue does whose file system told of it.
    void answer_when_told() {
        while (sink.told == 0) std::this_thread::yield();
        client.lane().answer_parked();
    }
    [[nodiscard]] std::size_t parked() const { return served.counters().parked_locks; }

    CountingSink sink;
    std::uint64_t node = 0;
    std::uint64_t one = 0;
    std::uint64_t two = 0;
    backends::FileDescriptor process; // of a process of the host
};

} // namespace

TEST_CASE("a SETLKW waits for what the client has, and is answered by the request that gives it up",
          "[passthrough][locks]") {
    Parking f;
    enum class End { unlock, weaken, close };
    const End end = GENERATE(as<End>{}, End::unlock, End::weaken, End::close);
    const bool is_whole = GENERATE(true, false);
    const auto held = is_whole ? Parking::whole(f.one, kExclusive) : f.records(kOne, kExclusive);
    const wire::FileLock& wanted = end == End::weaken ? kShared : kExclusive;
    CHECK(f.set(held) == Parking::Errno::none);
    const std::size_t waits = f.wait(is_whole ? Parking::whole(f.two, wanted) : f.records(kTwo, wanted));
    CHECK_FALSE(f.is_answered(waits));
    CHECK(f.parked() == 1);
    wire::LkIn given_up = held;
    given_up.lk = end == End::weaken ? kShared : kUnlock;
    if (end != End::close) {
        CHECK(f.set(given_up) == Parking::Errno::none);
    } else if (is_whole) {
        f.release(f.one);
    } else {
        wire::FlushIn flush{};
        flush.fh = f.one;
        flush.lock_owner = kOne;
        CHECK(f.client.call<wire::Opcode::flush>(f.node, flush).error == Parking::Errno::none);
    }
    REQUIRE(f.is_answered(waits));
    CHECK(f.answer_of(waits) == Parking::Errno::none);
    CHECK(f.parked() == 0);
    if (end != End::close) CHECK(f.set(held) == Parking::Errno::eagain);
}

TEST_CASE("a SETLKW waits for what a process of the host has, and the file system tells when it can be answered",
          "[passthrough][locks]") {
    const Watchdog watchdog("a lock of the host");
    Parking f;
    const bool is_whole = GENERATE(true, false);
    struct ::flock lock{};
    lock.l_type = F_WRLCK;
    REQUIRE((is_whole ? ::flock(f.process.get(), LOCK_EX) : ::fcntl(f.process.get(), F_OFD_SETLK, &lock)) == 0);
    const std::size_t waits = f.wait(is_whole ? Parking::whole(f.one, kExclusive) : f.records(kOne, kExclusive));
    CHECK_FALSE(f.is_answered(waits));
    lock.l_type = F_UNLCK;
    REQUIRE((is_whole ? ::flock(f.process.get(), LOCK_UN) : ::fcntl(f.process.get(), F_OFD_SETLK, &lock)) == 0);
    f.answer_when_told();
    CHECK(f.answer_of(waits) == Parking::Errno::none);
    lock.l_type = F_WRLCK;
    CHECK((is_whole ? ::flock(f.process.get(), LOCK_EX | LOCK_NB) : ::fcntl(f.process.get(), F_OFD_SETLK, &lock)) != 0);
}

TEST_CASE("a queue is told when a request of another one ends the wait of its SETLKW", "[passthrough][locks]") {
    const Watchdog watchdog("a lock given up on another queue");
    Parking f;
    Served<backends::Passthrough> other(f.served, f.client.session(), wire::QueueKind::request, kLane + 1);
    CHECK(f.set(f.records(kOne, kExclusive)) == Parking::Errno::none);
    const std::size_t waits = f.wait(f.records(kTwo, kExclusive));
    CHECK(other.call<wire::Opcode::setlk>(f.node, f.records(kOne, kUnlock)).error == Parking::Errno::none);
    CHECK_FALSE(f.is_answered(waits));
    f.answer_when_told();
    CHECK(f.answer_of(waits) == Parking::Errno::none);
}

TEST_CASE("each queue is told of its SETLKW, where more queues can answer one than may wait", "[passthrough][locks]") {
    const Watchdog watchdog("many queues that can answer");
    GatedSink sink;
    Parking f;
    f.served.tell_answers_to(&sink);
    std::deque<Served<backends::Passthrough>> queues;
    // Has as many further queues each park a request, which are then granted what they want.
    const auto park_and_grant = [&](std::size_t count) {
        CHECK(f.set(f.records(kTwo, kUnlock)) == Parking::Errno::none);
        CHECK(f.set(f.records(kOne, kExclusive)) == Parking::Errno::none);
        for (std::size_t i = 0; i < count; ++i) {
            const auto number = static_cast<std::uint16_t>(kLane + 1 + queues.size());
            auto& queue = queues.emplace_back(f.served, f.client.session(), wire::QueueKind::request, number);
            const Message message = Message(wire::Opcode::setlkw, f.node).fixed(f.records(kTwo, kExclusive)).unique(2);
            queue.queue().add({message.bytes()}, {sizeof(wire::OutHeader)});
            queue.lane().serve(1);
        }
        CHECK(f.parked() == count);
        CHECK(f.set(f.records(kOne, kUnlock)) == Parking::Errno::none);
        CHECK(f.parked() == 0);
    };
    park_and_grant(1);
    while (!sink.begun) std::this_thread::yield();
    park_and_grant(backends::ParkedLocks::kMost);
    park_and_grant(1);
    sink.open = true;
    while (sink.lanes_told() != queues.size()) std::this_thread::yield();
    CHECK(queues.size() == backends::ParkedLocks::kMost + 2);
}

TEST_CASE("an INTERRUPT ends the SETLKW that it names, and one that names none is to be sent again",
          "[passthrough][locks]") {
    Parking f;
    constexpr std::uint64_t kUnique = 40;
    CHECK(f.set(f.records(kOne, kExclusive)) == Parking::Errno::none);
    const std::size_t other = f.wait(f.records(kTwo, kShared), kUnique + 2);
    const std::size_t waits = f.wait(f.records(kTwo, kExclusive), kUnique);
    CHECK(f.client.call<wire::Opcode::interrupt>(0, {kUnique + 4}).error == Parking::Errno::eagain);
    CHECK_FALSE(f.is_answered(waits));
    CHECK(f.client.call<wire::Opcode::interrupt>(0, {kUnique}).written == 0);
    REQUIRE(f.is_answered(waits));
    CHECK(f.answer_of(waits) == Parking::Errno::eintr);
    CHECK_FALSE(f.is_answered(other));
    CHECK(f.client.call<wire::Opcode::interrupt>(0, {kUnique}).error == Parking::Errno::eagain);
    CHECK(f.set(f.records(kOne, kUnlock)) == Parking::Errno::none);
    CHECK(f.answer_of(other) == Parking::Errno::none);
    CHECK(f.set(f.records(kOne, kShared)) == Parking::Errno::none); // who was interrupted has nothing
}

TEST_CASE("the end of its handle or of the session ends a SETLKW", "[passthrough][locks]") {
    Parking f;
    CHECK(f.set(Parking::whole(f.one, kExclusive)) == Parking::Errno::none);
    CHECK(f.set(f.records(kOne, kExclusive)) == Parking::Errno::none);
    const std::size_t first = f.wait(Parking::whole(f.two, kExclusive));
    const std::size_t second = f.wait(f.records(kTwo, kExclusive));
    CHECK(f.parked() == 2);
    Parking::Errno expected = Parking::Errno::none;
    SECTION("RELEASE") {
        f.release(f.two);
        expected = Parking::Errno::ebadf;
    }
    SECTION("DESTROY") {
        CHECK(f.client.call<wire::Opcode::destroy>(0).error == Parking::Errno::none);
        expected = Parking::Errno::enotconn;
    }
    SECTION("INIT of another session") {
        f.client.init({});
        expected = Parking::Errno::enotconn;
    }
    REQUIRE(f.is_answered(first));
    REQUIRE(f.is_answered(second));
    CHECK(f.answer_of(first) == expected);
    CHECK(f.answer_of(second) == expected);
    CHECK(f.parked() == 0);
}

TEST_CASE("requests of a queue that was reset are forgotten, and take no lock any more", "[passthrough][locks]") {
    Parking f;
    CHECK(f.set(f.records(kOne, kExclusive)) == Parking::Errno::none);
    const std::size_t waits = f.wait(f.records(kTwo, kExclusive));
    f.served.abandon_parked(kLane + 1);
    CHECK(f.parked() == 1);
    f.client.lane().abandon();
    CHECK(f.parked() == 0);
    CHECK(f.set(f.records(kOne, kUnlock)) == Parking::Errno::none);
    CHECK_FALSE(f.is_answered(waits));
    CHECK(f.set(f.records(kOne, kExclusive)) == Parking::Errno::none);
}

TEST_CASE("only so many SETLKWs wait at once, and none where nobody listens", "[passthrough][locks]") {
    Parking f;
    CHECK(f.set(f.records(kOne, kExclusive)) == Parking::Errno::none);
    for (std::size_t i = 0; i < backends::ParkedLocks::kMost; ++i) f.wait(f.records(kTwo, kExclusive), i);
    CHECK(f.parked() == backends::ParkedLocks::kMost);
    const std::size_t one_more = f.wait(f.records(kTwo, kExclusive));
    REQUIRE(f.is_answered(one_more));
    CHECK(f.answer_of(one_more) == Parking::Errno::eagain);
    CHECK(f.set(f.records(kOne, kUnlock)) == Parking::Errno::none); // all are one owner's
    CHECK(f.parked() == 0);
    f.served.tell_answers_to(nullptr);
    const std::size_t unheard = f.wait(f.records(kOne, kExclusive));
    CHECK(f.answer_of(unheard) == Parking::Errno::eopnotsupp);
    CHECK(f.set(f.records(kTwo, kUnlock)) == Parking::Errno::none);
    CHECK(f.answer_of(f.wait(f.records(kOne, kExclusive))) == Parking::Errno::none); // without waiting
}

TEST_CASE("two who share the lock of a whole file and want it alone do not wait for each other for ever",
          "[passthrough][locks]") {
    Parking f;
    CHECK(f.set(Parking::whole(f.one, kShared)) == Parking::Errno::none);
    CHECK(f.set(Parking::whole(f.two, kShared)) == Parking::Errno::none);
    const std::size_t first = f.wait(Parking::whole(f.one, kExclusive)); // lets go of what it had
    CHECK_FALSE(f.is_answered(first));
    CHECK(f.answer_of(f.wait(Parking::whole(f.two, kExclusive))) == Parking::Errno::none);
    CHECK_FALSE(f.is_answered(first));
    CHECK(f.set(Parking::whole(f.two, kUnlock)) == Parking::Errno::none);
    CHECK(f.answer_of(first) == Parking::Errno::none);
}

TEST_CASE("a reply whose header lies in pieces is written when the lock is granted", "[passthrough][locks]") {
    Parking f;
    CHECK(f.set(f.records(kOne, kExclusive)) == Parking::Errno::none);
    const Message message = Message(wire::Opcode::setlkw, f.node).fixed(f.records(kTwo, kExclusive)).unique(2);
    const std::vector<std::size_t> pieces(sizeof(wire::OutHeader), 1);
    const std::size_t waits = f.client.queue().add({message.bytes()}, pieces);
    f.client.lane().serve(1);
    CHECK_FALSE(f.is_answered(waits));
    CHECK(f.set(f.records(kOne, kUnlock)) == Parking::Errno::none);
    CHECK(f.answer_of(waits) == Parking::Errno::none);
}
