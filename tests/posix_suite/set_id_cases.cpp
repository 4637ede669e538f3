// SPDX-License-Identifier: BSD-2-Clause
// The set-id bits of a file that may be executed go when somebody without privileges changes what is in it.
#include "metadata.hpp"

#include <sys/uio.h>

namespace posix_suite::set_id_cases {

namespace {

// A descriptor of a file that had no set-id bits when it was opened, and has them now.
int open_with_bits(const char* name, mode_t mode, int flags) {
    const int fd = prepared(::open(name, flags | O_CLOEXEC));
    set_mode(name, mode);
    return fd;
}

} // namespace

POSIX_CASE("a write by a user clears the set-id bits") {
    const Unprivileged user;
    put_file("file", 0755);
    const int fd = open_with_bits("file", 06755, O_RDWR);
    s.equal("the file has both bits", mode_of("file"), 06755);
    s.equal("write to 6755", ::write(fd, "x", 1), 1);
    s.equal("the mode after write", mode_of("file"), 0755);
    set_mode("file", 04711);
    s.equal("pwrite to 4711", ::pwrite(fd, "x", 1, 3), 1);
    s.equal("the mode after pwrite", mode_of("file"), 0711);
    set_mode("file", 02755);
    s.equal("pwrite to 2755", ::pwrite(fd, "y", 1, 4), 1);
    s.equal("the mode after pwrite to 2755", mode_of("file"), 0755);
    set_mode("file", 06711);
    char bytes[] = "abc";
    const iovec pieces[2] = {{bytes, 1}, {bytes + 1, 2}};
    s.equal("writev to 6711", ::writev(fd, pieces, 2), 3);
    s.equal("the mode after writev", mode_of("file"), 0711);
    set_mode("file", 06755);
    s.equal("pwrite behind the end", ::pwrite(fd, "z", 1, 5000), 1);
    s.equal("the mode after it", mode_of("file"), 0755);
    set_mode("file", 06755);
    const int appender = prepared(::open("file", O_WRONLY | O_APPEND));
    s.equal("open for appending alone clears nothing", mode_of("file"), 06755);
    s.equal("write with O_APPEND", ::write(appender, "z", 1), 1);
    s.equal("the mode after it appended", mode_of("file"), 0755);
    s.equal("fstat tells the same mode", mode_of(fd), 0755);
    ::close(appender);
    ::close(fd);
}

POSIX_CASE("truncate by a user clears the set-id bits") {
    const Unprivileged user;
    put_file("file", 0755);
    const int fd = open_with_bits("file", 06755, O_RDWR);
    s.passes("truncate to less", ::truncate("file", 3));
    s.equal("the mode after truncate to less", mode_of("file"), 0755);
    set_mode("file", 04755);
    s.passes("truncate to more", ::truncate("file", 100));
    s.equal("the mode after truncate to more", mode_of("file"), 0755);
    set_mode("file", 06711);
    s.passes("ftruncate to less", ::ftruncate(fd, 50));
    s.equal("the mode after ftruncate to less", mode_of("file"), 0711);
    set_mode("file", 02755);
    s.passes("ftruncate to more", ::ftruncate(fd, 60));
    s.equal("the mode after ftruncate to more", mode_of("file"), 0755);
    set_mode("file", 06755);
    s.passes("open with O_TRUNC", open_once("file", O_WRONLY | O_TRUNC));
    s.equal("the mode after O_TRUNC", mode_of("file"), 0755);
    ::close(fd);
}

POSIX_CASE("what changes no content leaves the set-id bits") {
    const Unprivileged user;
    put_file("file", 0755);
    const int fd = open_with_bits("file", 06755, O_RDWR);
    char bytes[4];
    s.equal("read", ::read(fd, bytes, sizeof bytes), 4);
    s.equal("the mode after read", mode_of("file"), 06755);
    s.equal("pread", ::pread(fd, bytes, sizeof bytes, 1), 4);
    s.equal("the mode after pread", mode_of("file"), 06755);
    s.passes("open for reading", open_once("file", O_RDONLY));
    s.passes("open for writing", open_once("file", O_RDWR));
    s.equal("the mode after open", mode_of("file"), 06755);
    s.passes("futimens", ::futimens(fd, nullptr));
    s.equal("the mode after futimens", mode_of("file"), 06755);
    s.passes("link", ::link("file", "linked"));
    s.equal("the mode after link", mode_of("file"), 06755);
    s.passes("rename", ::rename("linked", "renamed"));
    s.equal("the mode after rename", mode_of("renamed"), 06755);
    s.passes("fsync", ::fsync(fd));
    s.equal("the mode after fsync", mode_of("file"), 06755);
    ::close(fd);
}

POSIX_CASE("a write by another user clears the set-id bits too") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_file_of("file", kUser, kGroup, 06777);
    {
        const As other(kOtherUser, kOtherGroup);
        const int fd = prepared(::open("file", O_WRONLY));
        s.equal("write by another", ::write(fd, "x", 1), 1);
        ::close(fd);
    }
    s.equal("the mode after write", mode_of("file"), 0777);
    set_mode("file", 06777);
    {
        const As other(kOtherUser, kOtherGroup);
        s.passes("truncate by another", ::truncate("file", 1));
    }
    s.equal("the mode after truncate", mode_of("file"), 0777);
    set_mode("file", 04777);
    {
        const As other(kOtherUser, kOtherGroup);
        s.passes("open with O_TRUNC by another", open_once("file", O_WRONLY | O_TRUNC));
    }
    s.equal("the mode after O_TRUNC", mode_of("file"), 0777);
}

POSIX_CASE("a write by root leaves the set-id bits on Linux") {
    if (!Suite::is_root()) return s.skip("only root may do so");
    put_file_of("file", kUser, kGroup, 06755);
    const int fd = prepared(::open("file", O_WRONLY));
    s.equal("write by root", ::write(fd, "x", 1), 1);
    s.equal("the mode after write", mode_of("file"), 06755);
    ::close(fd);
}

} // namespace posix_suite::set_id_cases
