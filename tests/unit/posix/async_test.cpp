// SPDX-License-Identifier: BSD-2-Clause
// The asynchronous form, with every kind of completion token.
#include "unit/posix/mounted.hpp"
#include "unit/posix/runner.hpp"

#include "vfsproto/posix/async_mount.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <future>
#include <optional>
#include <thread>

namespace asio = boost::asio;
using namespace vfsproto;
using namespace vfsproto::abi;
using posix::AsyncMount;
using posix::Attributes;
using posix::Failure;
using posix::File;
using posix::LastLink;
using test::Errno;
using test::error_of;
using test::MountedOptions;
using test::OverDirectory;
using test::OverMemfs;
using test::Runner;
using test::succeeds;
using test::value_of;

namespace {

MountedOptions served_by_threads() {
    MountedOptions options;
    options.device.service = backends::LoopbackService::threads;
    return options;
}

template <class T> T within_bounds(std::future<T> future) {
    REQUIRE(future.wait_for(std::chrono::seconds(30)) == std::future_status::ready);
    return future.get();
}

// Makes /dir and /dir/file.
asio::awaitable<void> make_directory_and_file(AsyncMount& files) {
    const auto token = asio::use_awaitable;
    Failure said = co_await files.mkdir("/dir", 0755, token);
    CHECK_FALSE(said.happened());
    said = co_await files.mkdir("/dir/", 0755, token);
    CHECK(said.error == Errno::eexist);
    said = co_await files.mkdir("/", 0755, token);
    CHECK(said.error == Errno::eexist);
    {
        auto [failure, file] = co_await files.open_file("/dir/file", kOCreat | kOExcl | kORdwr, 0600, token);
        CHECK_FALSE(failure.happened());
        const auto data = test::bytes_of("some bytes");
        auto [write_failure, count] = co_await files.write(file, data, 0, token);
        CHECK_FALSE(write_failure.happened());
        CHECK(count == data.size());
        said = co_await files.close(std::move(file), token);
        CHECK_FALSE(said.happened());
    }
}

// Makes /link, which leads to /dir/file, and looks and writes through it.
asio::awaitable<void> use_link(AsyncMount& files) {
    const auto token = asio::use_awaitable;
    Failure said = co_await files.symlink("/dir/../dir/file", "/link", token);
    CHECK_FALSE(said.happened());
    said = co_await files.symlink("x", "/link", token);
    CHECK(said.error == Errno::eexist);
    said = co_await files.symlink("x", "/new/", token);
    CHECK(said.error == Errno::enoent);
    said = co_await files.symlink("x", "/dir/", token);
    CHECK(said.error == Errno::eexist);
    said = co_await files.symlink("", "/empty", token);
    CHECK(said.error == Errno::enoent);
    {
        auto [failure, target] = co_await files.readlink("/link", token);
        CHECK_FALSE(failure.happened());
        CHECK(target == "/dir/../dir/file");
        auto [no_link, nothing] = co_await files.readlink("/dir", token);
        CHECK(no_link.error == Errno::einval);
        CHECK(nothing.empty());
    }
    {
        auto [failure, attributes] = co_await files.stat("/link", LastLink::follow, token);
        CHECK_FALSE(failure.happened());
        CHECK(attributes.size == 10);
        auto [link_failure, link] = co_await files.stat("/link", LastLink::keep, token);
        CHECK_FALSE(link_failure.happened());
        CHECK(is_symlink(link.mode));
    }
    {
        auto [failure, space] = co_await files.statfs("/", token);
        CHECK_FALSE(failure.happened());
        CHECK(space.bsize != 0);
    }
    said = co_await files.truncate("/link", 4, token);
    CHECK_FALSE(said.happened());
    said = co_await files.truncate("/dir", 4, token);
    CHECK(said.error == Errno::eisdir);
}

// Moves /dir/file to /dir/moved.
asio::awaitable<void> move_file(AsyncMount& files) {
    const auto token = asio::use_awaitable;
    Failure said = co_await files.rename("/dir/file", "/dir/moved", 0, token);
    CHECK_FALSE(said.happened());
    said = co_await files.rename("/dir/moved/", "/x", 0, token);
    CHECK(said.error == Errno::enotdir);
    said = co_await files.rename("/dir/.", "/x", 0, token);
    CHECK(said.error == Errno::ebusy);
    {
        auto [failure, names] = co_await files.list("/dir", token);
        CHECK_FALSE(failure.happened());
        CHECK(names.size() == 1);
        CHECK(names.front().name == "moved");
        auto [no_directory, nothing] = co_await files.list("/dir/moved", token);
        CHECK(no_directory.error == Errno::enotdir);
        CHECK(nothing.empty());
    }
}

// Opens /link, which leads nowhere by now, and makes its file.
asio::awaitable<void> create_through_dangling_link(AsyncMount& files) {
    const auto token = asio::use_awaitable;
    auto [dangling, none] = co_await files.open_file("/link", kORdonly, 0, token);
    CHECK(dangling.error == Errno::enoent);
    CHECK_FALSE(none);
    auto [failure, created] = co_await files.open_file("/link", kOCreat | kOWronly, 0644, token);
    CHECK_FALSE(failure.happened());
    const Failure said = co_await files.close(std::move(created), token);
    CHECK_FALSE(said.happened());
}

// Removes all that the others made.
asio::awaitable<void> remove_everything(AsyncMount& files) {
    const auto token = asio::use_awaitable;
    Failure said = co_await files.rmdir("/dir", token);
    CHECK(said.error == Errno::enotempty);
    said = co_await files.rmdir("/dir/.", token);
    CHECK(said.error == Errno::einval);
    said = co_await files.unlink("/dir", token);
    CHECK(said.happened());
    said = co_await files.unlink("/absent", token);
    CHECK(said.error == Errno::enoent);
    said = co_await files.unlink("/dir/moved", token);
    CHECK_FALSE(said.happened());
    said = co_await files.unlink("/dir/file", token);
    CHECK_FALSE(said.happened());
    said = co_await files.unlink("/link", token);
    CHECK_FALSE(said.happened());
    said = co_await files.rmdir("/dir", token);
    CHECK_FALSE(said.happened());
}

// Gives /file a second name, and makes a FIFO.
asio::awaitable<void> add_names(AsyncMount& files) {
    const auto token = asio::use_awaitable;
    constexpr std::uint32_t kReadable = 4;
    Failure said = co_await files.access("/file", kReadable, token);
    CHECK_FALSE(said);
    said = co_await files.access("/absent", kReadable, token);
    CHECK(said.error == Errno::enoent);
    said = co_await files.link("/file", "/second", token);
    CHECK_FALSE(said);
    said = co_await files.link("/absent", "/third", token);
    CHECK(said.error == Errno::enoent);
    said = co_await files.mknod("/fifo", kSIfifo | 0600, 0, token);
    CHECK_FALSE(said);
    said = co_await files.mknod("/fifo/", kSIfreg | 0600, 0, token);
    CHECK(said.error == Errno::eexist);
}

// Changes what statx() tells of /file, and its size.
asio::awaitable<void> change_attributes(AsyncMount& files) {
    const auto token = asio::use_awaitable;
    Failure said = co_await files.chmod("/file", 0640, token);
    CHECK_FALSE(said);
    said = co_await files.chown("/file", std::nullopt, std::nullopt, LastLink::follow, token);
    CHECK_FALSE(said);
    constexpr std::int64_t kThen = 1'000'000;
    const posix::SetTime then{posix::SetTime::Kind::at, kThen, 0};
    said = co_await files.set_times("/second", then, then, LastLink::follow, token);
    CHECK_FALSE(said);
    {
        auto [failure, status] = co_await files.statx("/file", LastLink::follow, token);
        CHECK_FALSE(failure);
        CHECK((status.mode & kSIallugo) == 0640);
        CHECK(status.nlink == 2);
        CHECK(status.mtime.tv_sec == kThen);
    }
    {
        wire::SetattrIn shorter{};
        shorter.valid = wire::kSetattrSize;
        shorter.size = 3;
        auto [failure, attributes] = co_await files.set_attributes("/file", shorter, LastLink::follow, token);
        CHECK_FALSE(failure);
        CHECK(attributes.size == 3);
    }
    said = co_await files.sync(token);
    CHECK_FALSE(said);
}

// Sets an extended attribute of /file, and takes it away.
asio::awaitable<void> change_xattr(AsyncMount& files) {
    const auto token = asio::use_awaitable;
    const auto value = test::bytes_of("a value");
    Failure said = co_await files.set_xattr("/file", {"user.one", value}, LastLink::follow, token);
    if (said.error == Errno::eopnotsupp) co_return; // the host's file system may have none
    CHECK_FALSE(said);
    auto [failure, read] = co_await files.get_xattr("/second", "user.one", LastLink::follow, token);
    CHECK_FALSE(failure);
    CHECK(read == value);
    auto [list_failure, names] = co_await files.list_xattrs("/file", LastLink::follow, token);
    CHECK_FALSE(list_failure);
    CHECK(std::count(names.begin(), names.end(), "user.one") == 1);
    said = co_await files.set_xattr("/file", {"user.one", value, posix::XattrSpace::create}, LastLink::follow, token);
    CHECK(said.error == Errno::eexist);
    said = co_await files.remove_xattr("/file", "user.one", LastLink::follow, token);
    CHECK_FALSE(said);
    auto [gone, nothing] = co_await files.get_xattr("/file", "user.one", LastLink::follow, token);
    CHECK(gone.error == Errno::enodata);
    CHECK(nothing.empty());
}

} // namespace

