// SPDX-License-Identifier: BSD-2-Clause
// The contents of files, on both embedded file systems.
#include "unit/posix/mounted.hpp"
#include "vfsproto/posix/io_queue.hpp"

#include <functional>

using namespace vfsproto;
using namespace vfsproto::abi;
using posix::File;
using test::Errno;
using test::error_of;
using test::MountedOptions;
using test::OverDirectory;
using test::OverMemfs;
using test::succeeds;
using test::value_of;

TEMPLATE_TEST_CASE("what is written is read, in any size and at any place", "[data]", OverMemfs, OverDirectory) {
    TestType over;
    const std::size_t size = GENERATE(0, 1, 511, 4096, 4097, 131071, 131072, 131073, 1048576, 1048577, 5'000'003);
    const std::uint64_t offset = GENERATE(0, 1, 4095, 100'000);
    const auto data = test::noise(size);
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    CHECK(value_of(over->write(file, data, offset)) == size);
    CHECK(value_of(over->stat(file)).size == (size == 0 ? 0 : offset + size));
    std::vector<std::byte> back(size + 10);
    CHECK(value_of(over->read(file, back, offset)) == size); // shorter at the end
    back.resize(size);
    CHECK(back == data);
    CHECK(value_of(over->read(file, back, offset + size)) == 0);
    CHECK(value_of(over->read(file, back, offset + size + 1'000'000)) == 0);
    succeeds(over->close(std::move(file)));
}

TEMPLATE_TEST_CASE("pieces of a large transfer may be of any size", "[data]", OverMemfs, OverDirectory) {
    MountedOptions options;
    options.mount.channel.bounce = GENERATE(8192, 20000, 65536);
    options.mount.channel.slots = GENERATE(std::uint16_t{1}, std::uint16_t{2}, std::uint16_t{64});
    options.mount.channel.init.max_pages = GENERATE(std::uint16_t{1}, std::uint16_t{7}, std::uint16_t{256});
    TestType over(options);
    const auto data = test::noise(1'000'001);
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    CHECK(value_of(over->write(file, data, 3)) == data.size());
    std::vector<std::byte> back(data.size());
    CHECK(value_of(over->read(file, back, 3)) == data.size());
    CHECK(back == data);
    auto buffer = value_of(over->allocate(1'000'001));
    CHECK(value_of(over->read(file, buffer.bytes(), 3)) == data.size());
    CHECK(std::equal(data.begin(), data.end(), buffer.bytes().begin()));
    succeeds(over->close(std::move(file)));
}

TEMPLATE_TEST_CASE("bytes in a registered buffer are not copied, others once", "[data]", OverMemfs, OverDirectory) {
    TestType over;
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    auto buffer = value_of(over->allocate(3 << 20));
    const auto data = test::noise(buffer.bytes().size());
    std::copy(data.begin(), data.end(), buffer.bytes().begin());
    const auto copies = [&] { return over->channel().stats().copies; };
    auto before = copies();
    const auto requests = [&] { return over->channel().stats().requests; };
    CHECK(value_of(over->write(file, buffer.bytes(), 0)) == data.size());
    CHECK(value_of(over->write(file, buffer.bytes().subspan(100, 100), 100)) == 100);
    std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{0});
    CHECK(value_of(over->read(file, buffer.bytes(), 0)) == data.size());
    CHECK(value_of(over->read(file, buffer.bytes().subspan(100, 4096), 100)) == 4096);
    CHECK(std::equal(data.begin(), data.end(), buffer.bytes().begin()));
    CHECK(copies() == before);

    std::vector<std::byte> plain(4096);
    before = copies();
    auto sent = requests();
    CHECK(value_of(over->read(file, plain, 5)) == plain.size());
    CHECK(copies() - before == 1);
    CHECK(requests() - sent == 1);
    CHECK(std::equal(plain.begin(), plain.end(), data.begin() + 5));
    before = copies();
    CHECK(value_of(over->write(file, plain, 5)) == plain.size());
    CHECK(copies() - before == 1);

    // Memory that was given back is like any other again.
    const std::span<std::byte> former = buffer.bytes();
    CHECK(over->channel().find_registered(former.data(), former.size()) != nullptr);
    buffer = posix::Buffer();
    CHECK(over->channel().find_registered(former.data(), former.size()) == nullptr);
    succeeds(over->close(std::move(file)));
}

