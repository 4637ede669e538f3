// SPDX-License-Identifier: BSD-2-Clause
// Removes a tree whose paths may be longer than PATH_MAX, when a test ends: rm(1) knows such.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <utility>

namespace vfsproto::test {

class Removed {
public:
    explicit Removed(std::filesystem::path path) : path_(std::move(path)) {}
    ~Removed() { static_cast<void>(std::system(("rm -rf " + path_.string()).c_str())); }
    Removed(const Removed&) = delete;
    Removed& operator=(const Removed&) = delete;

private:
    std::filesystem::path path_;
};

} // namespace vfsproto::test
