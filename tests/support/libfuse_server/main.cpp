// SPDX-License-Identifier: BSD-2-Clause
// libfuse_server SOCKET: listens there, serves one connection, and ends with it. Then it prints what the client left behind.
#include "server.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

namespace vfsproto::test::libfuse {
namespace {

bool read_all(int fd, char* into, std::size_t size) {
    while (size != 0) {
        const ssize_t got = ::recv(fd, into, size, MSG_WAITALL);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        into += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
}

// libfuse takes this for the end of a mount.
ssize_t unmounted() {
    errno = ENODEV;
    return -1;
}

// A stream has no ends of messages, so one is read by the length that it begins with.
ssize_t read_message(int fd, void* into, std::size_t room, void*) {
    std::uint32_t length = 0;
    auto* const bytes = static_cast<char*>(into);
    if (!read_all(fd, bytes, sizeof length)) return unmounted();
    std::memcpy(&length, bytes, sizeof length);
    if (length < sizeof length || length > room) {
        errno = EPROTO;
        return -1;
    }
    return read_all(fd, bytes + sizeof length, length - sizeof length) ? static_cast<ssize_t>(length) : unmounted();
}

ssize_t write_message(int fd, iovec* parts, int count, void*) {
    std::vector<char> message;
    for (int i = 0; i < count; ++i) {
        const auto* const from = static_cast<const char*>(parts[i].iov_base);
        message.insert(message.end(), from, from + parts[i].iov_len);
    }
    std::size_t at = 0;
    while (at < message.size()) {
        const ssize_t sent = ::send(fd, message.data() + at, message.size() - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return -1;
        at += static_cast<std::size_t>(sent);
    }
    return static_cast<ssize_t>(message.size());
}

void init(void*, fuse_conn_info* connection) {
    // There is no pipe to splice from.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
}
void destroy(void* server) { static_cast<Server*>(server)->destroyed = true; }

int accept_one(const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return -1;
    if (::listen(listener, 1) != 0) return -1;
    const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    ::close(listener);
    return connection;
}

int serve(char* program, int connection) {
    Server server;
    fuse_lowlevel_ops operations{};
    operations.init = init;
    operations.destroy = destroy;
    add_names(operations);
    add_files(operations);
    add_directories(operations);
    add_xattrs(operations);
    add_locks(operations);
    char* arguments[] = {program, nullptr};
    fuse_args args = FUSE_ARGS_INIT(1, arguments);
    server.session = fuse_session_new(&args, &operations, sizeof operations, &server);
    fuse_opt_free_args(&args); // it put a copy in their place
    fuse_custom_io io{};
    io.writev = write_message;
    io.read = read_message;
    if (server.session == nullptr || fuse_session_custom_io(server.session, &io, connection) != 0) return 2;
    fuse_session_loop(server.session);
    fuse_session_destroy(server.session);
    std::printf("lookups %llu, over-forgets %llu, destroyed %d\n",
                static_cast<unsigned long long>(server.tree.lookups()),
                static_cast<unsigned long long>(server.tree.over_forgets()), server.destroyed ? 1 : 0);
    return 0;
}

} // namespace

Server& server_of(fuse_req_t request) { return *static_cast<Server*>(fuse_req_userdata(request)); }

} // namespace vfsproto::test::libfuse

int main(int argc, char** argv) {
    using namespace vfsproto::test::libfuse;
    if (argc != 2) return 2;
    const int connection = accept_one(argv[1]);
    if (connection < 0) return std::perror(argv[1]), 2;
    return serve(argv[0], connection);
}
