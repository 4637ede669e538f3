// SPDX-License-Identifier: BSD-2-Clause
// stat(2), lstat(2), fstat(2) and fstatat(2): each field, for each type.
#include "metadata.hpp"

#include <sys/sysmacros.h>

namespace posix_suite::stat_cases {

namespace {

struct stat by_descriptor(int fd) {
    struct stat found{};
    Suite::need(::fstat(fd, &found) == 0, "fstat");
    return found;
}

struct stat followed(const char* name) {
    struct stat found{};
    Suite::need(::stat(name, &found) == 0, name);
    return found;
}

} // namespace

POSIX_CASE("stat of a file tells each field") {
    const Unprivileged user;
    put_file("file", 0640, "0123456789");
    struct stat found{};
    s.passes("stat", ::stat("file", &found));
    s.holds("the type is a file", S_ISREG(found.st_mode));
    s.equal("the mode", found.st_mode & 07777, 0640);
    s.equal("the size", found.st_size, 10);
    s.equal("the links", found.st_nlink, 1);
    s.equal("the owner", found.st_uid, ::geteuid());
    s.equal("the group", found.st_gid, ::getegid());
    s.holds("the number of the inode is not 0", found.st_ino != 0);
    s.equal("the device is that of the directory", found.st_dev, found_at(".").st_dev);
    s.holds("the block size is positive", found.st_blksize > 0);
    s.holds("the blocks are not negative", found.st_blocks >= 0);
    s.holds("the time of access is now", is_now(found.st_atim));
    s.holds("the time of modification is now", is_now(found.st_mtim));
    s.holds("the time of change is now", is_now(found.st_ctim));
    const struct stat linked = found_at("file");
    s.holds("lstat tells the same file", linked.st_ino == found.st_ino && linked.st_dev == found.st_dev);
    const int fd = prepared(::open("file", O_RDWR));
    const struct stat opened = by_descriptor(fd);
    s.holds("fstat tells the same file", opened.st_ino == found.st_ino && opened.st_dev == found.st_dev);
    s.equal("fstat tells the same size", opened.st_size, 10);
    s.equal("fstat tells the same mode", opened.st_mode, found.st_mode);
    Suite::need(::pwrite(fd, "x", 1, 999) == 1, "pwrite");
    s.equal("fstat after a write at 999", by_descriptor(fd).st_size, 1000);
    s.equal("stat after a write at 999", followed("file").st_size, 1000);
    ::close(fd);
}

POSIX_CASE("stat tells each type") {
    put_file("file", 0600);
    put_directory("directory", 0700);
    Suite::need(::symlink("file", "link") == 0 && ::mkfifo("fifo", 0600) == 0, "symlink, mkfifo");
    s.write_file("empty");
    Suite::need(::mknod("socket", S_IFSOCK | 0600, 0) == 0, "mknod");
    s.equal("a file", found_at("file").st_mode & S_IFMT, S_IFREG);
    s.equal("a directory", found_at("directory").st_mode & S_IFMT, S_IFDIR);
    s.equal("a symlink", found_at("link").st_mode & S_IFMT, S_IFLNK);
    s.equal("a fifo", found_at("fifo").st_mode & S_IFMT, S_IFIFO);
    s.equal("a socket", found_at("socket").st_mode & S_IFMT, S_IFSOCK);
    s.equal("an empty file has no size", found_at("empty").st_size, 0);
    s.equal("a fifo has no size", found_at("fifo").st_size, 0);
    s.equal("a socket has no size", found_at("socket").st_size, 0);
    s.holds("a directory has a size that is not negative", found_at("directory").st_size >= 0);
    s.equal("a fifo has one link", found_at("fifo").st_nlink, 1);
    s.equal("a symlink has one link", found_at("link").st_nlink, 1);
    s.holds("a directory has a link", found_at("directory").st_nlink >= 1);
    s.equal("the device number of a file", found_at("file").st_rdev, 0);
    s.equal("dot is the directory", followed("directory/.").st_ino, found_at("directory").st_ino);
    s.equal("dot-dot is the parent", followed("directory/..").st_ino, found_at(".").st_ino);
    s.holds("two files have two numbers", found_at("file").st_ino != found_at("empty").st_ino);
    if (!Suite::is_root()) return s.skip("only root makes devices");
    const dev_t numbers = makedev(1, 3);
    if (::mknod("character", S_IFCHR | 0600, numbers) != 0) return s.skip("devices cannot be made here");
    Suite::need(::mknod("block", S_IFBLK | 0600, makedev(7, 200)) == 0, "mknod");
    s.equal("a character device", found_at("character").st_mode & S_IFMT, S_IFCHR);
    s.equal("a block device", found_at("block").st_mode & S_IFMT, S_IFBLK);
    s.equal("the number of a character device", found_at("character").st_rdev, numbers);
    s.equal("the number of a block device", found_at("block").st_rdev, makedev(7, 200));
    s.equal("a device has no size", found_at("character").st_size, 0);
    Suite::need(::mknod("large", S_IFCHR | 0600, makedev(260, 70000)) == 0, "mknod");
    s.equal("the major number above 255", major(found_at("large").st_rdev), 260);
    s.equal("the minor number above 65535", minor(found_at("large").st_rdev), 70000);
}

POSIX_CASE("stat follows symlinks and lstat does not") {
    put_file("file", 0600, "0123456789");
    put_directory("directory", 0700);
    const std::string far(200, 't');
    Suite::need(::symlink("file", "link") == 0 && ::symlink("link", "twice") == 0, "symlink");
    Suite::need(::symlink("directory", "to_directory") == 0 && ::symlink("absent", "dangling") == 0, "symlink");
    Suite::need(::symlink("loop", "loop") == 0 && ::symlink(far.c_str(), "far") == 0, "symlink");
    struct stat found{};
    s.equal("stat of a symlink tells the file", followed("link").st_ino, found_at("file").st_ino);
    s.equal("stat of a symlink tells the file's size", followed("link").st_size, 10);
    s.equal("stat of a symlink to a symlink", followed("twice").st_ino, found_at("file").st_ino);
    s.holds("lstat tells the symlink", found_at("link").st_ino != found_at("file").st_ino);
    s.equal("the size of a symlink is the length of its target", found_at("link").st_size, 4);
    s.equal("the size of a symlink of 200 bytes", found_at("far").st_size, 200);
    s.equal("the size of a symlink to nothing", found_at("dangling").st_size, 6);
    s.fails("stat of a symlink to nothing", ENOENT, ::stat("dangling", &found));
    s.fails("stat of a symlink to itself", ELOOP, ::stat("loop", &found));
    s.passes("lstat of a symlink to itself", ::lstat("loop", &found));
    s.passes("lstat of a symlink to a directory with a slash behind it", ::lstat("to_directory/", &found));
    s.holds("it tells the directory", S_ISDIR(found.st_mode));
    s.fails("lstat of a symlink to a file with a slash behind it", ENOTDIR, ::lstat("link/", &found));
    s.passes("fstatat without flags", ::fstatat(AT_FDCWD, "link", &found, 0));
    s.holds("it follows", S_ISREG(found.st_mode));
    s.passes("fstatat with AT_SYMLINK_NOFOLLOW", ::fstatat(AT_FDCWD, "link", &found, AT_SYMLINK_NOFOLLOW));
    s.holds("it does not follow", S_ISLNK(found.st_mode));
    const int link = prepared(::open("link", O_PATH | O_NOFOLLOW));
    s.passes("fstatat of an O_PATH descriptor with AT_EMPTY_PATH", ::fstatat(link, "", &found, AT_EMPTY_PATH));
    s.holds("it tells the symlink", S_ISLNK(found.st_mode));
    s.holds("fstat of an O_PATH descriptor tells the symlink", S_ISLNK(by_descriptor(link).st_mode));
    ::close(link);
}

POSIX_CASE("stat counts links") {
    put_file("file", 0600);
    const int fd = prepared(::open("file", O_RDONLY));
    s.equal("one name", by_descriptor(fd).st_nlink, 1);
    Suite::need(::link("file", "second") == 0, "link");
    s.equal("two names, by the first", found_at("file").st_nlink, 2);
    s.equal("two names, by the second", found_at("second").st_nlink, 2);
    s.equal("two names, by the descriptor", by_descriptor(fd).st_nlink, 2);
    s.equal("both names tell one inode", found_at("second").st_ino, found_at("file").st_ino);
    Suite::need(::rename("second", "third") == 0, "rename");
    s.equal("rename leaves two", found_at("third").st_nlink, 2);
    Suite::need(::unlink("file") == 0, "unlink");
    s.equal("unlink leaves one", found_at("third").st_nlink, 1);
    s.write_file("other");
    Suite::need(::rename("other", "third") == 0, "rename");
    s.equal("a rename over the last name leaves none", by_descriptor(fd).st_nlink, 0);
    s.equal("the file is as long as it was", by_descriptor(fd).st_size, 7);
    ::close(fd);
    put_directory("d", 0700);
    const nlink_t empty = found_at("d").st_nlink;
    put_directory("d/in", 0700);
    const nlink_t full = found_at("d").st_nlink;
    s.holds("a directory in it adds a link where directories have two", full == (empty == 2 ? 3 : empty));
    Suite::need(::rmdir("d/in") == 0, "rmdir");
    s.equal("rmdir takes it away", found_at("d").st_nlink, empty);
    const int directory = prepared(::open("d", O_RDONLY | O_DIRECTORY));
    Suite::need(::rmdir("d") == 0, "rmdir");
    s.holds("a directory that was removed has no link to its name", by_descriptor(directory).st_nlink < 2);
    ::close(directory);
}

POSIX_CASE("the blocks of a hole are not counted") {
    constexpr off_t kHole = off_t{64} << 20;
    constexpr blkcnt_t kUnit = 512;
    const int fd = s.make_file("file");
    s.equal("an empty file has no blocks", by_descriptor(fd).st_blocks, 0);
    Suite::need(::ftruncate(fd, kHole) == 0, "ftruncate");
    s.equal("the size of a hole counts", by_descriptor(fd).st_size, kHole);
    s.holds("the blocks of a hole do not", by_descriptor(fd).st_blocks * kUnit < kHole);
    Suite::need(::pwrite(fd, "x", 1, kHole - 1) == 1 && ::fsync(fd) == 0, "pwrite");
    s.holds("a byte at the end has a block", by_descriptor(fd).st_blocks > 0);
    s.holds("the hole before it has none", by_descriptor(fd).st_blocks * kUnit < kHole);
    Suite::need(::ftruncate(fd, 0) == 0, "ftruncate");
    s.equal("ftruncate to nothing gives the blocks back", by_descriptor(fd).st_blocks, 0);
    ::close(fd);
}

POSIX_CASE("stat has the errors of a path") {
    put_file("file", 0600);
    put_directory("d", 0700);
    put_file("d/in", 0600, "four");
    struct stat found{};
    const std::string long_name(256, 'n');
    const std::string longest_name(255, 'n');
    const std::string long_path(5000, '/');
    s.fails("stat of a name that is not there", ENOENT, ::stat("absent", &found));
    s.fails("lstat of a name that is not there", ENOENT, ::lstat("absent", &found));
    s.fails("stat below a name that is not there", ENOENT, ::stat("absent/a", &found));
    s.fails("stat of an empty path", ENOENT, ::stat("", &found));
    s.fails("lstat of an empty path", ENOENT, ::lstat("", &found));
    s.fails("stat below a file", ENOTDIR, ::stat("file/a", &found));
    s.fails("stat of a file's dot", ENOTDIR, ::stat("file/.", &found));
    s.fails("stat of a file's dot-dot", ENOTDIR, ::stat("file/..", &found));
    s.fails("stat of a file with a slash behind it", ENOTDIR, ::stat("file/", &found));
    s.passes("stat of a directory with slashes behind it", ::stat("d//", &found));
    s.fails("stat of a name of 255 bytes that is not there", ENOENT, ::stat(longest_name.c_str(), &found));
    s.fails("stat of a name of 256 bytes", ENAMETOOLONG, ::stat(long_name.c_str(), &found));
    s.fails("stat of a path of 5000 bytes", ENAMETOOLONG, ::stat(long_path.c_str(), &found));
    s.fails("fstat of -1", EBADF, ::fstat(-1, &found));
    s.fails("fstatat with a descriptor that is none", EBADF, ::fstatat(-1, "file", &found, 0));
    s.fails("fstatat with a flag that is none", EINVAL, ::fstatat(AT_FDCWD, "file", &found, 0x40000));
    const int fd = prepared(::open("file", O_RDONLY));
    s.fails("fstatat with a descriptor of a file", ENOTDIR, ::fstatat(fd, "file", &found, 0));
    s.fails("fstatat of an empty path without AT_EMPTY_PATH", ENOENT, ::fstatat(fd, "", &found, 0));
    s.passes("fstatat of an empty path with AT_EMPTY_PATH", ::fstatat(fd, "", &found, AT_EMPTY_PATH));
    s.equal("it tells the file of the descriptor", found.st_size, 7);
    const int d = prepared(::open("d", O_RDONLY | O_DIRECTORY));
    s.passes("fstatat with a descriptor of a directory", ::fstatat(d, "in", &found, 0));
    s.equal("it tells the file in it", found.st_size, 4);
    ::close(d);
    ::close(fd);
    s.fails("fstat of a closed descriptor", EBADF, ::fstat(fd, &found));
}

} // namespace posix_suite::stat_cases
