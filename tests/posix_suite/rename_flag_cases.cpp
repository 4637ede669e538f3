// SPDX-License-Identifier: BSD-2-Clause
// renameat2(2) of Linux: RENAME_NOREPLACE and RENAME_EXCHANGE.
#include "kinds.hpp"

#include <cstdio>

using posix_suite::Kind;
using posix_suite::Place;
using posix_suite::same_file;
using posix_suite::Suite;

namespace {

int rename_as(const char* from, const char* to, unsigned flags) {
    return ::renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

bool knows(const Suite& s, unsigned flag) {
    s.write_file("probe");
    s.write_file("probe2");
    const int result = rename_as("probe", flag == RENAME_EXCHANGE ? "probe2" : "probe3", flag);
    const bool is_known = result == 0 || (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP);
    for (const std::string& each : s.names()) Suite::need(::unlink(each.c_str()) == 0, each);
    return is_known;
}

// Exchanges entries of two kinds: each is where the other was.
void exchange(Suite& s, Kind one, Kind other, Place at = Place::here()) {
    const std::string what = std::string("exchange of ") + name_of(one) + " and " + name_of(other);
    s.make_directory("place");
    make(s, "place/one", one);
    make(s, "place/other", other);
    const struct stat first = s.status("place/one");
    const struct stat second = s.status("place/other");
    s.passes(what, rename_as("place/one", "place/other", RENAME_EXCHANGE), at);
    s.holds(what, same_file(first, s.status("place/other")) && same_file(second, s.status("place/one")), at);
    for (const std::string& each : s.names("place")) {
        static_cast<void>(::unlink(("place/" + each + "/inside").c_str()));
        s.need(::remove(("place/" + each).c_str()) == 0, each);
    }
    s.need(::rmdir("place") == 0, "rmdir");
}

// Renames without replacing: both entries stay.
void keep(Suite& s, Kind kind, Place at = Place::here()) {
    make(s, "onto", kind);
    const struct stat before = s.status("onto");
    const std::string what = std::string("rename without replacing ") + name_of(kind);
    s.fails(what, EEXIST, rename_as("file", "onto", RENAME_NOREPLACE), at);
    s.holds(what, is_there(s, "file") && same_file(before, s.status("onto")), at);
    static_cast<void>(::unlink("onto/inside"));
    s.need(::remove("onto") == 0, "remove");
    static_cast<void>(::remove("onto.target"));
}

} // namespace

POSIX_CASE("renameat2 without flags is rename") {
    s.write_file("file", "content");
    s.write_file("other", "other");
    s.passes("renameat2 onto a file", rename_as("file", "other", 0));
    s.equal("the name has the new content", s.read_file("other"), "content");
    s.fails("renameat2 with a flag nobody knows", EINVAL, rename_as("other", "new", 1U << 20U));
    s.fails("renameat2 with both flags", EINVAL, rename_as("other", "new", RENAME_NOREPLACE | RENAME_EXCHANGE));
    s.holds("it stays where it was", is_there(s, "other") && !is_there(s, "new"));
}

POSIX_CASE("RENAME_NOREPLACE renames to new names only") {
    if (!knows(s, RENAME_NOREPLACE)) return s.skip("the file system has no RENAME_NOREPLACE");
    s.write_file("file", "content");
    keep(s, Kind::file);
    keep(s, Kind::empty_directory);
    keep(s, Kind::full_directory);
    keep(s, Kind::link_to_file);
    keep(s, Kind::link_to_directory);
    keep(s, Kind::dangling);
    keep(s, Kind::fifo);
    s.need(::link("file", "linked") == 0, "link");
    s.fails("rename onto a hard link of itself", EEXIST, rename_as("file", "linked", RENAME_NOREPLACE));
    s.fails("rename onto itself", EEXIST, rename_as("file", "file", RENAME_NOREPLACE));
    s.fails("rename of an absent name", ENOENT, rename_as("absent", "new", RENAME_NOREPLACE));
    s.fails("rename to below an absent name", ENOENT, rename_as("file", "absent/new", RENAME_NOREPLACE));
    s.passes("rename to a new name", rename_as("file", "new", RENAME_NOREPLACE));
    s.equal("the new name has the content", s.read_file("new"), "content");
    s.holds("the old name is gone", !is_there(s, "file"));
    make(s, "empty", Kind::empty_directory);
    make(s, "full", Kind::full_directory);
    s.fails("rename of a directory onto an empty one", EEXIST, rename_as("full", "empty", RENAME_NOREPLACE));
    s.fails("rename of a directory onto a file", EEXIST, rename_as("full", "new", RENAME_NOREPLACE));
    s.passes("rename of a directory to a new name", rename_as("full", "moved", RENAME_NOREPLACE));
    s.holds("what was below it is there", is_there(s, "moved/inside"));
    s.fails("rename of a directory into itself", EINVAL, rename_as("moved", "moved/new", RENAME_NOREPLACE));
}

POSIX_CASE("RENAME_EXCHANGE exchanges two names") {
    if (!knows(s, RENAME_EXCHANGE)) return s.skip("the file system has no RENAME_EXCHANGE");
    exchange(s, Kind::file, Kind::file);
    exchange(s, Kind::file, Kind::empty_directory);
    exchange(s, Kind::file, Kind::full_directory);
    exchange(s, Kind::file, Kind::link_to_file);
    exchange(s, Kind::file, Kind::dangling);
    exchange(s, Kind::file, Kind::fifo);
    exchange(s, Kind::empty_directory, Kind::file);
    exchange(s, Kind::empty_directory, Kind::empty_directory);
    exchange(s, Kind::empty_directory, Kind::full_directory);
    exchange(s, Kind::full_directory, Kind::full_directory);
    exchange(s, Kind::full_directory, Kind::link_to_directory);
    exchange(s, Kind::full_directory, Kind::fifo);
    exchange(s, Kind::link_to_file, Kind::link_to_directory);
    exchange(s, Kind::dangling, Kind::full_directory);
    exchange(s, Kind::fifo, Kind::fifo);
    s.write_file("file", "content");
    s.fails("exchange with an absent name", ENOENT, rename_as("file", "absent", RENAME_EXCHANGE));
    s.fails("exchange of an absent name", ENOENT, rename_as("absent", "file", RENAME_EXCHANGE));
    s.passes("exchange of a file with itself", rename_as("file", "file", RENAME_EXCHANGE));
    s.need(::link("file", "linked") == 0, "link");
    s.passes("exchange of a file with its other name", rename_as("file", "linked", RENAME_EXCHANGE));
    s.equal("it has its two links", s.status("linked").st_nlink, 2);
    s.equal("it has its content", s.read_file("file"), "content");
}

POSIX_CASE("RENAME_EXCHANGE across directories") {
    if (!knows(s, RENAME_EXCHANGE)) return s.skip("the file system has no RENAME_EXCHANGE");
    s.make_directory("one");
    s.make_directory("two");
    s.make_directory("one/directory");
    s.write_file("one/directory/inside", "inside");
    const int fd = s.make_file("two/file", "content");
    s.passes("exchange of a directory and a file", rename_as("one/directory", "two/file", RENAME_EXCHANGE));
    s.equal("the file is in the first", s.read_file("one/directory"), "content");
    s.equal("the directory is in the second", s.read_file("two/file/inside"), "inside");
    s.holds("its dot dot is the second", same_file(s.status("two/file/.."), s.status("two")));
    s.equal("the open file has one link", status_of(s, fd).st_nlink, 1);
    const nlink_t one = s.status("one").st_nlink;
    const nlink_t two = s.status("two").st_nlink;
    s.equal("the second has the links the first had", two == 1 ? 3 : two, 3);
    s.equal("the first has no link of a child", one == 1 ? 2 : one, 2);
    s.fails("exchange of a directory and its child", EINVAL, rename_as("two", "two/file", RENAME_EXCHANGE));
    s.fails("exchange of a child and its directory", {EINVAL, ENOTEMPTY},
            rename_as("two/file", "two", RENAME_EXCHANGE));
    s.fails("exchange of a file and its directory", {EINVAL, ENOTEMPTY},
            rename_as("two/file/inside", "two", RENAME_EXCHANGE));
    s.passes("exchange of two directories", rename_as("one", "two", RENAME_EXCHANGE));
    s.equal("each has what the other had", s.read_file("one/file/inside"), "inside");
    s.holds("the dot dot below is the new one", same_file(s.status("one/file/.."), s.status("one")));
}
