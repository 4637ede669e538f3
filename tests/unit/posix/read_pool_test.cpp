// SPDX-License-Identifier: BSD-2-Clause
// Many READs that take turns with few blocks of memory.
#include "support/watchdog.hpp"
#include "unit/posix/mounted.hpp"

#include "vfsproto/posix/read_pool.hpp"

#include <algorithm>
#include <deque>

using namespace vfsproto;
using namespace vfsproto::abi;
using backends::LoopbackService;
using posix::Buffer;
using posix::File;
using posix::IoQueue;
using posix::PooledRead;
using posix::ReadPool;
using test::MountedOptions;
using test::OverMemfs;
using test::succeeds;
using test::value_of;
using test::Watchdog;

namespace {

constexpr std::uint32_t kPiece = 4096;
constexpr std::size_t kPieces = 200;

const std::vector<std::byte>& content() {
    static const auto data = test::noise(kPieces * kPiece);
    return data;
}
File with_content(OverMemfs& over, std::uint32_t flags = kORdwr) {
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    REQUIRE(value_of(over->write(file, content(), 0)) == content().size());
    succeeds(over->close(std::move(file)));
    return value_of(over->open_file("/f", flags));
}
bool is_piece(std::span<const std::byte> data, std::size_t number) {
    const auto wanted = std::span(content()).subspan(number * kPiece, kPiece);
    return std::equal(data.begin(), data.end(), wanted.begin(), wanted.end());
}

} // namespace

TEST_CASE("any number of reads passes through a few blocks, first come first served", "[read_pool]") {
    const Watchdog watchdog("pooled reads");
    MountedOptions options;
    options.device.service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    const std::size_t blocks = GENERATE(1u, 3u, 64u, 300u);
    OverMemfs over(options);
    const File file = with_content(over, kORdonly);
    const Buffer memory = value_of(over->allocate(blocks * kPiece + 1));
    const std::span<std::byte> with_a_rest = memory.bytes().first(blocks * kPiece + 1);
    const auto copies = over->channel().stats().copies;

    IoQueue queue(over->channel());
    ReadPool pool(queue, with_a_rest, kPiece);
    struct Numbered {
        PooledRead read;
        std::size_t number = 0;
    };
    std::deque<Numbered> reads(kPieces);
    for (std::size_t i = 0; i < kPieces; ++i) {
        reads[i].number = i;
        reads[i].read.transfer.tag = &reads[i];
        REQUIRE(pool.read(reads[i].read, file, kPiece, i * kPiece) == Errc::ok);
    }
    std::size_t done = 0;
    while (client::Operation* operation = queue.next()) {
        REQUIRE(queue.in_flight() < blocks);
        Numbered& each = *static_cast<Numbered*>(operation->tag);
        REQUIRE(operation->succeeded());
        REQUIRE(is_piece(each.read.data(), each.number));
        if (blocks == 1) REQUIRE(each.number == done);
        pool.give_back(each.read);
        ++done;
    }
    CHECK(done == kPieces);
    CHECK(over->channel().stats().copies == copies);
}

