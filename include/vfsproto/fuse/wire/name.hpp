// SPDX-License-Identifier: BSD-2-Clause
// A file name (or a symlink target, or the name of an xattr) as messages carry it.
#pragma once

#include "vfsproto/base/characters.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::wire {

// A view of bytes without their NUL: any byte but NUL may occur, '/' included; who forbids more says so. Does not own.
class Name {
public:
    constexpr Name() noexcept = default;
    constexpr Name(const char* data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t N> constexpr Name(const char (&literal)[N]) noexcept
        : data_(literal), size_(N - 1) {} // NOLINT
    // Refers to a string_view or a string of the host.
    template <class S>
        requires requires(const S& text) {
            { text.data() } -> std::convertible_to<const char*>;
            { text.size() } -> std::convertible_to<std::size_t>;
        }
    constexpr Name(const S& text) noexcept : data_(text.data()), size_(text.size()) {} // NOLINT: implicit by design

    // The bytes of a message, which hold no NUL.
    [[nodiscard]] static Name of_bytes(std::span<const std::byte> bytes) noexcept {
        return {characters(bytes), bytes.size()};
    }

    [[nodiscard]] constexpr const char* data() const noexcept { return data_; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] constexpr const char* begin() const noexcept { return data_; }
    [[nodiscard]] constexpr const char* end() const noexcept { return data_ + size_; }
    [[nodiscard]] constexpr char operator[](std::size_t i) const noexcept { return data_[i]; }

    [[nodiscard]] constexpr bool contains(char wanted) const noexcept {
        for (const char c : *this) {
            if (c == wanted) return true;
        }
        return false;
    }
    // True for "." and "..", which no file can be called.
    [[nodiscard]] constexpr bool is_dot_or_dot_dot() const noexcept {
        return (size_ == 1 && data_[0] == '.') || (size_ == 2 && data_[0] == '.' && data_[1] == '.');
    }

    friend constexpr bool operator==(Name a, Name b) noexcept {
        if (a.size_ != b.size_) return false;
        for (std::size_t i = 0; i < a.size_; ++i) {
            if (a.data_[i] != b.data_[i]) return false;
        }
        return true;
    }

private:
    const char* data_ = "";
    std::size_t size_ = 0;
};

// True if one of the bytes is NUL, which ends a name in a message. Looks at eight of them at a time.
[[nodiscard]] inline bool holds_nul(std::span<const char> bytes) noexcept {
    constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;
    constexpr std::uint64_t kHighBits = kOnes << 7;
    // A byte of `word - kOnes` takes its high bit from one that was 0, or was above 0x80, which ~word leaves out.
    const auto has_zero = [](std::uint64_t word) { return ((word - kOnes) & ~word & kHighBits) != 0; };
    std::size_t at = 0;
    for (; at + sizeof(std::uint64_t) <= bytes.size(); at += sizeof(std::uint64_t)) {
        std::uint64_t word;
        __builtin_memcpy(&word, bytes.data() + at, sizeof(word));
        if (has_zero(word)) return true;
    }
    for (; at < bytes.size(); ++at) {
        if (bytes[at] == '\0') return true;
    }
    return false;
}

} // namespace vfsproto::wire
