// SPDX-License-Identifier: BSD-2-Clause
#include "split_line.hpp"

#include <utility>

namespace vfsproto::cli {
namespace {

// Reads one line from left to right.
class Splitter {
public:
    explicit Splitter(std::string_view line) noexcept : line_(line), rest_(line) {}

    SplitLine split() {
        while (!rest_.empty() && result_.wrong == nullptr) step();
        if (result_.wrong != nullptr) {
            result_.words.clear();
        } else {
            if (!in_word_) result_.last = line_.size();
            end_word();
        }
        return std::move(result_);
    }

private:
    void step() {
        if (!in_word_) result_.last = line_.size() - rest_.size();
        const char c = take();
        switch (c) {
        case ' ':
        case '\t':
        case '\r': return end_word();
        case '#':
            if (in_word_) break;
            rest_ = {};
            return;
        case '\'': return single_quoted();
        case '"': return double_quoted();
        case '\\':
            if (rest_.empty()) {
                result_.wrong = "nothing follows the last backslash";
                return;
            }
            return add(take());
        default: break;
        }
        add(c);
    }
    void single_quoted() {
        in_word_ = true;
        const std::size_t end = rest_.find('\'');
        if (end == std::string_view::npos) {
            result_.wrong = "a ' has no second one";
            return;
        }
        word_.append(rest_.substr(0, end));
        rest_.remove_prefix(end + 1);
    }
    void double_quoted() {
        in_word_ = true;
        while (!rest_.empty()) {
            char c = take();
            if (c == '"') return;
            if (c == '\\' && (rest_.starts_with('"') || rest_.starts_with('\\'))) c = take();
            word_.push_back(c);
        }
        result_.wrong = "a \" has no second one";
    }

    char take() noexcept {
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }
    void add(char c) {
        in_word_ = true;
        word_.push_back(c);
    }
    void end_word() {
        if (std::exchange(in_word_, false)) result_.words.push_back(std::exchange(word_, {}));
    }

    std::string_view line_;
    std::string_view rest_;
    std::string word_;
    bool in_word_ = false; // an empty word in quotes is a word
    SplitLine result_;
};

} // namespace

SplitLine split_line(std::string_view line) {
    // A quoted NUL cannot become a word either.
    if (line.find('\0') != std::string_view::npos) return {.words = {}, .wrong = "it contains a NUL byte"};
    return Splitter(line).split();
}

std::string quote_word(std::string_view word) {
    if (word.empty()) return "''";
    std::string quoted;
    for (const char c : word) {
        constexpr std::string_view kSpecial = " \t\r'\"\\";
        const bool begins_comment = c == '#' && quoted.empty();
        if (begins_comment || kSpecial.find(c) != std::string_view::npos) quoted.push_back('\\');
        quoted.push_back(c);
    }
    return quoted;
}

} // namespace vfsproto::cli
