// SPDX-License-Identifier: BSD-2-Clause
// The nodes the server holds for us are counted exactly, bounded, and given back.
#include "support/watchdog.hpp"
#include "unit/posix/mounted.hpp"

#include "vfsproto/fuse/client/trace_event.hpp"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using posix::File;
using posix::NodeRef;
using test::MountedOptions;
using test::OverDirectory;
using test::OverMemfs;
using test::succeeds;
using test::value_of;
using test::Watchdog;

TEST_CASE("every lookup is given back once, by pruning", "[nodes]") {
    OverMemfs over;
    succeeds(over->mkdir("/d"));
    test::put(*over, "/d/f", "x");
    for (int i = 0; i < 10; ++i) (void)value_of(over->stat("/d/f"));
    (void)value_of(over->list("/d"));
    const auto ino = value_of(over->stat("/d/f")).ino;
    CHECK(over.fs.lookups_of(ino) > 10);
    CHECK(over->nodes().size() == 2);
    CHECK(over->nodes().idle() == 2);
    over->prune();
    CHECK(over.fs.lookups() == 0);
    CHECK(over->nodes().size() == 0);
    over->prune(); // nothing is left to do
    CHECK(value_of(over->stat("/d/f")).ino == ino);
}

TEST_CASE("pruning leaves what is in use", "[nodes]") {
    OverMemfs over;
    test::put(*over, "/f", "x");
    File file = value_of(over->open_file("/f", kORdonly));
    over->prune();
    CHECK(over->nodes().size() == 1);
    CHECK(over.fs.lookups_of(file.nodeid()) != 0);
    CHECK(value_of(over->stat(file)).size == 1);
    succeeds(over->close(std::move(file)));
    over->prune();
    CHECK(over->nodes().size() == 0);
    CHECK(over.fs.lookups() == 0);
}

TEST_CASE("idle nodes are bounded, the oldest go first", "[nodes]") {
    MountedOptions options;
    options.mount.max_idle_nodes = GENERATE(0u, 1u, 50u);
    OverMemfs over(options);
    for (int i = 0; i < 1000; ++i) {
        succeeds(over->mknod("/n" + std::to_string(i), kSIfreg | 0600, 0));
        REQUIRE(over->nodes().idle() <= options.mount.max_idle_nodes + 128);
    }
    CHECK(over.fs.lookups() == over->nodes().size());
    const auto last = value_of(over->stat("/n999")).ino;
    CHECK(over.fs.lookups_of(last) != 0);
}

namespace {

// Counts the files without a name that this process, and so the server in it, keeps alive by descriptors.
std::size_t deleted_files_held(const test::ScratchDirectory& directory) {
    const std::string below = std::filesystem::canonical(directory.path()).string() + "/";
    const std::string deleted = " (deleted)";
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
        count += target.starts_with(below) && target.ends_with(deleted) ? 1 : 0;
    }
    return count;
}

constexpr std::size_t kSize = 100'000;
constexpr int kRounds = 20;

} // namespace

TEST_CASE("a file that a rename replaces goes back at once, and its space with it", "[nodes]") {
    const Watchdog watchdog("renaming");
    OverMemfs over;
    const std::string content(kSize, 'x');
    test::put(*over, "/file", content);
    const auto used = over.fs.used_bytes();
    for (int i = 0; i < kRounds; ++i) {
        test::put(*over, "/new", content);
        succeeds(over->rename("/new", "/file"));
        CHECK(over->nodes().size() == 1);
        if (i == 0) CHECK(over.fs.used_bytes() == used); // later ones are gathered
    }
    test::until([&] { return over.fs.used_bytes() == used; });
    succeeds(over->mkdir("/directory"));
    succeeds(over->mkdir("/empty"));
    succeeds(over->rename("/directory", "/empty"));
    CHECK(over->nodes().size() == 2);
}

TEST_CASE("a server of a directory keeps no descriptor of replaced, removed and temporary files", "[nodes]") {
    const Watchdog watchdog("replacing and removing");
    OverDirectory over;
    constexpr std::uint64_t kRoot = 1;
    for (int i = 0; i < kRounds; ++i) {
        test::put(*over, "/new", "content");
        succeeds(over->rename("/new", "/file"));
        succeeds(over->mkdir("/directory"));
        succeeds(over->rmdir("/directory"));
        if (auto temporary = over->open_temporary("/", kORdwr)) succeeds(over->close(*std::move(temporary)));
    }
    constexpr std::uint64_t kFile = 1;
    test::until([&] { return over.fs.counters().inodes == kRoot + kFile; });
    CHECK(deleted_files_held(over.directory) == 0);
}

TEST_CASE("a temporary file goes back when it is closed, and its space with it", "[nodes]") {
    OverMemfs over;
    File file = value_of(over->open_temporary("/", kORdwr));
    CHECK(value_of(over->write(file, test::noise(kSize), 0)) == kSize);
    CHECK(over.fs.used_bytes() != 0);
    succeeds(over->close(std::move(file)));
    CHECK(over->nodes().size() == 0);
    CHECK(over.fs.used_bytes() == 0);
}

