// SPDX-License-Identifier: BSD-2-Clause
// One random step of a model run: what is done, to which path, with which numbers. Both sides get the same.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace model {

enum class Kind : std::uint8_t {
    mkdir,
    rmdir,
    open,
    close,
    read,
    write,
    truncate,
    truncate_open,
    stat_open,
    unlink,
    rename,
    link,
    symlink,
    readlink,
    stat,
    lstat,
    chmod,
    set_times,
    list,
    punch,
    seek_data,
    seek_hole,
    copy_range,
    set_xattr,
    get_xattr,
    remove_xattr,
    list_xattrs,
};
inline constexpr int kKinds = 27;
inline constexpr int kOpenFiles = 6; // at a time

struct Operation {
    Kind kind{};
    std::string path;
    std::string path2; // rename, link, symlink
    int file = 0;      // which open file
    int file2 = 0;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint32_t flags = 0; // of open, rename
    std::uint32_t mode = 0;
    std::uint8_t fill = 0; // what a write writes

    [[nodiscard]] std::string text() const;
};

// A few names in a few directories, so that steps meet; now and then a path that cannot be right.
class Generator {
public:
    explicit Generator(std::uint64_t seed) : random_(seed) {}
    [[nodiscard]] Operation next();

private:
    [[nodiscard]] std::uint64_t below(std::uint64_t n) { return random_() % n; }
    [[nodiscard]] std::string path();
    [[nodiscard]] std::uint32_t open_flags();

    std::mt19937_64 random_;
};

} // namespace model
