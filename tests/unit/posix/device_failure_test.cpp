// SPDX-License-Identifier: BSD-2-Clause
// Devices that cannot be mounted, or leave at a bad moment.
#include "support/watchdog.hpp"
#include "unit/posix/mounted.hpp"
#include "unit/posix/scripted_device.hpp"
#include "unit/posix/stubborn_device.hpp"

#include <atomic>
#include <cerrno>
#include <optional>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using backends::loopback::Fault;
using backends::loopback::FaultKind;
using backends::loopback::FaultPlan;
using posix::Failure;
using posix::File;
using posix::Mount;
using posix::MountOptions;
using test::Errno;
using test::OverMemfs;
using test::ScriptedReply;
using test::succeeds;
using test::value_of;
using test::Watchdog;

namespace {

MountOptions impatient() {
    MountOptions options;
    options.channel.patience = std::chrono::milliseconds(50);
    return options;
}

wire::InitOut good_init() {
    wire::InitOut out{};
    out.major = wire::kMajor;
    out.minor = wire::kMinor;
    out.max_write = 1 << 17;
    return out;
}

Failure why_not(std::unique_ptr<backends::Attachment> device) {
    auto mount = Mount::open(std::move(device), impatient());
    REQUIRE_FALSE(mount);
    return mount.failure();
}

// The failure to mount a device whose answer to INIT is this.
Failure why_not(const ScriptedReply& init) {
    return why_not(test::scripted_device([init](wire::Opcode) { return init; }));
}

} // namespace

TEST_CASE("a device that refuses INIT is not mounted, and its error is told", "[device]") {
    const Failure why = why_not({-13, {}});
    CHECK(why.errc == Errc::init_refused);
    CHECK(why.error == Errno::eacces);
    CHECK(why.is_fatal());
    CHECK_FALSE(why.text().empty());
}

TEST_CASE("a device of another protocol version is not mounted", "[device]") {
    wire::InitOut out = good_init();
    out.major = GENERATE(6u, 8u, 0u);
    CHECK(why_not({0, test::body_of(out)}).errc == Errc::version_unsupported);
    // A server of a later major says no more than that.
    auto short_form = test::body_of(out);
    short_form.resize(8);
    CHECK(why_not({0, short_form}).errc == Errc::version_unsupported);
    out.major = wire::kMajor;
    out.minor = GENERATE(0u, 12u, 26u);
    CHECK(why_not({0, test::body_of(out)}).errc == Errc::version_unsupported);
}

