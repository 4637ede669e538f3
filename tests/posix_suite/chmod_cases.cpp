// SPDX-License-Identifier: BSD-2-Clause
// chmod(2), fchmod(2) and fchmodat(2): each bit, and who may change them.
#include "metadata.hpp"

#include <ctime>

namespace posix_suite::chmod_cases {

namespace {

// Returns the mode that stat tells after chmod, or more than any mode if chmod failed.
mode_t after_chmod(const char* name, mode_t mode) {
    return ::chmod(name, mode) == 0 ? mode_of(name) : static_cast<mode_t>(0x10000 | errno);
}

mode_t after_fchmod(int fd, mode_t mode) {
    return ::fchmod(fd, mode) == 0 ? mode_of(fd) : static_cast<mode_t>(0x10000 | errno);
}

} // namespace

POSIX_CASE("chmod sets each bit of a file") {
    const Unprivileged user;
    put_file("file", 0600);
    s.equal("0000", after_chmod("file", 0000), 0000);
    s.equal("0001", after_chmod("file", 0001), 0001);
    s.equal("0002", after_chmod("file", 0002), 0002);
    s.equal("0004", after_chmod("file", 0004), 0004);
    s.equal("0010", after_chmod("file", 0010), 0010);
    s.equal("0020", after_chmod("file", 0020), 0020);
    s.equal("0040", after_chmod("file", 0040), 0040);
    s.equal("0100", after_chmod("file", 0100), 0100);
    s.equal("0200", after_chmod("file", 0200), 0200);
    s.equal("0400", after_chmod("file", 0400), 0400);
    s.equal("2010", after_chmod("file", 02010), 02010);
    s.equal("4100", after_chmod("file", 04100), 04100);
    s.equal("0777", after_chmod("file", 0777), 0777);
    s.equal("6777", after_chmod("file", 06777), 06777);
    s.equal("the set-id bits go when they are not given", after_chmod("file", 0755), 0755);
    s.holds("it is a file still", S_ISREG(found_at("file").st_mode));
    s.equal("its size is as it was", found_at("file").st_size, 7);
}

POSIX_CASE("chmod sets each bit of a directory") {
    const Unprivileged user;
    put_directory("d", 0700);
    s.equal("0000", after_chmod("d", 0000), 0000);
    s.equal("0001", after_chmod("d", 0001), 0001);
    s.equal("0002", after_chmod("d", 0002), 0002);
    s.equal("0004", after_chmod("d", 0004), 0004);
    s.equal("0010", after_chmod("d", 0010), 0010);
    s.equal("0020", after_chmod("d", 0020), 0020);
    s.equal("0040", after_chmod("d", 0040), 0040);
    s.equal("0100", after_chmod("d", 0100), 0100);
    s.equal("0200", after_chmod("d", 0200), 0200);
    s.equal("0400", after_chmod("d", 0400), 0400);
    s.equal("1000", after_chmod("d", 01000), 01000);
    s.equal("2000", after_chmod("d", 02000), 02000);
    s.equal("1777", after_chmod("d", 01777), 01777);
    s.equal("3755", after_chmod("d", 03755), 03755);
    s.equal("0755", after_chmod("d", 0755), 0755);
    s.holds("it is a directory still", S_ISDIR(found_at("d").st_mode));
}

POSIX_CASE("fchmod sets the mode by a descriptor") {
    const Unprivileged user;
    put_file("file", 0600);
    put_directory("d", 0700);
    Suite::need(::mkfifo("fifo", 0600) == 0, "mkfifo");
    const int reader = prepared(::open("file", O_RDONLY));
    const int writer = prepared(::open("file", O_WRONLY));
    const int directory = prepared(::open("d", O_RDONLY | O_DIRECTORY));
    const int fifo = prepared(::open("fifo", O_RDONLY | O_NONBLOCK));
    s.equal("fchmod of a descriptor opened for reading", after_fchmod(reader, 0640), 0640);
    s.equal("the other descriptor tells the same mode", mode_of(writer), 0640);
    s.equal("the name tells the same mode", mode_of("file"), 0640);
    s.equal("fchmod of a descriptor opened for writing", after_fchmod(writer, 04711), 04711);
    s.equal("fchmod to 0", after_fchmod(writer, 0), 0);
    s.equal("fchmod of a directory", after_fchmod(directory, 01755), 01755);
    s.equal("fchmod of a fifo", after_fchmod(fifo, 0622), 0622);
    Suite::need(::unlink("file") == 0, "unlink");
    s.equal("fchmod of a file without a name", after_fchmod(writer, 0444), 0444);
    ::close(writer);
    s.fails("fchmod of a closed descriptor", EBADF, ::fchmod(writer, 0600));
    s.fails("fchmod of -1", EBADF, ::fchmod(-1, 0600));
    const int path_only = prepared(::open("d", O_PATH));
    s.fails("fchmod of a descriptor opened with O_PATH", EBADF, ::fchmod(path_only, 0700));
}

POSIX_CASE("chmod changes what a symlink leads to") {
    const Unprivileged user;
    put_file("file", 0600);
    put_directory("d", 0700);
    Suite::need(::symlink("file", "link") == 0 && ::symlink("d", "to_directory") == 0, "symlink");
    Suite::need(::symlink("absent", "dangling") == 0 && ::symlink("loop", "loop") == 0, "symlink");
    const mode_t before = mode_of("link");
    s.passes("chmod of a symlink to a file", ::chmod("link", 0644));
    s.equal("the mode of the file", mode_of("file"), 0644);
    s.equal("the mode of the symlink is as it was", mode_of("link"), before);
    s.passes("chmod of a symlink to a directory", ::chmod("to_directory", 0711));
    s.equal("the mode of the directory", mode_of("d"), 0711);
    s.passes("chmod of a symlink with a slash behind it", ::chmod("to_directory/", 0700));
    s.fails("chmod of a symlink to nothing", ENOENT, ::chmod("dangling", 0600));
    s.fails("chmod of a symlink to itself", ELOOP, ::chmod("loop", 0600));
    s.passes("fchmodat of a symlink without flags", ::fchmodat(AT_FDCWD, "link", 0600, 0));
    s.equal("fchmodat changed the file", mode_of("file"), 0600);
    s.fails("fchmodat of a symlink with AT_SYMLINK_NOFOLLOW", EOPNOTSUPP,
            ::fchmodat(AT_FDCWD, "link", 0777, AT_SYMLINK_NOFOLLOW));
    s.equal("it left the file alone", mode_of("file"), 0600);
}

POSIX_CASE("chmod has the errors of a path") {
    const Unprivileged user;
    put_file("file", 0600);
    put_directory("d", 0700);
    put_file("d/file", 0600);
    const std::string long_name(256, 'n');
    const std::string long_path(5000, '/');
    s.fails("chmod of a name that is not there", ENOENT, ::chmod("absent", 0600));
    s.fails("chmod below a name that is not there", ENOENT, ::chmod("absent/file", 0600));
    s.fails("chmod of an empty path", ENOENT, ::chmod("", 0600));
    s.fails("chmod below a file", ENOTDIR, ::chmod("file/a", 0600));
    s.fails("chmod of a file with a slash behind it", ENOTDIR, ::chmod("file/", 0600));
    s.fails("chmod of a name of 256 bytes", ENAMETOOLONG, ::chmod(long_name.c_str(), 0600));
    s.fails("chmod of a path of 5000 bytes", ENAMETOOLONG, ::chmod(long_path.c_str(), 0600));
    s.fails("fchmodat with a flag that is none", EINVAL, ::fchmodat(AT_FDCWD, "file", 0600, 0x40000));
    s.fails("fchmodat with a descriptor that is none", EBADF, ::fchmodat(-1, "file", 0600, 0));
    const int fd = prepared(::open("file", O_RDONLY));
    s.fails("fchmodat with a descriptor of a file", ENOTDIR, ::fchmodat(fd, "file", 0600, 0));
    const int d = prepared(::open("d", O_RDONLY | O_DIRECTORY));
    s.passes("fchmodat with a descriptor of a directory", ::fchmodat(d, "file", 0640, 0));
    s.equal("it changed the file in that directory", mode_of("d/file"), 0640);
    s.equal("it left the file of that name elsewhere alone", mode_of("file"), 0600);
}

POSIX_CASE("chmod is for the owner and for root") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("file", kUser, kGroup, 0666);
    put_directory_of("d", kUser, kGroup, 0777);
    const int fd = prepared(::open("file", O_RDWR));
    {
        const As member(kOtherUser, kGroup);
        s.fails("chmod by a member of the group", EPERM, ::chmod("file", 0777));
        s.fails("fchmod by a member of the group", EPERM, ::fchmod(fd, 0777));
        s.fails("chmod of a directory by a member of the group", EPERM, ::chmod("d", 0700));
    }
    {
        const As other(kOtherUser, kOtherGroup);
        s.fails("chmod by another", EPERM, ::chmod("file", 0777));
        s.fails("chmod by another to the mode it has", EPERM, ::chmod("file", 0666));
        s.fails("fchmodat by another", EPERM, ::fchmodat(AT_FDCWD, "file", 0777, 0));
        s.fails("fchmod by another who writes", EPERM, ::fchmod(fd, 0777));
        s.fails("chmod of a directory by another", EPERM, ::chmod("d", 0700));
    }
    s.equal("the file's mode is as it was", mode_of("file"), 0666);
    s.equal("the directory's mode is as it was", mode_of("d"), 0777);
    {
        const As owner(kUser, kOtherGroup);
        s.passes("chmod by the owner who is not in the group", ::chmod("file", 0));
        s.passes("chmod by the owner of a file of mode 0", ::chmod("file", 0600));
        s.passes("fchmod by the owner of a descriptor root opened", ::fchmod(fd, 0644));
    }
    s.passes("chmod by root of a file of another", ::chmod("file", 06711));
    s.equal("root sets the set-id bits", mode_of("file"), 06711);
    s.equal("the owner is as it was", found_at("file").st_uid, kUser);
    s.equal("root sets the sticky bit of a file", after_chmod("file", 01600), 01600);
    ::close(fd);
}

