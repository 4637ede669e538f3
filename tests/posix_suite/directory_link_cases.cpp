// SPDX-License-Identifier: BSD-2-Clause
// Link counts of directories: two, and one for each directory below, where the file system counts them. Some (btrfs) always say one.
#include "kinds.hpp"

#include <cstdio>

using posix_suite::Kind;
using posix_suite::Suite;

namespace {

nlink_t links_of(const Suite& s, std::string_view name) { return s.status(name).st_nlink; }

bool counts_links(const Suite& s) {
    s.make_directory("probe");
    const nlink_t links = links_of(s, "probe");
    Suite::need(::rmdir("probe") == 0, "rmdir");
    return links == 2;
}

constexpr const char* kNoCount = "the file system does not count the links of directories";

} // namespace

POSIX_CASE("the links of a directory follow mkdir and rmdir") {
    if (!counts_links(s)) return s.skip(kNoCount);
    const nlink_t here = links_of(s, ".");
    s.make_directory("parent");
    s.equal("a new directory has two", links_of(s, "parent"), 2);
    s.equal("its parent has one more", links_of(s, "."), here + 1);
    s.make_directory("parent/one");
    s.equal("mkdir below adds one", links_of(s, "parent"), 3);
    s.make_directory("parent/two");
    s.equal("a second mkdir adds another", links_of(s, "parent"), 4);
    s.make_directory("parent/one/deep");
    s.equal("mkdir two below adds none", links_of(s, "parent"), 4);
    s.equal("mkdir two below adds one to its parent", links_of(s, "parent/one"), 3);
    s.write_file("parent/file");
    s.equal("a file adds none", links_of(s, "parent"), 4);
    make(s, "parent/link", Kind::dangling);
    s.equal("a link adds none", links_of(s, "parent"), 4);
    make(s, "parent/fifo", Kind::fifo);
    s.equal("a fifo adds none", links_of(s, "parent"), 4);
    s.fails("mkdir of a name that is there", EEXIST, ::mkdir("parent/one", 0755));
    s.equal("a mkdir that failed adds none", links_of(s, "parent"), 4);
    s.fails("rmdir of a full directory", {ENOTEMPTY, EEXIST}, ::rmdir("parent/one"));
    s.equal("an rmdir that failed takes none", links_of(s, "parent"), 4);
    s.need(::rmdir("parent/two") == 0, "rmdir");
    s.equal("rmdir takes one", links_of(s, "parent"), 3);
    s.need(::rmdir("parent/one/deep") == 0 && ::rmdir("parent/one") == 0, "rmdir");
    s.equal("rmdir of the last leaves two", links_of(s, "parent"), 2);
    const int fd = open_for(s, "parent", O_RDONLY | O_DIRECTORY);
    s.equal("fstat finds what stat finds", status_of(s, fd).st_nlink, 2);
    for (int i = 0; i < 100; ++i) s.need(::mkdirat(fd, std::to_string(i).c_str(), 0755) == 0, "mkdirat");
    s.equal("a hundred below add a hundred", status_of(s, fd).st_nlink, 102);
    for (int i = 0; i < 100; ++i) s.need(::unlinkat(fd, std::to_string(i).c_str(), AT_REMOVEDIR) == 0, "unlinkat");
    s.equal("none of them is left", status_of(s, fd).st_nlink, 2);
}

POSIX_CASE("the links of a directory follow rename") {
    if (!counts_links(s)) return s.skip(kNoCount);
    s.make_directory("one");
    s.make_directory("two");
    s.make_directory("one/child");
    s.make_directory("one/child/deep");
    const nlink_t here = links_of(s, ".");
    s.need(::rename("one/child", "one/renamed") == 0, "rename");
    s.equal("rename within a parent changes none", links_of(s, "one"), 3);
    s.equal("rename keeps those of the directory itself", links_of(s, "one/renamed"), 3);
    s.need(::rename("one/renamed", "two/child") == 0, "rename");
    s.equal("rename takes one from the old parent", links_of(s, "one"), 2);
    s.equal("rename gives one to the new parent", links_of(s, "two"), 3);
    s.equal("the directory that moved keeps its own", links_of(s, "two/child"), 3);
    s.make_directory("one/empty");
    s.need(::rename("two/child", "one/empty") == 0, "rename");
    s.equal("rename over a directory takes one from the old parent", links_of(s, "two"), 2);
    s.equal("rename over a directory gives none to the new parent", links_of(s, "one"), 3);
    s.make_directory("one/second");
    s.need(::rename("one/empty/deep", "one/second") == 0, "rename");
    s.equal("rename over a sibling's sibling keeps those of the parent", links_of(s, "one"), 4);
    s.equal("rename up takes one from the old parent", links_of(s, "one/empty"), 2);
    s.need(::rename("one/empty", "one/second") == 0, "rename");
    s.equal("rename over a sibling takes one from the parent", links_of(s, "one"), 3);
    s.write_file("two/file");
    s.need(::rename("two/file", "one/file") == 0, "rename");
    s.equal("rename of a file gives none", links_of(s, "one"), 3);
    s.equal("rename of a file takes none", links_of(s, "two"), 2);
    s.fails("rename of a directory onto a full one", {ENOTEMPTY, EEXIST}, ::rename("two", "one"));
    s.equal("a rename that failed changes none here", links_of(s, "."), here);
    s.fails("rename of a directory into itself", EINVAL, ::rename("one", "one/second/new"));
    s.equal("a rename into itself changes none", links_of(s, "one/second"), 2);
    s.need(::rename("two", "one/two") == 0, "rename");
    s.equal("rename of a directory into a sibling takes one here", links_of(s, "."), here - 1);
    s.equal("rename of a directory into a sibling gives it one", links_of(s, "one"), 4);
    if (::renameat2(AT_FDCWD, "one/two", AT_FDCWD, "one/file", RENAME_EXCHANGE) != 0)
        return s.skip("the file system has no RENAME_EXCHANGE");
    s.equal("exchange within a parent changes none", links_of(s, "one"), 4);
}
