// SPDX-License-Identifier: BSD-2-Clause
// chown(2), lchown(2), fchown(2) and fchownat(2): what they change, who may, and what becomes of the set-id bits.
#include "metadata.hpp"

#include <utility>

namespace posix_suite::chown_cases {

namespace {

using Owners = std::pair<uid_t, gid_t>;

Owners owners_of(const char* name) {
    const struct stat found = found_at(name);
    return {found.st_uid, found.st_gid};
}

// Returns the mode of a file after chown(2), or more than any mode if it failed.
mode_t mode_after_chown(const char* name, mode_t before, uid_t user, gid_t group) {
    set_mode(name, before);
    return ::chown(name, user, group) == 0 ? mode_of(name) : static_cast<mode_t>(0x10000 | errno);
}

} // namespace

POSIX_CASE("chown by root sets the owner and the group") {
    if (!Suite::is_root()) return s.skip("only root gives files away");
    put_file("file", 0600);
    put_directory("d", 0700);
    s.passes("chown of a file", ::chown("file", kUser, kGroup));
    s.holds("both are as they were given", owners_of("file") == Owners(kUser, kGroup));
    s.passes("chown with -1 as the user", ::chown("file", kSameUser, kOtherGroup));
    s.holds("the group alone has changed", owners_of("file") == Owners(kUser, kOtherGroup));
    s.passes("chown with -1 as the group", ::chown("file", kOtherUser, kSameGroup));
    s.holds("the owner alone has changed", owners_of("file") == Owners(kOtherUser, kOtherGroup));
    s.passes("chown with -1 twice", ::chown("file", kSameUser, kSameGroup));
    s.holds("nothing has changed", owners_of("file") == Owners(kOtherUser, kOtherGroup));
    s.passes("chown back to root", ::chown("file", 0, 0));
    s.holds("root owns the file", owners_of("file") == Owners(0, 0));
    s.passes("chown of a directory", ::chown("d", kUser, kGroup));
    s.holds("both of the directory are as they were given", owners_of("d") == Owners(kUser, kGroup));
    s.passes("chown to large ids", ::chown("file", 0x7ffffffe, 0x7ffffffd));
    s.holds("large ids come back", owners_of("file") == Owners(0x7ffffffe, 0x7ffffffd));
    const int fd = prepared(::open("file", O_RDONLY));
    s.passes("fchown of a descriptor opened for reading", ::fchown(fd, kOtherUser, kGroup));
    s.holds("fchown changed both", owners_of("file") == Owners(kOtherUser, kGroup));
    s.passes("fchownat of an empty path with AT_EMPTY_PATH", ::fchownat(fd, "", kUser, kSameGroup, AT_EMPTY_PATH));
    s.holds("it changed the owner", owners_of("file") == Owners(kUser, kGroup));
    Suite::need(::link("file", "linked") == 0, "link");
    s.passes("chown of another name", ::chown("linked", kOtherUser, kOtherGroup));
    s.holds("it changed the file of both names", owners_of("file") == Owners(kOtherUser, kOtherGroup));
    Suite::need(::unlink("file") == 0 && ::unlink("linked") == 0, "unlink");
    s.passes("fchown of a file without a name", ::fchown(fd, 0, 0));
    ::close(fd);
    Suite::need(::mkfifo("fifo", 0600) == 0, "mkfifo");
    s.passes("chown of a fifo", ::chown("fifo", kUser, kGroup));
    s.holds("the fifo's owners are as they were given", owners_of("fifo") == Owners(kUser, kGroup));
}

POSIX_CASE("chown follows symlinks, lchown does not") {
    if (!Suite::is_root()) return s.skip("only root gives files away");
    put_file("file", 0600);
    Suite::need(::symlink("file", "link") == 0 && ::symlink("absent", "dangling") == 0, "symlink");
    s.passes("chown of a symlink", ::chown("link", kUser, kGroup));
    s.holds("chown changed the file", owners_of("file") == Owners(kUser, kGroup));
    s.holds("chown left the symlink alone", owners_of("link").first == 0);
    s.passes("lchown of a symlink", ::lchown("link", kOtherUser, kOtherGroup));
    s.holds("lchown changed the symlink", owners_of("link") == Owners(kOtherUser, kOtherGroup));
    s.holds("lchown left the file alone", owners_of("file") == Owners(kUser, kGroup));
    s.passes("fchownat of a symlink without flags", ::fchownat(AT_FDCWD, "link", 0, 0, 0));
    s.holds("fchownat without flags changed the file", owners_of("file") == Owners(0, 0));
    s.passes("fchownat of a symlink with AT_SYMLINK_NOFOLLOW",
             ::fchownat(AT_FDCWD, "link", kUser, kSameGroup, AT_SYMLINK_NOFOLLOW));
    s.holds("fchownat with AT_SYMLINK_NOFOLLOW changed the symlink", owners_of("link") == Owners(kUser, kOtherGroup));
    s.holds("it left the file alone", owners_of("file") == Owners(0, 0));
    s.fails("chown of a symlink to nothing", ENOENT, ::chown("dangling", kUser, kGroup));
    s.passes("lchown of a symlink to nothing", ::lchown("dangling", kUser, kGroup));
    s.holds("it changed that symlink", owners_of("dangling") == Owners(kUser, kGroup));
    s.passes("lchown of a file", ::lchown("file", kUser, kGroup));
    s.holds("lchown changed the file itself", owners_of("file") == Owners(kUser, kGroup));
}

POSIX_CASE("chown by the owner gives the file to a group of the owner's and to nobody else") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("file", kUser, kGroup, 0600);
    put_directory_of("d", kUser, kGroup, 0700);
    const As user(kUser, kGroup, {kOtherGroup});
    const int fd = prepared(::open("file", O_RDONLY));
    s.passes("chown to a supplementary group", ::chown("file", kSameUser, kOtherGroup));
    s.equal("the group is that one", found_at("file").st_gid, kOtherGroup);
    s.passes("chown to the effective group", ::chown("file", kUser, kGroup));
    s.equal("the group is the effective one", found_at("file").st_gid, kGroup);
    s.fails("chown to a group one is no member of", EPERM, ::chown("file", kSameUser, kOtherGroup - 1));
    s.fails("fchown to a group one is no member of", EPERM, ::fchown(fd, kSameUser, kOtherGroup - 1));
    s.fails("lchown to a group one is no member of", EPERM, ::lchown("file", kSameUser, kOtherGroup - 1));
    s.fails("chown to another user", EPERM, ::chown("file", kOtherUser, kSameGroup));
    s.fails("chown to root", EPERM, ::chown("file", 0, kSameGroup));
    s.fails("fchown to another user", EPERM, ::fchown(fd, kOtherUser, kGroup));
    s.fails("chown to another user and a group of one's own", EPERM, ::chown("file", kOtherUser, kOtherGroup));
    s.equal("that left the group alone", found_at("file").st_gid, kGroup);
    s.passes("chown to the owner and the group it has", ::chown("file", kUser, kGroup));
    s.passes("chown of a directory to a supplementary group", ::chown("d", kSameUser, kOtherGroup));
    s.fails("chown of a directory to another user", EPERM, ::chown("d", kOtherUser, kSameGroup));
    s.passes("fchown to a supplementary group", ::fchown(fd, kSameUser, kOtherGroup));
    set_mode("file", 0);
    s.passes("chown of a file of mode 0", ::chown("file", kSameUser, kGroup));
}

