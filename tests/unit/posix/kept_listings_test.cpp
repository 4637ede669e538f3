// SPDX-License-Identifier: BSD-2-Clause
// Listings of directories are kept, where the server allows that, until the directory is changed.
#include "support/watchdog.hpp"
#include "unit/posix/with_cache.hpp"

#include "vfsproto/posix/mount_stats.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::abi;
using client::DirectoryFormat;
using posix::CacheMode;
using posix::Directory;
using posix::DirectoryEntry;
using posix::File;
using test::Errno;
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

using Names = std::set<std::string>;

constexpr std::uint32_t kKept = wire::kFopenCacheDir | wire::kFopenKeepCache;
constexpr int kFiles = 1000; // several READDIRPLUSes, whatever a server puts into one

MountedOptions untold(CacheMode mode, RequestCounter& requests) {
    MountedOptions options = with_cache(mode, requests);
    options.mount.channel.rings.withheld.add(Feature::fs_notification);
    return options;
}

// Makes so many files in a directory, and returns their names.
Names fill(posix::Mount& mount, const std::string& directory, int files = kFiles) {
    Names names;
    for (int i = 0; i < files; ++i) {
        const std::string name = "file" + std::to_string(i);
        succeeds(mount.mknod(directory + "/" + name, kSIfreg | 0600, 0));
        names.insert(name);
    }
    return names;
}

std::uint64_t take_reads(RequestCounter& requests) {
    return requests.take(Opcode::readdir) + requests.take(Opcode::readdirplus);
}

// Returns how many READDIRs and READDIRPLUSes it takes to list a directory, which has these names.
std::uint64_t reads_of(posix::Mount& mount, RequestCounter& requests, const std::string& directory, const Names& names,
                       DirectoryFormat format = DirectoryFormat::direntpluses) {
    requests.forget();
    const std::vector<DirectoryEntry> entries = value_of(mount.list(directory, format));
    const std::uint64_t reads = take_reads(requests);
    Names listed;
    for (const DirectoryEntry& entry : entries) {
        listed.insert(entry.name);
        CHECK(entry.has_attributes == (format == DirectoryFormat::direntpluses));
        if (entry.has_attributes) CHECK(entry.attributes.ino == entry.ino);
    }
    CHECK(listed == names);
    CHECK(listed.size() == entries.size());
    return reads;
}

std::size_t read_all(Directory& directory) {
    std::size_t count = 0;
    for (;;) {
        const std::size_t some = value_of(directory.read()).size();
        if (some == 0) return count;
        count += some;
    }
}

} // namespace

TEST_CASE("a second listing opens the directory and asks for nothing else", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    succeeds(over->mkdir("/d"));
    const Names names = fill(*over, "/d");
    const DirectoryFormat format = GENERATE(DirectoryFormat::dirents, DirectoryFormat::direntpluses);
    CHECK(reads_of(*over, requests, "/d", names, format) > 1);
    for (int i = 0; i < 2; ++i) {
        CHECK(reads_of(*over, requests, "/d", names, format) == 0);
        CHECK(requests.take(Opcode::opendir) == 1);
        CHECK(requests.take(Opcode::releasedir) == 1);
        CHECK(requests.take_questions() == 0);
    }
    CHECK(reads_of(*over, requests, "/d", names, DirectoryFormat::dirents) == 0);
}

TEST_CASE("a listing that is known is read in parts, and tells each entry once", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    const Names names = fill(*over, "");
    CHECK(reads_of(*over, requests, "/", names) > 1);
    requests.forget();
    Directory directory = value_of(over->open_directory("/"));
    Names seen;
    int parts = 0;
    for (auto some = value_of(directory.read()); !some.empty(); some = value_of(directory.read())) {
        for (const DirectoryEntry& entry : some) CHECK(seen.insert(entry.name).second);
        ++parts;
    }
    CHECK(parts > 1);
    CHECK(value_of(directory.read()).empty()); // the end stays the end
    CHECK(seen.size() == names.size() + 2);    // "." and ".."
    CHECK(take_reads(requests) == 0);
}

