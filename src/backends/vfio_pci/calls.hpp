// SPDX-License-Identifier: BSD-2-Clause
// The system calls of this backend, one function each. The kernel answers them, or a test's script.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace vfsproto::backends::vfio_pci {

// Any thread may call these. A function that returns a number returns one that is not negative, or a negated errno.
class Calls {
public:
    [[nodiscard]] virtual int open(const std::string& path) noexcept = 0; // to read and write
    [[nodiscard]] virtual int open_to_read(const std::string& path) noexcept = 0;
    virtual void close(int fd) noexcept = 0;
    // `argument`: what the request takes, a number or an address.
    [[nodiscard]] virtual int ioctl(int fd, unsigned long request, std::uintptr_t argument) noexcept = 0;
    [[nodiscard]] virtual ssize_t read_at(int fd, void* out, std::size_t bytes, std::uint64_t offset) noexcept = 0;
    [[nodiscard]] virtual ssize_t write_at(int fd, const void* data, std::size_t bytes,
                                           std::uint64_t offset) noexcept = 0;

    // Returns a shared mapping, at `place` if that is not nullptr. nullptr when it failed.
    [[nodiscard]] virtual std::byte* map_file(int fd, std::size_t bytes, std::uint64_t offset,
                                              std::byte* place) noexcept = 0;
    // Returns zeroed private memory that a child process does not inherit, aligned to `alignment` bytes. nullptr when it
    // failed.
    [[nodiscard]] virtual std::byte* map_memory(std::size_t bytes, std::size_t alignment) noexcept = 0;
    virtual void unmap(std::byte* at, std::size_t bytes) noexcept = 0;
    // Returns a file of `bytes` bytes in huge pages of 2 MiB. The pages are allocated already.
    [[nodiscard]] virtual int huge_file(std::size_t bytes) noexcept = 0;

protected:
    ~Calls() = default; // never deleted through the base
};

// A descriptor that Calls gave, with one owner.
class Handle {
public:
    Handle() noexcept = default;
    Handle(Calls& calls, int fd) noexcept : calls_(&calls), fd_(fd) {} // negative: none
    Handle(Handle&& other) noexcept : calls_(other.calls_), fd_(std::exchange(other.fd_, -1)) {}
    Handle& operator=(Handle&& other) noexcept {
        if (this != &other) {
            close();
            calls_ = other.calls_;
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~Handle() { close(); }

    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int get() const noexcept { return fd_; } // or why there is none: a negated errno
    void close() noexcept {
        if (fd_ >= 0) calls_->close(std::exchange(fd_, -1));
    }

    [[nodiscard]] int ask(unsigned long request) const noexcept { return calls_->ioctl(fd_, request, 0); }
    [[nodiscard]] int ask_number(unsigned long request, std::uintptr_t number) const noexcept {
        return calls_->ioctl(fd_, request, number);
    }
    template <class T> [[nodiscard]] int ask(unsigned long request, T* argument) const noexcept {
        return calls_->ioctl(fd_, request, reinterpret_cast<std::uintptr_t>(argument));
    }

private:
    Calls* calls_ = nullptr;
    int fd_ = -1;
};

} // namespace vfsproto::backends::vfio_pci
