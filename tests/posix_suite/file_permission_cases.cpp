// SPDX-License-Identifier: BSD-2-Clause
// The permission bits of a file: the owner's count for the owner, the group's for its members, the rest for all others.
#include "metadata.hpp"

namespace posix_suite::file_permission_cases {

POSIX_CASE("open by the owner of a file asks the owner's bits") {
    const Unprivileged user;
    put_file("r", 0400);
    put_file("w", 0200);
    put_file("rw", 0600);
    put_file("x", 0100);
    put_file("none", 0000);
    put_file("not_owner", 0077);
    s.passes("0400: open for reading", open_once("r", O_RDONLY));
    s.fails("0400: open for writing", EACCES, open_once("r", O_WRONLY));
    s.fails("0400: open for both", EACCES, open_once("r", O_RDWR));
    s.fails("0200: open for reading", EACCES, open_once("w", O_RDONLY));
    s.passes("0200: open for writing", open_once("w", O_WRONLY));
    s.fails("0200: open for both", EACCES, open_once("w", O_RDWR));
    s.passes("0600: open for reading", open_once("rw", O_RDONLY));
    s.passes("0600: open for writing", open_once("rw", O_WRONLY));
    s.passes("0600: open for both", open_once("rw", O_RDWR));
    s.fails("0100: open for reading", EACCES, open_once("x", O_RDONLY));
    s.fails("0100: open for writing", EACCES, open_once("x", O_WRONLY));
    s.fails("0000: open for reading", EACCES, open_once("none", O_RDONLY));
    s.fails("0000: open for writing", EACCES, open_once("none", O_WRONLY));
    s.fails("0000: open for both", EACCES, open_once("none", O_RDWR));
    s.fails("0077: open for reading", EACCES, open_once("not_owner", O_RDONLY));
    s.fails("0077: open for writing", EACCES, open_once("not_owner", O_WRONLY));
    s.fails("0077: open for both", EACCES, open_once("not_owner", O_RDWR));
}

POSIX_CASE("open by a member of the file's group asks the group's bits") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("r", kOtherUser, kGroup, 0040);
    put_file_of("w", kOtherUser, kGroup, 0020);
    put_file_of("rw", kOtherUser, kGroup, 0060);
    put_file_of("not_group", kOtherUser, kGroup, 0707);
    const As user(kUser, kGroup);
    s.passes("0040: open for reading", open_once("r", O_RDONLY));
    s.fails("0040: open for writing", EACCES, open_once("r", O_WRONLY));
    s.fails("0040: open for both", EACCES, open_once("r", O_RDWR));
    s.fails("0020: open for reading", EACCES, open_once("w", O_RDONLY));
    s.passes("0020: open for writing", open_once("w", O_WRONLY));
    s.fails("0020: open for both", EACCES, open_once("w", O_RDWR));
    s.passes("0060: open for reading", open_once("rw", O_RDONLY));
    s.passes("0060: open for writing", open_once("rw", O_WRONLY));
    s.passes("0060: open for both", open_once("rw", O_RDWR));
    s.fails("0707: open for reading", EACCES, open_once("not_group", O_RDONLY));
    s.fails("0707: open for writing", EACCES, open_once("not_group", O_WRONLY));
    s.fails("0707: open for both", EACCES, open_once("not_group", O_RDWR));
}

POSIX_CASE("open by somebody with the file's group as a supplementary one asks the group's bits") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("r", kOtherUser, kGroup, 0040);
    put_file_of("w", kOtherUser, kGroup, 0020);
    put_file_of("rw", kOtherUser, kGroup, 0060);
    put_file_of("not_group", kOtherUser, kGroup, 0707);
    const As user(kUser, kOtherGroup, {kOtherGroup - 1, kGroup});
    s.passes("0040: open for reading", open_once("r", O_RDONLY));
    s.fails("0040: open for writing", EACCES, open_once("r", O_WRONLY));
    s.fails("0040: open for both", EACCES, open_once("r", O_RDWR));
    s.fails("0020: open for reading", EACCES, open_once("w", O_RDONLY));
    s.passes("0020: open for writing", open_once("w", O_WRONLY));
    s.fails("0020: open for both", EACCES, open_once("w", O_RDWR));
    s.passes("0060: open for both", open_once("rw", O_RDWR));
    s.fails("0707: open for reading", EACCES, open_once("not_group", O_RDONLY));
    s.fails("0707: open for writing", EACCES, open_once("not_group", O_WRONLY));
}

