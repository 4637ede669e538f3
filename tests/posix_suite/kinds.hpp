// SPDX-License-Identifier: BSD-2-Clause
// Kinds of entries a directory can have, and short questions about entries. Functions that prepare something end the case if they fail.
#pragma once

#include "suite.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace posix_suite {

enum class Kind { absent, file, empty_directory, full_directory, link_to_file, link_to_directory, dangling, fifo };

inline const char* name_of(Kind kind) {
    switch (kind) {
    case Kind::absent: return "nothing";
    case Kind::file: return "a file";
    case Kind::empty_directory: return "an empty directory";
    case Kind::full_directory: return "a full directory";
    case Kind::link_to_file: return "a link to a file";
    case Kind::link_to_directory: return "a link to a directory";
    case Kind::dangling: return "a dangling link";
    case Kind::fifo: return "a fifo";
    }
    return "?";
}

// Makes an entry of the kind; what links point to lies beside it, with an addition to its name.
inline void make(const Suite& s, const std::string& name, Kind kind) {
    const std::string target = name + ".target";
    switch (kind) {
    case Kind::absent: return;
    case Kind::file: return s.write_file(name, name);
    case Kind::empty_directory: return s.make_directory(name);
    case Kind::full_directory: s.make_directory(name); return s.write_file(name + "/inside", name);
    case Kind::link_to_file: s.write_file(target); break;
    case Kind::link_to_directory: s.make_directory(target); break;
    case Kind::dangling: break;
    case Kind::fifo: return Suite::need(::mkfifo(s.path(name).c_str(), 0644) == 0, name);
    }
    Suite::need(::symlink(target.c_str(), s.path(name).c_str()) == 0, name);
}

inline bool is_there(const Suite& s, std::string_view name) {
    struct stat found{};
    return ::lstat(s.path(name).c_str(), &found) == 0;
}

// Returns what fstat(2) says of an open file.
inline struct stat status_of(const Suite&, int fd) {
    struct stat found{};
    Suite::need(::fstat(fd, &found) == 0, "fstat");
    return found;
}

// Opens what the case goes on with.
inline int open_for(const Suite& s, std::string_view name, int flags) {
    const int fd = ::open(s.path(name).c_str(), flags | O_CLOEXEC);
    Suite::need(fd >= 0, name);
    return fd;
}

inline void make_link(const Suite& s, const std::string& target, std::string_view name) {
    Suite::need(::symlink(target.c_str(), s.path(name).c_str()) == 0, name);
}

inline bool same_file(const struct stat& one, const struct stat& other) {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

inline std::string target_of(const Suite& s, std::string_view name) {
    char target[8192];
    const ssize_t length = ::readlink(s.path(name).c_str(), target, sizeof target);
    Suite::need(length >= 0, name);
    return {target, static_cast<std::size_t>(length)};
}

} // namespace posix_suite
