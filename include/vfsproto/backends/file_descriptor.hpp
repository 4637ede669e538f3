// SPDX-License-Identifier: BSD-2-Clause
// An open descriptor with one owner.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace vfsproto::backends {

class FileDescriptor {
public:
    FileDescriptor() noexcept = default;
    explicit FileDescriptor(int fd) noexcept : fd_(fd) {} // takes it over; negative = none
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        if (this != &other) {
            close();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~FileDescriptor() { close(); }

    // Returns an eventfd whose reads and writes never wait: for doorbells, and for what is polled before it is read. A peer
    // that never reads its kick eventfd, and fills it, must not block the driver.
    [[nodiscard]] static FileDescriptor event() noexcept {
        return FileDescriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    }
    // Returns an eventfd on which a thread sleeps in read(2), as one system call: for interrupts.
    [[nodiscard]] static FileDescriptor blocking_event() noexcept { return FileDescriptor(::eventfd(0, EFD_CLOEXEC)); }

    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    void close() noexcept {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

private:
    int fd_ = -1;
};

// These go around write(2) and read(2) of the C library, whose cancellation points cost more than the rest of a kick.

// Adds one to an eventfd. Fails when the counter is full; then the eventfd is readable already. On a blocking_event() that a
// peer can fill, call signal_unless_full() instead.
inline void signal_event(int fd) noexcept {
    static constexpr std::uint64_t one = 1;
    static_cast<void>(!::syscall(SYS_write, fd, &one, sizeof one));
}
// Adds one to an eventfd of either kind that a peer may have filled. Costs two system calls.
inline void signal_unless_full(int fd) noexcept {
    pollfd room{fd, POLLOUT, 0};
    if (::poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) != 0) signal_event(fd);
}
// Sleeps until a blocking_event() was signalled, and resets it. False when a signal handler came between.
inline bool wait_event(int fd) noexcept {
    std::uint64_t count = 0;
    return ::syscall(SYS_read, fd, &count, sizeof count) == static_cast<long>(sizeof count);
}
// Resets an eventfd of either kind and never sleeps. False when it was not signalled: a peer that holds a copy may have
// read it first.
inline bool take_event(int fd) noexcept {
    std::uint64_t count = 0;
    const iovec into{&count, sizeof count};
    constexpr long kNoOffset = -1;
    const long got = ::syscall(SYS_preadv2, fd, &into, 1, kNoOffset, kNoOffset, RWF_NOWAIT);
    if (got >= 0 || errno != EOPNOTSUPP) return got == static_cast<long>(sizeof count);
    // Linux before 5.8 has no such read of an eventfd.
    pollfd interest{fd, POLLIN, 0};
    return ::poll(&interest, 1, 0) == 1 && wait_event(fd);
}

} // namespace vfsproto::backends
