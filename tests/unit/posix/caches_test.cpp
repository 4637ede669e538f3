// SPDX-License-Identifier: BSD-2-Clause
// Names and attributes are kept as long as they may be, and what this mount changes is seen at once.
#include "support/scale.hpp"
#include "support/watchdog.hpp"
#include "unit/posix/with_cache.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::abi;
using posix::CacheMode;
using posix::File;
using posix::LastLink;
using test::error_of;
using test::MountedOptions;
using test::OverDirectory;
using test::OverMemfs;
using test::RequestCounter;
using test::succeeds;
using test::value_of;
using test::Watchdog;
using test::with_cache;
using wire::Opcode;

namespace {

// Does what ls -lR does: lists every directory and looks at every file again. Returns how many files there are.
std::size_t list_all(posix::Mount& mount, const std::string& directory) {
    std::size_t count = 0;
    for (const posix::DirectoryEntry& entry : value_of(mount.list(directory))) {
        ++count;
        const std::string path = directory + "/" + entry.name;
        INFO(path);
        CHECK(value_of(mount.stat(path, LastLink::keep)).ino == entry.ino);
        if (entry.type == kDtDir) count += list_all(mount, path);
    }
    return count;
}

// A mount that believes what it knows, and knows /d with its files f and g.
template <class Over> struct KnownTree {
    KnownTree() {
        succeeds(over->mkdir("/d"));
        test::put(*over, "/d/f", "content");
        test::put(*over, "/d/g", "other");
        directory = known("/d");
        file = known("/d/f");
        static_cast<void>(known("/d/g"));
    }
    // Returns what is known after one more question, and checks that it is known.
    posix::Attributes known(const std::string& path) {
        static_cast<void>(value_of(over->stat(path)));
        requests.forget();
        const posix::Attributes attributes = value_of(over->stat(path));
        CHECK(requests.take_all() == 0);
        return attributes;
    }

    RequestCounter requests;
    Over over{with_cache(CacheMode::always, requests)};
    posix::Attributes directory{}; // at the start
    posix::Attributes file{};
};

} // namespace

