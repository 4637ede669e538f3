// SPDX-License-Identifier: BSD-2-Clause
// posix::Mount against the real daemons, the C one and the Rust one: their cache modes, options, ring sizes, and ends.
#include "support/catch.hpp"
#include "support/connected.hpp"
#include "support/model/mount_subject.hpp"
#include "support/model/posix_subject.hpp"

#include "vfsproto/posix/io_queue.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/mount_options.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <cstring>
#include <set>
#include <thread>

namespace {

using namespace vfsproto;
using namespace vfsproto::abi;
using test::connect;
using test::Connected;
using test::Daemon;
using test::Virtiofsd;

// Writes, reads and lists, checks what came back, and leaves nothing behind.
void use(posix::Mount& mount) {
    REQUIRE_FALSE(mount.mkdir("/dir", 0755).happened());
    auto file = mount.open_file("/dir/file", kOCreat | kOExcl | kORdwr, 0640);
    REQUIRE(file);
    std::vector<std::byte> data(700'000);
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 31 >> 4);
    const auto written = mount.write(*file, data, 5);
    REQUIRE(written);
    CHECK(*written == data.size());
    std::vector<std::byte> back(data.size() + 100);
    const auto read = mount.read(*file, back, 5);
    REQUIRE(read);
    CHECK(*read == data.size());
    CHECK(std::memcmp(back.data(), data.data(), data.size()) == 0);
    CHECK_FALSE(mount.close(*std::move(file)).happened());
    const auto seen = mount.stat("/dir/file");
    REQUIRE(seen);
    CHECK(seen->size == data.size() + 5);
    CHECK((seen->mode & 0777) == 0640);
    CHECK_FALSE(mount.symlink("file", "/dir/link").happened());
    CHECK_FALSE(mount.link("/dir/file", "/dir/second").happened());
    CHECK_FALSE(mount.rename("/dir/second", "/dir/third", kRenameNoreplace).happened());
    const auto entries = mount.list("/dir");
    REQUIRE(entries);
    std::set<std::string> names;
    for (const auto& entry : *entries) names.insert(entry.name);
    CHECK(names == std::set<std::string>{"file", "link", "third"});
    for (const std::string& name : names) CHECK_FALSE(mount.unlink("/dir/" + name).happened());
    CHECK(mount.unlink("/dir/file").error == abi::Errno::enoent);
    CHECK_FALSE(mount.rmdir("/dir").happened());
    CHECK(mount.statfs());
}

} // namespace

TEST_CASE("of the request queues that are asked for, virtiofsd's only one is used", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    Virtiofsd daemon(kind);
    posix::MountOptions options;
    options.channel.rings.request_queues = GENERATE(as<std::uint16_t>{}, 2, 63, 0xffff);
    const Connected connected = connect(daemon, options);
    INFO(connected.trouble);
    REQUIRE(connected.mount);
    CHECK(connected.mount->channel().queues().config().num_request_queues == 1);
    CHECK(connected.mount->channel().lanes() == 1);
    use(*connected.mount);
    std::thread([&] { CHECK(connected.mount->statfs()); }).join();
}

TEST_CASE("virtiofsd serves a mount with every cache mode, and ends well", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const std::string cache = GENERATE("cache=none", "cache=auto", "cache=always");
    const std::string xattr = GENERATE("xattr", "no_xattr");
    CAPTURE(cache, xattr);
    Virtiofsd daemon(kind, {cache, xattr});
    {
        const Connected connected = connect(daemon);
        INFO(connected.trouble);
        REQUIRE(connected.mount);
        use(*connected.mount);
        const std::vector<std::byte> value(300, std::byte{7});
        REQUIRE(connected.mount->open_file("/x", kOCreat | kOWronly, 0644));
        const auto set = connected.mount->set_xattr("/x", "user.test", value);
        if (xattr == "xattr" && set.error != abi::Errno::eopnotsupp) {
            CHECK_FALSE(set.happened());
            const auto got = connected.mount->get_xattr("/x", "user.test");
            REQUIRE(got);
            CHECK(*got == value);
        } else {
            // The daemon says ENOSYS once and is not asked again.
            CHECK(set.error == abi::Errno::eopnotsupp);
            CHECK(connected.mount->get_xattr("/x", "user.test").failure().error == abi::Errno::eopnotsupp);
        }
        CHECK(connected.mount->channel().stats().violations == 0);
    }
    CHECK(daemon.wait() == 0);
}

