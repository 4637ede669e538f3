// SPDX-License-Identifier: BSD-2-Clause
// Reading directories, on both embedded file systems.
#include "unit/posix/mounted.hpp"

#include <algorithm>
#include <set>

using namespace vfsproto;
using namespace vfsproto::abi;
using client::DirectoryFormat;
using posix::Directory;
using posix::DirectoryEntry;
using test::Errno;
using test::error_of;
using test::MountedOptions;
using test::OverDirectory;
using test::OverMemfs;
using test::succeeds;
using test::value_of;

namespace {

std::multiset<std::string> names_in(const std::vector<DirectoryEntry>& entries) {
    std::multiset<std::string> names;
    for (const DirectoryEntry& entry : entries) names.insert(entry.name);
    return names;
}

std::vector<DirectoryEntry> read_all(Directory& directory) {
    std::vector<DirectoryEntry> all;
    for (;;) {
        auto some = value_of(directory.read());
        if (some.empty()) return all;
        std::move(some.begin(), some.end(), std::back_inserter(all));
    }
}

} // namespace

TEMPLATE_TEST_CASE("a directory has its entries once, with what they are", "[directories]", OverMemfs, OverDirectory) {
    TestType over;
    const DirectoryFormat format = GENERATE(DirectoryFormat::dirents, DirectoryFormat::direntpluses);
    succeeds(over->mkdir("/d"));
    CHECK(value_of(over->list("/d", format)).empty());
    succeeds(over->mkdir("/d/sub"));
    test::put(*over, "/d/file", "content");
    succeeds(over->symlink("file", "/d/link"));
    const auto entries = value_of(over->list("/d", format));
    CHECK(names_in(entries) == std::multiset<std::string>{"file", "link", "sub"});
    for (const DirectoryEntry& entry : entries) {
        INFO(entry.name);
        const auto seen = value_of(over->stat("/d/" + entry.name, posix::LastLink::keep));
        CHECK(entry.ino == seen.ino);
        CHECK(entry.type == (seen.mode & kSIfmt) >> 12);
        CHECK(entry.has_attributes == (format == DirectoryFormat::direntpluses));
        if (!entry.has_attributes) continue;
        CHECK(entry.attributes.mode == seen.mode);
        CHECK(entry.attributes.size == seen.size);
        CHECK(entry.attributes.ino == seen.ino);
    }
    Directory directory = value_of(over->open_directory("/d", format));
    CHECK(names_in(read_all(directory)) == std::multiset<std::string>{".", "..", "file", "link", "sub"});
    CHECK(value_of(directory.read()).empty()); // the end is the end
    directory.rewind();
    CHECK(names_in(read_all(directory)).size() == 5);
    succeeds(over->sync_directory(directory));
}

TEMPLATE_TEST_CASE("a huge directory is read in pieces, each entry once", "[directories]", OverMemfs, OverDirectory) {
    MountedOptions options;
    options.scratch = test::Scratch::memory; // thousands of files
    options.mount.max_idle_nodes = 100;
    options.mount.channel.bounce = GENERATE(8192, 131072);
    TestType over(options);
    const DirectoryFormat format = GENERATE(DirectoryFormat::dirents, DirectoryFormat::direntpluses);
    std::multiset<std::string> expected;
    for (int i = 0; i < 3000; ++i) {
        const std::string name = "entry-" + std::to_string(i) + std::string(static_cast<std::size_t>(i % 100), 'x');
        succeeds(over->mknod("/" + name, kSIfreg | 0600, 0));
        expected.insert(name);
    }
    CHECK(names_in(value_of(over->list("/", format))) == expected);
    // READDIRPLUS counted a lookup of each; what is not used is bounded all the same.
    CHECK(over->nodes().idle() <= 100 + 128);
}

