// SPDX-License-Identifier: BSD-2-Clause
// The command put reads a FIFO that it is to copy, and opens none in vain: who writes to it would notice.
#include "integration/cli/share.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

using namespace vfsproto::test;

namespace {

// Tells whether a file was opened since the last question.
class OpenWatch {
public:
    explicit OpenWatch(const std::string& path) : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
        REQUIRE(::inotify_add_watch(fd_, path.c_str(), IN_OPEN) >= 0);
    }
    ~OpenWatch() { ::close(fd_); }
    OpenWatch(const OpenWatch&) = delete;
    OpenWatch& operator=(const OpenWatch&) = delete;

    [[nodiscard]] bool was_opened() const {
        alignas(inotify_event) std::array<char, 4096> events{};
        return ::read(fd_, events.data(), events.size()) > 0;
    }

private:
    int fd_;
};

} // namespace

TEST_CASE("put opens a FIFO only to copy it", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("there", "old");
    const std::string fifo = share.beside("fifo");
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    {
        const int both_ends = ::open(fifo.c_str(), O_RDWR | O_CLOEXEC); // nobody has to wait for the other end
        REQUIRE(both_ends >= 0);
        const OpenWatch watch(fifo);
        CHECK(share.output({"put", "--dry-run", fifo, "new"}) == "would copy " + fifo + " to new\n");
        CHECK(share.output({"put", "--dry-run", fifo, "there"}) == "would copy " + fifo + " to there\n");
        CHECK(share.output({"put", "-n", fifo, "there"}) == "");
        const timespec long_ago[2] = {{1000, 0}, {1000, 0}};
        REQUIRE(::utimensat(AT_FDCWD, fifo.c_str(), long_ago, 0) == 0);
        CHECK(share.output({"put", "-u", fifo, "there"}) == "");
        CHECK_FALSE(watch.was_opened());
        ::close(both_ends);
    }
    CHECK(share.read("there") == "old");
    CHECK_FALSE(share.exists("new"));
    for (const char* option : {"-n", "-u", "--checksum"}) {
        INFO(option);
        // A shell writes to it, and waits for the reader itself.
        REQUIRE(std::system(("printf text > " + fifo + " &").c_str()) == 0);
        const std::string name = std::string("new ") + option;
        CHECK(share.output({"put", option, fifo, name}) == "");
        CHECK(share.read(name) == "text");
    }
}