TEST_CASE("virtiofsd serves a mount with ACLs, security labels and killpriv v2", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const auto options =
        GENERATE(std::vector<std::string>{"xattr", "posix_acl"}, std::vector<std::string>{"xattr", "security_label"},
                 std::vector<std::string>{"killpriv_v2"});
    CAPTURE(options);
    Virtiofsd daemon(kind, options);
    {
        const Connected connected = connect(daemon);
        INFO(connected.trouble);
        REQUIRE(connected.mount);
        use(*connected.mount);
        CHECK_FALSE(connected.mount->mknod("/fifo", kSIfifo | 0600, 0).happened());
        CHECK(connected.mount->channel().stats().violations == 0);
    }
    CHECK(daemon.wait() == 0);
}

TEST_CASE("with killpriv v2 a change by somebody else than root takes the set-id bits", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    Virtiofsd daemon(kind, {"killpriv_v2"});
    const std::filesystem::path tool = daemon.source() / "tool";
    const std::string path = tool.string();
    constexpr mode_t kMode = 04777;
    std::ofstream(tool) << "content";
    const auto mode_now = [&path] {
        struct stat info{};
        REQUIRE(::stat(path.c_str(), &info) == 0);
        return info.st_mode & 07777;
    };
    posix::MountOptions options;
    constexpr std::uint32_t kSomebody = 1000;
    options.credentials.caller = {.uid = kSomebody, .gid = kSomebody, .pid = 1};
    const Connected connected = connect(daemon, options);
    INFO(connected.trouble);
    REQUIRE(connected.mount);
    posix::Mount& mount = *connected.mount;
    const auto restore = [&path] { REQUIRE(::chmod(path.c_str(), kMode) == 0); };
    restore();
    CHECK_FALSE(mount.truncate("/tool", 3).happened());
    CHECK(mode_now() == 0777);
    restore();
    REQUIRE(mount.open_file("/tool", kOWronly | kOTrunc));
    CHECK(mode_now() == 0777);
}

TEST_CASE("a daemon that cannot look up every entry of a directory still has it listed", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    constexpr int kFiles = 300;
    constexpr rlim_t kDescriptors = 100; // fewer than one READDIRPLUS looks up
    Virtiofsd daemon(kind);
    std::set<std::string> expected;
    for (int i = 0; i < kFiles; ++i) {
        const std::string name = "file-" + std::to_string(i);
        std::ofstream(daemon.source() / name) << "x";
        expected.insert(name);
    }
    const Connected connected = connect(daemon);
    INFO(connected.trouble);
    REQUIRE(connected.mount);
    REQUIRE(connected.mount->stat("/")); // a daemon that answers will not raise its limit any more
    const rlimit limit{kDescriptors, kDescriptors};
    REQUIRE(::prlimit(daemon.pid(), RLIMIT_NOFILE, &limit, nullptr) == 0);
    const auto entries = connected.mount->list("/");
    REQUIRE(entries);
    std::set<std::string> found;
    for (const auto& entry : *entries) found.insert(entry.name);
    CHECK((found == expected));
}

