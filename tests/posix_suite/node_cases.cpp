// SPDX-License-Identifier: BSD-2-Clause
// mknod(2), mkfifo(3) and bind(2): fifos, sockets and devices as entries of a directory.
#include "kinds.hpp"

#include <cstring>
#include <poll.h>
#include <sys/sysmacros.h>

using posix_suite::Kind;
using posix_suite::same_file;
using posix_suite::Suite;

namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    Suite::need(path.size() < sizeof address.sun_path, "a short path");
    std::memcpy(address.sun_path, path.c_str(), path.size());
    return address;
}

int stream_socket() {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    Suite::need(fd >= 0, "socket");
    return fd;
}

int bind_to(int fd, const std::string& path) {
    const sockaddr_un address = address_of(path);
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

int connect_to(const std::string& path) {
    const sockaddr_un address = address_of(path);
    const int fd = stream_socket();
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? fd : -1;
}

} // namespace

POSIX_CASE("mkfifo makes a fifo") {
    s.passes("mkfifo of a new name", ::mkfifo("fifo", 0640));
    const struct stat found = s.status("fifo");
    s.holds("it is a fifo", S_ISFIFO(found.st_mode));
    s.equal("its mode", found.st_mode & 07777, 0640);
    s.equal("its size", found.st_size, 0);
    s.equal("it has one link", found.st_nlink, 1);
    s.equal("its owner is the effective user", found.st_uid, ::geteuid());
    s.equal("its group is the effective group", found.st_gid, ::getegid());
    s.passes("mkfifo with umask 022", ::mkfifo("masked", 0666));
    s.equal("the umask takes bits", s.status("masked").st_mode & 07777, 0644);
    s.passes("mkfifo with mode 0", ::mkfifo("closed", 0));
    s.equal("a mode of 0", s.status("closed").st_mode & 07777, 0);
    make(s, "dangling", Kind::dangling);
    s.write_file("file");
    s.fails("mkfifo of a fifo's name", EEXIST, ::mkfifo("fifo", 0644));
    s.fails("mkfifo of a file's name", EEXIST, ::mkfifo("file", 0644));
    s.fails("mkfifo of a dangling link's name", EEXIST, ::mkfifo("dangling", 0644));
    s.fails("mkfifo of a dot", EEXIST, ::mkfifo(".", 0644));
    s.fails("mkfifo below an absent name", ENOENT, ::mkfifo("absent/fifo", 0644));
    s.fails("mkfifo below a file", ENOTDIR, ::mkfifo("file/fifo", 0644));
    s.fails("mkfifo of an empty path", ENOENT, ::mkfifo("", 0644));
    const int here = open_for(s, ".", O_PATH);
    s.passes("mkfifoat below a descriptor", ::mkfifoat(here, "at", 0600));
    s.holds("that is a fifo too", S_ISFIFO(s.status("at").st_mode));
    s.fails("mkfifoat below no descriptor", EBADF, ::mkfifoat(-1, "new", 0600));
    s.fails("mkfifoat below a file's descriptor", ENOTDIR, ::mkfifoat(open_for(s, "file", O_RDONLY), "new", 0600));
}

