// SPDX-License-Identifier: BSD-2-Clause
// Locks of the client are locks of the host's files.
#include "passthrough_fixture.hpp"
#include "support/catch.hpp"

#include "vfsproto/backends/file_descriptor.hpp"

#include <sys/file.h>

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

constexpr std::uint64_t kOne = 11;
constexpr std::uint64_t kTwo = 12;

struct Locks : PassthroughFixture {
    Locks() {
        write_host("file", "0123456789");
        node = PassthroughFixture::node(wire::kRootNodeId, "file");
        fh = handle(node, abi::kORdwr);
        process = backends::FileDescriptor(::open((directory.root() / "file").c_str(), O_RDWR | O_CLOEXEC));
    }
    Errno set(std::uint64_t owner, wire::FileLock lock) {
        return client.call<Opcode::setlk>(node, wire::LkIn{fh, owner, lock, 0, 0}).error;
    }
    Errno set_whole(std::uint64_t of, std::uint32_t type) {
        const wire::LkIn in{of, of, {0, abi::kLockToEof, type, 0}, wire::kLkFlock, 0};
        return client.call<Opcode::setlk>(node, in).error;
    }
    // True if a process of the host could lock these bytes.
    bool is_free(off_t start, off_t length, short type = F_WRLCK) {
        struct ::flock lock{};
        lock.l_type = type;
        lock.l_start = start;
        lock.l_len = length;
        REQUIRE(::fcntl(process.get(), F_OFD_GETLK, &lock) == 0);
        return lock.l_type == F_UNLCK;
    }

    std::uint64_t node = 0;
    std::uint64_t fh = 0;
    backends::FileDescriptor process; // of a process of the host
};

wire::FileLock lock_of(const Answered& answer) { return answer.as<wire::LkOut>().lk; }

} // namespace

TEST_CASE("record locks are the host's, each owner's its own, and end with FLUSH of that owner",
          "[passthrough][locks]") {
    Locks f;
    CHECK(f.set(kOne, {2, 5, abi::kLockWrite, 0}) == Locks::Errno::none);
    CHECK_FALSE(f.is_free(5, 1));
    CHECK(f.is_free(6, 0));
    CHECK(f.set(kTwo, {5, 9, abi::kLockRead, 0}) == Locks::Errno::eagain);
    CHECK(f.set(kTwo, {6, abi::kLockToEof, abi::kLockRead, 0}) == Locks::Errno::none);
    CHECK(f.is_free(6, 0, F_RDLCK));
    CHECK_FALSE(f.is_free(100, 0));
    CHECK(f.served.counters().lock_owners == 2);
    CHECK(f.set(kOne, {2, 3, abi::kLockUnlock, 0}) == Locks::Errno::none);
    CHECK(f.is_free(2, 2));
    wire::FlushIn flush{};
    flush.fh = f.fh;
    flush.lock_owner = kTwo;
    CHECK(f.client.call<wire::Opcode::flush>(f.node, flush).error == Locks::Errno::none);
    CHECK(f.is_free(6, 0));
    CHECK_FALSE(f.is_free(4, 1));
    CHECK(f.set(kOne, {0, abi::kLockToEof, abi::kLockUnlock, 0}) == Locks::Errno::none);
    CHECK(f.is_free(0, 0));
    CHECK(f.served.counters().lock_owners == 0);
}

TEST_CASE("record locks end with the last handle through which their owner asked for some", "[passthrough][locks]") {
    Locks f;
    const std::uint64_t first = f.fh;
    const std::uint64_t second = f.handle(f.node, abi::kORdwr);
    const auto release = [&](std::uint64_t fh) {
        wire::ReleaseIn in{};
        in.fh = fh;
        CHECK(f.client.call<wire::Opcode::release>(f.node, in).error == Locks::Errno::none);
    };
    CHECK(f.set(kOne, {0, 1, abi::kLockWrite, 0}) == Locks::Errno::none);
    f.fh = second;
    CHECK(f.set(kOne, {2, 3, abi::kLockWrite, 0}) == Locks::Errno::none);
    CHECK(f.set(kTwo, {4, 5, abi::kLockWrite, 0}) == Locks::Errno::none);
    release(second);
    CHECK_FALSE(f.is_free(2, 2)); // the first owner has another handle
    CHECK(f.is_free(4, 2));
    release(first);
    CHECK(f.is_free(0, 0));
    CHECK(f.served.counters().lock_owners == 0);
}

