// SPDX-License-Identifier: BSD-2-Clause
// READs and WRITEs of an IoQueue: staged without the lock, started together.
#include "support/watchdog.hpp"
#include "unit/posix/mounted.hpp"

#include "vfsproto/posix/io_queue.hpp"

#include <atomic>
#include <deque>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using backends::LoopbackService;
using posix::Buffer;
using posix::File;
using posix::IoQueue;
using posix::QueuedRead;
using posix::QueuedWrite;
using posix::Waiting;
using test::Errno;
using test::MountedOptions;
using test::OverMemfs;
using test::succeeds;
using test::value_of;
using test::Watchdog;
using wire::Opcode;

namespace {

constexpr std::size_t kPiece = 4096;

std::span<std::byte> piece(Buffer& buffer, std::size_t number) {
    return buffer.bytes().subspan(number * kPiece, kPiece);
}
Buffer filled(OverMemfs& over, std::size_t pieces) {
    Buffer buffer = value_of(over->allocate(pieces * kPiece));
    const auto data = test::noise(pieces * kPiece);
    std::copy(data.begin(), data.end(), buffer.bytes().begin());
    return buffer;
}
File with_content(OverMemfs& over, Buffer& content) {
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    REQUIRE(value_of(over->write(file, content.bytes(), 0)) == content.bytes().size());
    return file;
}
bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

} // namespace

TEST_CASE("transfers of registered memory pass beside other operations, more of them than there are slots",
          "[io_queue]") {
    const Watchdog watchdog("staged transfers");
    MountedOptions options;
    options.device.service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    options.device.queue_size = GENERATE(std::uint16_t{2}, std::uint16_t{4}, std::uint16_t{256});
    options.mount.channel.waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    OverMemfs over(options);
    constexpr std::size_t kPieces = 100;
    Buffer data = filled(over, kPieces);
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));

    IoQueue queue(over->channel());
    std::deque<QueuedWrite> writes(kPieces);
    std::deque<client::Single<wire::Opcode::read>> others(kPieces / 5);
    std::vector<std::byte> nothing(64);
    for (std::size_t i = 0; i < kPieces; ++i) {
        REQUIRE(queue.write(writes[i], file, piece(data, i), i * kPiece) == Errc::ok);
        if (i % 5 != 0) continue;
        client::Single<wire::Opcode::read>& other = others[i / 5];
        other.call.args.fh = file.fh();
        other.call.args.offset = std::uint64_t{1} << 40;
        other.call.args.size = 64;
        other.call.data_out = {nothing.data(), 64, {}};
        queue.start(other, file.nodeid());
    }
    CHECK(queue.in_flight() == kPieces + others.size());
    std::size_t done = 0;
    for (client::Operation* finished; (finished = queue.next()) != nullptr; ++done) REQUIRE(finished->succeeded());
    CHECK(done == kPieces + others.size());
    for (const QueuedWrite& write : writes) REQUIRE(write.bytes() == kPiece);

    Buffer back = value_of(over->allocate(kPieces * kPiece));
    std::deque<QueuedRead> reads(kPieces);
    const auto before = over->channel().stats().copies;
    for (std::size_t i = 0; i < kPieces; ++i) {
        REQUIRE(queue.read(reads[i], file, piece(back, i), i * kPiece) == Errc::ok);
    }
    while (queue.next() != nullptr) {}
    for (const QueuedRead& read : reads) REQUIRE((read.succeeded() && read.bytes() == kPiece));
    CHECK(same(back.bytes(), data.bytes()));
    const bool has_room = over->channel().rings()->request_ring().limits().max_segments >= 3;
    CHECK((over->channel().stats().copies == before) == has_room);
    succeeds(over->close(std::move(file)));
}

TEST_CASE("a burst of transfers is one doorbell, and nothing is published before it is asked for", "[io_queue]") {
    const Watchdog watchdog("a burst of transfers");
    MountedOptions options;
    options.mount.channel.waiting = Waiting::event;
    OverMemfs over(options);
    Buffer data = filled(over, 32);
    File file = with_content(over, data);
    IoQueue queue(over->channel());
    std::deque<QueuedRead> reads(32);
    const auto before = over->channel().stats();
    for (std::size_t i = 0; i < 32; ++i) REQUIRE(queue.read(reads[i], file, piece(data, i), i * kPiece) == Errc::ok);
    CHECK(over->channel().stats().descriptors == before.descriptors);
    queue.flush();
    CHECK(over->channel().stats().descriptors - before.descriptors == 3 * 32);
    CHECK(over->channel().stats().doorbells - before.doorbells == 1);
    while (queue.next() != nullptr) {}
    const auto after = over->channel().stats();
    CHECK(after.requests - before.requests == 32);
    CHECK(after.doorbells - before.doorbells == 1);
    CHECK(after.descriptors - before.descriptors == 3 * 32);
    CHECK(after.copies == before.copies);
    succeeds(over->close(std::move(file)));
}