POSIX_CASE("chown by others changes nothing") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("file", kUser, kGroup, 0666);
    Suite::need(::symlink("file", "link") == 0 && ::lchown("link", kUser, kGroup) == 0, "symlink");
    const int fd = prepared(::open("file", O_RDWR));
    {
        const As member(kOtherUser, kGroup, {kOtherGroup});
        s.fails("a member of the group gives it to another group of theirs", EPERM,
                ::chown("file", kSameUser, kOtherGroup));
        s.fails("a member of the group takes it", EPERM, ::chown("file", kOtherUser, kSameGroup));
        s.fails("a member of the group takes it by a descriptor", EPERM, ::fchown(fd, kOtherUser, kSameGroup));
    }
    const As other(kOtherUser, kOtherGroup);
    s.fails("another takes it", EPERM, ::chown("file", kOtherUser, kOtherGroup));
    s.fails("another gives it the owners it has", EPERM, ::chown("file", kUser, kGroup));
    s.fails("another takes the symlink", EPERM, ::lchown("link", kOtherUser, kOtherGroup));
    s.holds("the owners are as they were", owners_of("file") == Owners(kUser, kGroup));
    ::close(fd);
}

POSIX_CASE("chown clears the set-id bits of files that may be executed") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("file", kUser, kGroup, 0600);
    put_directory_of("d", kUser, kGroup, 0700);
    const int fd = prepared(::open("file", O_RDONLY));
    {
        const As user(kUser, kGroup, {kOtherGroup});
        s.equal("4755, to another group", mode_after_chown("file", 04755, kSameUser, kOtherGroup), 0755);
        s.equal("2755, to another group", mode_after_chown("file", 02755, kSameUser, kGroup), 0755);
        s.equal("6755, to another group", mode_after_chown("file", 06755, kSameUser, kOtherGroup), 0755);
        s.equal("6711, to the group it has", mode_after_chown("file", 06711, kUser, kOtherGroup), 0711);
        s.equal("6750, to another group", mode_after_chown("file", 06750, kUser, kGroup), 0750);
        set_mode("file", 06755);
        s.passes("fchown to another group", ::fchown(fd, kSameUser, kOtherGroup));
        s.equal("6755 after fchown", mode_of("file"), 0755);
        set_mode("file", 06755);
        s.passes("lchown to another group", ::lchown("file", kSameUser, kGroup));
        s.equal("6755 after lchown", mode_of("file"), 0755);
        s.equal("a directory keeps 3755", mode_after_chown("d", 03755, kSameUser, kOtherGroup), 03755);
        set_mode("file", 06755);
        s.fails("a chown that is refused", EPERM, ::chown("file", kOtherUser, kSameGroup));
        s.equal("it clears nothing", mode_of("file"), 06755);
    }
    s.equal("6755, to another user by root", mode_after_chown("file", 06755, kOtherUser, kSameGroup), 0755);
    s.equal("a directory keeps 2755 when root gives it away", mode_after_chown("d", 02755, kOtherUser, kGroup), 02755);
    s.equal("0777 remains", mode_after_chown("file", 0777, kUser, kGroup), 0777);
    s.equal("0000 remains", mode_after_chown("file", 0000, kOtherUser, kOtherGroup), 0000);
    ::close(fd);
}