TEST_CASE("a stat of a hundred thousand names that are known makes no request", "[caches]") {
    const Watchdog watchdog("a hundred thousand names");
    const std::uint64_t files = test::scaled({.least = 10'000, .usual = 100'000, .nightly = 100'000});
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    succeeds(over->mkdir("/d"));
    for (std::uint64_t i = 0; i < files; ++i) {
        if (over->mknod("/d/file" + std::to_string(i), kSIfreg | 0600, 0)) FAIL("cannot make file " << i);
    }
    requests.forget();
    for (std::uint64_t i = 0; i < files; ++i) {
        if (!over->stat("/d/file" + std::to_string(i))) FAIL("file " << i << " is lost");
    }
    CHECK(requests.take_all() == 0);
    CHECK(over->nodes().size() == files + 1);
}

TEMPLATE_TEST_CASE("a second ls -lR of one session looks nothing up", "[caches]", OverMemfs, OverDirectory) {
    constexpr std::size_t kDirectories = 10;
    constexpr std::size_t kFiles = 150; // of each: several READDIRPLUS
    RequestCounter requests;
    TestType over(with_cache(CacheMode::always, requests));
    for (std::size_t i = 0; i < kDirectories; ++i) {
        const std::string directory = "/d" + std::to_string(i);
        succeeds(over->mkdir(directory));
        for (std::size_t j = 0; j < kFiles; ++j) {
            succeeds(over->mknod(directory + "/f" + std::to_string(j), kSIfreg | 0600, 0));
        }
    }
    over->prune(); // as if the mount were new
    constexpr std::size_t kAll = kDirectories * (1 + kFiles);
    requests.forget();
    CHECK(list_all(*over, "/") == kAll);
    CHECK(requests.take_questions() <= 2); // of the root
    CHECK(list_all(*over, "/") == kAll);
    CHECK(requests.take_questions() == 0);
}

TEST_CASE("without a cache, and where the server allows nothing, every stat asks", "[caches]") {
    RequestCounter requests;
    const bool allowed = GENERATE(false, true);
    MountedOptions options = with_cache(allowed ? CacheMode::none : CacheMode::automatic, requests);
    if (!allowed) options.memfs.entry_valid = options.memfs.attr_valid = 0;
    OverMemfs over(options);
    test::put(*over, "/f", "x");
    requests.forget();
    for (int i = 0; i < 3; ++i) CHECK(value_of(over->stat("/f")).size == 1);
    CHECK(requests.take_questions() == 3);
}

TEST_CASE("timeouts of the mount take the place of the server's", "[caches]") {
    RequestCounter requests;
    using std::chrono::hours;
    SECTION("for attributes") {
        MountedOptions options = with_cache(CacheMode::automatic, requests);
        options.mount.cache.attribute_timeout = hours(0);
        OverMemfs over(options);
        test::put(*over, "/f", "x");
        requests.forget();
        for (int i = 0; i < 3; ++i) (void)value_of(over->stat("/f"));
        CHECK(requests.take_questions() == 3);
    }
    SECTION("for names, and attributes that need none") {
        MountedOptions options = with_cache(CacheMode::automatic, requests);
        options.memfs.entry_valid = options.memfs.attr_valid = 0;
        options.mount.cache.entry_timeout = hours(1);
        options.mount.cache.attribute_timeout = hours(1);
        OverMemfs over(options);
        test::put(*over, "/f", "x");
        (void)value_of(over->stat("/f"));
        requests.forget();
        for (int i = 0; i < 3; ++i) (void)value_of(over->stat("/f"));
        CHECK(requests.take_questions() == 0);
    }
    SECTION("for absent names") {
        MountedOptions options = with_cache(CacheMode::automatic, requests);
        options.mount.cache.negative_timeout = hours(0);
        OverMemfs over(options);
        for (int i = 0; i < 3; ++i) CHECK(error_of(over->stat("/absent")) == abi::Errno::enoent);
        CHECK(requests.take_questions() == 3);
    }
}

TEST_CASE("a name the server called absent is absent without asking, until it is made", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    succeeds(over->mkdir("/d"));
    CHECK(error_of(over->stat("/d/f")) == abi::Errno::enoent);
    requests.forget();
    for (int i = 0; i < 3; ++i) CHECK(error_of(over->stat("/d/f")) == abi::Errno::enoent);
    CHECK(error_of(over->stat("/d/f/x")) == abi::Errno::enoent);
    CHECK(requests.take_all() == 0);
    SECTION("by a CREATE") { test::put(*over, "/d/f", "x"); }
    SECTION("by a MKNOD") { succeeds(over->mknod("/d/f", kSIfreg | 0600, 0)); }
    SECTION("by a MKDIR") { succeeds(over->mkdir("/d/f")); }
    SECTION("by a SYMLINK") { succeeds(over->symlink("/d", "/d/f")); }
    SECTION("by a LINK") {
        test::put(*over, "/g", "x");
        succeeds(over->link("/g", "/d/f"));
    }
    SECTION("by a RENAME") {
        test::put(*over, "/g", "x");
        succeeds(over->rename("/g", "/d/f"));
    }
    (void)value_of(over->stat("/d/f"));
}

TEMPLATE_TEST_CASE("what this mount changes is seen at once", "[caches]", OverMemfs, OverDirectory) {
    KnownTree<TestType> f;
    SECTION("a removal") {
        succeeds(f.over->unlink("/d/f"));
        CHECK(error_of(f.over->stat("/d/f")) == abi::Errno::enoent);
        CHECK(f.known("/d/g").size == 5);
    }
    SECTION("a removal of one name of two") {
        succeeds(f.over->link("/d/f", "/d/h"));
        CHECK(f.known("/d/f").nlink == 2);
        CHECK(f.known("/d/h").nlink == 2);
        succeeds(f.over->unlink("/d/h"));
        CHECK(f.known("/d/f").nlink == 1);
    }
    SECTION("a new directory") {
        succeeds(f.over->mkdir("/d/sub"));
        CHECK(f.known("/d").nlink == f.directory.nlink + 1);
        succeeds(f.over->rmdir("/d/sub"));
        CHECK(f.known("/d").nlink == f.directory.nlink);
        CHECK(error_of(f.over->stat("/d/sub")) == abi::Errno::enoent);
    }
    SECTION("a rename") {
        succeeds(f.over->rename("/d/f", "/d/h"));
        CHECK(error_of(f.over->stat("/d/f")) == abi::Errno::enoent);
        CHECK(f.known("/d/h").ino == f.file.ino);
    }
    SECTION("a rename over a file") {
        succeeds(f.over->rename("/d/f", "/d/g"));
        CHECK(error_of(f.over->stat("/d/f")) == abi::Errno::enoent);
        CHECK(f.known("/d/g").ino == f.file.ino);
    }
    SECTION("a rename of a directory") {
        succeeds(f.over->rename("/d", "/e"));
        CHECK(error_of(f.over->stat("/d/f")) == abi::Errno::enoent);
        CHECK(f.known("/e/f").ino == f.file.ino);
    }
    SECTION("an exchange") {
        if (!f.over->rename("/d/f", "/d/g", kRenameExchange)) CHECK(f.known("/d/g").ino == f.file.ino);
    }
}

TEMPLATE_TEST_CASE("what this mount changes of a file's attributes and contents is seen at once", "[caches]", OverMemfs,
                   OverDirectory) {
    KnownTree<TestType> f;
    SECTION("a mode") {
        succeeds(f.over->chmod("/d/f", 0640));
        CHECK((f.known("/d/f").mode & 0777) == 0640);
    }
    SECTION("a mode, through an open file") {
        File open = value_of(f.over->open_file("/d/f", kORdonly));
        wire::SetattrIn in{};
        in.valid = wire::kSetattrMode;
        in.mode = kSIfreg | 0640;
        (void)value_of(f.over->set_attributes(open, in));
        succeeds(f.over->close(std::move(open)));
        CHECK((f.known("/d/f").mode & 0777) == 0640);
    }
    SECTION("a size") {
        succeeds(f.over->truncate("/d/f", 3));
        CHECK(f.known("/d/f").size == 3);
    }
    SECTION("contents, while the file is open and after it was closed") {
        File open = value_of(f.over->open_file("/d/f", kOWronly));
        for (std::uint64_t size = 10; size != 13; ++size) {
            succeeds(f.over->write_all(open, test::noise(size), 0));
            CHECK(value_of(f.over->stat("/d/f")).size == size);
        }
        succeeds(f.over->write_all(open, test::noise(20), 0));
        succeeds(f.over->close(std::move(open)));
        CHECK(f.known("/d/f").size == 20);
    }
    SECTION("a file that is cut when it is opened") {
        succeeds(f.over->close(value_of(f.over->open_file("/d/f", kOWronly | kOTrunc))));
        CHECK(f.known("/d/f").size == 0);
    }
}

TEST_CASE("what others change is not seen while a mount always believes what it knows", "[caches]") {
    RequestCounter requests;
    MountedOptions options = with_cache(CacheMode::always, requests);
    options.mount.channel.rings.withheld.add(Feature::fs_notification); // else the server tells
    OverDirectory over(options);
    test::put(*over, "/f", "content");
    CHECK(value_of(over->stat("/f")).size == 7);
    std::filesystem::resize_file(over.directory.path() / "f", 3);
    CHECK(value_of(over->stat("/f")).size == 7);
    const auto anew = over->looking_anew();
    CHECK(value_of(anew->stat("/f")).size == 3);
    CHECK(value_of(over->stat("/f")).size == 3); // which learns from it
    std::filesystem::resize_file(over.directory.path() / "f", 5);
    CHECK(value_of(over->stat("/f")).size == 3);
    CHECK(value_of(anew->limited_by({})->acting_for({})->stat("/f")).size == 5);
    std::filesystem::resize_file(over.directory.path() / "f", 3);
    over->prune();
    CHECK(value_of(over->stat("/f")).size == 3);
    std::filesystem::remove(over.directory.path() / "f");
    CHECK(value_of(over->stat("/f")).size == 3);
    CHECK(error_of(over->unlink("/f")) == abi::Errno::enoent); // which looks first
    CHECK(error_of(over->stat("/f")) == abi::Errno::enoent);
}

TEST_CASE("where a kept directory was replaced, what is done in it walks there anew", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::always, requests));
    succeeds(over->mkdir("/d"));
    test::put(*over, "/d/f", "content");
    succeeds(over->symlink("f", "/d/link"));
    struct Case {
        const char* name;
        Opcode opcode;
        std::function<posix::Failure(posix::Mount&)> call;
    };
    static const Case cases[] = {
        {"list", Opcode::opendir, [](posix::Mount& mount) { return mount.list("/d").failure(); }},
        {"mkdir", Opcode::mkdir, [](posix::Mount& mount) { return mount.mkdir("/d/sub"); }},
        {"link", Opcode::link, [](posix::Mount& mount) { return mount.link("/d/f", "/d/other"); }},
        {"unlink", Opcode::lookup, [](posix::Mount& mount) { return mount.unlink("/d/f"); }},
    };
    const Case& at = cases[GENERATE(range(std::size_t{0}, std::size(cases)))];
    INFO(at.name);
    REQUIRE(over->stat("/d")); // so that the way there is kept, and its attributes
    REQUIRE(over->stat("/d/f"));
    std::atomic<int> asked{0};
    over.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == at.opcode && ++asked == 1) fault.error = abi::Errno::estale;
        return fault;
    });
    succeeds(at.call(*over));
    CHECK(asked > 1);
}

