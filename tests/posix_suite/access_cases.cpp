// SPDX-License-Identifier: BSD-2-Clause
// access(2) asks for the real user, faccessat(2) with AT_EACCESS for the effective one.
#include "metadata.hpp"

#include <grp.h>

namespace posix_suite::access_cases {

namespace {

long effective_access(const char* name, int mode) { return ::faccessat(AT_FDCWD, name, mode, AT_EACCESS); }

// Makes kUser the real user too, root remains the saved one.
void become_user() {
    Suite::need(::setgroups(0, nullptr) == 0, "setgroups");
    Suite::need(::setresgid(kGroup, kGroup, 0) == 0, "setresgid");
    Suite::need(::setresuid(kUser, kUser, 0) == 0, "setresuid");
}

} // namespace

POSIX_CASE("access by the owner asks the owner's bits") {
    if (Suite::is_root()) become_user();
    put_file("r", 0400);
    put_file("w", 0200);
    put_file("x", 0100);
    put_file("rw", 0600);
    put_file("none", 0077);
    s.passes("0400: F_OK", ::access("r", F_OK));
    s.passes("0400: R_OK", ::access("r", R_OK));
    s.fails("0400: W_OK", EACCES, ::access("r", W_OK));
    s.fails("0400: X_OK", EACCES, ::access("r", X_OK));
    s.fails("0400: R_OK and W_OK", EACCES, ::access("r", R_OK | W_OK));
    s.fails("0200: R_OK", EACCES, ::access("w", R_OK));
    s.passes("0200: W_OK", ::access("w", W_OK));
    s.fails("0200: X_OK", EACCES, ::access("w", X_OK));
    s.fails("0100: R_OK", EACCES, ::access("x", R_OK));
    s.fails("0100: W_OK", EACCES, ::access("x", W_OK));
    s.passes("0600: R_OK and W_OK", ::access("rw", R_OK | W_OK));
    s.fails("0600: all three", EACCES, ::access("rw", R_OK | W_OK | X_OK));
    s.passes("0077: F_OK", ::access("none", F_OK));
    s.fails("0077: R_OK", EACCES, ::access("none", R_OK));
    s.fails("0077: W_OK", EACCES, ::access("none", W_OK));
    s.fails("0077: X_OK", EACCES, ::access("none", X_OK));
    put_directory("directory", 0500);
    s.passes("0500 of a directory: R_OK and X_OK", ::access("directory", R_OK | X_OK));
    s.fails("0500 of a directory: W_OK", EACCES, ::access("directory", W_OK));
    set_mode("directory", 0600);
    s.passes("0600 of a directory: R_OK and W_OK", ::access("directory", R_OK | W_OK));
    s.fails("0600 of a directory: X_OK", EACCES, ::access("directory", X_OK));
    s.fails("0600 of a directory: F_OK of a name in it", EACCES, ::access("directory/absent", F_OK));
}

POSIX_CASE("access by others asks the bits of the group or of others") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("group_r", kOtherUser, kGroup, 0040);
    put_file_of("group_w", kOtherUser, kGroup, 0020);
    put_file_of("not_group", kOtherUser, kGroup, 0707);
    put_file_of("others_r", kOtherUser, kOtherGroup, 0004);
    put_file_of("others_w", kOtherUser, kOtherGroup, 0002);
    put_file_of("not_others", kOtherUser, kOtherGroup, 0770);
    become_user();
    s.passes("0040: a member of the group asks for R_OK", ::access("group_r", R_OK));
    s.fails("0040: a member of the group asks for W_OK", EACCES, ::access("group_r", W_OK));
    s.fails("0020: a member of the group asks for R_OK", EACCES, ::access("group_w", R_OK));
    s.passes("0020: a member of the group asks for W_OK", ::access("group_w", W_OK));
    s.fails("0707: a member of the group asks for R_OK", EACCES, ::access("not_group", R_OK));
    s.fails("0707: a member of the group asks for W_OK", EACCES, ::access("not_group", W_OK));
    s.fails("0707: a member of the group asks for X_OK", EACCES, ::access("not_group", X_OK));
    s.passes("0004: others ask for R_OK", ::access("others_r", R_OK));
    s.fails("0004: others ask for W_OK", EACCES, ::access("others_r", W_OK));
    s.fails("0002: others ask for R_OK", EACCES, ::access("others_w", R_OK));
    s.passes("0002: others ask for W_OK", ::access("others_w", W_OK));
    s.fails("0770: others ask for R_OK", EACCES, ::access("not_others", R_OK));
    s.fails("0770: others ask for W_OK", EACCES, ::access("not_others", W_OK));
    s.fails("0770: others ask for X_OK", EACCES, ::access("not_others", X_OK));
}

