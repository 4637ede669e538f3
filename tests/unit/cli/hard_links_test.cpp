// SPDX-License-Identifier: BSD-2-Clause
// Names of a tree that are one file become one file, and no others do.
#include "../../../src/cli/hard_links.hpp"
#include "support/catch.hpp"

using vfsproto::cli::FileIdentity;
using vfsproto::cli::HardLinks;
using Copied = HardLinks::Copied;

namespace {

constexpr FileIdentity kFile{.ino = 7, .space = 1, .size = 10, .ctime = 100, .ctime_nsec = 5};
constexpr std::uint32_t kTwoNames = 2;

bool no_doubt(const std::string&) { return true; }

} // namespace

TEST_CASE("the second name of a file becomes a link to the copy of the first", "[cli]") {
    HardLinks links;
    const auto first = links.find(kFile, kTwoNames, {"a", "copy of a"}, no_doubt);
    REQUIRE(first.to_copy != nullptr);
    CHECK_FALSE(first.first);
    links.copied(*first.to_copy, Copied::yes);
    const auto second = links.find(kFile, kTwoNames, {"b", "copy of b"}, no_doubt);
    CHECK(second.to_copy == nullptr);
    REQUIRE(second.first);
    CHECK(second.first->copy == "copy of a");
}

TEST_CASE("files of two file systems are two, whatever else is equal", "[cli]") {
    HardLinks links;
    FileIdentity other = kFile;
    other.space = 2; // another st_dev
    const auto first = links.find(kFile, kTwoNames, {"a", "copy of a"}, no_doubt);
    links.copied(*first.to_copy, Copied::yes);
    CHECK(links.find(other, kTwoNames, {"b", "copy of b"}, no_doubt).to_copy != nullptr);
}

TEST_CASE("where no device numbers are known the files themselves are compared, and keep their own links", "[cli]") {
    HardLinks links;
    // Names beside "one/" are of another file than those in it, though the server tells the same of both.
    const auto find = [&](const std::string& name) {
        return links.find(kFile, kTwoNames, {name, "copy of " + name}, [&](const std::string& first) {
            return first.starts_with("one/") == name.starts_with("one/");
        });
    };
    for (const char* name : {"one/a", "other/a"}) {
        const auto found = find(name);
        INFO(name);
        REQUIRE(found.to_copy != nullptr);
        links.copied(*found.to_copy, Copied::yes);
    }
    const auto other = find("other/b");
    REQUIRE(other.first);
    CHECK(other.first->copy == "copy of other/a");
    const auto one = find("one/b");
    REQUIRE(one.first);
    CHECK(one.first->copy == "copy of one/a");
    CHECK(find("one/c").to_copy != nullptr); // two names were told of
}

TEST_CASE("the next name is copied where the copy of the first failed", "[cli]") {
    HardLinks links;
    const auto first = links.find(kFile, 3, {"a", "copy of a"}, no_doubt);
    links.copied(*first.to_copy, Copied::failed);
    const auto second = links.find(kFile, 3, {"b", "copy of b"}, no_doubt);
    REQUIRE(second.to_copy != nullptr);
    links.copied(*second.to_copy, Copied::yes);
    const auto third = links.find(kFile, 3, {"c", "copy of c"}, no_doubt);
    REQUIRE(third.first);
    CHECK(third.first->copy == "copy of b");
}