POSIX_CASE("chown has the errors of a path") {
    put_file("file", 0600);
    Suite::need(::symlink("loop", "loop") == 0, "symlink");
    const std::string long_name(256, 'n');
    const std::string long_path(5000, '/');
    s.fails("chown of a name that is not there", ENOENT, ::chown("absent", kSameUser, kSameGroup));
    s.fails("lchown of a name that is not there", ENOENT, ::lchown("absent", kSameUser, kSameGroup));
    s.fails("chown of an empty path", ENOENT, ::chown("", kSameUser, kSameGroup));
    s.fails("chown below a file", ENOTDIR, ::chown("file/a", kSameUser, kSameGroup));
    s.fails("lchown of a file with a slash behind it", ENOTDIR, ::lchown("file/", kSameUser, kSameGroup));
    s.fails("chown of a symlink to itself", ELOOP, ::chown("loop", kSameUser, kSameGroup));
    s.passes("lchown of a symlink to itself", ::lchown("loop", kSameUser, kSameGroup));
    s.fails("chown of a name of 256 bytes", ENAMETOOLONG, ::chown(long_name.c_str(), kSameUser, kSameGroup));
    s.fails("chown of a path of 5000 bytes", ENAMETOOLONG, ::chown(long_path.c_str(), kSameUser, kSameGroup));
    s.fails("fchown of -1", EBADF, ::fchown(-1, kSameUser, kSameGroup));
    s.fails("fchownat with a descriptor that is none", EBADF, ::fchownat(-1, "file", kSameUser, kSameGroup, 0));
    s.fails("fchownat with a flag that is none", EINVAL, ::fchownat(AT_FDCWD, "file", kSameUser, kSameGroup, 0x40000));
    const int fd = prepared(::open("file", O_PATH));
    s.fails("fchown of a descriptor opened with O_PATH", EBADF, ::fchown(fd, kSameUser, kSameGroup));
    s.fails("fchownat with a descriptor of a file", ENOTDIR, ::fchownat(fd, "file", kSameUser, kSameGroup, 0));
    s.fails("fchownat of an empty path without AT_EMPTY_PATH", ENOENT, ::fchownat(fd, "", kSameUser, kSameGroup, 0));
    ::close(fd);
}

} // namespace posix_suite::chown_cases