POSIX_CASE("open by others asks the bits of others") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("r", kOtherUser, kOtherGroup, 0004);
    put_file_of("w", kOtherUser, kOtherGroup, 0002);
    put_file_of("rw", kOtherUser, kOtherGroup, 0006);
    put_file_of("not_others", kOtherUser, kOtherGroup, 0770);
    const As user(kUser, kGroup);
    s.passes("0004: open for reading", open_once("r", O_RDONLY));
    s.fails("0004: open for writing", EACCES, open_once("r", O_WRONLY));
    s.fails("0004: open for both", EACCES, open_once("r", O_RDWR));
    s.fails("0002: open for reading", EACCES, open_once("w", O_RDONLY));
    s.passes("0002: open for writing", open_once("w", O_WRONLY));
    s.fails("0002: open for both", EACCES, open_once("w", O_RDWR));
    s.passes("0006: open for both", open_once("rw", O_RDWR));
    s.fails("0770: open for reading", EACCES, open_once("not_others", O_RDONLY));
    s.fails("0770: open for writing", EACCES, open_once("not_others", O_WRONLY));
    s.fails("0770: open for both", EACCES, open_once("not_others", O_RDWR));
}

POSIX_CASE("the owner who is in the group has no more than the owner's bits") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("group", kUser, kGroup, 0060);
    put_file_of("group_of_others", kOtherUser, kGroup, 0006);
    const As user(kUser, kGroup, {kGroup});
    s.fails("0060: open for reading", EACCES, open_once("group", O_RDONLY));
    s.fails("0060: open for writing", EACCES, open_once("group", O_WRONLY));
    s.fails("0006: a member of the group opens for reading", EACCES, open_once("group_of_others", O_RDONLY));
    s.fails("0006: a member of the group opens for writing", EACCES, open_once("group_of_others", O_WRONLY));
}

POSIX_CASE("open asks for permission with every flag") {
    const Unprivileged user;
    put_file("r", 0400);
    put_file("w", 0200);
    put_file("none", 0000);
    s.fails("O_TRUNC with O_WRONLY and no write permission", EACCES, open_once("r", O_WRONLY | O_TRUNC));
    s.fails("O_TRUNC with O_RDONLY and no write permission", EACCES, open_once("r", O_RDONLY | O_TRUNC));
    s.equal("the refused O_TRUNC left the file alone", found_at("r").st_size, 7);
    s.fails("O_APPEND without write permission", EACCES, open_once("r", O_WRONLY | O_APPEND));
    s.passes("O_APPEND with O_RDONLY needs no write permission", open_once("r", O_RDONLY | O_APPEND));
    s.passes("O_CREAT of a file that may be read", open_once("r", O_RDONLY | O_CREAT));
    s.fails("O_CREAT of a file that may not be written", EACCES, open_once("r", O_WRONLY | O_CREAT, 0666));
    s.fails("O_CREAT and O_EXCL of a file of mode 0", EEXIST, open_once("none", O_RDWR | O_CREAT | O_EXCL));
    s.passes("O_PATH of a file of mode 0", open_once("none", O_PATH));
    s.fails("O_DIRECTORY of a file of mode 0", ENOTDIR, open_once("none", O_RDONLY | O_DIRECTORY));
    s.passes("O_CREAT of a new file of mode 0 for writing", open_once("new", O_RDWR | O_CREAT, 0));
    s.fails("open again of that file", EACCES, open_once("new", O_RDWR));
    Suite::need(::symlink("none", "link") == 0, "symlink");
    s.fails("open through a symlink to a file of mode 0", EACCES, open_once("link", O_RDONLY));
}

POSIX_CASE("permission is asked when a file is opened, not when it is used") {
    const Unprivileged user;
    put_file("file", 0600);
    const int fd = prepared(::open("file", O_RDWR));
    set_mode("file", 0);
    char byte = 0;
    s.equal("read after the mode went to 0", ::read(fd, &byte, 1), 1);
    s.equal("write after the mode went to 0", ::write(fd, "x", 1), 1);
    s.passes("ftruncate after the mode went to 0", ::ftruncate(fd, 3));
    s.passes("fchmod after the mode went to 0", ::fchmod(fd, 0));
    s.passes("futimens after the mode went to 0", ::futimens(fd, nullptr));
    s.passes("fsync after the mode went to 0", ::fsync(fd));
    set_mode("file", 0400);
    const int only_read = prepared(::open("file", O_RDONLY));
    set_mode("file", 0600);
    s.fails("write to a descriptor opened for reading, though the mode allows it", EBADF, ::write(only_read, "x", 1));
    ::close(only_read);
    ::close(fd);
}

POSIX_CASE("truncate asks for write permission and nothing else") {
    const Unprivileged user;
    put_file("r", 0500);
    put_file("w", 0200);
    put_file("none", 0000);
    s.fails("truncate of a file that may be read", EACCES, ::truncate("r", 0));
    s.equal("its size is as it was", found_at("r").st_size, 7);
    s.passes("truncate of a file that may be written", ::truncate("w", 2));
    s.equal("its size is the new one", found_at("w").st_size, 2);
    s.fails("truncate of a file of mode 0", EACCES, ::truncate("none", 0));
    s.fails("truncate to the size it has without permission", EACCES, ::truncate("none", 7));
}

