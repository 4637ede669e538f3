// SPDX-License-Identifier: BSD-2-Clause
// The tests of find: "-name '*.c' -type f -size +1M". All of them have to hold.
#pragma once

#include "program.hpp"
#include "remote_walk.hpp"

#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

// True for a word that begins the tests: "-name", "!".
[[nodiscard]] bool is_test_word(const std::string& word);
// True for a word with a dash that belongs to the tests: "-name", and the value "-5".
[[nodiscard]] bool is_find_word(std::string_view word);

class FindTests {
public:
    // Returns what is wrong with the words, in one line; nothing when they are understood.
    [[nodiscard]] std::string parse(const std::vector<std::string>& words);

    [[nodiscard]] bool pass(Program& program, const Visited& file) const;
    [[nodiscard]] unsigned least_level() const noexcept { return least_level_; }
    [[nodiscard]] unsigned most_level() const noexcept { return most_level_; }
    [[nodiscard]] bool ends_names_with_nul() const noexcept { return nul_; }

private:
    using Test = std::function<bool(Program&, const Visited&)>;

    // Each returns what is wrong, or nothing.
    [[nodiscard]] std::string add(const std::string& name, const std::string& value);
    [[nodiscard]] std::string add_type(const std::string& letters);
    [[nodiscard]] std::string add_size(const std::string& size);
    [[nodiscard]] static std::string set_level(unsigned& level, const std::string& value);

    std::vector<Test> tests_;
    unsigned least_level_ = 0;
    unsigned most_level_ = std::numeric_limits<unsigned>::max();
    bool nul_ = false;
};

} // namespace vfsproto::cli
