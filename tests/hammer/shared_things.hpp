// SPDX-License-Identifier: BSD-2-Clause
// What all processes change together: numbers under locks, a token that one of them has at a time, and versions of a file that each
// reader finds whole.
#pragma once

#include "random.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace hammer {

class SharedThings {
public:
    // Made once, before the processes begin, in a directory that is there.
    static void make(const std::string& directory);

    SharedThings(std::string directory, std::size_t process, std::uint64_t seed)
        : directory_(std::move(directory)), process_(process), random_(seed) {}

    // Does one thing, chosen at random.
    void step();
    // Returns how often this process has counted.
    [[nodiscard]] std::uint64_t counted() const noexcept { return counted_; }
    // Returns what all have counted together.
    [[nodiscard]] static std::uint64_t total(const std::string& directory);

    // Gives the file of whole versions its next one, by rename.
    void publish();

private:
    enum class By : std::uint8_t { record_lock, flock };
    void count(By by);
    void pass_token();
    void read_version();

    [[nodiscard]] std::string path_of(const std::string& name) const { return directory_ + "/" + name; }

    std::string directory_;
    std::size_t process_;
    Random random_;
    std::uint64_t counted_ = 0;
    std::uint64_t version_ = 0; // of this process's last publish()
    bool has_token_ = false;
};

} // namespace hammer