TEST_CASE("a directory that is moved goes on where it was in a listing that is known", "[caches]") {
    STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<Directory>); // two would share one place in the listing
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    const Names names = fill(*over, "");
    CHECK(reads_of(*over, requests, "/", names) > 1);
    requests.forget();
    Directory directory = value_of(over->open_directory("/"));
    const std::size_t first = value_of(directory.read()).size();
    CHECK(first < names.size());
    Directory moved = std::move(directory);
    CHECK(first + read_all(moved) == names.size() + 2);
    CHECK(take_reads(requests) == 0);
}

TEST_CASE("an empty directory is known to be empty", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    succeeds(over->mkdir("/d"));
    CHECK(reads_of(*over, requests, "/d", {}) > 0);
    CHECK(reads_of(*over, requests, "/d", {}) == 0);
}

TEST_CASE("a listing is kept where OPENDIR says so, or the mount always believes what it knows", "[caches]") {
    struct Case {
        CacheMode mode;
        std::uint32_t flags;
        bool keeps;
    };
    const Case at =
        GENERATE(Case{CacheMode::none, kKept, false}, Case{CacheMode::automatic, kKept, true},
                 Case{CacheMode::automatic, 0, false}, Case{CacheMode::automatic, wire::kFopenKeepCache, false},
                 Case{CacheMode::automatic, wire::kFopenCacheDir, false}, // for this handle alone
                 Case{CacheMode::always, kKept, true}, Case{CacheMode::always, 0, true});
    RequestCounter requests;
    MountedOptions options = with_cache(at.mode, requests);
    options.memfs.opendir_flags = at.flags;
    OverMemfs over(options);
    succeeds(over->mkdir("/d"));
    const Names names = fill(*over, "/d", 10);
    const std::uint64_t reads = reads_of(*over, requests, "/d", names);
    CHECK(reads > 0);
    CHECK(reads_of(*over, requests, "/d", names) == (at.keeps ? 0 : reads));
}

TEST_CASE("an OPENDIR without KEEP_CACHE drops the listing, one without CACHE_DIR leaves it", "[caches]") {
    RequestCounter requests;
    MountedOptions options = with_cache(CacheMode::automatic, requests);
    options.memfs.opendir_flags = GENERATE(0u, wire::kFopenKeepCache);
    const bool drops = options.memfs.opendir_flags == 0;
    OverMemfs over(options);
    {
        const posix::NodeRef root = over->nodes().root();
        over->nodes().note_listing(root, std::string(), over->nodes().about_to_read(root));
    }
    REQUIRE(over->mount_stats().held.listings == 1);
    CHECK(value_of(over->list("/")).empty());
    CHECK(over->mount_stats().held.listings == (drops ? 0u : 1u));
}

TEST_CASE("after an OPENDIR without KEEP_CACHE nothing is kept that was being read before", "[caches]") {
    RequestCounter requests;
    MountedOptions options = with_cache(CacheMode::automatic, requests);
    options.memfs.opendir_flags = wire::kFopenCacheDir;
    OverMemfs over(options);
    const std::size_t all = fill(*over, "").size() + 2;
    CHECK(is_directory(value_of(over->stat("/")).mode)); // which a change had made unknown
    Directory before = value_of(over->open_directory("/"));
    const std::size_t first = value_of(before.read()).size();
    Directory after = value_of(over->open_directory("/"));
    CHECK(first + read_all(before) == all);
    CHECK(over->mount_stats().held.listings == 0);
    requests.forget();
    CHECK(read_all(after) == all);
    CHECK(take_reads(requests) > 1);
    CHECK(over->mount_stats().held.listings == 1);
    after.rewind();
    CHECK(read_all(after) == all);
    CHECK(take_reads(requests) == 0);
}