TEMPLATE_TEST_CASE("files have holes, and know where", "[data]", OverMemfs, OverDirectory) {
    TestType over;
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    constexpr std::uint64_t kFar = std::uint64_t{1} << 33;
    const auto data = test::noise(4096);
    CHECK(value_of(over->write(file, data, kFar)) == data.size());
    CHECK(value_of(over->stat(file)).size == kFar + 4096);
    CHECK(value_of(over->stat(file)).blocks < 1000);
    std::vector<std::byte> back(5000, std::byte{1});
    CHECK(value_of(over->read(file, back, 12345)) == back.size());
    CHECK(back == std::vector<std::byte>(5000));

    CHECK(value_of(over->seek(file, 0, kSeekData)) == kFar);
    CHECK(value_of(over->seek(file, 0, kSeekHole)) == 0);
    CHECK(value_of(over->seek(file, kFar + 5, kSeekData)) == kFar + 5);
    CHECK(value_of(over->seek(file, kFar, kSeekHole)) == kFar + 4096);
    CHECK(error_of(over->seek(file, kFar + 4096, kSeekData)) == Errno::enxio);
    CHECK(error_of(over->seek(file, kFar + 4096, kSeekHole)) == Errno::enxio);

    succeeds(over->truncate(file, 100));
    CHECK(error_of(over->seek(file, 0, kSeekData)) == Errno::enxio);
    CHECK(value_of(over->seek(file, 0, kSeekHole)) == 0);
    succeeds(over->close(std::move(file)));
}

TEST_CASE("without LSEEK a file is one piece of data", "[data]") {
    OverMemfs over;
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    CHECK(value_of(over->write(file, test::noise(100), 1'000'000)) == 100);
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::lseek) fault.error = Errno::enosys;
        return fault;
    });
    for (int i = 0; i < 2; ++i) {
        CHECK(value_of(over->seek(file, 10, kSeekData)) == 10);
        CHECK(value_of(over->seek(file, 10, kSeekHole)) == 1'000'100);
        CHECK(error_of(over->seek(file, 1'000'100, kSeekData)) == Errno::enxio);
    }
    over.fs.set_faults({});
    succeeds(over->close(std::move(file)));
}

TEMPLATE_TEST_CASE("a file is used after its last name is gone", "[data]", OverMemfs, OverDirectory) {
    TestType over;
    test::put(*over, "/f", "content");
    File file = value_of(over->open_file("/f", kORdwr));
    succeeds(over->unlink("/f"));
    CHECK(error_of(over->stat("/f")) == Errno::enoent);
    CHECK(value_of(over->stat(file)).nlink == 0);
    CHECK(value_of(over->write(file, test::bytes_of("CON"), 0)) == 3);
    std::vector<std::byte> back(7);
    CHECK(value_of(over->read(file, back, 0)) == 7);
    CHECK(test::text_of(back) == "CONtent");
    succeeds(over->truncate(file, 3));
    CHECK(value_of(over->stat(file)).size == 3);
    // Another file may take its name meanwhile.
    test::put(*over, "/f", "other");
    CHECK(value_of(over->stat(file)).size == 3);
    succeeds(over->fsync(file));
    succeeds(over->close(std::move(file)));
    CHECK(test::get(*over, "/f") == "other");
}

