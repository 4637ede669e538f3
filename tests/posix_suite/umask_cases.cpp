// SPDX-License-Identifier: BSD-2-Clause
// umask(2) and each call that makes a file; what a file and a directory take from a directory with the set-group-ID bit.
#include "metadata.hpp"

#include <sys/socket.h>
#include <sys/un.h>

namespace posix_suite::umask_cases {

namespace {

mode_t mode_of_new_file(const char* name, mode_t mode) {
    Suite::need(open_once(name, O_RDWR | O_CREAT | O_EXCL, mode) == 0, name);
    return mode_of(name);
}

mode_t mode_of_new_directory(const char* name, mode_t mode) {
    Suite::need(::mkdir(name, mode) == 0, name);
    return mode_of(name);
}

mode_t mode_of_new_node(const char* name, mode_t mode) {
    Suite::need(::mknod(name, mode, 0) == 0, name);
    return mode_of(name);
}

int bind_socket(const char* name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::string_view(name).copy(address.sun_path, sizeof address.sun_path - 1);
    const int socket = prepared(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int result = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::close(socket);
    return result;
}

} // namespace

POSIX_CASE("umask clears its bits from each new file") {
    s.equal("umask returns the last mask", ::umask(0), 022);
    s.equal("0: open of 0777", mode_of_new_file("a0", 0777), 0777);
    s.equal("0: open of 0000", mode_of_new_file("a1", 0000), 0000);
    s.equal("0: open of 0421", mode_of_new_file("a2", 0421), 0421);
    s.equal("0: mkdir of 0777", mode_of_new_directory("a3", 0777), 0777);
    s.equal("0: mkdir of 0510", mode_of_new_directory("a4", 0510), 0510);
    s.equal("0: mknod of a file of 0666", mode_of_new_node("a5", S_IFREG | 0666), 0666);
    s.equal("0: mknod of a fifo of 0666", mode_of_new_node("a6", S_IFIFO | 0666), 0666);
    s.equal("0: mknod of a socket of 0777", mode_of_new_node("a7", S_IFSOCK | 0777), 0777);
    ::umask(027);
    s.equal("027: open of 0777", mode_of_new_file("b0", 0777), 0750);
    s.equal("027: open of 0666", mode_of_new_file("b1", 0666), 0640);
    s.equal("027: mkdir of 0777", mode_of_new_directory("b2", 0777), 0750);
    s.equal("027: mknod of a file of 0666", mode_of_new_node("b3", S_IFREG | 0666), 0640);
    s.equal("027: mknod of a fifo of 0666", mode_of_new_node("b4", S_IFIFO | 0666), 0640);
    s.equal("027: mknod of a socket of 0777", mode_of_new_node("b5", S_IFSOCK | 0777), 0750);
    Suite::need(::mkfifo("b6", 0777) == 0, "mkfifo");
    s.equal("027: mkfifo of 0777", mode_of("b6"), 0750);
    Suite::need(::close(::creat("b7", 0777)) == 0, "creat");
    s.equal("027: creat of 0777", mode_of("b7"), 0750);
    Suite::need(bind_socket("b8") == 0, "bind");
    s.equal("027: bind of a socket", mode_of("b8"), 0750);
    s.holds("bind makes a socket", S_ISSOCK(found_at("b8").st_mode));
    ::umask(0777);
    s.equal("0777: open of 0777", mode_of_new_file("c0", 0777), 0000);
    s.equal("0777: mkdir of 0777", mode_of_new_directory("c1", 0777), 0000);
    s.equal("0777: mknod of a fifo of 0666", mode_of_new_node("c2", S_IFIFO | 0666), 0000);
    s.equal("umask holds no more than the permission bits", ::umask(07022), 0777);
    s.equal("umask returns those", ::umask(022), 022);
}

POSIX_CASE("umask has no say in what is there already") {
    put_file("file", 0666);
    ::umask(077);
    s.passes("open with O_CREAT of a file that is there", open_once("file", O_RDWR | O_CREAT, 0777));
    s.equal("it left the mode alone", mode_of("file"), 0666);
    s.passes("chmod", ::chmod("file", 0777));
    s.equal("chmod takes no bit away", mode_of("file"), 0777);
    const int fd = prepared(::open("file", O_RDONLY));
    s.passes("fchmod", ::fchmod(fd, 0757));
    s.equal("fchmod takes no bit away", mode_of("file"), 0757);
    ::close(fd);
    s.passes("link", ::link("file", "linked"));
    s.equal("link leaves the mode alone", mode_of("linked"), 0757);
    s.passes("rename", ::rename("linked", "renamed"));
    s.equal("rename leaves the mode alone", mode_of("renamed"), 0757);
    s.passes("symlink", ::symlink("file", "link"));
    s.equal("Linux gives each symlink 0777", mode_of("link"), 0777);
    const int nameless = ::open(".", O_RDWR | O_TMPFILE, 0666);
    if (nameless < 0 && errno == EOPNOTSUPP) return s.skip("O_TMPFILE is not there");
    s.passes("open with O_TMPFILE", nameless);
    s.equal("it has the mode without the mask", mode_of(nameless), 0600);
    ::close(nameless);
}

POSIX_CASE("the calls that make files take some of the other bits") {
    ::umask(0);
    const Unprivileged user;
    s.equal("open of 4711 sets the set-user-ID bit", mode_of_new_file("a", 04711), 04711);
    s.equal("mkdir of 1777 sets the sticky bit", mode_of_new_directory("b", 01777), 01777);
    s.equal("mkdir of 4755 on Linux sets no set-user-ID bit", mode_of_new_directory("c", 04755), 0755);
    s.equal("mkdir of 2755 on Linux sets no set-group-ID bit", mode_of_new_directory("d", 02755), 0755);
    ::umask(0111);
    s.equal("umask takes no set-id bit away", mode_of_new_file("e", 04711), 04600);
}

POSIX_CASE("a new file belongs to the effective user and group") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_directory_of("d", kOtherUser, kOtherGroup, 0777);
    const As user(kUser, kGroup);
    put_file("d/file", 0600);
    put_directory("d/directory", 0700);
    Suite::need(::symlink("file", "d/link") == 0 && ::mkfifo("d/fifo", 0600) == 0, "symlink, mkfifo");
    s.equal("the owner of a file", found_at("d/file").st_uid, kUser);
    s.equal("the group of a file", found_at("d/file").st_gid, kGroup);
    s.equal("the owner of a directory", found_at("d/directory").st_uid, kUser);
    s.equal("the group of a directory", found_at("d/directory").st_gid, kGroup);
    s.equal("the owner of a symlink", found_at("d/link").st_uid, kUser);
    s.equal("the group of a symlink", found_at("d/link").st_gid, kGroup);
    s.equal("the owner of a fifo", found_at("d/fifo").st_uid, kUser);
    s.equal("the group of a fifo", found_at("d/fifo").st_gid, kGroup);
}

POSIX_CASE("what is made in a set-group-ID directory has its group") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    put_directory_of("d", kOtherUser, kOtherGroup, 02777);
    put_file_of("old", kUser, kGroup, 0600);
    put_directory_of("old_directory", kUser, kGroup, 0755);
    ::umask(0);
    {
        const As user(kUser, kGroup);
        s.equal("the mode of a file", mode_of_new_file("d/file", 0640), 0640);
        s.equal("the owner of a file", found_at("d/file").st_uid, kUser);
        s.equal("the group of a file", found_at("d/file").st_gid, kOtherGroup);
        s.equal("a directory inherits the bit", mode_of_new_directory("d/directory", 0750), 02750);
        s.equal("the group of a directory", found_at("d/directory").st_gid, kOtherGroup);
        s.equal("a directory in that one inherits the bit", mode_of_new_directory("d/directory/in", 0700), 02700);
        s.equal("the group of that directory", found_at("d/directory/in").st_gid, kOtherGroup);
        s.equal("a fifo does not inherit the bit", mode_of_new_node("d/fifo", S_IFIFO | 0600), 0600);
        s.equal("the group of a fifo", found_at("d/fifo").st_gid, kOtherGroup);
        s.equal("mknod of a file leaves the mode alone", mode_of_new_node("d/node", S_IFREG | 0604), 0604);
        s.equal("the group of a file from mknod", found_at("d/node").st_gid, kOtherGroup);
        s.passes("symlink", ::symlink("file", "d/link"));
        s.equal("the group of a symlink", found_at("d/link").st_gid, kOtherGroup);
        s.passes("rename into it", ::rename("old", "d/old"));
        s.equal("rename leaves the group alone", found_at("d/old").st_gid, kGroup);
        s.passes("rename of a directory into it", ::rename("old_directory", "d/old_directory"));
        s.equal("rename sets no bit of a directory", mode_of("d/old_directory"), 0755);
        s.equal("who is not in its group sets no set-group-ID bit", mode_of_new_file("d/sgid", 02755), 0755);
    }
    const As member(kUser, kGroup, {kOtherGroup});
    s.equal("who is in its group sets a set-group-ID bit", mode_of_new_file("d/sgid_of_member", 02755), 02755);
}

} // namespace posix_suite::umask_cases
