// SPDX-License-Identifier: BSD-2-Clause
// A descriptor of /dev/fuse as a queue of the device side, with a socket that keeps messages apart in the kernel's place.
#include "../../../src/kernel_mount/kernel_queue.hpp"
#include "support/catch.hpp"

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/fuse/wire/opcode.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

using namespace vfsproto;
using kernel_mount::KernelQueue;
using Took = KernelQueue::Took;
using wire::Opcode;

namespace {

constexpr std::size_t kPayload = 8192;
constexpr int kMostWaiting = 128;

struct Peers {
    Peers() {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
        kernel = backends::FileDescriptor(ends[0]);
        queue.emplace(backends::FileDescriptor(ends[1]), kPayload);
        chain.storage = segments;
    }
    // Has the kernel ask, and takes the request.
    void ask(Opcode opcode, std::uint64_t unique) {
        const wire::InHeader header{
            .len = sizeof header, .opcode = static_cast<std::uint32_t>(opcode), .unique = unique};
        REQUIRE(::write(kernel.get(), &header, sizeof header) == sizeof header);
        REQUIRE(queue->wait() == Took::request);
    }
    // Answers a chain, and returns the unique that the kernel hears of; 0: it hears nothing.
    std::uint64_t answer(const Chain& done, std::uint64_t unique) {
        const wire::OutHeader header{sizeof header, 0, unique};
        std::memcpy(done.writable()[0].data, &header, sizeof header);
        CHECK(queue->push(done, sizeof header) == Errc::ok);
        return heard().unique;
    }
    wire::OutHeader heard() {
        wire::OutHeader header{};
        const ssize_t got = ::recv(kernel.get(), &header, sizeof header, MSG_DONTWAIT);
        return got == sizeof header ? header : wire::OutHeader{};
    }

    backends::FileDescriptor kernel;
    std::optional<KernelQueue> queue;
    std::array<HostSegment, 2> segments{};
    Chain chain;
};

} // namespace

TEST_CASE("a request of the kernel is given once, and its answer goes back in one piece", "[cli]") {
    Peers peers;
    CHECK_FALSE(peers.queue->pop(peers.chain));
    peers.ask(Opcode::getattr, 2);
    REQUIRE(peers.queue->pop(peers.chain));
    CHECK(total_length(peers.chain.readable()) == sizeof(wire::InHeader));
    CHECK(total_length(peers.chain.writable()) >= kPayload + sizeof(wire::OutHeader));
    CHECK_FALSE(peers.queue->pop(peers.chain));
    CHECK(peers.answer(peers.chain, 2) == 2);
    CHECK(peers.queue->push(peers.chain, sizeof(wire::OutHeader)) == Errc::bad_argument); // it is not out any more
    CHECK(peers.heard().unique == 0);
}

TEST_CASE("a request without an answer is over without a write", "[cli]") {
    Peers peers;
    peers.ask(Opcode::forget, 2);
    REQUIRE(peers.queue->pop(peers.chain));
    CHECK(peers.queue->push(peers.chain, 0) == Errc::ok);
    CHECK(peers.heard().len == 0);
}

TEST_CASE("answers that wait do not stand in the way of others, and there is room for so many", "[cli]") {
    Peers peers;
    std::vector<Chain> waiting;
    std::vector<std::array<HostSegment, 2>> storage(kMostWaiting);
    for (int i = 0; i < kMostWaiting; ++i) {
        peers.ask(Opcode::setlkw, static_cast<std::uint64_t>(2 * i + 2));
        Chain chain;
        chain.storage = storage[static_cast<std::size_t>(i)];
        REQUIRE(peers.queue->pop(chain));
        waiting.push_back(chain);
    }
    CHECK(peers.queue->waiting() == kMostWaiting);
    constexpr std::uint64_t kOneTooMany = 1000;
    peers.ask(Opcode::setlkw, kOneTooMany);
    CHECK_FALSE(peers.queue->pop(peers.chain));
    const wire::OutHeader refused = peers.heard();
    CHECK(refused.unique == kOneTooMany);
    CHECK(refused.error == -static_cast<std::int32_t>(abi::Errno::enolck));
    peers.ask(Opcode::getattr, kOneTooMany + 2);
    REQUIRE(peers.queue->pop(peers.chain));
    CHECK(peers.answer(waiting[5], 12) == 12);
    CHECK(peers.answer(peers.chain, kOneTooMany + 2) == kOneTooMany + 2);
    CHECK(peers.queue->waiting() == kMostWaiting - 1);
    CHECK(peers.answer(waiting[0], 2) == 2);
}

TEST_CASE("what is too short for a request is left, and the end of the connection is noticed", "[cli]") {
    Peers peers;
    REQUIRE(::write(peers.kernel.get(), "short", 5) == 5);
    CHECK(peers.queue->wait() == Took::nothing);
    CHECK_FALSE(peers.queue->pop(peers.chain));
    const wire::InHeader header{.len = sizeof header, .opcode = 0xffff'ffff, .unique = 4};
    REQUIRE(::write(peers.kernel.get(), &header, sizeof header) == sizeof header);
    REQUIRE(peers.queue->wait() == Took::request);
    REQUIRE(peers.queue->pop(peers.chain)); // an unknown number is the lane's to answer
    CHECK(peers.answer(peers.chain, 4) == 4);
    peers.kernel.close();
    CHECK(peers.queue->wait() == Took::over);
}
