// SPDX-License-Identifier: BSD-2-Clause
// Files of this host, made as a test wants them.
#pragma once

#include "support/catch.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string_view>

namespace vfsproto::test {

inline void write_file(const std::filesystem::path& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

// Sets both times of a file, or of a link itself.
inline void set_time(const std::filesystem::path& path, timespec time) {
    const timespec both[2] = {time, time};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), both, AT_SYMLINK_NOFOLLOW) == 0);
}
inline void set_time(const std::filesystem::path& path, time_t seconds) { set_time(path, timespec{seconds, 0}); }

} // namespace vfsproto::test
