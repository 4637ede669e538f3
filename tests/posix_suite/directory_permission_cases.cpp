// SPDX-License-Identifier: BSD-2-Clause
// Search, write and read permission of directories, asked of each call that takes a path.
#include "metadata.hpp"

#include <dirent.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

namespace posix_suite::directory_permission_cases {

namespace {

long list_directory(const char* name) {
    DIR* const directory = ::opendir(name);
    return directory == nullptr ? -1 : ::closedir(directory);
}

// A directory with a file, an empty directory, and a link in it.
void put_full_directory(const char* name, mode_t mode) {
    put_directory(name, 0700);
    const std::string in = std::string(name) + "/";
    put_file((in + "file").c_str(), 0600);
    put_directory((in + "directory").c_str(), 0700);
    Suite::need(::symlink("file", (in + "link").c_str()) == 0, "symlink");
    set_mode(name, mode);
}

} // namespace

POSIX_CASE("no call goes through a directory without search permission") {
    const Unprivileged user;
    put_full_directory("d", 0600);
    put_file("file", 0600);
    put_directory("directory", 0700);
    struct stat found{};
    struct statvfs space{};
    char bytes[64];
    s.fails("open for reading", EACCES, open_once("d/file", O_RDONLY));
    s.fails("open for writing", EACCES, open_once("d/file", O_WRONLY));
    s.fails("open with O_PATH", EACCES, open_once("d/file", O_PATH));
    s.fails("open with O_CREAT of a new name", EACCES, open_once("d/new", O_RDWR | O_CREAT));
    s.fails("open with O_CREAT and O_EXCL of a name that is there", EACCES,
            open_once("d/file", O_RDWR | O_CREAT | O_EXCL));
    s.fails("open of a name that is not there", EACCES, open_once("d/absent", O_RDONLY));
    s.fails("stat", EACCES, ::stat("d/file", &found));
    s.fails("lstat", EACCES, ::lstat("d/link", &found));
    s.fails("lstat of a name that is not there", EACCES, ::lstat("d/absent", &found));
    s.fails("stat of its dot", EACCES, ::stat("d/.", &found));
    s.fails("stat of its dot-dot", EACCES, ::stat("d/..", &found));
    s.passes("stat of the directory itself", ::stat("d", &found));
    s.fails("access with F_OK", EACCES, ::faccessat(AT_FDCWD, "d/file", F_OK, AT_EACCESS));
    s.fails("chmod", EACCES, ::chmod("d/file", 0644));
    s.fails("chown", EACCES, ::chown("d/file", kSameUser, kSameGroup));
    s.fails("lchown", EACCES, ::lchown("d/link", kSameUser, kSameGroup));
    s.fails("truncate", EACCES, ::truncate("d/file", 0));
    s.fails("utimensat", EACCES, ::utimensat(AT_FDCWD, "d/file", nullptr, 0));
    s.fails("link from it", EACCES, ::link("d/file", "new"));
    s.fails("link into it", EACCES, ::link("file", "d/new"));
    s.fails("symlink", EACCES, ::symlink("target", "d/new"));
    s.fails("readlink", EACCES, ::readlink("d/link", bytes, sizeof bytes));
    s.fails("unlink", EACCES, ::unlink("d/file"));
    s.fails("unlink of a name that is not there", EACCES, ::unlink("d/absent"));
    s.fails("rmdir", EACCES, ::rmdir("d/directory"));
    s.fails("mkdir of a new name", EACCES, ::mkdir("d/new", 0755));
    s.fails("mkdir of a name that is there", EACCES, ::mkdir("d/directory", 0755));
    s.fails("mkfifo", EACCES, ::mkfifo("d/new", 0600));
    s.fails("mknod of a file", EACCES, ::mknod("d/new", S_IFREG | 0600, 0));
    s.fails("rename out of it", EACCES, ::rename("d/file", "new"));
    s.fails("rename into it", EACCES, ::rename("file", "d/new"));
    s.fails("rename within it", EACCES, ::rename("d/file", "d/new"));
    s.fails("rename of a directory into it", EACCES, ::rename("directory", "d/new"));
    s.fails("chdir to it", EACCES, ::chdir("d"));
    s.fails("chdir through it", EACCES, ::chdir("d/directory"));
    s.fails("statvfs", EACCES, ::statvfs("d/file", &space));
    s.fails("getxattr", EACCES, ::getxattr("d/file", "user.a", bytes, sizeof bytes));
    s.fails("listxattr", EACCES, ::listxattr("d/file", bytes, sizeof bytes));
    s.fails("setxattr", EACCES, ::setxattr("d/file", "user.a", "v", 1, 0));
    s.fails("removexattr", EACCES, ::removexattr("d/file", "user.a"));
    s.fails("opendir of a directory in it", EACCES, list_directory("d/directory"));
    s.equal("readdir needs no search permission", s.names("d").size(), 3);
    Suite::need(::symlink("d/file", "through") == 0, "symlink");
    s.fails("open through a symlink that leads through it", EACCES, open_once("through", O_RDONLY));
    s.fails("open by a path that comes back out of it", EACCES, open_once("d/../file", O_RDONLY));
    set_mode("d", 0700);
    s.equal("nothing has changed", s.names("d"), std::vector<std::string>{"directory", "file", "link"});
}

POSIX_CASE("no entry of a directory changes without write permission") {
    const Unprivileged user;
    put_full_directory("d", 0500);
    put_file("file", 0600);
    put_directory("directory", 0700);
    s.fails("open with O_CREAT of a new name", EACCES, open_once("d/new", O_RDWR | O_CREAT));
    s.fails("open with O_CREAT and O_EXCL of a new name", EACCES, open_once("d/new", O_RDWR | O_CREAT | O_EXCL));
    s.passes("open with O_CREAT of a name that is there", open_once("d/file", O_RDWR | O_CREAT));
    s.fails("open with O_CREAT and O_EXCL of a name that is there", EEXIST,
            open_once("d/file", O_RDWR | O_CREAT | O_EXCL));
    s.fails("open with O_TMPFILE", {EACCES, EOPNOTSUPP}, open_once("d", O_RDWR | O_TMPFILE));
    s.fails("mkdir of a new name", EACCES, ::mkdir("d/new", 0755));
    s.fails("mkdir of a name that is there", EEXIST, ::mkdir("d/directory", 0755));
    s.fails("rmdir", EACCES, ::rmdir("d/directory"));
    s.fails("rmdir of a name that is not there", ENOENT, ::rmdir("d/absent"));
    s.fails("unlink of a file", EACCES, ::unlink("d/file"));
    s.fails("unlink of a symlink", EACCES, ::unlink("d/link"));
    s.fails("unlink of a name that is not there", ENOENT, ::unlink("d/absent"));
    s.fails("symlink", EACCES, ::symlink("target", "d/new"));
    s.fails("symlink of a name that is there", EEXIST, ::symlink("target", "d/link"));
    s.fails("mkfifo", EACCES, ::mkfifo("d/new", 0600));
    s.fails("mkfifo of a name that is there", EEXIST, ::mkfifo("d/file", 0600));
    s.fails("mknod of a file", EACCES, ::mknod("d/new", S_IFREG | 0600, 0));
    s.fails("mknod of a socket", EACCES, ::mknod("d/new", S_IFSOCK | 0600, 0));
    s.fails("link into it", EACCES, ::link("file", "d/new"));
    s.fails("link onto a name that is there", EEXIST, ::link("file", "d/file"));
    s.passes("link of a file in it to elsewhere", ::link("d/file", "new"));
    s.fails("rename out of it", EACCES, ::rename("d/file", "moved"));
    s.fails("rename into it", EACCES, ::rename("file", "d/new"));
    s.fails("rename into it over a file", EACCES, ::rename("file", "d/file"));
    s.fails("rename within it", EACCES, ::rename("d/file", "d/new"));
    s.fails("rename of a directory out of it", EACCES, ::rename("d/directory", "moved"));
    s.fails("rename of a directory into it", EACCES, ::rename("directory", "d/new"));
    s.fails("rename of a name that is not there", ENOENT, ::rename("d/absent", "moved"));
    s.passes("write to a file in it", open_once("d/file", O_WRONLY | O_TRUNC));
    s.passes("truncate of a file in it", ::truncate("d/file", 3));
    s.passes("chmod of a file in it", ::chmod("d/file", 0640));
    s.passes("utimensat of a file in it", ::utimensat(AT_FDCWD, "d/file", nullptr, 0));
    s.passes("mkdir in a directory in it", ::mkdir("d/directory/new", 0755));
    s.equal("nothing has changed", s.names("d"), std::vector<std::string>{"directory", "file", "link"});
}

POSIX_CASE("nobody lists a directory without read permission") {
    const Unprivileged user;
    put_full_directory("d", 0300);
    struct stat found{};
    s.fails("opendir", EACCES, list_directory("d"));
    s.fails("open for reading", EACCES, open_once("d", O_RDONLY));
    s.fails("open with O_DIRECTORY", EACCES, open_once("d", O_RDONLY | O_DIRECTORY));
    s.passes("open with O_PATH", open_once("d", O_PATH | O_DIRECTORY));
    s.passes("open of a file in it", open_once("d/file", O_RDWR));
    s.passes("stat of a file in it", ::stat("d/file", &found));
    s.passes("open with O_CREAT", open_once("d/new", O_RDWR | O_CREAT));
    s.passes("mkdir", ::mkdir("d/new_directory", 0755));
    s.passes("rename", ::rename("d/new", "d/renamed"));
    s.passes("unlink", ::unlink("d/renamed"));
    s.passes("rmdir", ::rmdir("d/new_directory"));
    s.fails("stat of a name that is not there", ENOENT, ::stat("d/absent", &found));
    s.passes("opendir of a directory in it", list_directory("d/directory"));
    s.passes("chdir", ::chdir("d"));
    s.fails("opendir of the working directory", EACCES, list_directory("."));
}

POSIX_CASE("a directory with write permission but no search permission cannot be changed") {
    const Unprivileged user;
    put_full_directory("d", 0200);
    s.fails("open with O_CREAT", EACCES, open_once("d/new", O_RDWR | O_CREAT));
    s.fails("mkdir", EACCES, ::mkdir("d/new", 0755));
    s.fails("unlink", EACCES, ::unlink("d/file"));
    s.fails("rmdir", EACCES, ::rmdir("d/directory"));
    s.fails("rename", EACCES, ::rename("d/file", "d/new"));
    s.fails("opendir", EACCES, list_directory("d"));
    s.passes("the owner gives it permissions again", ::chmod("d", 0700));
    s.passes("unlink then", ::unlink("d/file"));
}

POSIX_CASE("search permission is asked of an open directory each time it is used") {
    const Unprivileged user;
    put_full_directory("d", 0700);
    const int d = prepared(::open("d", O_RDONLY | O_DIRECTORY));
    set_mode("d", 0);
    struct stat found{};
    char bytes[8];
    s.fails("openat", EACCES, ::openat(d, "file", O_RDONLY));
    s.fails("openat with O_CREAT", EACCES, ::openat(d, "new", O_RDWR | O_CREAT, 0600));
    s.fails("openat of its dot", EACCES, ::openat(d, ".", O_RDONLY));
    s.fails("fstatat", EACCES, ::fstatat(d, "file", &found, 0));
    s.fails("mkdirat", EACCES, ::mkdirat(d, "new", 0755));
    s.fails("unlinkat", EACCES, ::unlinkat(d, "file", 0));
    s.fails("unlinkat with AT_REMOVEDIR", EACCES, ::unlinkat(d, "directory", AT_REMOVEDIR));
    s.fails("renameat", EACCES, ::renameat(d, "file", d, "new"));
    s.fails("linkat", EACCES, ::linkat(d, "file", AT_FDCWD, "new", 0));
    s.fails("symlinkat", EACCES, ::symlinkat("target", d, "new"));
    s.fails("readlinkat", EACCES, ::readlinkat(d, "link", bytes, sizeof bytes));
    s.fails("mkfifoat", EACCES, ::mkfifoat(d, "new", 0600));
    s.fails("fchmodat", EACCES, ::fchmodat(d, "file", 0600, 0));
    s.fails("fchownat", EACCES, ::fchownat(d, "file", kSameUser, kSameGroup, 0));
    s.fails("utimensat", EACCES, ::utimensat(d, "file", nullptr, 0));
    s.fails("faccessat with AT_EACCESS", EACCES, ::faccessat(d, "file", F_OK, AT_EACCESS));
    s.fails("fchdir", EACCES, ::fchdir(d));
    s.passes("fstat", ::fstat(d, &found));
    s.passes("fchmod", ::fchmod(d, 0700));
    s.passes("fstatat when it may be searched again", ::fstatat(d, "file", &found, 0));
    set_mode("d", 0);
    DIR* const directory = ::fdopendir(d);
    Suite::need(directory != nullptr, "fdopendir");
    s.holds("readdir of a directory opened before", ::readdir(directory) != nullptr);
    ::closedir(directory);
}

POSIX_CASE("rename of a directory to another parent writes its dot-dot") {
    const Unprivileged user;
    put_directory("from", 0700);
    put_directory("to", 0700);
    put_directory("from/closed", 0500);
    put_directory("from/open", 0700);
    s.fails("rename of a directory that may not be written", EACCES, ::rename("from/closed", "to/closed"));
    s.passes("rename of it within its parent", ::rename("from/closed", "from/renamed"));
    s.passes("rename of one that may be written", ::rename("from/open", "to/open"));
    set_mode("from", 0500);
    set_mode("to", 0700);
    s.fails("rename from a parent that may not be written", EACCES, ::rename("from/renamed", "to/moved"));
    s.passes("rename within the parent that may be written", ::rename("to/open", "to/renamed"));
    set_mode("from", 0700);
    set_mode("to", 0500);
    put_file("from/file", 0600);
    s.fails("rename to a parent that may not be written", EACCES, ::rename("from/file", "to/file"));
    set_mode("to", 0600);
    s.fails("rename to a parent that may not be searched", EACCES, ::rename("from/file", "to/file"));
}

POSIX_CASE("the bits of a directory count for its owner, its group and others apart") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_directory_of("owner", kUser, kGroup, 0077);
    put_directory_of("group", kOtherUser, kGroup, 0070);
    put_directory_of("not_group", kOtherUser, kGroup, 0707);
    put_directory_of("others", kOtherUser, kOtherGroup, 0007);
    put_directory_of("not_others", kOtherUser, kOtherGroup, 0770);
    {
        const As user(kUser, kGroup);
        s.fails("0077: the owner makes a file", EACCES, open_once("owner/a", O_WRONLY | O_CREAT));
        s.fails("0077: the owner lists", EACCES, list_directory("owner"));
        s.fails("0077: the owner goes in", EACCES, ::chdir("owner"));
        s.passes("0070: a member of the group makes a file", open_once("group/a", O_WRONLY | O_CREAT));
        s.passes("0070: a member of the group lists", list_directory("group"));
        s.passes("0070: a member of the group removes a file", ::unlink("group/a"));
        s.fails("0707: a member of the group makes a file", EACCES, open_once("not_group/a", O_WRONLY | O_CREAT));
        s.fails("0707: a member of the group lists", EACCES, list_directory("not_group"));
        s.passes("0007: others make a file", open_once("others/a", O_WRONLY | O_CREAT));
        s.passes("0007: others list", list_directory("others"));
        s.fails("0770: others make a directory", EACCES, ::mkdir("not_others/a", 0755));
        s.fails("0770: others list", EACCES, list_directory("not_others"));
    }
    {
        const As user(kUser, kOtherGroup - 1, {kGroup});
        s.passes("0070: a supplementary group makes a directory", ::mkdir("group/b", 0755));
        s.passes("0070: a supplementary group lists", list_directory("group"));
        s.fails("0707: a supplementary group makes a directory", EACCES, ::mkdir("not_group/b", 0755));
    }
    const As other(kOtherUser, kOtherGroup);
    s.fails("0070: the owner removes what a member of the group made", EACCES, ::rmdir("group/b"));
    s.passes("0770: the owner makes a directory", ::mkdir("not_others/b", 0755));
    s.fails("0007: the owner removes what others made", EACCES, ::unlink("others/a"));
}

POSIX_CASE("a file's mode has no say in whether its name goes") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_directory_of("d", kUser, kGroup, 0700);
    put_file_of("d/unlinked", kOtherUser, kOtherGroup, 0000);
    put_file_of("d/renamed", kOtherUser, kOtherGroup, 0000);
    put_file_of("d/replaced", kOtherUser, kOtherGroup, 0000);
    put_directory_of("d/directory", kOtherUser, kOtherGroup, 0000);
    const As user(kUser, kGroup);
    s.passes("unlink of a file of another of mode 0", ::unlink("d/unlinked"));
    s.passes("rename of a file of another of mode 0", ::rename("d/renamed", "d/new"));
    s.passes("rename onto a file of another of mode 0", ::rename("d/new", "d/replaced"));
    s.passes("rmdir of a directory of another of mode 0", ::rmdir("d/directory"));
}

} // namespace posix_suite::directory_permission_cases
