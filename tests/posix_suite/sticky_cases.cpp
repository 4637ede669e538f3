// SPDX-License-Identifier: BSD-2-Clause
// From a directory with the sticky bit, a name is taken by the owner of the file, by the owner of the directory, and by root.
// POSIX lets a refusal be EPERM or EACCES.
#include "metadata.hpp"

#include <cstdio>

namespace posix_suite::sticky_cases {

namespace {

constexpr std::initializer_list<int> kRefused = {EPERM, EACCES};
constexpr uid_t kThirdUser = kOtherUser - 1;
constexpr gid_t kThirdGroup = kOtherGroup - 1;

// The directory belongs to kOtherUser; what is in it, to kUser.
void put_sticky(const char* name, mode_t mode = 01777) {
    put_directory(name, 0700);
    const std::string in = std::string(name) + "/";
    for (const char* each : {"a", "b", "c"}) put_file_of((in + each).c_str(), kUser, kGroup, 0666);
    for (const char* each : {"da", "db"}) put_directory_of((in + each).c_str(), kUser, kGroup, 0777);
    Suite::need(::symlink("a", (in + "link").c_str()) == 0, "symlink");
    Suite::need(::lchown((in + "link").c_str(), kUser, kGroup) == 0, "lchown");
    give(name, kOtherUser, kOtherGroup, mode);
}

} // namespace

POSIX_CASE("the owner of a file takes it from a sticky directory of another") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_sticky("d");
    const As user(kUser, kGroup);
    s.passes("unlink of a file", ::unlink("d/a"));
    s.passes("unlink of a symlink", ::unlink("d/link"));
    s.passes("rename within the directory", ::rename("d/b", "d/new"));
    s.passes("rename out of the directory", ::rename("d/new", "moved"));
    s.passes("rename into the directory", ::rename("moved", "d/back"));
    s.passes("rename onto a file of one's own", ::rename("d/back", "d/c"));
    s.passes("rmdir", ::rmdir("d/da"));
    s.passes("rename of a directory", ::rename("d/db", "d/dc"));
    s.equal("what is left", s.names("d"), std::vector<std::string>{"c", "dc"});
}

POSIX_CASE("the owner of a sticky directory takes files of others from it") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_sticky("d");
    const As user(kOtherUser, kOtherGroup);
    s.passes("unlink of a file", ::unlink("d/a"));
    s.passes("unlink of a symlink", ::unlink("d/link"));
    s.passes("rename within the directory", ::rename("d/b", "d/new"));
    s.passes("rename onto a file of another", ::rename("d/new", "d/c"));
    s.passes("rename out of the directory", ::rename("d/c", "moved"));
    s.passes("rmdir", ::rmdir("d/da"));
    s.passes("rename of a directory", ::rename("d/db", "d/dc"));
}

POSIX_CASE("nobody else takes files from a sticky directory") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_sticky("d");
    const As user(kThirdUser, kThirdGroup);
    put_file("mine", 0600);
    put_directory("my_directory", 0700);
    put_file("d/mine", 0600);
    put_directory("d/my_directory", 0700);
    s.fails("unlink of a file", kRefused, ::unlink("d/a"));
    s.fails("unlink of a symlink", kRefused, ::unlink("d/link"));
    s.fails("unlink of a name that is not there", ENOENT, ::unlink("d/absent"));
    s.fails("rename within the directory", kRefused, ::rename("d/a", "d/new"));
    s.fails("rename out of the directory", kRefused, ::rename("d/a", "moved"));
    s.fails("rename of one's own file within onto a file of another", kRefused, ::rename("d/mine", "d/a"));
    s.fails("rename of one's own file from outside onto a file of another", kRefused, ::rename("mine", "d/a"));
    s.fails("rename of a file of another onto one's own", kRefused, ::rename("d/a", "d/mine"));
    s.fails("rmdir", kRefused, ::rmdir("d/da"));
    s.fails("rename of a directory", kRefused, ::rename("d/da", "d/dc"));
    s.fails("rename of a directory out", kRefused, ::rename("d/da", "dc"));
    s.fails("rename of one's own directory onto one of another", kRefused, ::rename("my_directory", "d/da"));
    s.passes("write to a file of another that may be written", ::truncate("d/a", 0));
    s.passes("link of a file of another that may be read and written", ::link("d/a", "d/linked"));
    s.fails("unlink of that link", kRefused, ::unlink("d/linked"));
    s.passes("symlink", ::symlink("a", "d/my_link"));
    s.passes("unlink of one's own symlink to a file of another", ::unlink("d/my_link"));
    s.passes("rename of one's own file into the directory", ::rename("mine", "d/new"));
    s.passes("rename of one's own file onto one's own", ::rename("d/new", "d/mine"));
    s.passes("unlink of one's own file", ::unlink("d/mine"));
    s.passes("rmdir of one's own directory", ::rmdir("d/my_directory"));
    s.passes("mkdir in a directory of another in it", ::mkdir("d/db/new", 0755));
    s.passes("rmdir in a directory of another in it that is not sticky", ::rmdir("d/db/new"));
}

