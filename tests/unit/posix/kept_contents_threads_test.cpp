// SPDX-License-Identifier: BSD-2-Clause
// Threads that share a mount change links and directories, and read them: each sees what it has changed itself.
#include "support/watchdog.hpp"
#include "unit/posix/mounted.hpp"

#include "vfsproto/posix/mount_stats.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

using namespace vfsproto;
using client::DirectoryFormat;
using posix::DirectoryEntry;
using test::MountedOptions;
using test::OverMemfs;
using test::value_of;

TEST_CASE("what threads change at once is in what each of them lists and reads afterwards", "[caches]") {
    const test::Watchdog watchdog("threads that list");
    constexpr int kThreads = 8;
    constexpr int kRounds = 50;
    MountedOptions options;
    options.mount.cache.mode = posix::CacheMode::always;
    options.mount.cache.contents = GENERATE(std::size_t{0}, std::size_t{8192}, std::size_t{1} << 20);
    options.device.service =
        GENERATE(backends::LoopbackService::inline_in_doorbell, backends::LoopbackService::threads);
    OverMemfs over(options);
    test::succeeds(over->mkdir("/d"));
    std::atomic<int> failures{0};
    const auto expect = [&](bool right) { failures += !right; };
    const auto lists = [&](const std::string& name, DirectoryFormat format) {
        const auto entries = over->list("/d", format);
        expect(static_cast<bool>(entries));
        return entries && std::any_of(entries->begin(), entries->end(),
                                      [&](const DirectoryEntry& entry) { return entry.name == name; });
    };
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            const std::string name = "n" + std::to_string(t);
            const DirectoryFormat format = t % 2 == 0 ? DirectoryFormat::dirents : DirectoryFormat::direntpluses;
            for (int i = 0; i < kRounds; ++i) {
                const std::string target = std::to_string(i);
                expect(!over->symlink(target, "/d/" + name));
                expect(lists(name, format));
                for (int reads = 0; reads < 2; ++reads) {
                    const auto read = over->readlink("/d/" + name);
                    expect(read && *read == target);
                }
                if (i % 25 == t) over->prune();
                expect(!over->unlink("/d/" + name));
                expect(!lists(name, format));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(failures == 0);
    CHECK(value_of(over->list("/d")).empty());
    CHECK(over->mount_stats().held.content_bytes <= options.mount.cache.contents);
    over->prune();
    CHECK(over->mount_stats().held.content_bytes == 0);
    test::until([&] { return over.fs.lookups() == 0; });
}
