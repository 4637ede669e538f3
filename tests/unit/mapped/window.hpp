// SPDX-License-Identifier: BSD-2-Clause
// A mount with a shared memory window, and its mapped files.
#pragma once

#include "support/catch.hpp"

#include "vfsproto/backends/attachment.hpp"
#include "vfsproto/posix/channel_stats.hpp"
#include "vfsproto/posix/file.hpp"
#include "vfsproto/posix/mapped_files.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/mount_options.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace vfsproto::test {

inline constexpr std::size_t kRange = 4096;
inline constexpr std::uint16_t kAlignment = 12; // as an exponent of two

// Returns bytes that differ from place to place.
[[nodiscard]] inline std::string pattern(std::size_t length, unsigned seed = 0) {
    std::string text(length, '\0');
    for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<char>('a' + (i / 7 + i * seed) % 26);
    return text;
}

struct MappedMount {
    void open_mount(std::unique_ptr<backends::Attachment> device, const posix::MountOptions& options) {
        auto opened = posix::Mount::open(std::move(device), options);
        REQUIRE(opened);
        mount = *std::move(opened);
    }
    void map_files(std::uint64_t range_bytes = kRange) {
        auto opened = posix::MappedFiles::open(*mount, range_bytes);
        REQUIRE(opened);
        files = *std::move(opened);
    }
    [[nodiscard]] std::unique_ptr<posix::MappedFile> map(const posix::File& file) const {
        auto mapped = files->map(file);
        REQUIRE(mapped);
        return *std::move(mapped);
    }
    // Return what is read as a text, through the window and by READ; "?" if it failed.
    static std::string read(posix::MappedFile& file, std::uint64_t offset, std::size_t length) {
        std::string text(length, '\0');
        return taken(text, file.read(std::as_writable_bytes(std::span(text)), offset));
    }
    [[nodiscard]] std::string read(const posix::File& file, std::uint64_t offset, std::size_t length) const {
        std::string text(length, '\0');
        return taken(text, mount->read(file, std::as_writable_bytes(std::span(text)), offset));
    }
    static std::string taken(const std::string& text, const posix::Expected<std::uint64_t>& count) {
        return count ? text.substr(0, static_cast<std::size_t>(*count)) : "?";
    }
    // Return how many bytes were written, through the window and by WRITE; 0 if it failed.
    static std::uint64_t write(posix::MappedFile& file, std::uint64_t offset, const std::string& text) {
        const auto done = file.write(std::as_bytes(std::span(text)), offset);
        return done ? *done : 0;
    }
    std::uint64_t write(const posix::File& file, std::uint64_t offset, const std::string& text) const {
        const auto done = mount->write(file, std::as_bytes(std::span(text)), offset);
        return done ? *done : 0;
    }
    [[nodiscard]] std::uint64_t requests() const { return mount->stats().requests; }

    std::unique_ptr<posix::Mount> mount;
    std::unique_ptr<posix::MappedFiles> files;
};

} // namespace vfsproto::test