POSIX_CASE("a fifo carries bytes from its writer to its reader") {
    make(s, "fifo", Kind::fifo);
    const int reader = open_for(s, "fifo", O_RDONLY | O_NONBLOCK);
    char content[16];
    s.equal("read without a writer", ::read(reader, content, sizeof content), 0);
    const int writer = open_for(s, "fifo", O_WRONLY | O_NONBLOCK);
    s.fails("read of nothing with a writer", EAGAIN, ::read(reader, content, sizeof content));
    s.equal("write", ::write(writer, "content", 7), 7);
    pollfd ready{reader, POLLIN, 0};
    s.equal("poll finds it readable", ::poll(&ready, 1, 0), 1);
    s.equal("fstat shows no size", status_of(s, reader).st_size, 0);
    s.equal("read of a part", ::read(reader, content, 3), 3);
    s.equal("read of the rest", ::read(reader, content + 3, sizeof content - 3), 4);
    s.equal("it reads what was written", std::string(content, 7), "content");
    s.holds("both ends are the entry", same_file(status_of(s, reader), s.status("fifo")));
    s.passes("unlink while it is open", ::unlink("fifo"));
    s.equal("write after unlink", ::write(writer, "x", 1), 1);
    s.equal("read after unlink", ::read(reader, content, sizeof content), 1);
    s.equal("fstat after unlink shows no link", status_of(s, reader).st_nlink, 0);
    s.need(::close(writer) == 0, "close");
    s.equal("read after the writer closed", ::read(reader, content, sizeof content), 0);
    make(s, "second", Kind::fifo);
    const int both = open_for(s, "second", O_RDWR | O_NONBLOCK);
    s.passes("rename while it is open", ::rename("second", "renamed"));
    const int again = open_for(s, "renamed", O_WRONLY | O_NONBLOCK);
    s.equal("write through the new name", ::write(again, "y", 1), 1);
    s.equal("read from the old descriptor", ::read(both, content, sizeof content), 1);
    s.need(::link("renamed", "linked") == 0, "link");
    s.equal("write through a hard link", ::write(open_for(s, "linked", O_WRONLY | O_NONBLOCK), "z", 1), 1);
    s.equal("read of that", ::read(both, content, sizeof content), 1);
    s.fails("ftruncate", EINVAL, ::ftruncate(both, 0));
    s.fails("truncate", EINVAL, ::truncate("renamed", 0));
    s.fails("pread", ESPIPE, ::pread(both, content, 1, 0));
}

POSIX_CASE("mknod makes files, fifos and sockets for everybody") {
    s.passes("mknod of a regular file", ::mknod("file", S_IFREG | 0640, 0));
    s.holds("that is a regular file", S_ISREG(s.status("file").st_mode));
    s.equal("its mode", s.status("file").st_mode & 07777, 0640);
    s.equal("it is empty", s.status("file").st_size, 0);
    s.passes("mknod without a type", ::mknod("plain", 0600, 0));
    s.holds("that is a regular file too", S_ISREG(s.status("plain").st_mode));
    s.passes("mknod of a fifo", ::mknod("fifo", S_IFIFO | 0666, 0));
    s.equal("that is a fifo, less the umask", s.status("fifo").st_mode, S_IFIFO | 0644);
    s.passes("mknod of a socket", ::mknod("socket", S_IFSOCK | 0600, 0));
    s.equal("that is a socket", s.status("socket").st_mode, S_IFSOCK | 0600);
    s.fails("mknod of a directory", {EPERM, EINVAL}, ::mknod("directory", S_IFDIR | 0755, 0));
    s.fails("mknod of a link", EINVAL, ::mknod("link", S_IFLNK | 0777, 0));
    s.fails("mknod of a type nobody knows", EINVAL, ::mknod("type", S_IFMT | 0644, 0));
    s.fails("mknod of a file's name", EEXIST, ::mknod("file", S_IFREG | 0644, 0));
    s.fails("mknod of a socket's name", EEXIST, ::mknod("socket", S_IFIFO | 0644, 0));
    s.fails("mknod below a file", ENOTDIR, ::mknod("file/name", S_IFREG | 0644, 0));
    s.fails("mknod below an absent name", ENOENT, ::mknod("absent/name", S_IFREG | 0644, 0));
    s.passes("mknodat below a descriptor", ::mknodat(open_for(s, ".", O_PATH), "at", S_IFREG | 0644, 0));
    s.fails("mknodat below no descriptor", EBADF, ::mknodat(-1, "new", S_IFREG | 0644, 0));
    s.equal("nothing else was made", s.names().size(), 5);
}

POSIX_CASE("mknod of a device is not for everybody") {
    if (s.is_root()) return s.skip("root may make devices");
    s.fails("mknod of a character device", EPERM, ::mknod("character", S_IFCHR | 0644, ::makedev(1, 3)));
    s.fails("mknod of a block device", EPERM, ::mknod("block", S_IFBLK | 0644, ::makedev(7, 200)));
    s.equal("neither was made", s.names().size(), 0);
}

