// SPDX-License-Identifier: BSD-2-Clause
// Transfers from and to a Buffer under limits: they are not copied, and one that was given up keeps the memory until the server
// has answered, or the device is stopped.
#include "unit/posix/holding_server.hpp"
#include "unit/posix/stubborn_device.hpp"

#include "vfsproto/posix/mount_stats.hpp"

#include <algorithm>
#include <thread>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::abi;
using namespace std::chrono_literals;
using posix::Buffer;
using posix::Failure;
using posix::File;
using posix::Mount;
using posix::StopSource;
using test::Errno;
using test::HoldingServer;
using test::kLong;
using test::kShort;
using test::succeeds;
using test::value_of;
using test::Watchdog;
using wire::Opcode;

namespace {

constexpr std::size_t kSize = std::size_t{64} << 10; // bytes; one request
constexpr std::chrono::milliseconds kPatience{200};  // for INIT as well

// Returns the Failure of a transfer of one kind.
template <Opcode Op> Failure transfer(Mount& mount, const File& file, const Buffer& buffer) {
    if constexpr (Op == Opcode::read) {
        return mount.read(file, buffer.bytes(), 0).failure();
    } else {
        return mount.write(file, buffer.bytes(), 0).failure();
    }
}

// Makes transfers until one was let go of that the server has: on a busy machine the time may be over before it is sent.
template <Opcode Op> void give_up(HoldingServer& server, Mount& limited, const File& file, const Buffer& buffer) {
    server.hold(Op);
    while (buffer.is_free()) CHECK(transfer<Op>(limited, file, buffer).errc == Errc::timed_out);
    server.await_held(1);
}

void await_free(const Buffer& buffer) {
    while (!buffer.is_free()) std::this_thread::yield();
}

bool is_registered(Mount& mount, std::span<const std::byte> bytes) {
    return mount.channel().find_registered(bytes.data(), bytes.size()) != nullptr;
}

void fill(const Buffer& buffer, std::byte value) { std::fill(buffer.bytes().begin(), buffer.bytes().end(), value); }
bool holds(std::span<const std::byte> bytes, std::byte value) {
    return std::all_of(bytes.begin(), bytes.end(), [value](std::byte each) { return each == value; });
}

} // namespace

TEST_CASE("under limits a transfer from or to a Buffer is not copied", "[limits]") {
    const Watchdog watchdog("a transfer");
    HoldingServer server;
    StopSource stop;
    const auto limited = server.mount->limited_by({.stop = &stop, .time = kLong});
    const std::size_t size = 3 * std::size_t{server.mount->channel().params().max_read} + 5; // several requests
    const Buffer buffer = value_of(limited->allocate(size));
    const auto bytes = buffer.bytes().first(size);
    const auto content = test::noise(size);
    const File file = value_of(limited->open_file("/dir/file", kORdwr));
    std::copy(content.begin(), content.end(), bytes.begin());
    const auto copies = server.mount->stats().copies;
    succeeds(limited->write_all(file, bytes, 0));
    fill(buffer, std::byte{0});
    CHECK(value_of(limited->read_all(file, bytes, 0)) == size);
    CHECK(server.mount->stats().copies == copies);
    CHECK(std::equal(content.begin(), content.end(), bytes.begin()));
    CHECK(buffer.is_free());
    std::vector<std::byte> plain(kSize);
    CHECK(value_of(limited->read_all(file, plain, 0)) == kSize);
    CHECK(server.mount->stats().copies > copies);
}

TEST_CASE("a READ that was given up fills its Buffer late, which may be used again then", "[limits]") {
    const Watchdog watchdog("a late READ");
    HoldingServer server;
    const auto limited = server.mount->limited_by({.time = kShort});
    const auto patient = server.mount->limited_by({.time = kLong});
    const Buffer buffer = value_of(limited->allocate(kSize));
    const File file = value_of(server.mount->open_file("/dir/file", kORdwr));
    succeeds(server.mount->write_all(file, test::noise(kSize), 0));
    give_up<Opcode::read>(server, *limited, file, buffer);
    fill(buffer, std::byte{7}); // shows that the device has not written yet
    // Nothing is asked for that would be mixed with what may come.
    const int asked = server.asked;
    CHECK(patient->read(file, buffer.bytes(), 0).failure().error == Errno::ebusy);
    CHECK(patient->write(file, buffer.bytes().first(1), 0).failure().error == Errno::ebusy);
    CHECK(server.asked == asked);
    const Buffer other = value_of(limited->allocate(kSize));
    CHECK(other.is_free());
    server.release();
    await_free(buffer);
    const auto content = test::noise(kSize);
    CHECK(std::equal(content.begin(), content.end(), buffer.bytes().begin()));
    const posix::MountStats stats = server.mount->mount_stats();
    CHECK(stats.abandoned != 0);
    CHECK(stats.late == stats.abandoned);
    CHECK(stats.channel.violations == 0);
    fill(buffer, std::byte{8});
    CHECK(value_of(patient->write(file, buffer.bytes(), 0)) == kSize);
    fill(buffer, std::byte{0});
    CHECK(value_of(patient->read(file, buffer.bytes(), 0)) == kSize);
    CHECK(holds(buffer.bytes(), std::byte{8}));
}