TEST_CASE("virtiofsd with locks refuses what is taken, and a lock is waited for though it cannot wait",
          "[integration][locks]") {
    if (Virtiofsd::missing()) return;
    Virtiofsd daemon({"posix_lock", "flock"});
    const Connected connected = connect(daemon);
    INFO(connected.trouble);
    REQUIRE(connected.mount);
    posix::Mount& mount = *connected.mount;
    const auto open = [&] { return mount.open_file("/file", kOCreat | kORdwr, 0644); };
    const bool whole_file = GENERATE(false, true);
    const auto take = [&](posix::File& file, posix::WhenLocked when) {
        return whole_file ? mount.flock(file, posix::LockType::exclusive, when)
                          : mount.lock(file, {posix::LockType::exclusive, {}, 0}, when);
    };
    auto one = open();
    auto two = open();
    REQUIRE(one);
    REQUIRE(two);
    REQUIRE_FALSE(take(*one, posix::WhenLocked::wait).happened());
    CHECK(take(*two, posix::WhenLocked::fail).error == abi::Errno::eagain);
    const auto held = mount.test_lock(*two, {posix::LockType::exclusive, {}, 0});
    REQUIRE(held);
    CHECK(held->has_value() == !whole_file);
    std::atomic<bool> waits{false};
    posix::Failure waited;
    std::thread waiter([&] {
        waits = true;
        waited = take(*two, posix::WhenLocked::wait);
    });
    while (!waits) std::this_thread::yield();
    CHECK_FALSE(mount.close(*std::move(one)).happened());
    waiter.join();
    CHECK_FALSE(waited.happened());
    CHECK_FALSE(mount.close(*std::move(two)).happened());
    auto three = open();
    REQUIRE(three);
    CHECK_FALSE(take(*three, posix::WhenLocked::fail).happened());
}

TEST_CASE("a virtiofsd without locks is not asked for one", "[integration][locks]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    Virtiofsd daemon(kind);
    const Connected connected = connect(daemon);
    INFO(connected.trouble);
    REQUIRE(connected.mount);
    const auto file = connected.mount->open_file("/file", kOCreat | kORdwr, 0644);
    REQUIRE(file);
    CHECK(connected.mount->lock(*file, {}).errc == Errc::not_negotiated);
    CHECK(connected.mount->flock(*file, posix::LockType::shared).errc == Errc::not_negotiated);
}

TEST_CASE("virtiofsd serves rings of any size, down to two entries", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const std::uint16_t size =
        GENERATE(std::uint16_t{2}, std::uint16_t{64}, std::uint16_t{100}, std::uint16_t{128}, std::uint16_t{1024});
    CAPTURE(size);
    Virtiofsd daemon(kind);
    {
        const Connected connected = connect(daemon, {}, size);
        INFO(connected.trouble);
        REQUIRE(connected.mount);
        // A size that is no power of two is rounded down.
        CHECK(connected.mount->channel().rings()->request_ring().size() == (size == 100 ? 64 : size));
        use(*connected.mount);
    }
    CHECK(daemon.wait() == 0);
}