TEMPLATE_TEST_CASE("space is allocated, and punched out again", "[data]", OverMemfs, OverDirectory) {
    TestType over;
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    const Errno error = error_of(over->fallocate(file, 0, 0, 100'000));
    if (error == Errno::eopnotsupp) return; // the file system of the host has none
    CHECK(error == Errno::none);
    CHECK(value_of(over->stat(file)).size == 100'000);
    succeeds(over->fallocate(file, kFallocKeepSize, 100'000, 100'000));
    CHECK(value_of(over->stat(file)).size == 100'000);
    const auto data = test::noise(100'000);
    CHECK(value_of(over->write(file, data, 0)) == data.size());
    succeeds(over->fallocate(file, kFallocPunchHole | kFallocKeepSize, 4096, 8192));
    std::vector<std::byte> back(data.size());
    CHECK(value_of(over->read(file, back, 0)) == back.size());
    CHECK(std::equal(back.begin(), back.begin() + 4096, data.begin()));
    CHECK(std::all_of(back.begin() + 4096, back.begin() + 12288, [](std::byte byte) { return byte == std::byte{0}; }));
    CHECK(std::equal(back.begin() + 12288, back.end(), data.begin() + 12288));
    CHECK(error_of(over->fallocate(file, 0, 0, 0)) == Errno::einval);
    succeeds(over->close(std::move(file)));
}

TEMPLATE_TEST_CASE("the server copies ranges itself", "[data]", OverMemfs, OverDirectory) {
    TestType over;
    const auto data = test::noise(300'000);
    File from = value_of(over->open_file("/from", kOCreat | kORdwr));
    File to = value_of(over->open_file("/to", kOCreat | kORdwr));
    CHECK(value_of(over->write(from, data, 0)) == data.size());
    std::uint64_t copied = 0;
    while (copied < 200'000) {
        const auto some = over->copy_range(from, 1000 + copied, to, 50 + copied, 200'000 - copied);
        if (!some && some.failure().error == Errno::eopnotsupp) return; // the file system of the host has none
        const std::uint64_t now = value_of(posix::Expected<std::uint64_t>(some));
        REQUIRE(now != 0);
        copied += now;
    }
    std::vector<std::byte> back(200'000);
    CHECK(value_of(over->read(to, back, 50)) == back.size());
    CHECK(std::equal(back.begin(), back.end(), data.begin() + 1000));
    CHECK(value_of(over->stat(to)).size == 200'050);
    CHECK(value_of(over->copy_range(from, data.size(), to, 0, 100)) == 0); // its end
    succeeds(over->close(std::move(from)));
    succeeds(over->close(std::move(to)));
}

TEST_CASE("the old form of copying serves where there is no new one, and neither where there is none", "[data]") {
    OverMemfs over;
    test::put(*over, "/from", "0123456789");
    File from = value_of(over->open_file("/from", kORdonly));
    File to = value_of(over->open_file("/to", kOCreat | kORdwr));
    bool none = false;
    over.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        const bool missing = question.opcode == wire::Opcode::copy_file_range_64 ||
                             (none && question.opcode == wire::Opcode::copy_file_range);
        if (missing) fault.error = Errno::enosys;
        return fault;
    });
    CHECK(value_of(over->copy_range(from, 2, to, 0, 100)) == 8);
    none = true;
    CHECK(error_of(over->copy_range(from, 2, to, 0, 100)) == Errno::eopnotsupp);
    CHECK(error_of(over->copy_range(from, 2, to, 0, 100)) == Errno::eopnotsupp);
    over.fs.set_faults({});
    succeeds(over->close(std::move(from)));
    succeeds(over->close(std::move(to)));
}

TEMPLATE_TEST_CASE("poll says ready, ioctl says that there is none", "[data]", OverMemfs, OverDirectory) {
    TestType over;
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    CHECK(value_of(over->poll(file, kPollIn | kPollOut)) == (kPollIn | kPollOut));
    CHECK(value_of(over->poll(file, kPollIn)) == kPollIn);
    std::vector<std::byte> bytes(16);
    CHECK(error_of(over->ioctl(file, 0x1234, bytes, bytes)) == Errno::enotty);
    std::vector<std::byte> large(5000);
    CHECK(error_of(over->ioctl(file, 0x1234, large, bytes)) == Errno::einval);
    CHECK(error_of(over->ioctl(file, 0x1234, bytes, large)) == Errno::einval);
    succeeds(over->flush(file));
    succeeds(over->fsync(file, wire::kFsyncDatasync));
    succeeds(over->close(std::move(file)));
}

TEST_CASE("a server that takes or gives less than asked for ends a transfer there", "[data]") {
    OverMemfs over;
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    const auto data = test::noise(3'000'000);
    std::uint64_t at_most = 1'300'000; // of all that comes after it, nothing
    over.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode != wire::Opcode::write && question.opcode != wire::Opcode::read) return fault;
        const std::uint64_t size = std::min<std::uint64_t>(at_most, 131072);
        fault.at_most = size;
        at_most -= size;
        return fault;
    });
    CHECK(value_of(over->write(file, data, 0)) == 1'300'000);
    over.fs.set_faults({});
    CHECK(value_of(over->write(file, data, 0)) == data.size());
    at_most = 1'300'000;
    over.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::write) fault.error = Errno::enospc;
        return fault;
    });
    CHECK(error_of(over->write(file, data, 0)) == Errno::enospc);
    CHECK(error_of(over->write(file, {data.data(), 10}, 0)) == Errno::enospc);
    over.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::write) fault.at_most = 0;
        return fault;
    });
    // A write of 0 bytes without an error is an error: callers would go round for ever.
    CHECK(over->write(file, {data.data(), 10}, 0).failure().as_errno() == Errno::eio);
    CHECK(over->write(file, data, 0).failure().as_errno() == Errno::eio);
    over.fs.set_faults({});
    succeeds(over->close(std::move(file)));
}

