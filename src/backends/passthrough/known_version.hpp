// SPDX-License-Identifier: BSD-2-Clause
// The state of a file that its client knows of: what it was when somebody began to watch it, when the client was told of a change,
// or when a request of the client had changed it. An event of the host that finds the file like that is no news.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>

namespace vfsproto::backends {

// Returns a number that differs if the file was changed in between; never 0. The host's clock may have ticks of some milliseconds:
// of two changes within one, the second shows if it changed anything else that a client keeps of attributes.
[[nodiscard]] inline std::uint64_t version_of(const struct statx& status) noexcept {
    std::uint64_t version = 0;
    const auto add = [&version](std::uint64_t value) {
        version = (version ^ value) * 0xff51'afd7'ed55'8ccd;
        version ^= version >> 32;
    };
    add(static_cast<std::uint64_t>(status.stx_ctime.tv_sec));
    add(static_cast<std::uint64_t>(status.stx_mtime.tv_sec));
    add(std::uint64_t{status.stx_ctime.tv_nsec} << 32 | status.stx_mtime.tv_nsec);
    add(status.stx_size);
    add(std::uint64_t{status.stx_nlink} << 32 | status.stx_mode);
    add(std::uint64_t{status.stx_uid} << 32 | status.stx_gid);
    return version | 1;
}
// Returns the version of the file that a descriptor of any kind is of; 0: the host does not say. `flags` are those of statx(2).
[[nodiscard]] std::uint64_t version_of(int fd, int flags = 0) noexcept;

// Is kept for each file. Any thread; it is moved only while nobody else uses it.
class KnownVersion {
public:
    KnownVersion() noexcept = default;
    KnownVersion(KnownVersion&& other) noexcept { *this = static_cast<KnownVersion&&>(other); }
    KnownVersion& operator=(KnownVersion&& other) noexcept {
        requests_.store(other.requests_.load(std::memory_order_relaxed), std::memory_order_relaxed);
        version_.store(other.version_.load(std::memory_order_relaxed), std::memory_order_relaxed);
        return *this;
    }
    ~KnownVersion() = default;

    [[nodiscard]] std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
    void set(std::uint64_t version) noexcept { version_.store(version, std::memory_order_release); }
    // Sets it if it still is what it was.
    void replace(std::uint64_t before, std::uint64_t after) noexcept {
        version_.compare_exchange_strong(before, after, std::memory_order_acq_rel);
    }

    // These go around a request that changes the file. What it was `before` tells if somebody else had changed it: the client has
    // not been told of that yet, and does not know what it is `after`.
    void begin_change() noexcept { requests_.fetch_add(kBegun | 1, std::memory_order_seq_cst); }
    void end_change(std::uint64_t before, std::uint64_t after) noexcept {
        replace(before, after);
        requests_.fetch_sub(1, std::memory_order_seq_cst);
    }

    // Says which such requests there have been. Where it is the same before and after a look at the file, and none is under way,
    // none came in between.
    class Requests {
    public:
        Requests() noexcept = default;
        explicit Requests(std::uint64_t counts) noexcept : counts_(counts) {}
        [[nodiscard]] bool are_under_way() const noexcept { return counts_ % kBegun != 0; }
        // Returns the number of all that have begun, which may wrap.
        [[nodiscard]] std::uint64_t begun() const noexcept { return counts_ / kBegun; }
        friend bool operator==(const Requests&, const Requests&) noexcept = default;

    private:
        std::uint64_t counts_ = 0;
    };
    [[nodiscard]] Requests requests() const noexcept { return Requests(requests_.load(std::memory_order_seq_cst)); }

private:
    static constexpr std::uint64_t kBegun = std::uint64_t{1} << 32;

    std::atomic<std::uint64_t> requests_{0}; // how many have begun, above; how many are under way, in the lower half
    std::atomic<std::uint64_t> version_{0};  // 0: nothing is known
};

} // namespace vfsproto::backends
