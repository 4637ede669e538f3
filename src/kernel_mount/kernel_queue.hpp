// SPDX-License-Identifier: BSD-2-Clause
// One descriptor of /dev/fuse as a device sees its queue: each read(2) takes a request of the kernel, each write(2) gives an answer
// back. A model of DeviceQueue. The kernel puts requests of either kind of virtio queue on it.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/virtqueue/device_queue.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace vfsproto::kernel_mount {

// One thread calls wait(), and nobody holds the queue's lock meanwhile. All other calls need that lock.
class KernelQueue {
public:
    enum class Took : std::uint8_t { request, nothing, over };

    // `payload`: the most bytes of data in a request, and in a reply. Throws std::bad_alloc.
    KernelQueue(backends::FileDescriptor device, std::size_t payload);

    // Is called with a reply that the kernel does not take here: the answer to an INTERRUPT is taken by the descriptor alone which took
    // the request that it is about. Comes before wait().
    void ask_elsewhere(std::function<void(std::span<const std::byte> reply)> elsewhere) {
        elsewhere_ = std::move(elsewhere);
    }

    // Sleeps until there is a request, which the next pop() gives. nothing: a signal came, or the request was taken back. over: the
    // mount was taken away, or its connection ended.
    [[nodiscard]] Took wait() noexcept;

    // Gives the request that wait() took, once. It stays as it is until the next wait(). A reply that may have to wait for another
    // request has room of its own; if there is none left, the request is answered with ENOLCK and not given.
    [[nodiscard]] bool pop(Chain& chain) noexcept;
    // Writes the reply, if there is one. Errors: bad_argument when the chain is not out.
    [[nodiscard]] Errc push(const Chain& done, std::uint32_t written) noexcept;
    void publish() noexcept {}
    [[nodiscard]] bool wants_notification() noexcept { return false; }
    [[nodiscard]] bool arm() noexcept { return false; }
    void disarm() noexcept {}
    [[nodiscard]] Errc error() const noexcept { return error_; }

    // Returns how many requests are out whose replies may have to wait. Any thread.
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.load(std::memory_order_seq_cst); }
    [[nodiscard]] int fd() const noexcept { return device_.get(); }

private:
    // Replies that wait are short: to SETLKW, and to POLL.
    static constexpr std::size_t kWaitingRoom = 128; // bytes
    static constexpr std::uint16_t kMostWaiting = 128;
    static constexpr std::uint16_t kSoon = kMostWaiting; // the head of a chain whose reply does not wait

    struct Room {
        alignas(8) std::array<std::byte, kWaitingRoom> bytes{};
        bool is_out = false;
    };

    [[nodiscard]] std::uint16_t find_room() const noexcept; // kSoon: there is none
    void refuse(std::uint64_t unique) noexcept;
    void write(std::span<const std::byte> reply) noexcept;

    backends::FileDescriptor device_;
    std::vector<std::byte> request_;
    std::vector<std::byte> reply_;
    std::unique_ptr<std::array<Room, kMostWaiting>> rooms_;
    std::size_t taken_ = 0; // bytes of the request that pop() is to give
    bool is_soon_out_ = false;
    std::atomic<std::size_t> waiting_{0};
    std::function<void(std::span<const std::byte>)> elsewhere_{};
    Errc error_ = Errc::ok;
};

} // namespace vfsproto::kernel_mount