TEMPLATE_TEST_CASE("a write before the first byte or behind the last possible one leaves the file as it is", "[data]",
                   OverMemfs, OverDirectory) {
    constexpr std::uint64_t kBefore = std::uint64_t{0} - 100; // (off_t)-100
    TestType over;
    const auto data = test::noise(10'000);
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    REQUIRE(value_of(over->write(file, data, 0)) == data.size());
    const std::size_t size = GENERATE(200, 512 * 1024); // one piece and several
    const auto requests = over->channel().stats().requests;
    auto registered = value_of(over->allocate(size));
    std::vector<std::byte> other(size);
    for (const std::span<std::byte> bytes : {registered.bytes(), std::span<std::byte>(other)}) {
        CHECK(error_of(over->write(file, bytes, kBefore)) == Errno::einval);
        CHECK(error_of(over->write(file, bytes, INT64_MAX)) == Errno::efbig);
        CHECK(error_of(over->read(file, bytes, kBefore)) == Errno::einval);
        posix::IoQueue queue(over->channel());
        posix::QueuedWrite write;
        if (queue.write(write, file, bytes, kBefore) != Errc::ok) continue; // more than one request carries
        REQUIRE(queue.next() != nullptr);
        CHECK(write.error() == Errno::einval);
    }
    CHECK(over->channel().stats().requests == requests);
    std::vector<std::byte> back(data.size());
    CHECK(value_of(over->read(file, back, 0)) == data.size());
    CHECK(back == data);
    succeeds(over->close(std::move(file)));
}

TEST_CASE("a write by another user than 0 takes set-id bits away, however it is carried", "[data]") {
    MountedOptions options;
    options.mount.credentials.caller.uid = GENERATE(0u, 1000u);
    const bool keeps = options.mount.credentials.caller.uid == 0;
    OverMemfs over(options);
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    auto buffer = value_of(over->allocate(4096));
    const auto data = test::noise(3 << 20);
    const std::span<const std::byte> bounced = std::span(data).first(1);
    posix::IoQueue queue(over->channel(), options.mount.credentials.caller);
    const auto write = [&](std::span<const std::byte> bytes) {
        return value_of(over->write(file, bytes, 0)) == bytes.size();
    };
    const auto queued = [&](std::span<const std::byte> bytes) {
        posix::QueuedWrite slot;
        REQUIRE(queue.write(slot, file, bytes, 0) == Errc::ok);
        return queue.next() == &slot && slot.bytes() == bytes.size();
    };
    const std::function<bool()> writes[] = {[&] { return write(bounced); }, [&] { return write(buffer.bytes()); },
                                            [&] { return write(data); }, [&] { return queued(bounced); },
                                            [&] { return queued(buffer.bytes()); }};
    for (const auto& one : writes) {
        wire::SetattrIn set_id{};
        set_id.valid = wire::kSetattrMode;
        set_id.mode = kSIfreg | 06755;
        REQUIRE((value_of(over->set_attributes(file, set_id)).mode & kSIallugo) == 06755);
        CHECK(one());
        CHECK((value_of(over->stat(file)).mode & kSIallugo) == (keeps ? 06755 : 0755));
    }
    succeeds(over->close(std::move(file)));
}