POSIX_CASE("chmod by who is not in the file's group sets no set-group-ID bit") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("file", kUser, kOtherGroup, 0644);
    put_directory_of("d", kUser, kOtherGroup, 0755);
    const int fd = prepared(::open("file", O_RDONLY));
    {
        const As user(kUser, kGroup);
        s.equal("chmod of a file to 2755", after_chmod("file", 02755), 0755);
        s.equal("chmod of a file to 6755", after_chmod("file", 06755), 04755);
        s.equal("chmod of a file to 2644", after_chmod("file", 02644), 0644);
        s.equal("fchmod of a file to 2711", after_fchmod(fd, 02711), 0711);
        s.equal("chmod of a directory to 2755", after_chmod("d", 02755), 0755);
    }
    {
        const As user(kUser, kGroup, {kOtherGroup});
        s.equal("chmod of a file by a member of a supplementary group", after_chmod("file", 02755), 02755);
        s.equal("chmod of a directory by a member of a supplementary group", after_chmod("d", 02755), 02755);
    }
    {
        const As user(kUser, kOtherGroup);
        s.equal("chmod of a file by a member of the group", after_chmod("file", 02711), 02711);
    }
    {
        const As user(kUser, kGroup);
        s.equal("chmod of a file that has the bit to what it has", after_chmod("file", 02711), 0711);
    }
    s.equal("chmod of a file by root", after_chmod("file", 02775), 02775);
    s.equal("chmod of a directory by root", after_chmod("d", 02775), 02775);
    ::close(fd);
}

POSIX_CASE("chmod changes nothing of an open file but its mode") {
    const Unprivileged user;
    put_file("file", 0600);
    Suite::need(::link("file", "linked") == 0, "link");
    const timespec past[2] = {{1000, 0}, {2000, 0}};
    Suite::need(::utimensat(AT_FDCWD, "file", past, 0) == 0, "utimensat");
    const struct stat before = found_at("file");
    s.passes("chmod of one name", ::chmod("file", 0400));
    const struct stat after = found_at("linked");
    s.equal("the other name has the mode", after.st_mode & 07777, 0400);
    s.equal("the owner", after.st_uid, before.st_uid);
    s.equal("the group", after.st_gid, before.st_gid);
    s.equal("the size", after.st_size, before.st_size);
    s.equal("the links", after.st_nlink, before.st_nlink);
    s.equal("the time of access", after.st_atim.tv_sec, 1000);
    s.equal("the time of modification", after.st_mtim.tv_sec, 2000);
}

} // namespace posix_suite::chmod_cases
