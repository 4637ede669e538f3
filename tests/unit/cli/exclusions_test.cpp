// SPDX-License-Identifier: BSD-2-Clause
// A pattern of --exclude leaves out what its form says, and nothing else.
#include "../../../src/cli/exclusions.hpp"
#include "support/catch.hpp"

#include <initializer_list>

using vfsproto::cli::Exclusions;
using Type = Exclusions::Type;

namespace {

Exclusions excluding(std::initializer_list<const char*> patterns) {
    Exclusions exclusions;
    for (const char* pattern : patterns) REQUIRE(exclusions.add(pattern));
    return exclusions;
}

bool out(const Exclusions& exclusions, const char* path) { return exclusions.leave_out(path, Type::other); }
bool out_directory(const Exclusions& exclusions, const char* path) {
    return exclusions.leave_out(path, Type::directory);
}

} // namespace

TEST_CASE("a pattern without a slash is compared with each name", "[cli]") {
    const Exclusions objects = excluding({"*.o", ".git"});
    CHECK(out(objects, "a.o"));
    CHECK(out(objects, "deep/down/a.o"));
    CHECK(out_directory(objects, "dir.o"));
    CHECK(out_directory(objects, ".git"));
    CHECK_FALSE(out(objects, "a.oo"));
    CHECK_FALSE(out(objects, "a.o/inside")); // the directory was left out before
    CHECK(out(excluding({"*"}), ".hidden"));
    CHECK(out(excluding({"[a-c]?"}), "x/b1"));
}

TEST_CASE("a pattern that begins with a slash is compared with the path below the source", "[cli]") {
    const Exclusions anchored = excluding({"/build", "/a/*.txt"});
    CHECK(out_directory(anchored, "build"));
    CHECK_FALSE(out_directory(anchored, "sub/build"));
    CHECK(out(anchored, "a/b.txt"));
    CHECK_FALSE(out(anchored, "a/b/c.txt")); // * matches no slash
    CHECK_FALSE(out(anchored, "x/a/b.txt"));
}

TEST_CASE("a pattern with a slash inside is compared with the last names of the path", "[cli]") {
    const Exclusions tail = excluding({"doc/*.pdf"});
    CHECK(out(tail, "doc/a.pdf"));
    CHECK(out(tail, "x/y/doc/a.pdf"));
    CHECK_FALSE(out(tail, "mydoc/a.pdf"));
    CHECK_FALSE(out(tail, "doc/x/a.pdf"));
}

TEST_CASE("a slash at the end of a pattern stands for directories alone", "[cli]") {
    const Exclusions directories = excluding({"tmp/", "/x/"});
    CHECK(out_directory(directories, "a/tmp"));
    CHECK_FALSE(out(directories, "a/tmp"));
    CHECK(out_directory(directories, "x"));
    CHECK_FALSE(out_directory(directories, "a/x"));
}

TEST_CASE("two stars stand for any number of names", "[cli]") {
    const Exclusions any = excluding({"/a/**/z", "b/**", "**/c/d"});
    CHECK(out(any, "a/z"));
    CHECK(out(any, "a/1/z"));
    CHECK(out(any, "a/1/2/3/z"));
    CHECK(out(any, "a/z/y/z"));
    CHECK_FALSE(out(any, "a/1/2"));
    CHECK_FALSE(out(any, "x/a/z"));
    CHECK_FALSE(out_directory(any, "b")); // the directory stays, what is in it does not
    CHECK(out(any, "b/1"));
    CHECK(out(any, "x/b/1/2"));
    CHECK(out(any, "c/d"));
    CHECK(out(any, "1/2/c/d"));
}

TEST_CASE("the source itself is left out by patterns of one name alone", "[cli]") {
    const Exclusions names = excluding({"*.o", "tmp/"});
    CHECK(names.leave_out_source("a.o", Type::other));
    CHECK(names.leave_out_source("tmp", Type::directory));
    CHECK_FALSE(names.leave_out_source("tmp", Type::other));
    CHECK_FALSE(names.leave_out_source("", Type::directory)); // "/" has no name
    const Exclusions paths = excluding({"/a", "b/a", "**/a"});
    CHECK_FALSE(paths.leave_out_source("a", Type::other));
    CHECK(out(paths, "a")); // below the source
}

TEST_CASE("a pattern that can match nothing is refused", "[cli]") {
    Exclusions exclusions;
    CHECK_FALSE(exclusions.add(""));
    CHECK_FALSE(exclusions.add("/"));
    CHECK_FALSE(exclusions.add("//"));
    for (const char* dots : {".", "..", "./a", "a/../b", "/a/."}) CHECK_FALSE(exclusions.add(dots));
    CHECK(exclusions.empty());
}