POSIX_CASE("execve asks for execute permission") {
    const Unprivileged user;
    put_file("rw", 0666, "#!/bin/false\n");
    put_file("not_owner", 0677, "#!/bin/false\n");
    put_directory("directory", 0777);
    char name[] = "program";
    char* const arguments[] = {name, nullptr};
    char* const environment[] = {nullptr};
    s.fails("execve of a file nobody may execute", EACCES, ::execve("rw", arguments, environment));
    s.fails("execve by the owner of what only others may execute", EACCES,
            ::execve("not_owner", arguments, environment));
    s.fails("execve of a directory", EACCES, ::execve("directory", arguments, environment));
}

POSIX_CASE("a fifo has the permissions of a file") {
    const Unprivileged user;
    Suite::need(::mkfifo("fifo", 0600) == 0, "mkfifo");
    set_mode("fifo", 0400);
    s.passes("0400: open for reading", open_once("fifo", O_RDONLY | O_NONBLOCK));
    s.fails("0400: open for writing", EACCES, open_once("fifo", O_WRONLY | O_NONBLOCK));
    set_mode("fifo", 0200);
    s.fails("0200: open for reading", EACCES, open_once("fifo", O_RDONLY | O_NONBLOCK));
    s.fails("0200: open for writing without a reader", ENXIO, open_once("fifo", O_WRONLY | O_NONBLOCK));
}

POSIX_CASE("a symlink has no permissions of its own") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("file", kUser, kGroup, 0600);
    Suite::need(::symlink("file", "link") == 0, "symlink");
    Suite::need(::lchown("link", kOtherUser, kOtherGroup) == 0, "lchown");
    char target[8];
    {
        const As user(kUser, kGroup);
        s.passes("the owner of the file opens it through a link of somebody else", open_once("link", O_RDWR));
        s.equal("readlink by somebody else", ::readlink("link", target, sizeof target), 4);
    }
    const As other(kOtherUser, kOtherGroup);
    s.fails("the owner of the link opens a file of somebody else", EACCES, open_once("link", O_RDONLY));
    s.passes("the owner of the link reads it", ::readlink("link", target, sizeof target));
}

POSIX_CASE("O_NOATIME is for the owner") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("mine", kUser, kGroup, 0666);
    put_file_of("theirs", kOtherUser, kGroup, 0666);
    {
        const As user(kUser, kGroup);
        s.passes("open with O_NOATIME by the owner", open_once("mine", O_RDONLY | O_NOATIME));
        s.fails("open with O_NOATIME by a member of the group", EPERM, open_once("theirs", O_RDONLY | O_NOATIME));
        s.fails("open with O_NOATIME for writing by another", EPERM, open_once("theirs", O_RDWR | O_NOATIME));
        const int mine = prepared(::open("mine", O_RDONLY));
        const int theirs = prepared(::open("theirs", O_RDONLY));
        s.passes("F_SETFL of O_NOATIME by the owner", ::fcntl(mine, F_SETFL, O_NOATIME));
        s.fails("F_SETFL of O_NOATIME by another", EPERM, ::fcntl(theirs, F_SETFL, O_NOATIME));
        ::close(mine);
        ::close(theirs);
    }
    s.passes("open with O_NOATIME by root", open_once("theirs", O_RDONLY | O_NOATIME));
}

POSIX_CASE("root opens files of mode 0, and executes none") {
    if (!Suite::is_root()) return s.skip("only root may do more than the mode says");
    put_file_of("none", kUser, kGroup, 0000);
    put_file_of("x", kUser, kGroup, 0001);
    char name[] = "program";
    char* const arguments[] = {name, nullptr};
    char* const environment[] = {nullptr};
    s.passes("open for reading", open_once("none", O_RDONLY));
    s.passes("open for writing", open_once("none", O_WRONLY));
    s.passes("open for both", open_once("none", O_RDWR));
    s.passes("open with O_TRUNC", open_once("none", O_WRONLY | O_TRUNC));
    s.passes("truncate", ::truncate("none", 5));
    s.passes("access for reading and writing", ::access("none", R_OK | W_OK));
    s.fails("access for execution", EACCES, ::access("none", X_OK));
    s.fails("access for all three", EACCES, ::access("none", R_OK | W_OK | X_OK));
    s.passes("access for execution of what others may execute", ::access("x", X_OK));
    s.fails("execve of a file of mode 0", EACCES, ::execve("none", arguments, environment));
    put_directory_of("directory", kUser, kGroup, 0000);
    s.passes("access for search of a directory of mode 0", ::access("directory", X_OK));
    s.passes("mkdir in a directory of mode 0", ::mkdir("directory/new", 0755));
    s.equal("readdir of a directory of mode 0", s.names("directory").size(), 1);
    s.passes("rmdir in a directory of mode 0", ::rmdir("directory/new"));
    s.passes("chdir into a directory of mode 0", ::chdir("directory"));
}

} // namespace posix_suite::file_permission_cases
