// SPDX-License-Identifier: BSD-2-Clause
// statx(2), statvfs(3) and fstatvfs(3).
#include "metadata.hpp"

#include <sys/statvfs.h>
#include <sys/sysmacros.h>

namespace posix_suite::statx_cases {

namespace {

bool is_same(const statx_timestamp& one, const timespec& other) {
    return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

} // namespace

POSIX_CASE("statx tells what stat tells") {
    put_file("file", 0640, "0123456789");
    const timespec times[2] = {{1000, 0}, {2000, 0}};
    Suite::need(::utimensat(AT_FDCWD, "file", times, 0) == 0, "utimensat");
    struct statx found{};
    s.passes("statx", ::statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &found));
    const struct stat plain = found_at("file");
    s.equal("all of the basic fields are there", found.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    s.equal("stx_mode", found.stx_mode, plain.st_mode);
    s.equal("stx_size", found.stx_size, plain.st_size);
    s.equal("stx_nlink", found.stx_nlink, plain.st_nlink);
    s.equal("stx_uid", found.stx_uid, plain.st_uid);
    s.equal("stx_gid", found.stx_gid, plain.st_gid);
    s.equal("stx_ino", found.stx_ino, plain.st_ino);
    s.equal("stx_blocks", found.stx_blocks, plain.st_blocks);
    s.equal("stx_blksize", found.stx_blksize, plain.st_blksize);
    s.equal("stx_dev_major", found.stx_dev_major, major(plain.st_dev));
    s.equal("stx_dev_minor", found.stx_dev_minor, minor(plain.st_dev));
    s.holds("stx_atime", is_same(found.stx_atime, plain.st_atim));
    s.holds("stx_mtime", is_same(found.stx_mtime, plain.st_mtim));
    s.holds("stx_ctime", is_same(found.stx_ctime, plain.st_ctim));
    s.equal("no attribute is told that is not in stx_attributes_mask",
            found.stx_attributes & ~found.stx_attributes_mask, 0);
}

POSIX_CASE("statx tells when a file was born, if anybody knows") {
    put_file("file", 0600);
    struct statx first{};
    struct statx later{};
    Suite::need(::statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS | STATX_BTIME, &first) == 0, "statx");
    if ((first.stx_mask & STATX_BTIME) == 0) return s.skip("no time of birth is known");
    const timespec times[2] = {{1000, 0}, {2000, 0}};
    Suite::need(::utimensat(AT_FDCWD, "file", times, 0) == 0 && ::truncate("file", 3) == 0, "utimensat");
    Suite::need(::chmod("file", 0644) == 0 && ::rename("file", "renamed") == 0, "chmod, rename");
    s.passes("statx", ::statx(AT_FDCWD, "renamed", 0, STATX_BASIC_STATS | STATX_BTIME, &later));
    s.equal("the birth's second is as it was", later.stx_btime.tv_sec, first.stx_btime.tv_sec);
    s.equal("the birth's nanosecond is as it was", later.stx_btime.tv_nsec, first.stx_btime.tv_nsec);
    s.holds("it was no earlier than 2001", first.stx_btime.tv_sec > 1'000'000'000);
    s.holds("it was not after the last change", first.stx_btime.tv_sec <= later.stx_ctime.tv_sec);
}

POSIX_CASE("statx has flags and errors") {
    put_file("file", 0600);
    Suite::need(::symlink("file", "link") == 0 && ::symlink("loop", "loop") == 0, "symlink");
    struct statx found{};
    const std::string long_name(256, 'n');
    s.passes("with a mask of 0", ::statx(AT_FDCWD, "file", 0, 0, &found));
    s.passes("with a mask of the type alone", ::statx(AT_FDCWD, "file", 0, STATX_TYPE, &found));
    s.equal("the type is told", found.stx_mode & S_IFMT, S_IFREG);
    s.passes("with AT_STATX_FORCE_SYNC", ::statx(AT_FDCWD, "file", AT_STATX_FORCE_SYNC, STATX_SIZE, &found));
    s.equal("the size is told", found.stx_size, 7);
    s.passes("with AT_STATX_DONT_SYNC", ::statx(AT_FDCWD, "file", AT_STATX_DONT_SYNC, STATX_SIZE, &found));
    s.fails("with both", EINVAL,
            ::statx(AT_FDCWD, "file", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_SIZE, &found));
    s.fails("with a flag that is none", EINVAL, ::statx(AT_FDCWD, "file", 0x40000, STATX_SIZE, &found));
    s.fails("with the reserved bit of the mask", EINVAL, ::statx(AT_FDCWD, "file", 0, 0x80000000U, &found));
    s.passes("of a symlink", ::statx(AT_FDCWD, "link", 0, STATX_TYPE, &found));
    s.equal("it follows", found.stx_mode & S_IFMT, S_IFREG);
    s.passes("with AT_SYMLINK_NOFOLLOW", ::statx(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &found));
    s.equal("it does not follow", found.stx_mode & S_IFMT, S_IFLNK);
    s.fails("of a name that is not there", ENOENT, ::statx(AT_FDCWD, "absent", 0, STATX_TYPE, &found));
    s.fails("of an empty path", ENOENT, ::statx(AT_FDCWD, "", 0, STATX_TYPE, &found));
    s.fails("below a file", ENOTDIR, ::statx(AT_FDCWD, "file/a", 0, STATX_TYPE, &found));
    s.fails("of a symlink to itself", ELOOP, ::statx(AT_FDCWD, "loop", 0, STATX_TYPE, &found));
    s.fails("of a name of 256 bytes", ENAMETOOLONG, ::statx(AT_FDCWD, long_name.c_str(), 0, STATX_TYPE, &found));
    s.fails("with a descriptor that is none", EBADF, ::statx(-1, "file", 0, STATX_TYPE, &found));
    const int fd = prepared(::open("file", O_RDWR));
    s.passes("of a descriptor with AT_EMPTY_PATH", ::statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &found));
    s.equal("it tells the size of that file", found.stx_size, 7);
    Suite::need(::unlink("file") == 0, "unlink");
    s.passes("of a file without a name", ::statx(fd, "", AT_EMPTY_PATH, STATX_NLINK, &found));
    s.equal("it has no link", found.stx_nlink, 0);
    ::close(fd);
}

POSIX_CASE("statvfs tells about the file system") {
    put_file("file", 0600);
    Suite::need(::symlink("file", "link") == 0 && ::symlink("loop", "loop") == 0, "symlink");
    struct statvfs found{};
    struct statvfs same{};
    const std::string long_name(256, 'n');
    s.passes("statvfs", ::statvfs("file", &found));
    s.holds("f_bsize is positive", found.f_bsize > 0);
    s.holds("f_frsize is positive", found.f_frsize > 0);
    s.holds("f_bfree is at most f_blocks", found.f_bfree <= found.f_blocks);
    s.holds("f_bavail is at most f_bfree", found.f_bavail <= found.f_bfree);
    s.holds("f_ffree is at most f_files", found.f_ffree <= found.f_files);
    s.holds("f_favail is at most f_ffree", found.f_favail <= found.f_ffree);
    s.holds("f_namemax is no less than POSIX asks", found.f_namemax >= 14);
    s.equal("ST_RDONLY is not set where files are made", found.f_flag & ST_RDONLY, 0);
    s.equal("pathconf of _PC_NAME_MAX tells f_namemax", ::pathconf("file", _PC_NAME_MAX), found.f_namemax);
    const std::string longest(found.f_namemax, 'n');
    s.passes("a name of f_namemax bytes", open_once(longest.c_str(), O_RDWR | O_CREAT));
    s.fails("a name of one more", ENAMETOOLONG, open_once((longest + "n").c_str(), O_RDWR | O_CREAT));
    const int fd = prepared(::open("file", O_RDONLY));
    s.passes("fstatvfs", ::fstatvfs(fd, &same));
    s.equal("fstatvfs tells the same f_bsize", same.f_bsize, found.f_bsize);
    s.equal("fstatvfs tells the same f_frsize", same.f_frsize, found.f_frsize);
    s.equal("fstatvfs tells the same f_blocks", same.f_blocks, found.f_blocks);
    s.equal("fstatvfs tells the same f_namemax", same.f_namemax, found.f_namemax);
    s.equal("fstatvfs tells the same f_flag", same.f_flag, found.f_flag);
    s.passes("statvfs of the directory", ::statvfs(".", &same));
    s.equal("the directory is in the same file system", same.f_fsid, found.f_fsid);
    s.passes("statvfs of a symlink", ::statvfs("link", &same));
    s.fails("statvfs of a name that is not there", ENOENT, ::statvfs("absent", &same));
    s.fails("statvfs of an empty path", ENOENT, ::statvfs("", &same));
    s.fails("statvfs below a file", ENOTDIR, ::statvfs("file/a", &same));
    s.fails("statvfs of a symlink to itself", ELOOP, ::statvfs("loop", &same));
    s.fails("statvfs of a name of 256 bytes", ENAMETOOLONG, ::statvfs(long_name.c_str(), &same));
    s.fails("fstatvfs of -1", EBADF, ::fstatvfs(-1, &same));
    ::close(fd);
}

} // namespace posix_suite::statx_cases
