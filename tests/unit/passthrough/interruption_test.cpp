// SPDX-License-Identifier: BSD-2-Clause
// Something comes between while the server is inside a system call: a signal, or the end of the session.
#include "passthrough_fixture.hpp"
#include "support/catch.hpp"
#include "support/skip.hpp"

#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using wire::Opcode;

namespace {

// A write lease of a host file: whoever else opens the file waits in open(2) until the lease is given back, and this
// thread gets SIGIO when somebody does.
class Lease {
public:
    explicit Lease(const fs::path& path) : fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
        const struct f_owner_ex thread = {F_OWNER_TID, static_cast<pid_t>(::syscall(SYS_gettid))};
        held_ = ::fcntl(fd_, F_SETOWN_EX, &thread) == 0 && ::fcntl(fd_, F_SETLEASE, F_WRLCK) == 0;
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { ::close(fd_); }
    [[nodiscard]] bool held() const noexcept { return held_; } // some file systems have no leases
    [[nodiscard]] int fd() const noexcept { return fd_; }
    void give_back() const noexcept { ::fcntl(fd_, F_SETLEASE, F_UNLCK); } // safe in a signal handler

private:
    int fd_;
    bool held_ = false;
};

const Lease* interrupted_lease = nullptr;
int interruptions = 0;

} // namespace

TEST_CASE("a signal that interrupts the server in open(2) is nothing the client hears of", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "abc");
    const std::uint64_t node = f.node(1, "file");
    // The handler has no SA_RESTART, as that of a program that embeds the server may have none.
    struct sigaction give_back{};
    give_back.sa_handler = [](int) {
        const int kept = errno;
        ++interruptions;
        interrupted_lease->give_back();
        errno = kept;
    };
    struct sigaction before{};
    REQUIRE(::sigaction(SIGIO, &give_back, &before) == 0);
    interruptions = 0;
    const Lease lease(f.host("file"));
    interrupted_lease = &lease;
    if (lease.held()) {
        SECTION("OPEN") { CHECK(f.open(node, O_RDONLY).error == Errno::none); }
        SECTION("CREATE of what is there") { CHECK(f.create(1, "file", O_RDONLY).error == Errno::none); }
        SECTION("SETATTR of the size") {
            wire::SetattrIn in{};
            in.valid = wire::kSetattrSize;
            CHECK(f.client.call<Opcode::setattr>(node, in).error == Errno::none);
        }
        CHECK(interruptions == 1);
    } else {
        skip("the host's file system has no leases");
    }
    ::sigaction(SIGIO, &before, nullptr);
}

TEST_CASE("what another queue opens while DESTROY ends the session is gone with it", "[passthrough][race]") {
    PassthroughFixture f;
    f.write_host("file", "abc");
    const std::uint64_t node = f.node(1, "file");
    sigset_t sigio;
    sigset_t before;
    sigemptyset(&sigio);
    sigaddset(&sigio, SIGIO);
    REQUIRE(::pthread_sigmask(SIG_BLOCK, &sigio, &before) == 0);
    const Lease lease(f.host("file"));
    if (lease.held()) {
        Answered answer;
        auto in_between = [&](auto&& call) {
            Served<backends::Passthrough> queue(f.served, f.client.session(), wire::QueueKind::request, 2);
            std::thread other([&] { answer = call(queue); });
            int signal = 0;
            ::sigwait(&sigio, &signal); // the other one is inside open(2)
            CHECK(f.client.call<Opcode::destroy>(1).ok());
            SECTION("and no other session begins") {}
            SECTION("and another session begins") { f.client.init({}); }
            lease.give_back();
            other.join();
        };
        SECTION("OPEN") {
            in_between([&](auto& queue) { return queue.template call<Opcode::open>(node, {O_RDONLY, 0}); });
        }
        SECTION("CREATE") {
            in_between(
                [&](auto& queue) { return queue.template call<Opcode::create>(1, {O_RDONLY, 0, 0, 0}, "file"); });
        }
        CHECK(answer.error == Errno::estale);
        CHECK(f.served.counters().inodes == 1);
        CHECK(f.served.counters().handles == 0);
    } else {
        skip("the host's file system has no leases");
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}