TEST_CASE("each transfer of a burst has its own outcome", "[io_queue]") {
    const Watchdog watchdog("outcomes");
    MountedOptions options;
    const bool short_ways = GENERATE(true, false);
    // Watched by a trace, the lane takes no fast path.
    if (!short_ways) options.mount.channel.trace.finished = [](void*, const client::TraceEvent&) noexcept {};
    OverMemfs over(options);
    Buffer data = filled(over, 30);
    File file = with_content(over, data);
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        const bool is_write = question.opcode == Opcode::write;
        if (!is_write && question.opcode != Opcode::read) return fault;
        static thread_local int number = 0;
        number = (number + 1) % 3;
        if (number == 0) fault.error = is_write ? Errno::enospc : Errno::eio;
        if (number == 1) fault.at_most = 100;
        return fault;
    });
    int failed = 0;
    int cut = 0;
    const auto look = [&](const client::Operation& done, std::uint32_t bytes, Errno expected) {
        CHECK(done.errc() == Errc::ok);
        if (done.error() == expected) {
            ++failed;
            CHECK_FALSE(done.succeeded());
            CHECK(bytes == 0);
        } else {
            CHECK(done.succeeded());
            cut += bytes == 100;
            CHECK((bytes == 100 || bytes == kPiece));
        }
    };
    IoQueue queue(over->channel());
    std::deque<QueuedRead> reads(15);
    std::deque<QueuedWrite> writes(15);
    // The same storage is used twice: nothing is left of the last outcome.
    for (int round = 0; round < 2; ++round) {
        failed = cut = 0;
        for (std::size_t i = 0; i < 15; ++i) {
            REQUIRE(queue.read(reads[i], file, piece(data, i), i * kPiece) == Errc::ok);
            REQUIRE(queue.write(writes[i], file, piece(data, i + 15), (i + 15) * kPiece) == Errc::ok);
        }
        while (queue.next() != nullptr) {}
        for (const QueuedRead& read : reads) look(read, read.bytes(), Errno::eio);
        for (const QueuedWrite& write : writes) look(write, write.bytes(), Errno::enospc);
        CHECK(failed == 10);
        CHECK(cut == 10);
    }
    over.fs.set_faults({});
    succeeds(over->close(std::move(file)));
}

TEST_CASE("what is staged when the device goes ends with the rest", "[io_queue]") {
    const Watchdog watchdog("a device that goes");
    MountedOptions options;
    options.device.service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    OverMemfs over(options);
    Buffer data = filled(over, 100);
    File file = with_content(over, data);
    over.fs.set_faults([](const backends::MemfsQuestion&) {
        backends::MemfsFault fault;
        fault.answer = backends::MemfsFault::Answer::held;
        return fault;
    });
    IoQueue queue(over->channel());
    std::deque<QueuedRead> reads(100);
    std::deque<QueuedWrite> writes(100);
    const auto start = [&](std::size_t from, std::size_t to) {
        for (std::size_t i = from; i < to; ++i) {
            REQUIRE(queue.read(reads[i], file, piece(data, i), 0) == Errc::ok);
            REQUIRE(queue.write(writes[i], file, piece(data, i), 0) == Errc::ok);
        }
    };
    start(0, 50); // in flight, or waiting for a slot
    queue.flush();
    start(50, 100); // staged
    over.loopback->fail("pulled out");
    int gone = 0;
    while (const client::Operation* done = queue.next()) gone += done->errc() == Errc::device_gone;
    CHECK(gone == 200);
    CHECK(reads[0].bytes() == 0);
    start(0, 1);
    CHECK(queue.next()->errc() == Errc::device_gone);
    CHECK(queue.next()->errc() == Errc::device_gone);
    CHECK(over->read(file, piece(data, 0), 0).failure().errc == Errc::device_gone);
    CHECK(over->write(file, piece(data, 0), 0).failure().errc == Errc::device_gone);
}

