// SPDX-License-Identifier: BSD-2-Clause
// Asynchronous calls of a mount with limits: they end as those of a thread do, and what comes late is undone.
#include "unit/posix/holding_server.hpp"
#include "unit/posix/runner.hpp"

#include "vfsproto/posix/async_mount.hpp"
#include "vfsproto/posix/mount_stats.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <array>
#include <future>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace asio = boost::asio;
using namespace vfsproto;
using namespace vfsproto::abi;
using namespace std::chrono_literals;
using asio::use_future;
using posix::AsyncMount;
using posix::Buffer;
using posix::Failure;
using posix::File;
using posix::LastLink;
using posix::Mount;
using posix::StopSource;
using test::Errno;
using test::HoldingServer;
using test::kLong;
using test::kShort;
using test::Runner;
using test::succeeds;
using test::value_of;
using test::Watchdog;
using wire::Opcode;

namespace {

// A server that keeps its answers, and a mount of it whose asynchronous calls have limits.
struct Limited {
    explicit Limited(const posix::MountLimits& limits, const posix::MountOptions& options = {})
        : server({}, options), mount(server.mount->limited_by(limits)), files(*mount, runner.io.get_executor()) {}

    [[nodiscard]] File open_unlimited(std::uint32_t flags = kORdwr) {
        return value_of(server.mount->open_file("/dir/file", flags));
    }

    HoldingServer server;
    std::unique_ptr<Mount> mount;
    Runner runner;
    AsyncMount files;
};

Failure failure_of(std::future<Failure> future) { return future.get(); }
template <class T> Failure failure_of(std::future<std::tuple<Failure, T>> future) { return std::get<0>(future.get()); }

struct Kind {
    const char* name;
    Opcode opcode;
    Failure (*call)(AsyncMount& files);
};

const Kind kKinds[] = {
    {"lookup", Opcode::lookup,
     [](AsyncMount& files) { return failure_of(files.stat("/dir/file", LastLink::follow, use_future)); }},
    {"stat", Opcode::getattr,
     [](AsyncMount& files) { return failure_of(files.stat("/", LastLink::follow, use_future)); }},
    {"open", Opcode::open,
     [](AsyncMount& files) { return failure_of(files.open_file("/dir/file", kORdonly, 0, use_future)); }},
    {"create", Opcode::create,
     [](AsyncMount& files) { return failure_of(files.open_file("/dir/new", kOCreat | kOWronly, 0600, use_future)); }},
    {"tmpfile", Opcode::tmpfile,
     [](AsyncMount& files) { return failure_of(files.open_temporary("/dir", kOWronly, 0600, use_future)); }},
    {"opendir", Opcode::opendir, [](AsyncMount& files) { return failure_of(files.list("/dir", use_future)); }},
    {"readdirplus", Opcode::readdirplus, [](AsyncMount& files) { return failure_of(files.list("/dir", use_future)); }},
    {"mkdir", Opcode::mkdir, [](AsyncMount& files) { return failure_of(files.mkdir("/dir/sub", 0755, use_future)); }},
    {"unlink", Opcode::unlink, [](AsyncMount& files) { return failure_of(files.unlink("/dir/file", use_future)); }},
    {"rename", Opcode::rename,
     [](AsyncMount& files) { return failure_of(files.rename("/dir/file", "/dir/other", 0, use_future)); }},
    {"chmod", Opcode::setattr,
     [](AsyncMount& files) { return failure_of(files.chmod("/dir/file", 0600, use_future)); }},
};

} // namespace

TEST_CASE("an asynchronous call ends at its deadline, and its late answer is undone", "[async][limits]") {
    const Watchdog watchdog("a deadline");
    const Kind& kind = kKinds[GENERATE(range(std::size_t{0}, std::size(kKinds)))];
    INFO(kind.name);
    Limited limited({.time = kShort});
    limited.server.hold(kind.opcode);
    const Failure failure = limited.server.call_until_held([&] { return kind.call(limited.files); });
    CHECK(failure.errc == Errc::timed_out);
    limited.server.await_held(1);
    limited.server.release();
    limited.server.await_given_back();
}

TEST_CASE("a stop ends every asynchronous call, and later ones send nothing", "[async][limits]") {
    const Watchdog watchdog("a stop");
    StopSource stop;
    Limited limited({.stop = &stop, .grace = 0ms});
    limited.server.hold(Opcode::mkdir);
    constexpr std::size_t kCalls = 20;
    std::vector<std::future<Failure>> calls;
    for (std::size_t i = 0; i < kCalls; ++i) {
        calls.push_back(limited.files.mkdir("/dir/" + std::to_string(i), 0755, use_future));
    }
    limited.server.await_held(kCalls);
    stop.stop();
    for (std::future<Failure>& call : calls) CHECK(call.get().as_errno() == Errno::eintr);
    const int asked = limited.server.asked;
    CHECK(failure_of(limited.files.mkdir("/dir/late", 0755, use_future)).as_errno() == Errno::eintr);
    CHECK(limited.server.asked == asked);
    stop.reset();
    limited.server.release();
    limited.server.await_given_back();
    succeeds(failure_of(limited.files.mkdir("/dir/late", 0755, use_future)));
}