POSIX_CASE("faccessat with AT_EACCESS asks for the effective user, access for the real one") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("roots", 0, 0, 0600);
    put_file_of("users", kUser, kGroup, 0600);
    put_file_of("none", kUser, kGroup, 0000);
    put_file_of("groups", kOtherUser, kGroup, 0040);
    put_file_of("supplementary", kOtherUser, kOtherGroup, 0050);
    const As user(kUser, kGroup, {kOtherGroup});
    s.fails("AT_EACCESS with R_OK of a file of root", EACCES, effective_access("roots", R_OK));
    s.fails("AT_EACCESS with W_OK of a file of root", EACCES, effective_access("roots", W_OK));
    s.passes("AT_EACCESS with F_OK of a file of root", effective_access("roots", F_OK));
    s.passes("access with R_OK of a file of root by real root", ::access("roots", R_OK));
    s.passes("AT_EACCESS with R_OK and W_OK of a file of the user", effective_access("users", R_OK | W_OK));
    s.fails("AT_EACCESS with X_OK of a file of the user", EACCES, effective_access("users", X_OK));
    s.fails("AT_EACCESS with R_OK of a file of mode 0", EACCES, effective_access("none", R_OK));
    s.passes("AT_EACCESS with R_OK by the effective group", effective_access("groups", R_OK));
    s.fails("AT_EACCESS with W_OK by the effective group", EACCES, effective_access("groups", W_OK));
    s.passes("AT_EACCESS with R_OK and X_OK by a supplementary group", effective_access("supplementary", R_OK | X_OK));
    s.fails("AT_EACCESS with W_OK by a supplementary group", EACCES, effective_access("supplementary", W_OK));
}

POSIX_CASE("access has the errors of a path") {
    s.write_file("file");
    Suite::need(::symlink("file", "link") == 0, "symlink");
    Suite::need(::symlink("absent", "dangling") == 0, "symlink");
    Suite::need(::symlink("loop", "loop") == 0, "symlink");
    const std::string long_name(256, 'n');
    const std::string long_path(5000, '/');
    s.passes("access with F_OK of the root", ::access("/", F_OK));
    s.passes("access follows a symlink", ::access("link", F_OK));
    s.fails("access of a name that is not there", ENOENT, ::access("absent", F_OK));
    s.fails("access of a symlink to nothing", ENOENT, ::access("dangling", F_OK));
    s.fails("access of an empty path", ENOENT, ::access("", F_OK));
    s.fails("access below a file", ENOTDIR, ::access("file/a", F_OK));
    s.fails("access of a file with a slash behind it", ENOTDIR, ::access("file/", F_OK));
    s.fails("access of a symlink to itself", ELOOP, ::access("loop", F_OK));
    s.fails("access of a name of 256 bytes", ENAMETOOLONG, ::access(long_name.c_str(), F_OK));
    s.fails("access of a path of 5000 bytes", ENAMETOOLONG, ::access(long_path.c_str(), F_OK));
    s.fails("access with a mode that is none", EINVAL, ::access("file", 8));
    s.fails("faccessat with a flag that is none", EINVAL, ::faccessat(AT_FDCWD, "file", F_OK, 0x40000));
    s.fails("faccessat with a descriptor that is none", EBADF, ::faccessat(-1, "file", F_OK, 0));
    s.passes("faccessat of an absolute path with a descriptor that is none", ::faccessat(-1, "/", F_OK, 0));
    const int fd = prepared(::open("file", O_RDONLY));
    s.fails("faccessat with a descriptor of a file", ENOTDIR, ::faccessat(fd, "file", F_OK, 0));
    ::close(fd);
    const int here = prepared(::open(".", O_RDONLY | O_DIRECTORY));
    s.passes("faccessat with a descriptor of a directory", ::faccessat(here, "file", R_OK, 0));
    s.fails("faccessat of a name that is not in it", ENOENT, ::faccessat(here, "absent", R_OK, 0));
    ::close(here);
}

} // namespace posix_suite::access_cases
