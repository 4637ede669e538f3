// SPDX-License-Identifier: BSD-2-Clause
// Sockets that have a name in the directory: bind(2), connect(2), and what else may be done to the name.
#include "processes.hpp"
#include "suite.hpp"

#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using posix_suite::in_child;

namespace {

// Names are relative: a path may be too long for an address.
using ToAddress = int (*)(int, const sockaddr*, socklen_t);
long with_address(ToAddress call, int fd, std::string_view name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    posix_suite::Suite::need(name.size() < sizeof address.sun_path, "a name that fits");
    std::memcpy(address.sun_path, name.data(), name.size());
    return call(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}
long bind_to(int fd, std::string_view name) { return with_address(::bind, fd, name); }
long connect_to(int fd, std::string_view name) { return with_address(::connect, fd, name); }

int new_socket(int kind = SOCK_STREAM) {
    const int fd = ::socket(AF_UNIX, kind | SOCK_CLOEXEC, 0);
    posix_suite::Suite::need(fd >= 0, "a socket");
    return fd;
}

} // namespace

POSIX_CASE("bind makes a name") {
    const int fd = new_socket();
    s.passes("bind", bind_to(fd, "socket"));
    s.holds("the name is a socket", S_ISSOCK(s.status("socket").st_mode));
    s.equal("its mode is without the umask", s.status("socket").st_mode & 07777, 0755);
    s.equal("its size", s.status("socket").st_size, 0);
    s.equal("readdir tells it", s.names(), std::vector<std::string>{"socket"});
    s.fails("bind of another socket to the name", EADDRINUSE, bind_to(new_socket(), "socket"));
    s.fails("bind of the socket again", EINVAL, bind_to(fd, "second"));
    s.fails("a refused bind makes no name", ENOENT, ::access("second", F_OK));
    s.write_file("file");
    s.fails("bind to the name of a file", EADDRINUSE, bind_to(new_socket(), "file"));
    s.fails("bind to the name of the directory", EADDRINUSE, bind_to(new_socket(), "."));
    s.fails("bind below what is not there", ENOENT, bind_to(new_socket(), "absent/socket"));
    s.fails("bind below a file", ENOTDIR, bind_to(new_socket(), "file/socket"));
    s.fails("open of a socket", ENXIO, ::open("socket", O_RDWR));
    s.passes("open of a socket with O_PATH", ::open("socket", O_PATH));
    s.fails("truncate of a socket", EINVAL, ::truncate("socket", 0));
    s.passes("chmod of a socket", ::chmod("socket", 0600));
    s.equal("its mode after chmod", s.status("socket").st_mode & 07777, 0600);
    sockaddr_un own{};
    socklen_t size = sizeof own;
    s.passes("getsockname", ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size));
    s.equal("it is the name that was given", std::string(own.sun_path), "socket");
}

POSIX_CASE("connect finds who listens at a name") {
    const int listener = new_socket();
    s.need(bind_to(listener, "socket") == 0, "bind");
    s.fails("connect before listen", ECONNREFUSED, connect_to(new_socket(), "socket"));
    s.passes("listen", ::listen(listener, 4));
    const int client = new_socket();
    s.passes("connect", connect_to(client, "socket"));
    const int server = ::accept(listener, nullptr, nullptr);
    s.passes("accept", server);
    char piece[8] = {};
    s.equal("the client writes", ::write(client, "ping", 4), 4);
    s.equal("the server reads", ::read(server, piece, sizeof piece), 4);
    s.equal("what the client wrote", std::string(piece, 4), "ping");
    s.equal("the server writes", ::write(server, "pong!", 5), 5);
    s.equal("the client reads", ::read(client, piece, sizeof piece), 5);
    s.fails("connect again", EISCONN, connect_to(client, "socket"));
    s.passes("another process connects", in_child([] { return connect_to(new_socket(), "socket"); }));
    s.fails("connect to a name that is not there", ENOENT, connect_to(new_socket(), "absent"));
    s.write_file("file");
    s.fails("connect to a file", ECONNREFUSED, connect_to(new_socket(), "file"));
    s.fails("connect below a file", ENOTDIR, connect_to(new_socket(), "file/socket"));
    s.fails("connect by a socket of another kind", EPROTOTYPE, connect_to(new_socket(SOCK_DGRAM), "socket"));
    s.passes("close of the listener", ::close(listener));
    s.fails("connect after close", ECONNREFUSED, connect_to(new_socket(), "socket"));
    s.passes("the name is still there", ::access("socket", F_OK));
    s.equal("who is connected stays so", ::write(client, "x", 1), 1);
    s.fails("bind after close", EADDRINUSE, bind_to(new_socket(), "socket"));
    s.passes("unlink", ::unlink("socket"));
    s.fails("connect after unlink", ENOENT, connect_to(new_socket(), "socket"));
    s.passes("bind after unlink", bind_to(new_socket(), "socket"));
}