TEST_CASE("a read waits until a block is given back, and takes the one given back last", "[read_pool]") {
    OverMemfs over;
    const File file = with_content(over);
    const Buffer memory = value_of(over->allocate(2 * kPiece));
    IoQueue queue(over->channel());
    ReadPool pool(queue, memory.bytes(), kPiece);
    std::deque<PooledRead> reads(4);
    for (std::size_t i = 0; i < reads.size(); ++i) {
        reads[i].transfer.tag = &reads[i];
        REQUIRE(pool.read(reads[i], file, kPiece, i * kPiece) == Errc::ok);
    }
    REQUIRE(queue.next() == &reads[0].transfer);
    REQUIRE(queue.next() == &reads[1].transfer);
    // Every block is with us.
    CHECK(queue.next() == nullptr);
    CHECK(is_piece(reads[0].data(), 0));
    CHECK(is_piece(reads[1].data(), 1));
    const std::byte* const given_back = reads[1].data().data();
    pool.give_back(reads[1]);
    REQUIRE(queue.next() == &reads[2].transfer);
    CHECK(reads[2].data().data() == given_back);
    CHECK(is_piece(reads[2].data(), 2));
    CHECK(is_piece(reads[0].data(), 0));
    pool.give_back(reads[0]);
    pool.give_back(reads[2]);
    REQUIRE(queue.next() == &reads[3].transfer);
    CHECK(is_piece(reads[3].data(), 3));
    pool.give_back(reads[3]);
    // A slot serves again.
    REQUIRE(pool.read(reads[3], file, kPiece, 0) == Errc::ok);
    REQUIRE(queue.next() == &reads[3].transfer);
    CHECK(is_piece(reads[3].data(), 0));
    pool.give_back(reads[3]);
}

TEST_CASE("reads that fail or end early give their blocks on as well", "[read_pool]") {
    OverMemfs over;
    const File file = with_content(over);
    const File not_readable = with_content(over, kOWronly);
    const Buffer memory = value_of(over->allocate(kPiece));
    IoQueue queue(over->channel());
    ReadPool pool(queue, memory.bytes(), kPiece);
    std::deque<PooledRead> reads(4);
    for (PooledRead& read : reads) read.transfer.tag = &read;
    REQUIRE(pool.read(reads[0], not_readable, kPiece, 0) == Errc::ok);
    REQUIRE(pool.read(reads[1], file, kPiece, kPieces * kPiece - 10) == Errc::ok); // its last ten bytes
    REQUIRE(pool.read(reads[2], file, kPiece, kPieces * kPiece) == Errc::ok);      // its end
    REQUIRE(pool.read(reads[3], file, 100, 0) == Errc::ok);
    std::vector<std::size_t> lengths;
    while (client::Operation* operation = queue.next()) {
        PooledRead& read = *static_cast<PooledRead*>(operation->tag);
        CHECK(operation->succeeded() == (&read != &reads[0]));
        lengths.push_back(read.data().size());
        pool.give_back(read);
    }
    CHECK(lengths == std::vector<std::size_t>{0, 10, 0, 100});
}

TEST_CASE("a read longer than a block, or than a request, is refused", "[read_pool]") {
    OverMemfs over;
    const File file = with_content(over);
    const std::uint32_t most = over->channel().params().max_read;
    const Buffer memory = value_of(over->allocate(2 * std::size_t{most}));
    IoQueue queue(over->channel());
    PooledRead read;
    {
        ReadPool pool(queue, memory.bytes(), kPiece);
        CHECK(pool.read(read, file, kPiece + 1, 0) == Errc::too_large);
        CHECK(queue.next() == nullptr);
    }
    {
        ReadPool pool(queue, memory.bytes(), 2 * std::size_t{most});
        CHECK(pool.read(read, file, queue.most_read(memory.bytes()) + 1, 0) == Errc::too_large);
        CHECK(queue.next() == nullptr);
    }
}

TEST_CASE("blocks may lie in memory the device cannot reach", "[read_pool]") {
    OverMemfs over;
    const File file = with_content(over);
    std::vector<std::byte> memory(2 * kPiece);
    IoQueue queue(over->channel());
    ReadPool pool(queue, memory, kPiece);
    std::deque<PooledRead> reads(5);
    for (std::size_t i = 0; i < reads.size(); ++i) {
        reads[i].transfer.tag = &reads[i];
        REQUIRE(pool.read(reads[i], file, kPiece, i * kPiece) == Errc::ok);
    }
    for (std::size_t i = 0; i < reads.size(); ++i) {
        REQUIRE(queue.next() == &reads[i].transfer);
        CHECK(is_piece(reads[i].data(), i));
        pool.give_back(reads[i]);
    }
}