TEST_CASE("an OPENDIR without KEEP_CACHE keeps nothing that was changed while it was under way", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    posix::NodeCache& nodes = over->nodes();
    const posix::NodeRef root = nodes.root();
    client::ContentRead opened = nodes.about_to_read(root);
    succeeds(over->mkdir("/d"));
    CHECK(nodes.keeps_listing(root, wire::kFopenCacheDir, opened));
    nodes.note_listing(root, std::string(), opened);
    CHECK(over->mount_stats().held.listings == 0);
}

TEST_CASE("a directory is rewound without asking, until it is changed", "[caches]") {
    RequestCounter requests;
    MountedOptions options = with_cache(CacheMode::automatic, requests);
    options.memfs.opendir_flags = GENERATE(as<std::uint32_t>{}, kKept, wire::kFopenCacheDir);
    OverMemfs over(options);
    const std::size_t all = fill(*over, "").size() + 2;
    CHECK(is_directory(value_of(over->stat("/")).mode)); // which a change had made unknown
    Directory directory = value_of(over->open_directory("/"));
    CHECK(read_all(directory) == all);
    requests.forget();
    directory.rewind();
    CHECK(read_all(directory) == all);
    CHECK(requests.take_all() == 0);
    succeeds(over->mkdir("/new"));
    for (int i = 0; i < 2; ++i) {
        directory.rewind();
        CHECK(read_all(directory) == all + 1);
        CHECK(take_reads(requests) > 1); // the server may have it from before the change, since OPENDIR
    }
}

TEST_CASE("a listing that was not read to its end is not kept", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    const Names names = fill(*over, "");
    SECTION("because nobody wanted the rest") {
        Directory directory = value_of(over->open_directory("/"));
        CHECK(value_of(directory.read()).size() < names.size());
    }
    SECTION("because it began anew") {
        Directory directory = value_of(over->open_directory("/"));
        CHECK(value_of(directory.read()).size() < names.size());
        directory.rewind();
        CHECK(value_of(directory.read()).size() < names.size());
    }
    SECTION("because the server failed") {
        int reads = 0;
        over.fs.set_faults([&](const backends::MemfsQuestion& question) {
            backends::MemfsFault fault;
            const bool is_read = question.opcode == Opcode::readdir || question.opcode == Opcode::readdirplus;
            if (is_read && ++reads > 1) fault.error = Errno::eio;
            return fault;
        });
        CHECK(error_of(over->list("/")) == Errno::eio);
        over.fs.set_faults({});
    }
    CHECK(over->mount_stats().held.listings == 0);
    CHECK(reads_of(*over, requests, "/", names) > 1);
    CHECK(reads_of(*over, requests, "/", names) == 0);
}

TEST_CASE("a listing that was read while its directory was changed is not kept", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    Names names = fill(*over, "");
    {
        Directory directory = value_of(over->open_directory("/"));
        CHECK_FALSE(value_of(directory.read()).empty());
        succeeds(over->unlink("/file0"));
        CHECK(read_all(directory) > 0);
    }
    names.erase("file0");
    CHECK(over->mount_stats().held.listings == 0);
    CHECK(reads_of(*over, requests, "/", names) > 1);
    CHECK(reads_of(*over, requests, "/", names) == 0);
}