TEMPLATE_TEST_CASE("a replaced file that is open, exchanged or has another name is kept", "[nodes]", OverMemfs,
                   OverDirectory) {
    TestType over;
    test::put(*over, "/file", "old");
    test::put(*over, "/new", "new");
    File file = value_of(over->open_file("/file", kORdonly));
    succeeds(over->rename("/new", "/file"));
    CHECK(over->nodes().size() == 2);
    CHECK(value_of(over->stat(file)).size == 3);
    succeeds(over->close(std::move(file)));
    CHECK(over->nodes().size() == 1);

    test::put(*over, "/other", "other");
    const auto exchanged = over->rename("/other", "/file", kRenameExchange);
    if (!exchanged) CHECK(test::get(*over, "/other") == "new");
    CHECK(over->nodes().size() == 2);

    succeeds(over->link("/file", "/second"));
    test::put(*over, "/new", "new");
    succeeds(over->rename("/new", "/file"));
    CHECK(over->nodes().size() == 3);
    // Two names of one file: nothing is renamed.
    succeeds(over->link("/file", "/third"));
    succeeds(over->rename("/third", "/file"));
    CHECK(over->nodes().size() == 3);
    CHECK(test::get(*over, "/third") == "new");
}

TEMPLATE_TEST_CASE("an unlinked file goes back at once", "[nodes]", OverMemfs, OverDirectory) {
    TestType over;
    test::put(*over, "/f", "x");
    CHECK(over->nodes().size() == 1);
    succeeds(over->unlink("/f"));
    CHECK(over->nodes().size() == 0);
    // The node is not given back while it has another name.
    test::put(*over, "/f", "x");
    succeeds(over->link("/f", "/g"));
    succeeds(over->unlink("/f"));
    CHECK(over->nodes().size() == 1);
    succeeds(over->unlink("/g"));
    CHECK(over->nodes().size() == 0);
}