TEST_CASE("an entry that cannot be looked up hides none of the others", "[directories]") {
    OverMemfs over;
    for (const char* name : {"/a", "/gone", "/z"}) test::put(*over, name, "content");
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        const std::string_view name(question.name.data(), question.name.size());
        const bool bad = question.opcode == wire::Opcode::readdirplus || name == "gone";
        return backends::MemfsFault{.error = bad ? Errno::enoent : Errno::none};
    });
    const auto entries = value_of(over->list("/", DirectoryFormat::direntpluses));
    CHECK(names_in(entries) == std::multiset<std::string>{"a", "gone", "z"});
    for (const DirectoryEntry& entry : entries) CHECK_FALSE(entry.has_attributes);
    CHECK(error_of(over->stat("/gone")) == Errno::enoent);
    CHECK(value_of(over->stat("/a")).size == 7);
    over.fs.set_faults({});
}

TEMPLATE_TEST_CASE("names may come and go while a directory is read", "[directories]", OverMemfs, OverDirectory) {
    MountedOptions options;
    options.scratch = test::Scratch::memory; // a thousand files
    options.mount.channel.bounce = 8192;
    TestType over(options);
    const DirectoryFormat format = GENERATE(DirectoryFormat::dirents, DirectoryFormat::direntpluses);
    std::set<std::string> stay;
    for (int i = 0; i < 1000; ++i) {
        const std::string name = "n" + std::to_string(i);
        succeeds(over->mknod("/" + name, kSIfreg | 0600, 0));
        if (i % 2 == 1) stay.insert(name);
    }
    Directory directory = value_of(over->open_directory("/", format));
    std::multiset<std::string> seen;
    int removed = 0;
    for (;;) {
        const auto some = value_of(directory.read());
        if (some.empty()) break;
        for (const DirectoryEntry& entry : some) seen.insert(entry.name);
        // Half of all go, those seen already and those to come.
        for (int i = 0; i < 100 && removed < 1000; ++i, removed += 2)
            succeeds(over->unlink("/n" + std::to_string(removed)));
    }
    for (const std::string& name : stay) {
        INFO(name);
        CHECK(seen.count(name) == 1);
    }
    for (; removed < 1000; removed += 2) succeeds(over->unlink("/n" + std::to_string(removed)));
    directory.rewind();
    CHECK(names_in(read_all(directory)).size() == stay.size() + 2);
}

TEMPLATE_TEST_CASE("a directory removed while open is empty", "[directories]", OverMemfs, OverDirectory) {
    TestType over;
    succeeds(over->mkdir("/d"));
    Directory directory = value_of(over->open_directory("/d"));
    succeeds(over->rmdir("/d"));
    const auto some = directory.read();
    if (some) {
        for (const DirectoryEntry& entry : *some) CHECK((entry.name == "." || entry.name == ".."));
    } else {
        CHECK(some.failure().error == Errno::enoent);
    }
}

TEST_CASE("a server without READDIRPLUS is read with READDIR", "[directories]") {
    OverMemfs over;
    test::put(*over, "/f", "x");
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::readdirplus) fault.error = Errno::enosys;
        return fault;
    });
    for (int i = 0; i < 2; ++i) {
        const auto entries = value_of(over->list("/"));
        REQUIRE(entries.size() == 1);
        CHECK_FALSE(entries[0].has_attributes);
    }
    over.fs.set_faults({});
    MountedOptions options;
    options.memfs.server.flags = wire::InitFlags();
    OverMemfs plain(options);
    test::put(*plain, "/f", "x");
    CHECK(value_of(plain->list("/")).size() == 1);
}

TEST_CASE("a failure in the middle of a directory is reported, and can be overcome", "[directories]") {
    OverMemfs over;
    test::put(*over, "/f", "x");
    Directory directory = value_of(over->open_directory("/"));
    bool fail = true;
    over.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        const bool reads = question.opcode == wire::Opcode::readdirplus || question.opcode == wire::Opcode::readdir;
        if (reads && fail) fault.error = Errno::eio;
        return fault;
    });
    CHECK(error_of(directory.read()) == Errno::eio);
    CHECK(error_of(over->list("/")) == Errno::eio);
    fail = false;
    CHECK(read_all(directory).size() == 3);
    over.fs.set_faults({});
}