POSIX_CASE("mknod of a device by root") {
    if (!s.is_root()) return s.skip("only root may make devices");
    const int result = ::mknod("character", S_IFCHR | 0640, ::makedev(1, 3));
    if (result != 0 && errno == EPERM) return s.skip("root may make no devices here");
    s.passes("mknod of a character device", result);
    s.equal("that is a character device", s.status("character").st_mode, S_IFCHR | 0640);
    s.equal("its number", s.status("character").st_rdev, ::makedev(1, 3));
    s.passes("mknod of a block device", ::mknod("block", S_IFBLK | 0600, ::makedev(7, 200)));
    s.equal("that is a block device", s.status("block").st_mode, S_IFBLK | 0600);
    s.equal("the block device's number", s.status("block").st_rdev, ::makedev(7, 200));
    s.passes("mknod of a device of a large number", ::mknod("large", S_IFCHR | 0600, ::makedev(300, 70'000)));
    s.equal("the large number", s.status("large").st_rdev, ::makedev(300, 70'000));
    s.passes("link of a device", ::link("character", "linked"));
    s.equal("the number of the link", s.status("linked").st_rdev, ::makedev(1, 3));
    s.passes("rename of a device", ::rename("character", "renamed"));
    s.passes("chmod of a device", ::chmod("renamed", 0600));
    s.equal("its new mode", s.status("renamed").st_mode, S_IFCHR | 0600);
    s.passes("unlink of a device", ::unlink("renamed"));
}

POSIX_CASE("bind makes a socket others connect to") {
    const int listener = stream_socket();
    const mode_t mask = ::umask(027);
    s.passes("bind to a new name", bind_to(listener, "socket"));
    ::umask(mask);
    const struct stat found = s.status("socket");
    s.holds("it is a socket", S_ISSOCK(found.st_mode));
    s.equal("its mode is 0777 less the umask", found.st_mode & 07777, 0750);
    s.equal("its size", found.st_size, 0);
    s.equal("its owner is the effective user", found.st_uid, ::geteuid());
    s.fails("connect before listen", ECONNREFUSED, connect_to("socket"));
    s.need(::listen(listener, 8) == 0, "listen");
    const int client = connect_to("socket");
    s.passes("connect after listen", client);
    const int server = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    s.passes("accept", server);
    s.equal("send", ::send(client, "hello", 5, MSG_NOSIGNAL), 5);
    char content[16];
    s.equal("recv", ::recv(server, content, sizeof content, 0), 5);
    s.equal("it is what was sent", std::string(content, 5), "hello");
    s.fails("bind to a socket's name", EADDRINUSE, bind_to(stream_socket(), "socket"));
    s.write_file("file");
    make(s, "dangling", Kind::dangling);
    s.make_directory("directory");
    s.fails("bind to a file's name", EADDRINUSE, bind_to(stream_socket(), "file"));
    s.fails("bind to a dangling link's name", EADDRINUSE, bind_to(stream_socket(), "dangling"));
    s.fails("bind to a directory's name", EADDRINUSE, bind_to(stream_socket(), "directory"));
    s.fails("bind below an absent name", ENOENT, bind_to(stream_socket(), "absent/socket"));
    s.fails("bind below a file", ENOTDIR, bind_to(stream_socket(), "file/socket"));
    s.passes("bind below a directory", bind_to(stream_socket(), "directory/socket"));
    s.fails("connect to a file", ECONNREFUSED, connect_to("file"));
    s.fails("connect to an absent name", ENOENT, connect_to("absent"));
    s.passes("rename of a socket somebody listens to", ::rename("socket", "renamed"));
    s.passes("connect to its new name", connect_to("renamed"));
    s.fails("connect to its old name", ENOENT, connect_to("socket"));
    s.need(::link("renamed", "linked") == 0 && ::symlink("renamed", "link") == 0, "link");
    s.passes("connect to a hard link of it", connect_to("linked"));
    s.passes("connect to a symbolic link to it", connect_to("link"));
    s.need(::close(listener) == 0, "close");
    s.holds("close leaves the name", is_there(s, "renamed"));
    s.fails("connect after the listener closed", ECONNREFUSED, connect_to("renamed"));
    s.passes("unlink of it", ::unlink("renamed"));
    s.passes("bind to the name again", bind_to(stream_socket(), "renamed"));
}