TEST_CASE("a lock of a process of the host stands in the client's way, and GETLK tells it", "[passthrough][locks]") {
    Locks f;
    struct ::flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_start = 3;
    lock.l_len = 4;
    REQUIRE(::fcntl(f.process.get(), F_OFD_SETLK, &lock) == 0);
    CHECK(f.set(kOne, {0, 3, abi::kLockRead, 0}) == Locks::Errno::eagain);
    const wire::LkIn in{f.fh, kTwo, {0, abi::kLockToEof, abi::kLockRead, 0}, 0, 0};
    const auto found = f.client.call<wire::Opcode::getlk>(f.node, in);
    CHECK(found.error == Locks::Errno::none);
    CHECK(lock_of(found).type == abi::kLockWrite);
    CHECK(lock_of(found).start == 3);
    CHECK(lock_of(found).end == 6);
    CHECK(lock_of(found).pid == 0);
    f.process.close();
    CHECK(lock_of(f.client.call<wire::Opcode::getlk>(f.node, in)).type == abi::kLockUnlock);
}

TEST_CASE("the lock of a whole file is flock(2) on its handle, and ends with it", "[passthrough][locks]") {
    Locks f;
    CHECK(f.set_whole(f.fh, abi::kLockWrite) == Locks::Errno::none);
    CHECK(::flock(f.process.get(), LOCK_SH | LOCK_NB) != 0);
    const std::uint64_t second = f.handle(f.node, abi::kORdwr);
    CHECK(f.set_whole(second, abi::kLockRead) == Locks::Errno::eagain);
    CHECK(f.set_whole(f.fh, abi::kLockRead) == Locks::Errno::none);
    CHECK(f.set_whole(second, abi::kLockRead) == Locks::Errno::none);
    CHECK(f.set_whole(second, abi::kLockUnlock) == Locks::Errno::none);
    wire::ReleaseIn release{};
    release.fh = f.fh;
    CHECK(f.client.call<wire::Opcode::release>(f.node, release).error == Locks::Errno::none);
    CHECK(::flock(f.process.get(), LOCK_EX | LOCK_NB) == 0);
}

TEST_CASE("locks end with the session, and those that make no sense are refused", "[passthrough][locks]") {
    Locks f;
    CHECK(f.set(kOne, {5, 4, abi::kLockWrite, 0}) == Locks::Errno::einval);
    CHECK(f.set(kOne, {0, abi::kLockToEof + 1, abi::kLockWrite, 0}) == Locks::Errno::einval);
    CHECK(f.set(kOne, {0, 1, abi::kLockUnlock + 1, 0}) == Locks::Errno::einval);
    CHECK(f.set(kOne, {abi::kLockToEof, abi::kLockToEof, abi::kLockWrite, 0}) == Locks::Errno::none);
    const wire::LkIn no_handle{f.fh + 1000, kOne, {0, 1, abi::kLockWrite, 0}, 0, 0};
    CHECK(f.client.call<wire::Opcode::setlk>(f.node, no_handle).error == Locks::Errno::ebadf);
    CHECK(f.client.call<wire::Opcode::setlkw>(f.node, no_handle).error == Locks::Errno::ebadf);
    CHECK(f.set(kOne, {0, 9, abi::kLockWrite, 0}) == Locks::Errno::none);
    CHECK(f.set_whole(f.fh, abi::kLockWrite) == Locks::Errno::none);
    f.client.init({});
    CHECK(f.is_free(0, 0));
    CHECK(::flock(f.process.get(), LOCK_EX | LOCK_NB) == 0);
    CHECK(f.served.counters().lock_owners == 0);
}

TEST_CASE("owners of locks count as descriptors of the client", "[passthrough][locks]") {
    constexpr std::size_t kMost = 16;
    TemporaryDirectory directory;
    std::ofstream(directory.root() / "file") << "x";
    backends::PassthroughOptions options;
    options.root = directory.root().string();
    options.max_descriptors = kMost;
    backends::Passthrough served(options);
    Served<backends::Passthrough> client(served);
    client.init({});
    const std::uint64_t node =
        client.call<wire::Opcode::lookup>(wire::kRootNodeId, {}, "file").as<wire::EntryOut>().nodeid;
    const std::uint64_t fh = client.call<wire::Opcode::open>(node, {abi::kORdwr, 0}).as<wire::OpenOut>().fh;
    const auto set = [&](std::uint64_t owner, std::uint32_t type) {
        return client.call<wire::Opcode::setlk>(node, {fh, owner, {owner, owner, type, 0}, 0, 0}).error;
    };
    std::uint64_t owner = 1;
    while (owner <= kMost && set(owner, abi::kLockWrite) == abi::Errno::none) ++owner;
    CHECK(owner == kMost - 3 + 1); // the root, the file and its handle are the others
    CHECK(set(owner, abi::kLockWrite) == abi::Errno::enolck);
    CHECK(set(owner, abi::kLockUnlock) == abi::Errno::none);
    CHECK(set(1, abi::kLockWrite) == abi::Errno::none);
}
