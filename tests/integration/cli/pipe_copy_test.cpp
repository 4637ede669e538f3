// SPDX-License-Identifier: BSD-2-Clause
// The command put reads a FIFO that it is to copy, and opens none in vain: who writes to it would notice.
#include "integration/cli/refusing_host.hpp"
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

TEST_CASE("a file that becomes a FIFO while a tree is sent is not taken for an empty file", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    const std::string tree = share.beside("tree");
    std::filesystem::create_directory(tree);
    std::ofstream(tree + "/becomes a FIFO") << "content";
    std::ofstream(tree + "/file") << "content";
    const RefusingHost host("pipe=0");
    CHECK(contains(share.complaint({"put", "-rT", tree, "copy"}), "no regular file any more"));
    CHECK(std::filesystem::is_fifo(tree + "/becomes a FIFO")); // so the test did what it says
    CHECK_FALSE(share.exists("copy/becomes a FIFO"));
    CHECK(share.read("copy/file") == "content");
}