TEST_CASE("a callback is called on its executor, never inside the call that starts it", "[async]") {
    OverMemfs over;
    test::put(*over, "/file", "content");
    asio::io_context io;
    AsyncMount files(*over, io.get_executor());
    int called = 0;
    files.stat("/file", LastLink::follow, [&](const Failure& failure, const Attributes& attributes) {
        ++called;
        CHECK_FALSE(failure.happened());
        CHECK(attributes.size == 7);
    });
    files.stat("/absent", LastLink::follow, [&](const Failure& failure, const Attributes&) {
        ++called;
        CHECK(failure.error == Errno::enoent);
    });
    CHECK(called == 0);
    CHECK(files.outstanding() == 2);
    io.run();
    CHECK(called == 2);
    CHECK(files.outstanding() == 0);
}

TEST_CASE("reads and writes of any length are one call each", "[async]") {
    OverMemfs over(served_by_threads());
    const auto data = test::noise(3'000'001);
    File file = value_of(over->open_file("/file", kOCreat | kORdwr));
    asio::io_context io;
    AsyncMount files(*over, io.get_executor());
    std::uint64_t moved = 0;
    files.write(file, data, 7, [&](const Failure& failure, std::uint64_t bytes) {
        CHECK_FALSE(failure.happened());
        moved = bytes;
    });
    CHECK(moved == 0);
    io.run();
    io.restart();
    CHECK(moved == data.size());

    std::vector<std::byte> back(data.size() + 100);
    files.read(file, back, 7, [&](const Failure& failure, std::uint64_t bytes) {
        CHECK_FALSE(failure.happened());
        moved = bytes;
    });
    io.run();
    io.restart();
    CHECK(moved == data.size());
    back.resize(data.size());
    CHECK(back == data);

    // Nothing to do is answered through the executor as well.
    bool done = false;
    files.read(file, {}, 0,
               [&](const Failure& failure, std::uint64_t bytes) { done = !failure.happened() && bytes == 0; });
    CHECK_FALSE(done);
    io.run();
    CHECK(done);
    succeeds(over->close(std::move(file)));
}

