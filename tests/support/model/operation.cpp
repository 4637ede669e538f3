// SPDX-License-Identifier: BSD-2-Clause
#include "operation.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>

namespace model {

namespace {

constexpr const char* kNames[kKinds] = {
    "mkdir",         "rmdir",      "open",      "close",     "read",         "write",      "truncate",
    "truncate_open", "stat_open",  "unlink",    "rename",    "link",         "symlink",    "readlink",
    "stat",          "lstat",      "chmod",     "set_times", "list",         "punch",      "seek_data",
    "seek_hole",     "copy_range", "set_xattr", "get_xattr", "remove_xattr", "list_xattrs"};

// Kinds that build and fill a tree come more often than kinds that take it down.
constexpr unsigned kWeights[kKinds] = {8,  2, 22, 3, 18, 20, 4, 5, 6, 5, 7, 6, 4, 3,
                                       10, 6, 5,  5, 6,  4,  5, 5, 4, 4, 3, 1, 3};

constexpr unsigned kTotal = [] {
    unsigned sum = 0;
    for (const unsigned weight : kWeights) sum += weight;
    return sum;
}();

} // namespace

std::string Operation::text() const {
    return fmt::format("{} '{}' '{}' file {} file2 {} offset {} length {} flags {:#o} mode {:#o} fill {}",
                       kNames[static_cast<int>(kind)], path, path2, file, file2, offset, length, flags, mode, fill);
}

std::string Generator::path() {
    static constexpr const char* kParts[] = {"a", "b", "c", "d", "e"};
    std::string path = "/";
    const std::uint64_t dice = below(10);
    const std::uint64_t depth = dice < 6 ? 1 : dice < 9 ? 2 : 3;
    for (std::uint64_t i = 0; i < depth; ++i) {
        if (i != 0) path += below(20) == 0 ? "//" : "/";
        if (i != 0 && below(25) == 0) path += "./";
        path += kParts[below(5)];
    }
    switch (below(60)) {
    case 0: return path + '/';
    case 1: return path + "/..";
    case 2: return path + '/' + std::string(256, 'x');
    case 3: return depth > 1 ? path + "/../" + kParts[below(5)] : path;
    default: return path;
    }
}

std::uint32_t Generator::open_flags() {
    std::uint32_t flags = static_cast<std::uint32_t>(below(3)); // O_RDONLY, O_WRONLY, O_RDWR
    if (below(3) != 0) flags |= O_CREAT;
    if (below(8) == 0) flags |= O_EXCL | O_CREAT;
    if (below(6) == 0 && (flags & O_ACCMODE) != O_RDONLY) flags |= O_TRUNC;
    if (below(8) == 0) flags |= O_NOFOLLOW;
    if (below(16) == 0) flags = O_RDONLY | O_DIRECTORY;
    return flags;
}

Operation Generator::next() {
    Operation operation;
    std::uint64_t at = below(kTotal);
    int kind = 0;
    while (at >= kWeights[kind]) at -= kWeights[kind++];
    operation.kind = static_cast<Kind>(kind);
    operation.path = path();
    operation.path2 = path();
    operation.file = static_cast<int>(below(kOpenFiles));
    operation.file2 = static_cast<int>(below(kOpenFiles));
    operation.offset = below(4) == 0 ? below(400'000) : below(10'000);
    operation.length = below(10) == 0 ? 1 + below(300'000) : 1 + below(9'000);
    operation.mode = static_cast<std::uint32_t>(below(01000));
    operation.fill = static_cast<std::uint8_t>(below(256));
    if (operation.kind == Kind::open) operation.flags = open_flags();
    if (operation.kind == Kind::rename && below(4) == 0) {
        operation.flags = below(2) == 0 ? RENAME_NOREPLACE : RENAME_EXCHANGE;
    }
    // A link's target: relative, and never above the root, where the two sides' trees differ.
    if (operation.kind == Kind::symlink) {
        static constexpr const char* kTargets[] = {"a", "b", "c/d", "e", "nowhere", "a/b/c"};
        operation.path = kTargets[below(6)];
    }
    return operation;
}

} // namespace model
