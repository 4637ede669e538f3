// SPDX-License-Identifier: BSD-2-Clause
// The host refuses something to the server: what the client hears of it.
#include "passthrough_fixture.hpp"
#include "support/catch.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>

#include <thread>

using namespace vfsproto;
using namespace vfsproto::test;
using wire::Errno;
using wire::Opcode;

namespace {

// While it lives, this process can open nothing more.
class NoMoreDescriptors {
public:
    NoMoreDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int lowest_free = ::dup(STDIN_FILENO);
        ::close(lowest_free);
        struct rlimit limit = before_;
        limit.rlim_cur = static_cast<rlim_t>(lowest_free);
        if (lowest_free < 0 || ::setrlimit(RLIMIT_NOFILE, &limit) != 0) throw std::runtime_error("no limit can be set");
    }
    NoMoreDescriptors(const NoMoreDescriptors&) = delete;
    NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;
    ~NoMoreDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    struct rlimit before_{};
};

// Calls `body` in a thread without root's rights over files.
template <class Body> void without_privileges(Body&& body) {
    constexpr uid_t kNobody = 65534;
    std::thread([&] {
        ::syscall(SYS_setfsuid, kNobody); // does nothing for a process that is not root
        body();
    }).join();
}

} // namespace

TEST_CASE("a directory that may be read and not searched can be listed, and its file system be synced",
          "[passthrough]") {
    PassthroughFixture f;
    fs::create_directory(f.host("dir"));
    const std::uint64_t dir = f.node(1, "dir");
    REQUIRE(::chmod(f.host("dir").c_str(), 0444) == 0);
    without_privileges([&] {
        const Answered opened = f.client.call<Opcode::opendir>(dir);
        CHECK(opened.error == Errno::none);
        if (opened.ok()) {
            const std::uint64_t fh = opened.as<wire::OpenOut>().fh;
            CHECK(records_of(f.read_directory<Opcode::readdir>(fh, 0, 4096).body, false).size() == 2);
        }
        CHECK(f.client.call<Opcode::syncfs>(dir).error == Errno::none);
    });
}

TEST_CASE("FLUSH succeeds when the process has no descriptor to spare", "[passthrough]") {
    PassthroughFixture f;
    const std::uint64_t fh = f.create(1, "file").as<wire::CreateOut>().open.fh;
    REQUIRE(f.write(fh, 0, "abc").ok());
    const NoMoreDescriptors none;
    CHECK(f.client.send(Message(Opcode::flush).fixed(wire::FlushIn{fh, 0, 0, 0})).error == Errno::none);
}