TEST_CASE("a Buffer that ends before its late answer leaves the memory to that", "[limits]") {
    const Watchdog watchdog("the end of a Buffer");
    HoldingServer server;
    const auto limited = server.mount->limited_by({.time = kShort});
    const File file = value_of(server.mount->open_file("/dir/file", kORdwr));
    succeeds(server.mount->write_all(file, test::noise(kSize), 0));
    Buffer buffer = value_of(limited->allocate(kSize));
    const std::span<const std::byte> memory = buffer.bytes();
    const bool reads = GENERATE(true, false);
    if (reads) {
        give_up<Opcode::read>(server, *limited, file, buffer);
    } else {
        give_up<Opcode::write>(server, *limited, file, buffer);
    }
    buffer = Buffer();
    CHECK(buffer.is_free()); // it is none any more
    CHECK(is_registered(*server.mount, memory));
    const Buffer other = value_of(limited->allocate(kSize));
    CHECK(other.bytes().data() != memory.data());
    CHECK(other.is_free());
    server.release();
    while (is_registered(*server.mount, memory)) std::this_thread::yield();
    // The device would have failed at an answer to memory that it cannot reach.
    CHECK(server.mount->channel().failure() == Errc::ok);
    const posix::MountStats stats = server.mount->mount_stats();
    CHECK(stats.late == stats.abandoned);
    CHECK(stats.channel.violations == 0);
    const Buffer again = value_of(limited->allocate(kSize));
    CHECK(value_of(server.mount->read(file, again.bytes(), 0)) == kSize);
}

TEST_CASE("a Buffer is free when its late answer has come, whatever else is still to be done", "[limits]") {
    const Watchdog watchdog("late work");
    HoldingServer server;
    const auto limited = server.mount->limited_by({.time = kShort});
    const File file = value_of(server.mount->open_file("/dir/file", kORdwr));
    const Buffer buffer = value_of(limited->allocate(kSize));
    give_up<Opcode::read>(server, *limited, file, buffer);
    const test::BusyLateWork busy(*server.mount);
    server.release();
    await_free(buffer);
}

TEST_CASE("a stop gives a READ up as a deadline does", "[limits]") {
    const Watchdog watchdog("a stopped READ");
    HoldingServer server;
    StopSource stop;
    const auto limited = server.mount->limited_by({.stop = &stop, .grace = 0ms});
    const File file = value_of(server.mount->open_file("/dir/file", kORdwr));
    succeeds(server.mount->write_all(file, test::noise(kSize), 0));
    const Buffer buffer = value_of(limited->allocate(kSize));
    server.hold(Opcode::read);
    Failure failure;
    std::thread reader([&] { failure = limited->read(file, buffer.bytes(), 0).failure(); });
    server.await_held(1);
    stop.stop();
    reader.join();
    CHECK(failure.as_errno() == Errno::eintr);
    CHECK_FALSE(buffer.is_free());
    server.release();
    await_free(buffer);
}

TEST_CASE("a READ in pieces is no success while one of them may still come", "[limits]") {
    const Watchdog watchdog("a piece of a READ");
    HoldingServer server;
    const auto limited = server.mount->limited_by({.time = kShort});
    const std::size_t size = 3 * std::size_t{server.mount->channel().params().max_read};
    const Buffer buffer = value_of(limited->allocate(size));
    const File file = value_of(server.mount->open_file("/dir/file", kORdwr));
    succeeds(server.mount->write_all(file, test::noise(size), 0));
    std::atomic<int> asked{0};
    server.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        const bool is_later = question.opcode == Opcode::read && ++asked > 1;
        if (is_later) fault.answer = backends::MemfsFault::Answer::held;
        return fault;
    });
    while (buffer.is_free()) {
        asked = 0;
        CHECK(limited->read(file, buffer.bytes(), 0).failure().errc == Errc::timed_out);
    }
    // A loop that reads on after a short count ends as well.
    CHECK(limited->read_all(file, buffer.bytes(), 0).failure().error == Errno::ebusy);
    server.release();
    await_free(buffer);
}