TEST_CASE("registered memory is not copied by asynchronous transfers either", "[async]") {
    OverMemfs over;
    File file = value_of(over->open_file("/file", kOCreat | kORdwr));
    auto buffer = value_of(over->allocate(1 << 20));
    asio::io_context io;
    AsyncMount files(*over, io.get_executor());
    const auto before = over->channel().stats().copies;
    files.write(file, buffer.bytes(), 0,
                [](const Failure& failure, std::uint64_t) { CHECK_FALSE(failure.happened()); });
    files.read(file, buffer.bytes(), 0, [](const Failure& failure, std::uint64_t) { CHECK_FALSE(failure.happened()); });
    io.run();
    CHECK(over->channel().stats().copies == before);
    succeeds(over->close(std::move(file)));
}

TEST_CASE("futures carry a failure and a value", "[async]") {
    OverMemfs over(served_by_threads());
    test::put(*over, "/file", "0123456789");
    Runner runner;
    AsyncMount files(*over, runner.io.get_executor());
    auto [failure, file] = within_bounds(files.open_file("/file", kORdwr, 0, asio::use_future));
    REQUIRE_FALSE(failure.happened());
    std::vector<std::byte> bytes(4);
    auto [read_failure, count] = within_bounds(files.read(file, bytes, 3, asio::use_future));
    CHECK_FALSE(read_failure.happened());
    CHECK(count == 4);
    CHECK(test::text_of(bytes) == "3456");
    succeeds(within_bounds(files.truncate(file, 5, asio::use_future)));
    succeeds(within_bounds(files.fsync(file, 0, asio::use_future)));
    auto [stat_failure, attributes] = within_bounds(files.stat(file, asio::use_future));
    CHECK_FALSE(stat_failure.happened());
    CHECK(attributes.size == 5);
    succeeds(within_bounds(files.flush(file, asio::use_future)));
    succeeds(within_bounds(files.close(std::move(file), asio::use_future)));
    CHECK(within_bounds(files.close(File(), asio::use_future)).error == Errno::ebadf);
    CHECK(over.fs.open_handles() == 0);
}