TEMPLATE_TEST_CASE("what this mount changes in a directory is in its listing at once", "[caches]", OverMemfs,
                   OverDirectory) {
    RequestCounter requests;
    TestType over(untold(CacheMode::always, requests));
    succeeds(over->mkdir("/d"));
    succeeds(over->mkdir("/d/sub"));
    test::put(*over, "/d/f", "content");
    test::put(*over, "/other", "content");
    CHECK(reads_of(*over, requests, "/d", {"f", "sub"}) > 0);
    CHECK(reads_of(*over, requests, "/d", {"f", "sub"}) == 0);
    Names names{"f", "sub"};
    SECTION("a file that is made by CREATE") {
        test::put(*over, "/d/new", "x");
        names.insert("new");
    }
    SECTION("a file that is made by MKNOD") {
        succeeds(over->mknod("/d/new", kSIfreg | 0600, 0));
        names.insert("new");
    }
    SECTION("a directory that is made") {
        succeeds(over->mkdir("/d/new"));
        names.insert("new");
    }
    SECTION("a link that is made") {
        succeeds(over->symlink("f", "/d/new"));
        names.insert("new");
    }
    SECTION("a name that is made") {
        succeeds(over->link("/other", "/d/new"));
        names.insert("new");
    }
    SECTION("a file that is removed") {
        succeeds(over->unlink("/d/f"));
        names.erase("f");
    }
    SECTION("a directory that is removed") {
        succeeds(over->rmdir("/d/sub"));
        names.erase("sub");
    }
    SECTION("a file that is moved away") {
        succeeds(over->rename("/d/f", "/moved"));
        names.erase("f");
    }
    SECTION("a file that is moved there") {
        succeeds(over->rename("/other", "/d/new"));
        names.insert("new");
    }
    SECTION("a file that gets another name") {
        succeeds(over->rename("/d/f", "/d/g"));
        names = {"g", "sub"};
    }
    CHECK(reads_of(*over, requests, "/d", names) > 0);
    CHECK(reads_of(*over, requests, "/d", names) == 0);
    CHECK(reads_of(*over, requests, "/d", names, DirectoryFormat::dirents) == 0);
}

TEST_CASE("a directory that others change is read anew once the server has told", "[caches][notifications]") {
    const Watchdog watchdog("a directory that the host changes");
    RequestCounter requests;
    MountedOptions options = with_cache(CacheMode::automatic, requests);
    options.mount.cache.entry_timeout = options.mount.cache.attribute_timeout = std::chrono::hours(1);
    OverDirectory over(options);
    const auto host = over.directory.path() / "d";
    std::filesystem::create_directory(host);
    std::ofstream(host / "a") << "content";
    // The server may still tell of what the host did before.
    test::until([&] { return reads_of(*over, requests, "/d", {"a"}) == 0; });
    std::ofstream(host / "b") << "content";
    test::until([&] { return value_of(over->list("/d")).size() == 2; });
    std::filesystem::remove(host / "a");
    test::until([&] { return value_of(over->list("/d")).size() == 1; });
    test::until([&] { return reads_of(*over, requests, "/d", {"b"}) == 0; });
}

TEST_CASE("a server that cannot tell of changes has its directories read each time", "[caches][notifications]") {
    RequestCounter requests;
    OverDirectory over(untold(CacheMode::automatic, requests));
    succeeds(over->mkdir("/d"));
    const Names names = fill(*over, "/d", 10);
    for (int i = 0; i < 3; ++i) CHECK(reads_of(*over, requests, "/d", names) > 0);
    CHECK(over->mount_stats().held.listings == 0);
}

TEST_CASE("a change that nobody told of is seen when the directory's attributes are asked for", "[caches]") {
    RequestCounter requests;
    OverDirectory over(untold(CacheMode::always, requests));
    const auto host = over.directory.path() / "d";
    std::filesystem::create_directory(host);
    const auto long_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
    std::filesystem::last_write_time(host,
                                     long_ago); // so that the next change shows, whatever ticks the host's clock has
    CHECK(reads_of(*over, requests, "/d", {}) > 0);
    std::ofstream(host / "new") << "content";
    CHECK(reads_of(*over, requests, "/d", {}) == 0);
    const auto anew = over->looking_anew();
    CHECK(reads_of(*anew, requests, "/d", {"new"}) > 0);
    CHECK(reads_of(*over, requests, "/d", {"new"}) == 0);
    std::filesystem::last_write_time(host, long_ago);
    CHECK(is_directory(value_of(anew->stat("/d")).mode));
    CHECK(reads_of(*over, requests, "/d", {"new"}) > 0);
}