TEST_CASE("an unlinked file that is open goes back when it is closed, and its space with it", "[nodes]") {
    OverMemfs over;
    const auto before = over.fs.nodes();
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    CHECK(value_of(over->write(file, test::noise(100'000), 0)) == 100'000);
    succeeds(over->unlink("/f"));
    CHECK(over.fs.used_bytes() != 0);
    CHECK(over->nodes().size() == 1);
    succeeds(over->close(std::move(file)));
    CHECK(over->nodes().size() == 0);
    CHECK(over.fs.used_bytes() == 0);
    CHECK(over.fs.nodes() == before);
}

namespace {

using Clock = std::chrono::steady_clock;

// Counts the messages that give nodes back.
class ForgetCounter {
public:
    [[nodiscard]] client::TraceHook hook() {
        client::TraceHook hook;
        hook.context = this;
        hook.started = [](void* context, const client::TraceEvent& event) noexcept {
            const wire::Opcode opcode = event.op->opcode;
            if (opcode == wire::Opcode::forget || opcode == wire::Opcode::batch_forget)
                ++static_cast<ForgetCounter*>(context)->messages_;
        };
        return hook;
    }
    [[nodiscard]] std::uint64_t messages() const { return messages_; }

private:
    std::atomic<std::uint64_t> messages_{0};
};

constexpr std::chrono::milliseconds kGatherTime{10};

// Removes /n0 to /n<files - 1>. Returns how often this thread was held up for so long that the nodes were no longer gathered.
std::uint64_t unlink_all(posix::Mount& mount, std::uint64_t files) {
    std::uint64_t held_up = 0;
    Clock::time_point before = Clock::now();
    for (std::uint64_t i = 0; i < files; ++i) {
        const Clock::time_point start = Clock::now();
        succeeds(mount.unlink("/n" + std::to_string(i)));
        held_up += Clock::now() - before >= kGatherTime;
        before = start;
    }
    return held_up;
}

} // namespace

TEST_CASE("unlinked files go back 64 in a message, and the last ones without another call", "[nodes]") {
    constexpr std::uint64_t kFiles = 64 * 50 + 20;
    constexpr std::uint64_t kBatch = 64;
    constexpr std::uint64_t kEnds = 2;     // the first, which is alone, and the last
    constexpr std::uint64_t kOnHoldUp = 2; // what was gathered, and what comes after that, alone
    const Watchdog watchdog("unlinking");
    ForgetCounter forgets;
    MountedOptions options;
    options.device.service =
        GENERATE(backends::LoopbackService::inline_in_doorbell, backends::LoopbackService::threads);
    options.mount.max_idle_nodes = kFiles; // nothing is evicted meanwhile
    options.mount.channel.trace = forgets.hook();
    OverMemfs over(options);
    for (std::uint64_t i = 0; i < kFiles; ++i) {
        succeeds(over->mknod("/n" + std::to_string(i), kSIfreg | 0600, 0));
    }
    REQUIRE(forgets.messages() == 0);
    const std::uint64_t held_up = unlink_all(*over, kFiles);
    test::until([&] { return over.fs.lookups() == 0; });
    CHECK(forgets.messages() <= kFiles / kBatch + kEnds + kOnHoldUp * held_up);
}

TEST_CASE("a lone unlinked file goes back at once", "[nodes]") {
    ForgetCounter forgets;
    MountedOptions options;
    options.mount.channel.trace = forgets.hook();
    OverMemfs over(options);
    test::put(*over, "/f", "x");
    succeeds(over->unlink("/f"));
    CHECK(forgets.messages() == 1);
    CHECK(over.fs.lookups() == 0);
    CHECK(over.fs.used_bytes() == 0);
}

TEST_CASE("pruning sends the unlinked files that are being gathered", "[nodes]") {
    constexpr std::uint64_t kFiles = 30;
    OverMemfs over;
    for (int round = 0; round < 50; ++round) {
        for (std::uint64_t i = 0; i < kFiles; ++i) test::put(*over, "/n" + std::to_string(i), "x");
        (void)unlink_all(*over, kFiles);
        over->prune();
        REQUIRE(over.fs.lookups() == 0);
        REQUIRE(over.fs.used_bytes() == 0);
    }
}

TEST_CASE("a mount that ends while unlinked files are gathered gives them back by DESTROY", "[nodes]") {
    constexpr std::uint64_t kFiles = 30;
    backends::Memfs fs;
    {
        auto mount = test::mount_of(backends::make_loopback(fs));
        for (std::uint64_t i = 0; i < kFiles; ++i) test::put(*mount, "/n" + std::to_string(i), "x");
        (void)unlink_all(*mount, kFiles);
    }
    CHECK(fs.lookups() == 0);
    CHECK(fs.used_bytes() == 0);
    CHECK(fs.misuse().over_forgets == 0);
}

TEST_CASE("a mount gives everything back in the end", "[nodes]") {
    backends::Memfs fs;
    {
        auto mount = test::mount_of(backends::make_loopback(fs));
        test::put(*mount, "/f", "x");
        (void)value_of(mount->list("/"));
        CHECK(fs.lookups() != 0);
    }
    CHECK(fs.lookups() == 0); // DESTROY
    CHECK(fs.open_handles() == 0);
    CHECK(fs.misuse().over_forgets == 0);
}

TEST_CASE("a use of a node keeps it, and a copy of the use does so too", "[nodes]") {
    OverMemfs over;
    test::put(*over, "/f", "x");
    posix::PathWalk walk(over->channel(), over->nodes(), over->credentials().caller);
    succeeds(walk.to_file("/f", posix::LastLink::follow));
    NodeRef first = std::move(walk.node());
    NodeRef second = first.clone();
    CHECK(first.nodeid() == second.nodeid());
    over->prune();
    CHECK(over->nodes().size() == 1);
    first.reset();
    CHECK_FALSE(first);
    first.reset();
    over->prune();
    CHECK(over->nodes().size() == 1);
    NodeRef third = std::move(second);
    CHECK_FALSE(second);
    CHECK_FALSE(NodeRef().clone());
    third.reset();
    CHECK(over->nodes().idle() == 1);
    NodeRef root = over->nodes().root().clone();
    CHECK(root.nodeid() == wire::kRootNodeId);
}

TEST_CASE("lookups are counted exactly by many threads at once", "[nodes]") {
    const Watchdog watchdog("threads");
    MountedOptions options;
    options.mount.max_idle_nodes = GENERATE(0u, 4u, 1000u);
    options.device.service =
        GENERATE(backends::LoopbackService::inline_in_doorbell, backends::LoopbackService::threads);
    OverMemfs over(options);
    succeeds(over->mkdir("/d"));
    for (int i = 0; i < 20; ++i) test::put(*over, "/d/f" + std::to_string(i), "x");
    std::atomic<int> failures{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 150; ++i) {
                const std::string shared = "/d/f" + std::to_string((i * 7 + t) % 20);
                failures += !over->stat(shared);
                if (i % 10 == 0) failures += !over->list("/d");
                if (i % 15 == t) over->prune();
                const std::string own = "/d/own" + std::to_string(t);
                auto file = over->open_file(own, kOCreat | kORdwr);
                if (!file) {
                    ++failures;
                    continue;
                }
                failures += over->unlink(own).happened();
                failures += !over->stat(*file);
                failures += over->close(*std::move(file)).happened();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(failures == 0);
    over->prune();
    CHECK(over->nodes().size() == 0);
    // FORGETs have a queue, and perhaps a thread, of their own.
    test::until([&] { return over.fs.lookups() == 0; });
    CHECK(over.fs.open_handles() == 0);
    CHECK(over.fs.misuse().over_forgets == 0);
}
