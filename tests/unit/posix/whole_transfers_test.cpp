// SPDX-License-Identifier: BSD-2-Clause
// read_all() and write_all() of the faces beside Mount: they go on where a server moves less than it was asked to.
#include "unit/posix/mounted.hpp"
#include "unit/posix/reconnecting.hpp"

#include "vfsproto/posix/async_mount.hpp"
#include "vfsproto/posix/reconnecting_mount.hpp"

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace asio = boost::asio;
using namespace vfsproto;
using abi::kOCreat;
using abi::kORdwr;
using posix::Failure;
using test::Errno;
using test::OverMemfs;
using test::succeeds;
using test::value_of;
using wire::Opcode;

namespace {

constexpr std::size_t kBytes = 300'000;
constexpr std::size_t kBehindTheEnd = 100;
constexpr std::uint64_t kAtMost = 7'777; // bytes of one READ or WRITE
constexpr std::uint64_t kAt = 5;         // offset of the file

// Every READ and WRITE moves few bytes; after `good` of them each fails.
auto short_transfers(int good) {
    return [left = good](const backends::MemfsQuestion& question) mutable {
        backends::MemfsFault fault;
        if (question.opcode != Opcode::write && question.opcode != Opcode::read) return fault;
        fault.at_most = kAtMost;
        if (--left < 0) fault.error = Errno::enospc;
        return fault;
    };
}
constexpr int kEnough = 1'000'000; // good transfers

} // namespace

TEST_CASE("asynchronous read_all and write_all go on after a short count", "[async]") {
    OverMemfs over;
    asio::io_context io;
    posix::AsyncMount files(*over, io.get_executor());
    posix::File file = value_of(over->open_file("/file", kOCreat | kORdwr));
    const auto data = test::noise(kBytes);
    std::vector<std::byte> back(kBytes + kBehindTheEnd);
    Failure said;
    std::uint64_t count = 0;
    const auto keep = [&](const Failure& failure, std::uint64_t bytes) {
        said = failure;
        count = bytes;
    };
    const auto run = [&] {
        io.run();
        io.restart();
    };
    const auto keep_failure = [&](const Failure& failure) { said = failure; };

    over.fs.set_faults(short_transfers(kEnough));
    files.write_all(file, data, kAt, keep_failure);
    run();
    CHECK_FALSE(said);
    files.read_all(file, back, kAt, keep);
    run();
    CHECK_FALSE(said);
    CHECK(count == kBytes);
    CHECK(std::equal(data.begin(), data.end(), back.begin()));
    files.read_all(file, std::span(back).first(kBehindTheEnd), kAt + kBytes, keep);
    run();
    CHECK_FALSE(said);
    CHECK(count == 0);
    files.write_all(file, {}, 0, keep_failure);
    run();
    CHECK_FALSE(said);

    over.fs.set_faults(short_transfers(3));
    files.write_all(file, data, kAt, keep_failure);
    run();
    CHECK(said.error == Errno::enospc);
    files.read_all(file, back, kAt, keep);
    run();
    CHECK(said.error == Errno::enospc);
    over.fs.set_faults({});
    succeeds(over->close(std::move(file)));
}

TEST_CASE("read_all and write_all of a mount that outlives its server go on after a short count", "[reconnect]") {
    backends::Memfs fs;
    posix::ReconnectOptions options;
    options.open_device = [&] { return backends::make_loopback(fs); };
    const auto mount = test::mount_of(options);
    const posix::ReconnectingFile file = value_of(mount->open_file("/file", kOCreat | kORdwr));
    const auto data = test::noise(kBytes);
    std::vector<std::byte> back(kBytes + kBehindTheEnd);

    fs.set_faults(short_transfers(kEnough));
    succeeds(mount->write_all(file, data, kAt));
    CHECK(value_of(mount->read_all(file, back, kAt)) == kBytes);
    CHECK(std::equal(data.begin(), data.end(), back.begin()));
    CHECK(value_of(mount->read_all(file, back, kAt + kBytes)) == 0);

    fs.set_faults(short_transfers(3));
    CHECK(mount->write_all(file, data, kAt).error == Errno::enospc);
    CHECK(mount->read_all(file, back, kAt).failure().error == Errno::enospc);
    fs.set_faults({});
    succeeds(mount->close(file));
}