TEMPLATE_TEST_CASE("a coroutine does with a mount what a thread does", "[async]", OverMemfs, OverDirectory) {
    TestType over;
    asio::io_context io;
    AsyncMount files(*over, io.get_executor());
    bool ended = false;
    const auto steps = [&]() -> asio::awaitable<void> {
        co_await make_directory_and_file(files);
        co_await use_link(files);
        co_await move_file(files);
        co_await create_through_dangling_link(files);
        co_await remove_everything(files);
        ended = true;
    };
    asio::co_spawn(io, steps, asio::detached);
    io.run();
    CHECK(ended);
    CHECK(value_of(over->list("/")).empty());
}

TEST_CASE("many calls are under way at once, from many threads", "[async]") {
    OverMemfs over(served_by_threads());
    test::put(*over, "/file", std::string(64 * 100, 'x'));
    File file = value_of(over->open_file("/file", kORdwr));
    asio::thread_pool pool(4);
    {
        AsyncMount files(*over, pool.get_executor());
        std::atomic<int> good{0};
        std::vector<std::vector<std::byte>> buffers(100, std::vector<std::byte>(64));
        for (std::size_t i = 0; i < buffers.size(); ++i) {
            files.read(file, buffers[i], i * 64, [&](const Failure& failure, std::uint64_t bytes) {
                good += !failure.happened() && bytes == 64;
            });
            files.stat("/file", LastLink::follow, [&](const Failure& failure, const Attributes& at) {
                good += !failure.happened() && at.size == 6400;
            });
        }
        pool.join();
        CHECK(good == 200);
    }
    succeeds(over->close(std::move(file)));
}

TEMPLATE_TEST_CASE("a coroutine changes attributes, names and extended attributes as a thread does", "[async]",
                   OverMemfs, OverDirectory) {
    TestType over;
    test::put(*over, "/file", "content");
    asio::io_context io;
    AsyncMount files(*over, io.get_executor());
    bool ended = false;
    const auto steps = [&]() -> asio::awaitable<void> {
        co_await add_names(files);
        co_await change_attributes(files);
        co_await change_xattr(files);
        ended = true;
    };
    asio::co_spawn(io, steps, asio::detached);
    io.run();
    CHECK(ended);
}

