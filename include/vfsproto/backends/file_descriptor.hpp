// SPDX-License-Identifier: BSD-2-Clause
// An open descriptor with one owner.
#pragma once

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

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

    // An eventfd for doorbells and interrupts: closed on exec, read(2) blocks until it was written.
    [[nodiscard]] static FileDescriptor event() noexcept { return FileDescriptor(::eventfd(0, EFD_CLOEXEC)); }

    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    void close() noexcept {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

private:
    int fd_ = -1;
};

// Both go around write(2) and read(2) of the C library, whose cancellation points cost more than the rest of a kick.

// Adds one to an eventfd. It can fail only when its counter is full, and then it is readable anyway.
inline void signal_event(int fd) noexcept {
    static constexpr std::uint64_t one = 1;
    static_cast<void>(!::syscall(SYS_write, fd, &one, sizeof one));
}
// Sleeps until an eventfd was signalled, and resets it. False when a signal handler came between.
inline bool wait_event(int fd) noexcept {
    std::uint64_t count = 0;
    return ::syscall(SYS_read, fd, &count, sizeof count) == static_cast<long>(sizeof count);
}

} // namespace vfsproto::backends
