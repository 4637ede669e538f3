// SPDX-License-Identifier: BSD-2-Clause
// The cases about owners, modes and times share preparations, and calls that leave nothing open. Names are relative: a case begins
// in its directory.
#pragma once

#include "suite.hpp"

#include <ctime>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

namespace posix_suite {

inline constexpr uid_t kSameUser = static_cast<uid_t>(-1);
inline constexpr gid_t kSameGroup = static_cast<gid_t>(-1);
inline constexpr const char* kNeedsRoot = "only root plays other users";
inline constexpr const char* kWholeSeconds = "the file system keeps no nanoseconds";

// Plays a user without privileges: kUser if root started the suite, otherwise it is the user who did.
class Unprivileged {
public:
    Unprivileged() {
        if (Suite::is_root()) as_.emplace(kUser, kGroup);
    }

private:
    std::optional<As> as_;
};

// Opens and closes: returns 0, or -1 with the error of open(2).
inline long open_once(const char* name, int flags, mode_t mode = 0600) {
    const int fd = ::open(name, flags | O_CLOEXEC, mode);
    return fd < 0 ? -1 : ::close(fd);
}

inline int prepared(int fd) {
    Suite::need(fd >= 0, "open");
    return fd;
}

[[nodiscard]] inline struct stat found_at(const char* name) {
    struct stat found{};
    Suite::need(::lstat(name, &found) == 0, name);
    return found;
}

[[nodiscard]] inline mode_t mode_of(const char* name) { return found_at(name).st_mode & 07777; }
[[nodiscard]] inline mode_t mode_of(int fd) {
    struct stat found{};
    Suite::need(::fstat(fd, &found) == 0, "fstat");
    return found.st_mode & 07777;
}

[[nodiscard]] inline bool is_same(const timespec& one, const timespec& other) {
    return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

// True within a minute of the clock: that of the file system may be another.
[[nodiscard]] inline bool is_now(const timespec& time) {
    constexpr time_t kMinute = 60;
    const time_t distance = ::time(nullptr) - time.tv_sec;
    return distance > -kMinute && distance < kMinute && time.tv_nsec >= 0 && time.tv_nsec < 1'000'000'000;
}

inline void set_mode(const char* name, mode_t mode) { Suite::need(::chmod(name, mode) == 0, name); }

// The order matters: chown(2) clears set-id bits.
inline void give(const char* name, uid_t user, gid_t group, mode_t mode) {
    Suite::need(::chown(name, user, group) == 0, name);
    set_mode(name, mode);
}

inline void put_file(const char* name, mode_t mode, std::string_view content = "content") {
    const int fd = ::open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    Suite::need(fd >= 0, name);
    Suite::need(::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()), name);
    ::close(fd);
    set_mode(name, mode);
}

inline void put_file_of(const char* name, uid_t user, gid_t group, mode_t mode) {
    put_file(name, 0600);
    give(name, user, group, mode);
}

inline void put_directory(const char* name, mode_t mode) {
    Suite::need(::mkdir(name, 0700) == 0, name);
    set_mode(name, mode);
}

inline void put_directory_of(const char* name, uid_t user, gid_t group, mode_t mode) {
    put_directory(name, 0700);
    give(name, user, group, mode);
}

// False where times have whole seconds: what changes within one cannot be seen there.
[[nodiscard]] inline bool keeps_nanoseconds() {
    const timespec time{1000, 123'456'789};
    const timespec times[2] = {time, time};
    put_file("nanoseconds", 0600);
    Suite::need(::utimensat(AT_FDCWD, "nanoseconds", times, 0) == 0, "utimensat");
    const bool is_kept = is_same(found_at("nanoseconds").st_mtim, time);
    Suite::need(::unlink("nanoseconds") == 0, "unlink");
    return is_kept;
}

} // namespace posix_suite
