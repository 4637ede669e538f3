// SPDX-License-Identifier: BSD-2-Clause
// The words that may stand in the place of one that is being typed are counted; their common beginning and some of them are kept.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

class Completions {
public:
    static constexpr std::size_t kMostShown = 200;

    // `length` is how many bytes before the cursor the word takes, as it was typed; `typed` is what they stand for.
    Completions(std::size_t length, std::string_view typed) : length_(length), typed_(typed) {}

    // Adds a word that begins with what was typed; only some of them are kept. A directory ends in a slash.
    void add(std::string word);

    [[nodiscard]] std::size_t length() const noexcept { return length_; }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    // Returns the beginning that all words have, whole characters of UTF-8, which may be no more than what was typed.
    [[nodiscard]] std::string common() const;
    // True if there is one word, and nothing can follow it.
    [[nodiscard]] bool is_finished() const noexcept { return count_ == 1 && !common_.ends_with('/'); }
    // True if the common beginning is more than what was typed.
    [[nodiscard]] bool is_longer() const { return common().size() > typed_.size(); }
    // Returns the first of them, in order.
    [[nodiscard]] std::vector<std::string> shown() const;

private:
    std::size_t length_;
    std::string typed_;
    std::string common_;
    std::size_t count_ = 0;
    std::vector<std::string> some_;
};

} // namespace vfsproto::cli