TEST_CASE("a trace sees every transfer, of registered memory and of other", "[io_queue]") {
    MountedOptions options;
    std::atomic<int> seen{0};
    options.mount.channel.trace.context = &seen;
    options.mount.channel.trace.finished = [](void* context, const client::TraceEvent& event) noexcept {
        const bool counts = event.op->opcode == Opcode::read || event.op->opcode == Opcode::write;
        static_cast<std::atomic<int>*>(context)->fetch_add(counts ? 1 : 0);
    };
    OverMemfs over(options);
    Buffer data = filled(over, 1);
    std::vector<std::byte> plain(100);
    File file = with_content(over, data);
    CHECK(seen == 1);
    CHECK(value_of(over->read(file, data.bytes(), 0)) == kPiece);
    CHECK(value_of(over->read(file, plain, 0)) == 100);
    IoQueue queue(over->channel());
    QueuedRead read;
    QueuedRead bounced;
    REQUIRE(queue.read(read, file, data.bytes(), 0) == Errc::ok);
    REQUIRE(queue.read(bounced, file, plain, 0) == Errc::ok);
    while (queue.next() != nullptr) {}
    CHECK(seen == 5);
    succeeds(over->close(std::move(file)));
}

TEST_CASE("a slot remembers where its bytes lie, and no longer than that is true", "[io_queue]") {
    OverMemfs here;
    OverMemfs there;
    Buffer data = filled(here, 2);
    File file = with_content(here, data);
    File other_file = with_content(there, data);
    QueuedRead read;
    const auto content = test::noise(2 * kPiece);
    const auto run = [&](OverMemfs& over, const File& from, std::span<std::byte> into) {
        std::fill(into.begin(), into.end(), std::byte{0});
        const auto before = over->channel().stats().copies;
        IoQueue queue(over->channel());
        REQUIRE(queue.read(read, from, into, 0) == Errc::ok);
        REQUIRE(queue.next() == &read);
        REQUIRE(read.succeeded());
        REQUIRE(read.bytes() == into.size());
        CHECK(same(into, std::span(content).first(into.size())));
        return over->channel().stats().copies - before;
    };
    CHECK(run(here, file, piece(data, 0)) == 0);
    CHECK(run(here, file, piece(data, 0)) == 0);
    CHECK(run(here, file, piece(data, 1)) == 0);
    CHECK(run(here, file, piece(data, 1).first(100)) == 0);
    // The memory of one mount is not another's, though both gave out as much.
    CHECK(run(there, other_file, piece(data, 1).first(100)) == 1);
    CHECK(run(here, file, piece(data, 1).first(100)) == 0);
    // Memory given back, and other memory in its place.
    for (int i = 0; i < 10; ++i) {
        data = Buffer();
        data = value_of(here->allocate(2 * kPiece));
        CHECK(run(here, file, piece(data, 1).first(100)) == 0);
    }
    std::vector<std::byte> plain(100);
    CHECK(run(here, file, plain) == 1);
    CHECK(run(here, file, plain) == 1);
    succeeds(here->close(std::move(file)));
    succeeds(there->close(std::move(other_file)));
}

TEST_CASE("queues and calls of several threads transfer registered memory side by side", "[io_queue]") {
    const Watchdog watchdog("transfers of several threads");
    MountedOptions options;
    options.device.service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    options.mount.channel.waiting = GENERATE(Waiting::poll, Waiting::event, Waiting::adaptive);
    options.mount.channel.slots = 12; // fewer than they want
    OverMemfs over(options);
    constexpr std::size_t kPieces = 16;
    Buffer content = filled(over, kPieces);
    File file = with_content(over, content);
    std::atomic<int> wrong{0};
    const auto in_a_queue = [&] {
        Buffer buffer = value_of(over->allocate(kPieces * kPiece));
        IoQueue queue(over->channel());
        std::deque<QueuedRead> reads(kPieces);
        std::deque<QueuedWrite> writes(2);
        for (int round = 0; round < 20; ++round) {
            std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{0});
            for (std::size_t i = 0; i < kPieces; ++i) {
                if (queue.read(reads[i], file, piece(buffer, i), i * kPiece) != Errc::ok) ++wrong;
            }
            if (round % 3 == 0) queue.flush();
            for (std::size_t i = 0; i < writes.size(); ++i) {
                if (queue.write(writes[i], file, piece(content, i), i * kPiece) != Errc::ok) ++wrong;
            }
            while (const client::Operation* done = queue.next()) wrong += done->succeeded() ? 0 : 1;
            wrong += same(buffer.bytes(), content.bytes()) ? 0 : 1;
        }
    };
    const auto in_calls = [&] {
        Buffer buffer = value_of(over->allocate(kPiece));
        for (std::size_t round = 0; round < 200; ++round) {
            const auto count = over->read(file, buffer.bytes(), round % kPieces * kPiece);
            const bool good = count && *count == kPiece && same(buffer.bytes(), piece(content, round % kPieces));
            wrong += good ? 0 : 1;
        }
    };
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) threads.emplace_back(in_a_queue);
    for (int t = 0; t < 3; ++t) threads.emplace_back(in_calls);
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    succeeds(over->close(std::move(file)));
}
