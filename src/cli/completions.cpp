// SPDX-License-Identifier: BSD-2-Clause
#include "completions.hpp"

#include <algorithm>
#include <utility>

namespace vfsproto::cli {
namespace {

bool continues_character(char byte) noexcept { return (static_cast<unsigned char>(byte) & 0xc0u) == 0x80u; }

} // namespace

void Completions::add(std::string word) {
    if (count_++ == 0) {
        common_ = word;
    } else {
        const std::size_t most = std::min(common_.size(), word.size());
        std::size_t equal = 0;
        while (equal < most && common_[equal] == word[equal]) ++equal;
        // A character that the two differ within is not common.
        const bool cut = (equal < common_.size() && continues_character(common_[equal])) ||
                         (equal < word.size() && continues_character(word[equal]));
        while (cut && equal > 0 && continues_character(common_[equal - 1])) --equal;
        if (cut && equal > 0) --equal; // its first byte
        common_.resize(equal);
    }
    if (some_.size() < kMostShown) some_.push_back(std::move(word));
}

std::string Completions::common() const { return common_.size() < typed_.size() ? typed_ : common_; }

std::vector<std::string> Completions::shown() const {
    std::vector<std::string> words = some_;
    std::sort(words.begin(), words.end());
    return words;
}

} // namespace vfsproto::cli