TEST_CASE("a listing with attributes does not call a file what it is known not to be any more", "[caches]") {
    RequestCounter requests;
    OverDirectory over(untold(CacheMode::always, requests));
    succeeds(over->mkdir("/d"));
    test::put(*over, "/d/f", "content");
    CHECK(reads_of(*over, requests, "/d", {"f"}) > 0);
    CHECK(reads_of(*over, requests, "/d", {"f"}) == 0);
    const auto host = over.directory.path() / "d";
    std::filesystem::remove(host / "f");
    std::filesystem::create_directory(host / "f");
    CHECK(is_directory(value_of(over->looking_anew()->stat("/d/f")).mode));
    requests.forget();
    const auto entries = value_of(over->list("/d"));
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].type == kDtDir);
    CHECK(is_directory(entries[0].attributes.mode));
    CHECK(take_reads(requests) > 0);
    CHECK(reads_of(*over, requests, "/d", {"f"}) == 0);
}

TEST_CASE("a listing outlives the attributes of its directory, if new ones say the same", "[caches]") {
    RequestCounter requests;
    MountedOptions options = with_cache(CacheMode::automatic, requests);
    options.memfs.attr_valid = 0;
    OverMemfs over(options);
    succeeds(over->mkdir("/d"));
    const Names names = fill(*over, "/d");
    CHECK(reads_of(*over, requests, "/d", names, DirectoryFormat::dirents) > 1);
    CHECK(reads_of(*over, requests, "/d", names, DirectoryFormat::dirents) == 0);
    CHECK(requests.take(Opcode::lookup) == 1); // of the directory
    // No attributes of its files are known any more.
    CHECK(reads_of(*over, requests, "/d", names) > 1);
    const posix::SetTime at{posix::SetTime::Kind::at, 1, 0};
    succeeds(over->set_times("/d", at, at));
    CHECK(reads_of(*over, requests, "/d", names, DirectoryFormat::dirents) > 1);
}

TEST_CASE("a listing with attributes is read anew where those of one file are not known", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    succeeds(over->mkdir("/d"));
    const Names names = fill(*over, "/d", 10);
    CHECK(reads_of(*over, requests, "/d", names) > 0);
    CHECK(reads_of(*over, requests, "/d", names) == 0);
    succeeds(over->chmod("/d/file3", 0640)); // the answer says what they are now
    CHECK(reads_of(*over, requests, "/d", names) == 0);
    File file = value_of(over->open_file("/d/file5", kOWronly));
    CHECK(reads_of(*over, requests, "/d", names) > 0);
    CHECK(reads_of(*over, requests, "/d", names, DirectoryFormat::dirents) == 0);
    succeeds(over->close(std::move(file)));
    CHECK(reads_of(*over, requests, "/d", names) > 0);
    CHECK(reads_of(*over, requests, "/d", names) == 0);
    const posix::CacheStats counted = over->mount_stats().caches;
    CHECK(counted.listing_hits == 4);
    CHECK(counted.listing_misses == 3); // one that is known and has to be read all the same is no hit
}

TEST_CASE("listings of a server without READDIRPLUS are kept as well", "[caches]") {
    RequestCounter requests;
    MountedOptions options = with_cache(CacheMode::automatic, requests);
    options.memfs.server.flags.remove(wire::InitFlag::do_readdirplus);
    OverMemfs over(options);
    test::put(*over, "/f", "x");
    for (int i = 0; i < 2; ++i) {
        requests.forget();
        const auto entries = value_of(over->list("/"));
        REQUIRE(entries.size() == 1);
        CHECK_FALSE(entries[0].has_attributes);
        CHECK(take_reads(requests) == (i == 0 ? 2u : 0u));
    }
}