POSIX_CASE("a socket follows its inode, not its name") {
    const int listener = new_socket();
    s.need(bind_to(listener, "socket") == 0 && ::listen(listener, 8) == 0, "a listener");
    s.passes("rename", ::rename("socket", "moved"));
    s.passes("connect to the new name", connect_to(new_socket(), "moved"));
    s.fails("connect to the old name", ENOENT, connect_to(new_socket(), "socket"));
    s.passes("link", ::link("moved", "second"));
    s.passes("connect to a second link", connect_to(new_socket(), "second"));
    s.passes("symlink", ::symlink("moved", "symbolic"));
    s.passes("connect through a symbolic link", connect_to(new_socket(), "symbolic"));
    s.fails("bind to the name of a symbolic link", EADDRINUSE, bind_to(new_socket(), "symbolic"));
    s.need(::symlink("nothing", "dangling") == 0, "symlink");
    s.fails("bind to a symbolic link to nothing", EADDRINUSE, bind_to(new_socket(), "dangling"));
    s.fails("connect to a symbolic link to nothing", ENOENT, connect_to(new_socket(), "dangling"));
    s.passes("unlink of one link", ::unlink("moved"));
    s.passes("connect to the other link", connect_to(new_socket(), "second"));
    s.need(::mkdir("directory", 0755) == 0, "mkdir");
    s.passes("rename into a directory", ::rename("second", "directory/second"));
    s.passes("connect there", connect_to(new_socket(), "directory/second"));
}

POSIX_CASE("datagrams go to a name") {
    const int receiver = new_socket(SOCK_DGRAM);
    const int sender = new_socket(SOCK_DGRAM);
    s.passes("bind of the receiver", bind_to(receiver, "receiver"));
    s.passes("bind of the sender", bind_to(sender, "sender"));
    s.passes("connect of the sender", connect_to(sender, "receiver"));
    s.equal("send", ::send(sender, "one", 3, 0), 3);
    s.equal("send again", ::send(sender, "second", 6, 0), 6);
    char piece[16] = {};
    sockaddr_un from{};
    socklen_t size = sizeof from;
    s.equal("recvfrom", ::recvfrom(receiver, piece, sizeof piece, 0, reinterpret_cast<sockaddr*>(&from), &size), 3);
    s.equal("the sender's name", std::string(from.sun_path), "sender");
    s.equal("the second is a message of its own", ::recv(receiver, piece, sizeof piece, 0), 6);
    s.fails("connect of a stream to it", EPROTOTYPE, connect_to(new_socket(), "receiver"));
    s.passes("close of the receiver", ::close(receiver));
    s.fails("send after close", ECONNREFUSED, ::send(sender, "z", 1, MSG_NOSIGNAL));
}

POSIX_CASE("connect asks for the permission to write") {
    if (!s.is_root()) return s.skip("needs root");
    const int listener = new_socket();
    s.need(bind_to(listener, "socket") == 0 && ::listen(listener, 4) == 0, "a listener");
    s.need(::chmod("socket", 0700) == 0 && ::mkdir("closed", 0700) == 0, "modes");
    const posix_suite::As other(posix_suite::kUser, posix_suite::kGroup);
    s.fails("connect by another user", EACCES, connect_to(new_socket(), "socket"));
    s.fails("bind in a directory of another user", EACCES, bind_to(new_socket(), "closed/socket"));
    s.passes("bind in a directory that is open to all", bind_to(new_socket(), "mine"));
    s.equal("the name is the other user's", s.status("mine").st_uid, posix_suite::kUser);
    s.equal("and the other group's", s.status("mine").st_gid, posix_suite::kGroup);
}