TEMPLATE_TEST_CASE("a coroutine does with an open file what a thread does", "[async]", OverMemfs, OverDirectory) {
    TestType over;
    asio::io_context io;
    AsyncMount files(*over, io.get_executor());
    bool ended = false;
    const auto steps = [&]() -> asio::awaitable<void> {
        const auto token = asio::use_awaitable;
        auto [failure, file] = co_await files.open_file("/file", kOCreat | kORdwr, 0600, token);
        CHECK_FALSE(failure);
        constexpr std::uint64_t kAllocated = 8192;
        Failure said = co_await files.fallocate(file, 0, 0, kAllocated, token);
        if (said.error != Errno::eopnotsupp) {
            CHECK_FALSE(said);
            auto [stat_failure, attributes] = co_await files.stat(file, token);
            CHECK_FALSE(stat_failure);
            CHECK(attributes.size == kAllocated);
        }
        const auto data = test::bytes_of("some bytes");
        auto [write_failure, count] = co_await files.write(file, data, 0, token);
        CHECK_FALSE(write_failure);
        CHECK(count == data.size());
        auto [seek_failure, place] = co_await files.seek(file, 0, kSeekData, token);
        CHECK_FALSE(seek_failure);
        CHECK(place == 0);
        auto [poll_failure, ready] = co_await files.poll(file, kPollIn, token);
        CHECK_FALSE(poll_failure);
        CHECK(ready == kPollIn);
        wire::SetattrIn mode{};
        mode.valid = wire::kSetattrMode;
        mode.mode = kSIfreg | 0600;
        auto [set_failure, set] = co_await files.set_attributes(file, mode, token);
        CHECK_FALSE(set_failure);
        CHECK((set.mode & kSIallugo) == 0600);
        constexpr std::int64_t kThen = 1'000'000;
        const posix::SetTime then{posix::SetTime::Kind::at, kThen, 0};
        said = co_await files.set_times(file, then, then, token);
        CHECK_FALSE(said);
        said = co_await files.close(std::move(file), token);
        CHECK_FALSE(said);
        ended = true;
    };
    asio::co_spawn(io, steps, asio::detached);
    io.run();
    CHECK(ended);
}

TEMPLATE_TEST_CASE("a coroutine copies, and opens a file without a name, as a thread does", "[async]", OverMemfs,
                   OverDirectory) {
    TestType over;
    asio::io_context io;
    AsyncMount files(*over, io.get_executor());
    const auto data = test::bytes_of("some bytes");
    bool ended = false;
    const auto steps = [&]() -> asio::awaitable<void> {
        const auto token = asio::use_awaitable;
        auto [failure, file] = co_await files.open_file("/file", kOCreat | kORdwr, 0600, token);
        CHECK_FALSE(failure);
        Failure said = co_await files.write_all(file, data, 0, token);
        CHECK_FALSE(said);
        auto [copy_open_failure, copy] = co_await files.open_file("/copy", kOCreat | kORdwr, 0600, token);
        CHECK_FALSE(copy_open_failure);
        auto [copy_failure, copied] = co_await files.copy_range({file, 0, data.size()}, {copy, 0}, token);
        if (copy_failure.error != Errno::eopnotsupp && copy_failure.error != Errno::enosys) {
            CHECK_FALSE(copy_failure);
            CHECK(copied == data.size());
        }
        constexpr std::uint32_t kNoSuchCommand = 0x1234;
        auto [ioctl_failure, result] = co_await files.ioctl(file, kNoSuchCommand, {}, {}, token);
        CHECK(ioctl_failure);
        CHECK(result == 0);
        said = co_await files.close(std::move(copy), token);
        CHECK_FALSE(said);
        said = co_await files.close(std::move(file), token);
        CHECK_FALSE(said);
        auto [temporary_failure, temporary] = co_await files.open_temporary("/", kORdwr, 0600, token);
        if (temporary_failure.error != Errno::eopnotsupp) {
            CHECK_FALSE(temporary_failure);
            said = co_await files.close(std::move(temporary), token);
            CHECK_FALSE(said);
        }
        ended = true;
    };
    asio::co_spawn(io, steps, asio::detached);
    io.run();
    CHECK(ended);
}

