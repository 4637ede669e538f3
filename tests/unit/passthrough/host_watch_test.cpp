// SPDX-License-Identifier: BSD-2-Clause
// The watch of the host, without a server around it.
#include "../../../src/backends/passthrough/attributes.hpp"
#include "../../../src/backends/passthrough/host_watch.hpp"
#include "../../../src/backends/passthrough/inode_table.hpp"
#include "passthrough_fixture.hpp"
#include "support/catch.hpp"
#include "support/watchdog.hpp"

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <string>

using namespace vfsproto;
using namespace vfsproto::test;
using backends::FileDescriptor;
using backends::HostWatch;
using backends::InodeTable;

namespace {

constexpr std::size_t kMostWatches = 100;

class CountingSink final : public server::ChangeSink {
public:
    void tell(const server::Change& change) noexcept override {
        if (change.what == server::Change::What::file) ++files;
    }
    std::atomic<int> files{0};
};

// The table outlives the watch's thread, and the watch outlives the inodes.
struct Watching {
    explicit Watching(const fs::path& path) {
        FileDescriptor fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
        struct statx status{};
        REQUIRE(::statx(fd.get(), "", AT_EMPTY_PATH, backends::kStatxMask, &status) == 0);
        REQUIRE(inodes.insert_root(std::move(fd), status));
    }
    ~Watching() { watch.stop(); }

    std::string said{};
    HostWatch watch{inodes, {kMostWatches, std::chrono::hours(1), [this](const std::string& line) { said = line; }}};
    InodeTable inodes{};
};

// No descriptor can be had while it lives.
class NoDescriptors {
public:
    NoDescriptors() {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        const struct rlimit none{0, before_.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    }
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

private:
    struct rlimit before_{};
};

} // namespace

TEST_CASE("a file that the client goes on changing without a pause is told of at last", "[passthrough][changes]") {
    const Watchdog watchdog("a file that is always changing");
    const TemporaryDirectory directory;
    std::ofstream(directory.root() / "file") << "x";
    Watching w(directory.root() / "file");
    CountingSink sink;
    w.watch.start(sink);
    const InodeTable::Ref inode = w.inodes.acquire(InodeTable::kRoot);
    REQUIRE(inode);
    w.watch.watch(*inode, InodeTable::kRoot);
    inode->known.begin_change(); // there is always one under way
    std::ofstream(directory.root() / "file", std::ios::app) << "of another";
    until([&] {
        inode->known.begin_change();
        inode->known.end_change(0, 0);
        return sink.files != 0;
    });
    inode->known.end_change(0, 0);
    w.watch.stop();
}

TEST_CASE("a watch of the host that cannot be started says so, and can be started later", "[passthrough][changes]") {
    const Watchdog watchdog("a watch without descriptors");
    const TemporaryDirectory directory;
    Watching w(directory.root());
    CountingSink sink;
    {
        const NoDescriptors none;
        w.watch.start(sink);
    }
    CHECK_FALSE(w.watch.running());
    CHECK(w.said.find("changes that others make are not told") != std::string::npos);
    w.watch.start(sink);
    CHECK(w.watch.running());
    w.watch.stop();
}
