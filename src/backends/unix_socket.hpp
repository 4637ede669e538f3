// SPDX-License-Identifier: BSD-2-Clause
// Connects to a stream socket of this machine, for the backends whose peer listens at a path.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/base/errc.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

namespace vfsproto::backends {

struct Connected {
    FileDescriptor socket;
    Errc error = Errc::ok;
    std::string message; // for people, one line
};

namespace detail {

inline bool is_something_else(const std::string& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode);
}

inline std::string explain_refusal(const std::string& path, const std::string& server, int error) {
    switch (error) {
    case ENOENT:
    case ENOTDIR: return "no socket at " + path + ": is " + server + " running?";
    case ECONNREFUSED: return "nobody listens at " + path + ": has " + server + " ended?";
    case EAGAIN: return server + " at " + path + " takes no connection: is another client using it?";
    case EACCES:
    case EPERM: return "no permission to use the socket " + path;
    default: return "cannot connect to " + path + ": " + std::strerror(error);
    }
}

// The error of one try; EAGAIN when the listener's queue is full.
inline int connect_once(const sockaddr_un& address, FileDescriptor& out) {
    FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return errno;
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return errno;
    out = std::move(socket);
    return 0;
}

} // namespace detail

// A path that is not there fails at once; a refused connection is tried again for as long as `patience`, because a
// server that is starting has bound its socket before it listens. `server` is who should listen, for people. Blocks.
[[nodiscard]] inline Connected connect_unix(const std::string& path, const std::string& server,
                                            std::chrono::milliseconds patience) {
    constexpr std::chrono::milliseconds kPause{5};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty()) return {{}, Errc::bad_argument, "the path of the socket is empty"};
    if (path.size() >= sizeof address.sun_path) {
        return {{}, Errc::bad_argument, "the path of the socket is too long: " + path};
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    const auto until = std::chrono::steady_clock::now() + patience;
    while (true) {
        Connected result;
        const int error = detail::connect_once(address, result.socket);
        if (error == 0) return result;
        const bool may_pass = error == ECONNREFUSED || error == EAGAIN || error == EINTR;
        // connect(2) answers ECONNREFUSED for a path that is no socket, too.
        if (may_pass && detail::is_something_else(path)) return {{}, Errc::transport_failed, path + " is not a socket"};
        if (!may_pass || std::chrono::steady_clock::now() >= until) {
            return {{}, Errc::transport_failed, detail::explain_refusal(path, server, error)};
        }
        std::this_thread::sleep_for(kPause);
    }
}

} // namespace vfsproto::backends