POSIX_CASE("renameat2 asks a sticky directory about both names") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_sticky("d");
    const As user(kThirdUser, kThirdGroup);
    put_file("d/mine", 0600);
    put_file("d/mine_too", 0600);
    const long exchanged = ::renameat2(AT_FDCWD, "d/mine", AT_FDCWD, "d/mine_too", RENAME_EXCHANGE);
    if (exchanged != 0 && errno == EINVAL) return s.skip("RENAME_EXCHANGE is not there");
    s.passes("RENAME_EXCHANGE of two files of one's own", exchanged);
    s.fails("RENAME_EXCHANGE with a file of another behind", kRefused,
            ::renameat2(AT_FDCWD, "d/mine", AT_FDCWD, "d/a", RENAME_EXCHANGE));
    s.fails("RENAME_EXCHANGE with a file of another in front", kRefused,
            ::renameat2(AT_FDCWD, "d/a", AT_FDCWD, "d/mine", RENAME_EXCHANGE));
    s.fails("RENAME_NOREPLACE of a file of another", kRefused,
            ::renameat2(AT_FDCWD, "d/a", AT_FDCWD, "d/new", RENAME_NOREPLACE));
    s.passes("RENAME_NOREPLACE of a file of one's own",
             ::renameat2(AT_FDCWD, "d/mine", AT_FDCWD, "d/new", RENAME_NOREPLACE));
}

POSIX_CASE("the sticky bit gives nobody a permission") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_sticky("group", 01770);
    put_sticky("closed", 01555);
    {
        const As member(kThirdUser, kOtherGroup);
        s.passes("1770: a member of the group makes a file", open_once("group/new", O_WRONLY | O_CREAT));
        s.passes("1770: a member of the group unlinks it", ::unlink("group/new"));
        s.fails("1770: a member of the group unlinks a file of another", kRefused, ::unlink("group/a"));
    }
    {
        const As user(kUser, kGroup);
        s.fails("1770: the owner of a file who may not search unlinks it", EACCES, ::unlink("group/a"));
        s.fails("1555: the owner of a file unlinks it", EACCES, ::unlink("closed/a"));
    }
    {
        const As owner(kOtherUser, kOtherGroup);
        s.fails("1555: the owner of the directory unlinks", EACCES, ::unlink("closed/a"));
    }
    s.passes("1555: root unlinks", ::unlink("closed/a"));
    s.passes("1555: root renames", ::rename("closed/b", "closed/c"));
    s.passes("1555: root removes a directory", ::rmdir("closed/da"));
    put_sticky("open", 0777);
    const As user(kThirdUser, kThirdGroup);
    s.passes("0777: anybody unlinks", ::unlink("open/a"));
    s.passes("0777: anybody renames", ::rename("open/b", "open/c"));
    s.passes("0777: anybody removes an empty directory", ::rmdir("open/da"));
}

POSIX_CASE("a sticky directory of one's own") {
    const Unprivileged user;
    put_directory("d", 0755);
    s.passes("chmod sets the sticky bit", ::chmod("d", 01777));
    s.equal("the mode has the sticky bit", mode_of("d"), 01777);
    put_file("d/file", 0600);
    s.passes("rename in it", ::rename("d/file", "d/new"));
    s.passes("unlink in it", ::unlink("d/new"));
    s.passes("mkdir in it", ::mkdir("d/directory", 0755));
    s.equal("a directory in it does not inherit the bit", mode_of("d/directory"), 0755);
    s.passes("rmdir in it", ::rmdir("d/directory"));
    s.passes("chmod clears the sticky bit", ::chmod("d", 0755));
    s.equal("the mode has no sticky bit", mode_of("d"), 0755);
}

} // namespace posix_suite::sticky_cases
