// SPDX-License-Identifier: BSD-2-Clause
// Frames that say what must be in them: number n has one length and one content, in whatever pieces it comes.
#pragma once

#include "support/scale.hpp"

#include "vfsproto/base/segment.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace vfsproto::test {

inline constexpr std::size_t kNetHeader = 12; // struct virtio_net_hdr with VERSION_1, virtio 1.2 §5.1.6
inline constexpr std::size_t kMinFrame = 60;
inline constexpr std::size_t kMaxFrame = 1514;

inline std::uint64_t frames_to_send() { return is_nightly() ? 1'000'000 : 20'000; }
// Prints the time of a nightly run. It compares with nothing, because the peer shares our cores.
inline void tell_time(const std::string& what, std::chrono::nanoseconds time, std::uint64_t frames) {
    if (!is_nightly()) return;
    const double each = static_cast<double>(time.count()) / static_cast<double>(frames);
    std::printf("%s: %.0f ns a frame, %.0f frames/s\n", what.c_str(), each, 1e9 / each);
}

inline std::uint64_t scramble(std::uint64_t n) { // splitmix64
    std::uint64_t z = (n + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

class Frames {
public:
    explicit Frames(std::size_t longest = kMaxFrame) : longest_(longest), expected_(longest), scratch_(longest) {}

    [[nodiscard]] std::size_t length(std::uint64_t number) const {
        return kMinFrame + scramble(number) % (longest_ - kMinFrame + 1);
    }
    // Writes frame `number`, length(number) bytes, across the segments of `out` but for their first `skip` bytes.
    void write(std::uint64_t number, std::span<const HostSegment> out, std::size_t skip) {
        std::size_t done = 0;
        make(number, scratch_);
        for_each_part(out, skip, length(number), [&](std::byte* part, std::size_t len) {
            std::memcpy(part, scratch_.data() + done, len);
            done += len;
        });
    }
    // True if the segments, without their first `skip` bytes, hold frame `number`. Bytes after the frame may be
    // anything.
    [[nodiscard]] bool matches(std::uint64_t number, std::span<const HostSegment> in, std::size_t skip) {
        std::size_t done = 0;
        bool same = true;
        make(number, expected_);
        for_each_part(in, skip, length(number), [&](std::byte* part, std::size_t len) {
            same = same && std::memcmp(part, expected_.data() + done, len) == 0;
            done += len;
        });
        return same && done == length(number);
    }

    // Returns the first byte that differs, for a message. A frame that is too short differs from its end on.
    [[nodiscard]] std::size_t first_difference(std::uint64_t number, std::span<const HostSegment> in,
                                               std::size_t skip) {
        std::size_t done = 0;
        std::size_t same = 0;
        make(number, expected_);
        for_each_part(in, skip, length(number), [&](std::byte* part, std::size_t len) {
            for (std::size_t i = 0; i < len; ++i, ++done) {
                if (same == done && part[i] == expected_[done]) ++same;
            }
        });
        return same;
    }

private:
    template <class F>
    static void for_each_part(std::span<const HostSegment> segments, std::size_t skip, std::size_t len, F&& f) {
        for (const HostSegment& segment : segments) {
            if (skip >= segment.len) {
                skip -= segment.len;
                continue;
            }
            const std::size_t here = std::min<std::size_t>(segment.len - skip, len);
            if (here != 0) f(segment.data + skip, here);
            skip = 0;
            len -= here;
        }
    }

    // Addresses, an EtherType for experiments, then the number, then bytes that depend on it.
    void make(std::uint64_t number, std::vector<std::byte>& out) const {
        static constexpr unsigned char kStart[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};
        std::memcpy(out.data(), kStart, sizeof kStart);
        const std::size_t end = length(number);
        for (std::size_t at = sizeof kStart, i = 0; at < end; at += 8, ++i) {
            const std::uint64_t word = i == 0 ? number : number * 0x9e3779b97f4a7c15 + i;
            std::memcpy(out.data() + at, &word, std::min<std::size_t>(8, end - at));
        }
    }

    std::size_t longest_;
    std::vector<std::byte> expected_;
    std::vector<std::byte> scratch_;
};

} // namespace vfsproto::test
