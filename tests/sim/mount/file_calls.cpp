// SPDX-License-Identifier: BSD-2-Clause
// Calls of a mount that take an open file, and transfers of a queue.
#include "sim/mount/calls.hpp"
#include "sim/mount/faulty_mount.hpp"

#include "vfsproto/posix/io_queue.hpp"

#include <algorithm>
#include <array>

namespace vfsproto::test {

using namespace abi;
using posix::Failure;
using posix::IoQueue;
using posix::LockType;
using posix::Mount;
using posix::QueuedRead;
using posix::QueuedWrite;

namespace {

constexpr std::size_t kPiece = 1000; // bytes of a transfer that one request carries

template <class T> Failure why(const posix::Expected<T>& outcome) { return outcome.failure(); }

// Reads from the start of the file and says if what came is what is there.
Failure read_into(Mount& mount, Prepared& with, std::span<std::byte> into) {
    const auto count = mount.read(with.file, into, 0);
    if (!count) return count.failure();
    with.read_wrong = !std::equal(into.begin(), into.begin() + static_cast<std::ptrdiff_t>(*count), content().begin());
    return {};
}
// Writes what is there already.
Failure write_from(Mount& mount, Prepared& with, std::span<const std::byte> from) {
    return why(mount.write(with.file, from, 0));
}
Failure read_bytes(Mount& mount, Prepared& with, std::size_t size) {
    std::vector<std::byte> bytes(size);
    return read_into(mount, with, bytes);
}
std::span<std::byte> fill(Prepared& with) {
    std::copy(content().begin(), content().end(), with.buffer.bytes().begin());
    return with.buffer.bytes().first(kContentBytes);
}

Failure lock_and_unlock(Mount& mount, Prepared& with) {
    if (Failure failure = mount.lock(with.file, {LockType::exclusive, {}, 0})) return failure;
    return mount.lock(with.file, {LockType::unlock, {}, 0});
}

constexpr MountCase kFileCalls[] = {
    {"read", Needs::files, [](Mount& mount, Prepared& with) { return read_bytes(mount, with, kPiece); }},
    {"read in pieces", Needs::files,
     [](Mount& mount, Prepared& with) { return read_bytes(mount, with, kContentBytes); }},
    {"read into a buffer", Needs::files,
     [](Mount& mount, Prepared& with) { return read_into(mount, with, with.buffer.bytes().first(kContentBytes)); }},
    {"write", Needs::files,
     [](Mount& mount, Prepared& with) { return write_from(mount, with, std::span(content()).first(kPiece)); }},
    {"write in pieces", Needs::files, [](Mount& mount, Prepared& with) { return write_from(mount, with, content()); }},
    {"write from a buffer", Needs::files,
     [](Mount& mount, Prepared& with) { return write_from(mount, with, fill(with)); }},
    {"read_all", Needs::files,
     [](Mount& mount, Prepared& with) {
         std::vector<std::byte> bytes(kContentBytes);
         return why(mount.read_all(with.file, bytes, 0));
     }},
    {"write_all", Needs::files, [](Mount& mount, Prepared& with) { return mount.write_all(with.file, content(), 0); }},
    {"stat of a file", Needs::files, [](Mount& mount, Prepared& with) { return why(mount.stat(with.file)); }},
    {"set_attributes of a file", Needs::files,
     [](Mount& mount, Prepared& with) {
         wire::SetattrIn in{};
         in.valid = wire::kSetattrMode;
         in.mode = kSIfreg | 0640;
         return why(mount.set_attributes(with.file, in));
     }},
    {"truncate of a file", Needs::files, [](Mount& mount, Prepared& with) { return mount.truncate(with.file, 10); }},
    {"set_times of a file", Needs::files,
     [](Mount& mount, Prepared& with) {
         const posix::SetTime then{posix::SetTime::Kind::at, 5, 6};
         return mount.set_times(with.file, then, then);
     }},
    {"flush", Needs::files, [](Mount& mount, Prepared& with) { return mount.flush(with.file); }},
    {"fsync", Needs::files, [](Mount& mount, Prepared& with) { return mount.fsync(with.file); }},
    {"fallocate", Needs::files,
     [](Mount& mount, Prepared& with) { return mount.fallocate(with.file, 0, 0, 2 * kContentBytes); }},
    {"seek", Needs::files, [](Mount& mount, Prepared& with) { return why(mount.seek(with.file, 0, kSeekData)); }},
    {"copy_range", Needs::files,
     [](Mount& mount, Prepared& with) { return why(mount.copy_range(with.file, 0, with.other, 0, kPiece)); }},
    {"lock", Needs::files, &lock_and_unlock},
    {"flock", Needs::files, [](Mount& mount, Prepared& with) { return mount.flock(with.file, LockType::shared); }},
    {"test_lock", Needs::files,
     [](Mount& mount, Prepared& with) { return why(mount.test_lock(with.file, {LockType::exclusive, {}, 0})); }},
    {"poll", Needs::files, [](Mount& mount, Prepared& with) { return why(mount.poll(with.file, kPollIn)); }},
    {"ioctl", Needs::files, [](Mount& mount, Prepared& with) { return why(mount.ioctl(with.file, 1, {}, {})); }},
    {"close", Needs::files, [](Mount& mount, Prepared& with) { return mount.close(std::move(with.file)); }},
};

// Waits for all, and gives up what is under way when the limit ends the wait. Returns the first failure.
template <class Transfers> Failure finish(IoQueue& queue, Transfers& transfers, Prepared& with) {
    Failure failure;
    const auto note = [&](const client::Operation& done) {
        if (!failure) failure = posix::failure_of(done);
    };
    while (client::Operation* done = queue.next({.stop = &with.stop})) note(*done);
    if (queue.in_flight() == 0) return failure;
    for (auto& transfer : transfers) static_cast<void>(queue.give_up(transfer, with.file, Errc::abandoned));
    while (client::Operation* done = queue.next()) note(*done);
    return failure;
}

constexpr std::size_t kDepth = 4;

Failure queue_reads(Mount& mount, Prepared& with) {
    IoQueue queue(mount.channel(), mount.credentials().caller);
    std::array<QueuedRead, kDepth> reads;
    const std::span<std::byte> room = with.buffer.bytes();
    for (std::size_t i = 0; i < kDepth; ++i) {
        if (queue.read(reads[i], with.file, room.subspan(i * kPiece, kPiece), i * kPiece) != Errc::ok) break;
    }
    const Failure failure = finish(queue, reads, with);
    for (std::size_t i = 0; i < kDepth; ++i) {
        if (!reads[i].succeeded()) continue;
        const auto from = content().begin() + static_cast<std::ptrdiff_t>(i * kPiece);
        with.read_wrong |=
            reads[i].bytes() > kPiece ||
            !std::equal(from, from + reads[i].bytes(), room.begin() + static_cast<std::ptrdiff_t>(i * kPiece));
    }
    return failure;
}
Failure queue_writes(Mount& mount, Prepared& with) {
    IoQueue queue(mount.channel(), mount.credentials().caller);
    std::array<QueuedWrite, kDepth> writes;
    for (std::size_t i = 0; i < kDepth; ++i) { // of other memory, half of them
        const std::span<const std::byte> from = i % 2 == 0 ? std::span<const std::byte>(fill(with)) : content();
        if (queue.write(writes[i], with.file, from.subspan(i * kPiece, kPiece), i * kPiece) != Errc::ok) break;
    }
    return finish(queue, writes, with);
}

constexpr MountCase kQueueCalls[] = {
    {"queued reads", Needs::files, &queue_reads},
    {"queued writes", Needs::files, &queue_writes},
};

} // namespace

std::span<const MountCase> file_calls() { return kFileCalls; }
std::span<const MountCase> queue_calls() { return kQueueCalls; }

} // namespace vfsproto::test