TEST_CASE("an answer to INIT that is none fails the mount", "[device]") {
    auto bytes = test::body_of(good_init());
    bytes.resize(GENERATE(0u, 4u, 7u, 20u));
    CHECK(why_not({0, bytes}).errc == Errc::protocol_violation);
    CHECK(why_not({1, {}}).errc == Errc::protocol_violation);
    CHECK(why_not({-100'000, {}}).errc == Errc::protocol_violation);
    CHECK(why_not({-5, test::body_of(good_init())}).errc == Errc::protocol_violation);
}

TEST_CASE("a good answer to INIT is all it takes, and what DESTROY says does not matter", "[device]") {
    const std::int32_t error = GENERATE(0, -EIO);
    auto mount = Mount::open(test::scripted_device([error](wire::Opcode op) {
        return op == wire::Opcode::init ? ScriptedReply{0, test::body_of(good_init())} : ScriptedReply{error, {}};
    }));
    REQUIRE(mount);
    CHECK((*mount)->channel().params().minor == wire::kMinor);
}

TEST_CASE("a device that does not answer INIT is given up", "[device]") {
    const Watchdog watchdog("silence");
    backends::Memfs fs;
    FaultPlan plan;
    plan.faults = {{FaultKind::drop, 1}};
    CHECK(why_not(backends::make_faulty_loopback(fs, plan)).errc == Errc::transport_failed);
}

TEST_CASE("a device that does not answer DESTROY is left", "[device]") {
    const Watchdog watchdog("silence at the end");
    backends::Memfs fs;
    FaultPlan plan;
    plan.faults = {{FaultKind::drop, 2}};
    auto mount = Mount::open(backends::make_faulty_loopback(fs, plan), impatient());
    REQUIRE(mount);
    mount->reset();
}

TEST_CASE("a device that dies during INIT or DESTROY does not hang the mount", "[device]") {
    const auto service = GENERATE(backends::LoopbackService::inline_in_doorbell, backends::LoopbackService::threads);
    const Watchdog watchdog("dying devices");
    for (int round = 0; round < 20; ++round) {
        backends::Memfs fs;
        backends::LoopbackOptions options;
        options.service = service;
        FaultPlan plan;
        plan.faults = {{FaultKind::die, 1}};
        auto none = Mount::open(backends::make_faulty_loopback(fs, plan, options));
        REQUIRE_FALSE(none);
        CHECK(none.failure().errc == Errc::device_gone);
        plan.faults = {{FaultKind::die, 2}};
        auto mount = Mount::open(backends::make_faulty_loopback(fs, plan, options));
        REQUIRE(mount);
        mount->reset();
    }
}

TEST_CASE("a device that is gone before it is mounted is not mounted", "[device]") {
    backends::Memfs fs;
    auto device = backends::make_loopback(fs);
    device->fail("pulled out");
    CHECK(why_not(std::move(device)).errc == Errc::device_gone);
}

TEST_CASE("a device may go at any moment of a mount's life", "[device]") {
    const auto service = GENERATE(backends::LoopbackService::inline_in_doorbell, backends::LoopbackService::threads);
    const Watchdog watchdog("going at any moment");
    for (int round = 0; round < 100; ++round) {
        backends::Memfs fs;
        backends::LoopbackOptions options;
        options.service = service;
        auto device = backends::make_loopback(fs, options);
        auto* loopback = device.get();
        std::atomic<int> go{0};
        std::thread killer([&] {
            test::until([&] { return go >= 1 + round % 3; });
            loopback->fail("pulled out");
            go = 100;
        });
        go = 1;
        auto mount = Mount::open(std::move(device));
        go = std::max(2, go.load());
        if (mount) {
            static_cast<void>((*mount)->mkdir("/dir"));
            static_cast<void>((*mount)->list("/"));
        }
        go = go == 100 ? 100 : 3;
        // The loopback must be there when fail() is called, and waits for a fail() that found it.
        killer.join();
        if (mount) {
            CHECK((*mount)->stat("/").failure().is_fatal());
            mount->reset();
        }
    }
}

TEST_CASE("a device that breaks the rules is stopped, and every call fails from then on", "[device]") {
    const FaultKind kind = GENERATE(FaultKind::written_beyond, FaultKind::reply_unique);
    const Watchdog watchdog("a rule broken");
    backends::Memfs fs;
    FaultPlan plan;
    plan.faults = {{kind, 4}};
    auto mount = value_of(Mount::open(backends::make_faulty_loopback(fs, plan), impatient()));
    succeeds(mount->mkdir("/a"));
    succeeds(mount->mkdir("/b"));
    const Failure why = mount->mkdir("/c");
    CHECK(why.is_fatal());
    CHECK(why.as_errno() == Errno::enotconn);
    CHECK(mount->stat("/").failure().is_fatal());
    CHECK(mount->channel().failure() != Errc::ok);
}

TEST_CASE("a device that never answers again is given up, whether asleep or spinning", "[device]") {
    const posix::Waiting waiting = GENERATE(posix::Waiting::event, posix::Waiting::poll);
    const Watchdog watchdog("a silent device");
    backends::Memfs fs;
    FaultPlan plan;
    plan.faults = {{FaultKind::drop, 4}};
    MountOptions options = impatient();
    options.channel.waiting = waiting;
    options.channel.silence = std::chrono::milliseconds(20);
    auto mount = value_of(Mount::open(backends::make_faulty_loopback(fs, plan), options));
    succeeds(mount->mkdir("/a"));
    succeeds(mount->mkdir("/b"));
    const Failure why = mount->mkdir("/c");
    CHECK(why.errc == Errc::transport_failed);
    CHECK(why.is_fatal());
    CHECK(mount->stat("/").failure().is_fatal());
}

namespace {

// FSYNC is the completion of this number on the request queue after INIT, CREATE and OPEN of the file.
struct SlowSync {
    explicit SlowSync(std::uint64_t lost_to) {
        FaultPlan plan;
        for (std::uint64_t at = first_lost(); at < first_lost() + lost_to; ++at) {
            plan.faults.push_back({FaultKind::drop, at});
        }
        auto device = backends::make_faulty_loopback(fs, plan);
        loopback = device.get();
        MountOptions options;
        options.channel.silence = std::chrono::milliseconds(20);
        mount = test::mount_of(std::move(device), options);
        file = value_of(mount->open_file("/f", kOCreat | kORdwr));
        REQUIRE(mount->channel().stats().requests + 1 == first_lost() - 1); // INIT is none of the lane's
        syncing = std::thread([this] { why = mount->fsync(*file); });
    }
    // CREATE or what it takes, counted once.
    static std::uint64_t first_lost() {
        static const std::uint64_t number = [] {
            backends::Memfs other;
            auto counted = test::mount_of(backends::make_loopback(other));
            File opened = value_of(counted->open_file("/f", kOCreat | kORdwr));
            const std::uint64_t requests = counted->channel().stats().requests;
            succeeds(counted->close(std::move(opened)));
            return requests + 2; // INIT before them, FSYNC behind
        }();
        return number;
    }

    backends::Memfs fs;
    backends::Loopback* loopback = nullptr;
    std::unique_ptr<Mount> mount;
    std::optional<File> file;
    Failure why;
    std::thread syncing;
};

} // namespace

TEST_CASE("a device that takes its time for an FSYNC is not silent while it answers something else", "[device]") {
    const Watchdog watchdog("a slow FSYNC");
    constexpr std::uint64_t kLooks = 60; // eight of them are the time after which a device counts as silent
    SlowSync slow(1);
    const std::uint64_t before = slow.mount->channel().stats().requests;
    test::until([&] {
        return slow.mount->channel().stats().requests >= before + kLooks || slow.mount->channel().failure() != Errc::ok;
    });
    CHECK(slow.mount->channel().failure() == Errc::ok);
    slow.loopback->fail("pulled out");
    slow.syncing.join();
    CHECK(slow.why.errc == Errc::device_gone);
}

TEST_CASE("a device that answers nothing beside an FSYNC is given up", "[device]") {
    const Watchdog watchdog("silence beside an FSYNC");
    constexpr std::uint64_t kEverything = 1000;
    SlowSync slow(kEverything);
    slow.syncing.join();
    CHECK(slow.why.errc == Errc::transport_failed);
    CHECK(slow.mount->channel().failure() == Errc::transport_failed);
}

TEST_CASE("calls do not wait for a device that is being stopped", "[device]") {
    const Watchdog watchdog("a slow stop");
    backends::Memfs fs;
    FaultPlan plan;
    plan.faults = {{FaultKind::reply_unique, 2}};
    auto device = std::make_unique<test::StubbornDevice>(backends::make_faulty_loopback(fs, plan));
    test::StubbornDevice& stubborn = *device;
    auto mount = test::mount_of(std::move(device), impatient());
    stubborn.hold_stop();
    bool broke = false;
    std::thread breaks([&] { broke = mount->mkdir("/a").is_fatal(); });
    test::until([&] { return stubborn.is_stopping(); });
    // Each of these takes the lock that the thread which stops the device took before.
    CHECK(mount->stat("/").failure().is_fatal());
    CHECK(mount->channel().failure() != Errc::ok);
    stubborn.let_stop(Errc::ok);
    breaks.join();
    CHECK(broke);
}

TEST_CASE("memory of a device that will not stop is used for nothing else", "[device]") {
    const Watchdog watchdog("no stop");
    const Errc stop = GENERATE(Errc::ok, Errc::device_gone, Errc::reset_timeout);
    backends::Memfs fs;
    FaultPlan plan;
    plan.faults = {{FaultKind::reply_unique, 2}};
    auto device = std::make_unique<test::StubbornDevice>(backends::make_faulty_loopback(fs, plan));
    test::StubbornDevice& stubborn = *device;
    std::size_t released = 0;
    stubborn.count_releases(released);
    auto mount = test::mount_of(std::move(device), impatient());
    auto buffer = mount->allocate(1 << 16);
    REQUIRE(buffer);
    stubborn.let_stop(stop);
    CHECK_FALSE(mount->channel().is_over());
    CHECK(mount->mkdir("/a").is_fatal());
    buffer = posix::Buffer();
    const bool may_write = stop == Errc::reset_timeout;
    CHECK(mount->channel().is_over() == (stop == Errc::ok)); // gone, for whatever reason, is not known to have ended
    CHECK(released == (may_write ? 0u : 1u));
    mount.reset();
    CHECK((released == 0) == may_write);
}

TEST_CASE("a malformed reply costs the one call it answers", "[device]") {
    const FaultKind kind = GENERATE(FaultKind::reply_length, FaultKind::reply_error, FaultKind::written_short);
    backends::Memfs fs;
    FaultPlan plan;
    plan.faults = {{kind, 3}};
    auto mount = value_of(Mount::open(backends::make_faulty_loopback(fs, plan)));
    succeeds(mount->sync());
    const auto bad = mount->statfs();
    REQUIRE_FALSE(bad);
    CHECK(bad.failure().errc == Errc::protocol_violation);
    CHECK_FALSE(bad.failure().is_fatal());
    CHECK(bad.failure().as_errno() == Errno::eio);
    CHECK(mount->statfs());
    CHECK(mount->channel().stats().violations == 1);
}

TEST_CASE("failures say what they are", "[device]") {
    CHECK_FALSE(Failure().happened());
    CHECK(Failure(Errno::enoent).text() == "No such file or directory (ENOENT)");
    CHECK(Failure(Errno::enoent).as_errno() == Errno::enoent);
    CHECK_FALSE(Failure(Errno::enoent).is_fatal());
    CHECK(Failure(Errc::device_gone).is_fatal());
    CHECK(Failure(Errc::device_gone).as_errno() == Errno::enotconn);
    CHECK(Failure(Errc::no_memory).as_errno() == Errno::enomem);
    CHECK(Failure(Errc::bad_argument).as_errno() == Errno::einval);
    CHECK(Failure(Errc::too_large).as_errno() == Errno::e2big);
    // These are of one call or one file: the next call may find a new session.
    for (const Errc lost : {Errc::reply_lost, Errc::file_lost, Errc::locks_lost, Errc::writes_lost}) {
        CHECK_FALSE(Failure(lost).is_fatal());
    }
    CHECK(Failure(Errc::reply_lost).as_errno() == Errno::eio);
    CHECK(Failure(Errc::writes_lost).as_errno() == Errno::eio);
    CHECK(Failure(Errc::file_lost).as_errno() == Errno::estale);
    CHECK_FALSE(Failure(static_cast<Errno>(399)).text().empty());
}