TEST_CASE("a name does not lead to a node that was given back", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::always, requests));
    test::put(*over, "/f", "x");
    (void)value_of(over->stat("/f"));
    over->prune();
    CHECK(over.fs.lookups() == 0);
    requests.forget();
    CHECK(value_of(over->stat("/f")).size == 1);
    CHECK(requests.take_questions() == 1);
}

TEST_CASE("what threads change at once is what each of them sees afterwards", "[caches]") {
    const Watchdog watchdog("threads");
    constexpr int kThreads = 8;
    constexpr int kRounds = 100;
    RequestCounter requests;
    MountedOptions options = with_cache(CacheMode::always, requests);
    options.mount.cache.names = GENERATE(0u, 5u, 1000u);
    options.device.service =
        GENERATE(backends::LoopbackService::inline_in_doorbell, backends::LoopbackService::threads);
    OverMemfs over(options);
    succeeds(over->mkdir("/d"));
    std::atomic<int> failures{0};
    const auto expect = [&](bool right) { failures += !right; };
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            const std::string a = "/d/a" + std::to_string(t);
            const std::string b = "/d/b" + std::to_string(t);
            for (int i = 0; i < kRounds; ++i) {
                expect(!over->stat(a));
                expect(!over->mknod(a, kSIfreg | 0600, 0));
                expect(bool(over->stat(a)));
                expect(!over->chmod(a, 0400u + static_cast<unsigned>(i % 8)));
                const auto changed = over->stat(a);
                expect(changed && (changed->mode & 7u) == static_cast<unsigned>(i % 8));
                expect(!over->rename(a, b));
                expect(!over->stat(a));
                expect(bool(over->stat(b)));
                if (i % 10 == 0) expect(bool(over->list("/d")));
                if (i % 25 == t) over->prune();
                expect(!over->unlink(b));
                expect(!over->stat(b));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(failures == 0);
    over->prune();
    test::until([&] { return over.fs.lookups() == 0; });
}