TEST_CASE("limits are nothing to asynchronous calls that are answered in time", "[async][limits]") {
    const Watchdog watchdog("answers in time");
    Limited limited({.time = kLong});
    const auto content = test::noise(300'000);
    auto [failure, file] = limited.files.open_file("/dir/new", kOCreat | kORdwr, 0644, use_future).get();
    succeeds(failure);
    auto [write_failure, written] = limited.files.write(file, content, 0, use_future).get();
    succeeds(write_failure);
    CHECK(written == content.size());
    std::vector<std::byte> back(content.size() + 1);
    auto [read_failure, count] = limited.files.read(file, back, 0, use_future).get();
    succeeds(read_failure);
    back.resize(count);
    CHECK(back == content);
    auto [list_failure, entries] = limited.files.list("/dir", use_future).get();
    succeeds(list_failure);
    CHECK(entries.size() == 2);
    succeeds(failure_of(limited.files.close(std::move(file), use_future)));
    while (limited.server.fs.open_handles() != 0) std::this_thread::yield(); // nobody waited for the RELEASE
    CHECK(failure_of(limited.files.stat("/absent", LastLink::follow, use_future)).error == Errno::enoent);
}

TEST_CASE("an asynchronous READ that was given up keeps its Buffer until the late answer", "[async][limits]") {
    const Watchdog watchdog("a READ");
    constexpr std::size_t kSize = 4096;
    Limited limited({.time = kShort});
    const Buffer buffer = value_of(limited.mount->allocate(kSize));
    const File file = limited.open_unlimited();
    const auto content = test::noise(kSize);
    succeeds(limited.server.mount->write_all(file, content, 0));
    const auto copies = limited.server.mount->stats().copies;
    limited.server.hold(Opcode::read);
    while (buffer.is_free()) {
        CHECK(failure_of(limited.files.read(file, buffer.bytes(), 0, use_future)).errc == Errc::timed_out);
    }
    limited.server.await_held(1);
    CHECK(failure_of(limited.files.read(file, buffer.bytes(), 0, use_future)).error == Errno::ebusy);
    CHECK(limited.server.mount->stats().copies == copies);
    limited.server.release();
    while (!buffer.is_free()) std::this_thread::yield();
    CHECK(std::equal(content.begin(), content.end(), buffer.bytes().begin()));
}

TEST_CASE("an asynchronous READ into plain memory is copied, and goes nowhere when it was given up",
          "[async][limits]") {
    const Watchdog watchdog("a READ");
    Limited limited({.time = kShort});
    const File file = limited.open_unlimited();
    std::array<std::byte, 7> room{};
    limited.server.hold(Opcode::read);
    const Failure failure =
        limited.server.call_until_held([&] { return failure_of(limited.files.read(file, room, 0, use_future)); });
    CHECK(failure.errc == Errc::timed_out);
    limited.server.await_held(1);
    limited.server.release();
    test::until([&] {
        const posix::MountStats stats = limited.server.mount->mount_stats();
        return stats.late == stats.abandoned;
    });
    CHECK(room == std::array<std::byte, 7>{});
}

TEST_CASE("a file is released after the FLUSH that its asynchronous close gave up", "[async][limits]") {
    const Watchdog watchdog("a close");
    Limited limited({.time = kShort});
    File file = limited.open_unlimited();
    limited.server.hold(Opcode::flush);
    CHECK(failure_of(limited.files.close(std::move(file), use_future)).errc == Errc::timed_out);
    limited.server.release();
    limited.server.await_given_back(); // in the end the server has met no handle that it did not know
}

TEST_CASE("what an asynchronous list has kept outlives the late RELEASEDIR", "[async][limits][caches]") {
    const Watchdog watchdog("a listing");
    posix::MountOptions options;
    options.cache.mode = posix::CacheMode::always;
    Limited limited({.time = kLong}, options);
    const auto list = [&limited] {
        auto [failure, entries] = limited.files.list("/dir", use_future).get();
        succeeds(failure);
        CHECK(entries.size() == 1);
        test::until([&limited] { return limited.server.fs.open_handles() == 0; }); // nobody waited for the RELEASEDIR
    };
    list();
    CHECK(limited.server.mount->mount_stats().caches.listings_kept == 1);
    list();
    CHECK(limited.server.mount->mount_stats().caches.listing_hits == 1);
}