TEST_CASE("a transfer that was never sent leaves its Buffer free", "[limits]") {
    const Watchdog watchdog("a line");
    posix::MountOptions options;
    options.channel.slots = 1;
    HoldingServer server({}, options);
    const auto limited = server.mount->limited_by({.time = kShort});
    const Buffer buffer = value_of(limited->allocate(kSize));
    const File file = value_of(server.mount->open_file("/dir/file", kORdwr));
    server.hold(Opcode::statfs);
    CHECK(server.call_until_held([&] { return limited->statfs().failure(); }).errc == Errc::timed_out);
    CHECK(limited->read(file, buffer.bytes(), 0).failure().errc == Errc::timed_out); // the only slot is taken
    CHECK(buffer.is_free());
    server.release();
}

TEST_CASE("a mount ends although a server never answers what was given up, and its memory goes then", "[limits]") {
    const Watchdog watchdog("a server that never answers");
    posix::MountOptions options;
    options.channel.patience = kPatience;
    HoldingServer server({}, options);
    auto limited = server.mount->limited_by({.time = kShort});
    File file = value_of(server.mount->open_file("/dir/file", kORdwr));
    succeeds(server.mount->write_all(file, test::noise(kSize), 0));
    // Each keeps its own, and none is given out twice.
    std::vector<std::span<const std::byte>> kept;
    constexpr int kGivenUp = 4;
    for (int i = 0; i < kGivenUp; ++i) {
        const Buffer buffer = value_of(limited->allocate(kSize));
        for (const auto& each : kept) CHECK(each.data() != buffer.bytes().data());
        kept.push_back(buffer.bytes());
        give_up<Opcode::read>(server, *limited, file, buffer);
    }
    for (const auto& each : kept) CHECK(is_registered(*server.mount, each));
    file = File();
    limited.reset();
    server.mount.reset();
}

TEST_CASE("what was given up keeps its memory for good where the device will not stop", "[limits][device]") {
    const Watchdog watchdog("no stop");
    const Errc stop = GENERATE(Errc::ok, Errc::reset_timeout);
    backends::Memfs fs;
    backends::LoopbackOptions device;
    device.service = backends::LoopbackService::threads;
    auto stubborn = std::make_unique<test::StubbornDevice>(backends::make_loopback(fs, std::move(device)));
    std::size_t released = 0;
    stubborn->count_releases(released);
    posix::MountOptions options;
    options.channel.patience = kPatience;
    test::StubbornDevice& its_end = *stubborn;
    auto mount = test::mount_of(std::move(stubborn), options);
    its_end.let_stop(stop);
    auto limited = mount->limited_by({.time = kShort});
    {
        const File file = value_of(mount->open_file("/file", kOCreat | kORdwr, 0644));
        fs.set_faults([](const backends::MemfsQuestion& question) {
            backends::MemfsFault fault;
            if (question.opcode == Opcode::read) fault.answer = backends::MemfsFault::Answer::held;
            return fault;
        });
        const Buffer buffer = value_of(limited->allocate(kSize));
        while (buffer.is_free()) {
            CHECK(limited->read(file, buffer.bytes(), 0).failure().errc == Errc::timed_out);
        }
    }
    CHECK(released == 0);
    limited.reset();
    mount.reset();
    CHECK((released == 0) == (stop == Errc::reset_timeout));
}

TEST_CASE("a Buffer is not free while a device that would not stop may still write to it", "[limits][device]") {
    const Watchdog watchdog("no stop");
    const Errc stop = GENERATE(Errc::ok, Errc::reset_timeout);
    backends::Memfs fs;
    backends::LoopbackOptions device;
    device.service = backends::LoopbackService::threads;
    auto stubborn = std::make_unique<test::StubbornDevice>(backends::make_loopback(fs, std::move(device)));
    test::StubbornDevice& its_end = *stubborn;
    posix::MountOptions options;
    options.channel.patience = kPatience;
    options.channel.silence = kPatience;
    auto mount = test::mount_of(std::move(stubborn), options);
    its_end.let_stop(stop);
    const auto limited = mount->limited_by({.time = kShort});
    const auto patient = mount->limited_by({.time = kLong});
    const File file = value_of(mount->open_file("/file", kOCreat | kORdwr, 0644));
    fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == Opcode::read) fault.answer = backends::MemfsFault::Answer::held;
        return fault;
    });
    const Buffer buffer = value_of(limited->allocate(kSize));
    while (buffer.is_free()) CHECK(limited->read(file, buffer.bytes(), 0).failure().errc == Errc::timed_out);
    // Nothing else is asked for, so that the device is given up as a silent one.
    while (mount->mount_stats().late != mount->mount_stats().abandoned) std::this_thread::yield();
    CHECK(mount->channel().failure() == Errc::transport_failed);
    CHECK(buffer.is_free() == (stop == Errc::ok));
    CHECK(patient->read(file, buffer.bytes(), 0).failure().errc == Errc::transport_failed); // and not EBUSY
}