TEST_CASE("blocking and asynchronous calls share the lane", "[async]") {
    OverMemfs over(served_by_threads());
    test::put(*over, "/file", "content");
    Runner runner;
    AsyncMount files(*over, runner.io.get_executor());
    std::atomic<int> left{400};
    std::promise<void> all;
    for (int i = 0; i < 400; ++i) {
        files.stat("/file", LastLink::follow, [&](const Failure& failure, const Attributes&) {
            if (failure.happened()) std::terminate();
            if (--left == 0) all.set_value();
        });
        if (i % 4 == 0) CHECK(value_of(over->stat("/file")).size == 7);
    }
    within_bounds(all.get_future());
}

TEST_CASE("a handler runs on the executor bound to it", "[async]") {
    OverMemfs over;
    asio::io_context io;
    asio::io_context other;
    AsyncMount files(*over, io.get_executor());
    File file = value_of(over->open_file("/file", kOCreat | kORdwr));
    int in_other = 0;
    const auto work = asio::make_work_guard(io);
    std::vector<std::byte> bytes(10);
    files.read(file, bytes, 0,
               asio::bind_executor(other.get_executor(), [&](const Failure&, std::uint64_t) { ++in_other; }));
    files.stat("/", LastLink::follow,
               asio::bind_executor(other.get_executor(), [&](const Failure&, const Attributes&) { ++in_other; }));
    // The other context has work until both are done; the first only passes them on.
    std::thread runner([&] { io.run(); });
    other.run();
    io.stop();
    runner.join();
    CHECK(in_other == 2);
    succeeds(over->close(std::move(file)));
}

TEST_CASE("a handler may hold what cannot be copied", "[async]") {
    OverMemfs over;
    asio::io_context io;
    AsyncMount files(*over, io.get_executor());
    File file = value_of(over->open_file("/file", kOCreat | kORdwr));
    int sum = 0;
    std::vector<std::byte> bytes(10);
    files.read(file, bytes, 0, [&sum, one = std::make_unique<int>(1)](const Failure&, std::uint64_t) { sum += *one; });
    files.stat("/", LastLink::follow,
               [&sum, one = std::make_unique<int>(1)](const Failure&, const Attributes&) { sum += *one; });
    io.run();
    CHECK(sum == 2);
    succeeds(over->close(std::move(file)));
}

TEST_CASE("every pending asynchronous call ends when the device goes", "[async]") {
    OverMemfs over(served_by_threads());
    test::put(*over, "/file", "content");
    File file = value_of(over->open_file("/file", kORdonly));
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::read || question.opcode == wire::Opcode::lookup) {
            fault.answer = backends::MemfsFault::Answer::held;
        }
        return fault;
    });
    Runner runner;
    AsyncMount files(*over, runner.io.get_executor());
    std::vector<std::vector<std::byte>> buffers(8, std::vector<std::byte>(64));
    std::vector<std::future<std::tuple<Failure, std::uint64_t>>> reads;
    std::vector<std::future<std::tuple<Failure, Attributes>>> stats;
    for (auto& buffer : buffers) reads.push_back(files.read(file, buffer, 0, asio::use_future));
    for (int i = 0; i < 8; ++i) stats.push_back(files.stat("/file", LastLink::follow, asio::use_future));
    over.loopback->fail("pulled out");
    for (auto& read : reads) CHECK(std::get<0>(within_bounds(std::move(read))).is_fatal());
    for (auto& stat : stats) CHECK(std::get<0>(within_bounds(std::move(stat))).is_fatal());
    CHECK(std::get<0>(within_bounds(files.read(file, buffers[0], 0, asio::use_future))).is_fatal());
}