TEST_CASE("eight threads share one mount of virtiofsd", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const posix::Waiting waiting = GENERATE(posix::Waiting::event, posix::Waiting::adaptive);
    Virtiofsd daemon(kind);
    posix::MountOptions options;
    options.channel.waiting = waiting;
    options.max_idle_nodes = 16; // so that many FORGETs go out meanwhile
    {
        const Connected connected = connect(daemon, options);
        REQUIRE(connected.mount);
        posix::Mount& mount = *connected.mount;
        std::atomic<int> wrong{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < 8; ++t) {
            threads.emplace_back([&mount, &wrong, t] {
                for (int i = 0; i < 60; ++i) {
                    const std::string path = "/t" + std::to_string(t) + "-" + std::to_string(i);
                    auto file = mount.open_file(path, kOCreat | kORdwr, 0644);
                    const std::vector<std::byte> data(5000, static_cast<std::byte>(t));
                    std::vector<std::byte> back(5000);
                    const bool good = file && mount.write(*file, data, 0) && mount.read(*file, back, 0) &&
                                      back == data && mount.stat(path) && !mount.close(*std::move(file)).happened() &&
                                      (i % 3 != 0 || !mount.unlink(path).happened());
                    if (!good) ++wrong;
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        CHECK(wrong == 0);
        CHECK(mount.list("/")->size() == 8 * 40);
        mount.prune();
    }
    CHECK(daemon.wait() == 0);
}

TEST_CASE("a daemon killed under eight busy threads fails every call, and a new mount works", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    auto daemon = std::make_unique<Virtiofsd>(kind);
    {
        const Connected connected = connect(*daemon);
        REQUIRE(connected.mount);
        posix::Mount& mount = *connected.mount;
        auto file = mount.open_file("/data", kOCreat | kORdwr, 0644);
        REQUIRE(file);
        REQUIRE_FALSE(mount.truncate(*file, 1 << 20).happened());
        std::atomic<std::uint64_t> calls{0};
        std::atomic<int> fatal{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < 8; ++t) {
            threads.emplace_back([&] {
                std::vector<std::byte> data(4096);
                for (;;) {
                    const auto count = mount.read(*file, data, 0);
                    if (!count) {
                        fatal += count.failure().is_fatal() ? 1 : 0;
                        return;
                    }
                    ++calls;
                }
            });
        }
        while (calls < 1000) std::this_thread::yield();
        daemon->kill();
        for (std::thread& thread : threads) thread.join();
        CHECK(fatal == 8);
        const auto later = mount.stat("/data");
        REQUIRE_FALSE(later);
        CHECK(later.failure().as_errno() == abi::Errno::enotconn);
        CHECK(later.failure().is_fatal());
    }
    daemon = std::make_unique<Virtiofsd>(kind);
    const Connected again = connect(*daemon);
    REQUIRE(again.mount);
    use(*again.mount);
}

TEST_CASE("a daemon that stands still and then dies releases threads that sleep", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    Virtiofsd daemon(kind);
    posix::MountOptions options;
    options.channel.waiting = posix::Waiting::event;
    const Connected connected = connect(daemon, options);
    REQUIRE(connected.mount);
    posix::Mount& mount = *connected.mount;
    // It stands still in the middle of whatever it does: every call from now on sleeps.
    daemon.stop();
    std::atomic<int> started{0};
    std::atomic<int> fatal{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&] {
            ++started;
            const auto seen = mount.stat("/");
            fatal += !seen && seen.failure().is_fatal() ? 1 : 0;
        });
    }
    while (started < 8) std::this_thread::yield();
    daemon.kill();
    for (std::thread& thread : threads) thread.join();
    CHECK(fatal == 8);
}

TEST_CASE("thirty-two requests in flight end when the daemon dies", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    Virtiofsd daemon(kind);
    const Connected connected = connect(daemon);
    REQUIRE(connected.mount);
    posix::Mount& mount = *connected.mount;
    auto file = mount.open_file("/data", kOCreat | kORdwr, 0644);
    REQUIRE(file);
    auto buffer = mount.allocate(32 * 4096);
    REQUIRE(buffer);
    daemon.stop();
    posix::IoQueue queue(mount.channel());
    std::vector<posix::QueuedRead> reads(32);
    for (std::size_t i = 0; i < reads.size(); ++i) {
        REQUIRE(queue.read(reads[i], *file, buffer->bytes().subspan(i * 4096, 4096), i * 4096) == Errc::ok);
    }
    queue.flush();
    daemon.kill();
    std::size_t failed = 0;
    while (client::Operation* done = queue.next()) failed += done->errc() == Errc::device_gone ? 1 : 0;
    CHECK(failed == 32);
}

TEST_CASE("random operations through virtiofsd equal plain POSIX calls", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    ::umask(022);
    test::ScratchDirectory reference;
    REQUIRE(::chmod(reference.path().c_str(), 0755) == 0);
    Virtiofsd daemon(kind, {"xattr"});
    posix::MountOptions options;
    options.max_idle_nodes = 8; // a wrong FORGET count would abort the daemon
    {
        const Connected connected = connect(daemon, options);
        REQUIRE(connected.mount);
        model::MountSubject ours(*connected.mount);
        model::PosixSubject plain(reference.path().string());
        model::Generator generator(4711);
        for (int step = 0; step < 6000; ++step) {
            const model::Operation operation = generator.next();
            const std::string mine = ours.apply(operation);
            const std::string theirs = plain.apply(operation);
            if (mine == theirs) continue;
            // The daemon's own ways: which of several errors it tells, and what it does not do at all.
            const bool both_failed = !mine.starts_with("ok") && !theirs.starts_with("ok");
            if (both_failed) continue;
            INFO("step " << step << ": " << operation.text());
            REQUIRE(mine == theirs);
        }
        CHECK(ours.whole_tree() == plain.whole_tree());
        CHECK(connected.mount->channel().stats().violations == 0);
    }
    CHECK(daemon.wait() == 0);
}