TEST_CASE("listings take no more memory than they may, and a large one is not kept", "[caches]") {
    constexpr std::size_t kMostBytes = 64 * 1024;
    constexpr int kDirectories = 30;
    RequestCounter requests;
    MountedOptions options = with_cache(CacheMode::automatic, requests);
    options.mount.cache.contents = kMostBytes;
    OverMemfs over(options);
    Names names;
    for (int i = 0; i < kDirectories; ++i) {
        const std::string directory = "/d" + std::to_string(i);
        succeeds(over->mkdir(directory));
        names = fill(*over, directory, 100);
        CHECK(reads_of(*over, requests, directory, names) > 0);
        CHECK(reads_of(*over, requests, directory, names) == 0);
        CHECK(reads_of(*over, requests, "/d0", names) == 0); // it is always the latest
    }
    const posix::MountStats stats = over->mount_stats();
    CHECK(stats.held.content_bytes <= kMostBytes);
    CHECK(stats.held.listings > 5);
    CHECK(stats.caches.listings_kept == kDirectories);
    CHECK(stats.caches.listings_evicted == kDirectories - stats.held.listings);
    CHECK(reads_of(*over, requests, "/d1", names) > 0);
    succeeds(over->mkdir("/large"));
    const Names many = fill(*over, "/large");
    for (int i = 0; i < 2; ++i) CHECK(reads_of(*over, requests, "/large", many) > 1);
    over->prune();
    CHECK(over->mount_stats().held.listings == 0);
    CHECK(over->mount_stats().held.content_bytes == 0);
}

TEST_CASE("a mount that looks anew reads directories anew", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::always, requests));
    const Names names = fill(*over, "", 10);
    CHECK(reads_of(*over, requests, "/", names) > 0);
    const auto anew = over->looking_anew();
    for (int i = 0; i < 2; ++i) CHECK(reads_of(*anew, requests, "/", names) > 0);
    CHECK(reads_of(*over, requests, "/", names) == 0);
}

TEST_CASE("a change that is refused because names are otherwise has the directory read anew", "[caches]") {
    RequestCounter requests;
    OverDirectory over(untold(CacheMode::always, requests));
    succeeds(over->mkdir("/d"));
    const auto host = over.directory.path() / "d";
    CHECK(reads_of(*over, requests, "/d", {}) > 0);
    std::ofstream(host / "new") << "content";
    CHECK(reads_of(*over, requests, "/d", {}) == 0);
    SECTION("it has a name that is to be made") {
        CHECK(error_of(over->mkdir("/d/new")) == Errno::eexist);
        CHECK(reads_of(*over, requests, "/d", {"new"}) > 0);
    }
    SECTION("it is to be removed, and is not empty") {
        CHECK(error_of(over->rmdir("/d")) == Errno::enotempty);
        CHECK(reads_of(*over, requests, "/d", {"new"}) > 0);
    }
}

TEST_CASE("a name that is to be removed or moved, and has gone, has its directory read anew", "[caches]") {
    RequestCounter requests;
    OverDirectory over(untold(CacheMode::always, requests));
    succeeds(over->mkdir("/d"));
    succeeds(over->mkdir("/d/sub"));
    CHECK(reads_of(*over, requests, "/d", {"sub"}) > 0);
    std::filesystem::remove(over.directory.path() / "d/sub");
    CHECK(reads_of(*over, requests, "/d", {"sub"}) == 0);
    SECTION("by unlink") { CHECK(error_of(over->unlink("/d/sub")) == Errno::enoent); }
    SECTION("by rmdir") { CHECK(error_of(over->rmdir("/d/sub")) == Errno::enoent); }
    SECTION("by rename") { CHECK(error_of(over->rename("/d/sub", "/moved")) == Errno::enoent); }
    CHECK(reads_of(*over, requests, "/d", {}) > 0);
    CHECK(reads_of(*over, requests, "/d", {}) == 0);
}

TEST_CASE("listings that are known and read are counted", "[caches][stats]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    succeeds(over->mkdir("/d"));
    fill(*over, "/d", 10);
    const posix::MountStats start = over->mount_stats();
    for (int i = 0; i < 3; ++i) (void)value_of(over->list("/d"));
    const posix::MountStats counted = over->mount_stats().since(start);
    CHECK(counted.caches.listing_hits == 2);
    CHECK(counted.caches.listing_misses == 1);
    CHECK(counted.caches.listings_kept == 1);
    CHECK(counted.caches.listings_evicted == 0);
    CHECK(counted.caches.target_misses == 0);
    CHECK(counted.held.listings == 1);
    CHECK(counted.of(Opcode::readdirplus).calls == 2); // the entries, and the end
}
