// SPDX-License-Identifier: BSD-2-Clause
// A line of a script has the words that sh(1) finds in it, and each word can be written so that it is found again.
#include "../../../src/cli/split_line.hpp"
#include "support/catch.hpp"

#include <string>
#include <vector>

using vfsproto::cli::quote_word;
using vfsproto::cli::split_line;
using vfsproto::cli::SplitLine;

namespace {

using Words = std::vector<std::string>;

Words words_of(std::string_view line) {
    const SplitLine split = split_line(line);
    CHECK(split.wrong == nullptr);
    return split.words;
}

} // namespace

TEST_CASE("blanks part the words of a line, and a comment is none", "[cli]") {
    CHECK(words_of("") == Words{});
    CHECK(words_of(" \t\r") == Words{});
    CHECK(words_of("  ls\t-l  /a ") == Words{"ls", "-l", "/a"});
    CHECK(words_of("ls # of all") == Words{"ls"});
    CHECK(words_of("#ls") == Words{});
    CHECK(words_of("cat a#b") == Words{"cat", "a#b"});
    CHECK(words_of("rm [p,q] *") == Words{"rm", "[p,q]", "*"});
}

TEST_CASE("quotes and backslashes keep what sh(1) keeps", "[cli]") {
    CHECK(words_of("cat 'a b' \"c d\" e\\ f") == Words{"cat", "a b", "c d", "e f"});
    CHECK(words_of("cat ''") == Words{"cat", ""});
    CHECK(words_of("cat a'b'\"c\"d") == Words{"cat", "abcd"});
    CHECK(words_of("cat '\\' \"\\\"\\\\\\n\"") == Words{"cat", "\\", "\"\\\\n"});
    CHECK(words_of("cat '\"' \"'\" \\' \\# '#'") == Words{"cat", "\"", "'", "'", "#", "#"});
    CHECK(words_of("cat $HOME ~ `ls` ;") == Words{"cat", "$HOME", "~", "`ls`", ";"});
}

TEST_CASE("a line that is not complete has no words", "[cli]") {
    for (const std::string_view line :
         {std::string_view("rm 'a"), std::string_view("rm \"a"), std::string_view("rm a\\"),
          std::string_view("rm 'a'\\"), std::string_view("rm a\0b", 6), std::string_view("rm '\0'", 6)}) {
        INFO(line);
        CHECK(split_line(line).wrong != nullptr);
        CHECK(split_line(line).words.empty());
    }
}

TEST_CASE("the last word of a line is known by its place", "[cli]") {
    CHECK(split_line("").last == 0);
    CHECK(split_line("ls").last == 0);
    CHECK(split_line("ls ").last == 3);
    CHECK(split_line("ls /a").last == 3);
    CHECK(split_line("ls a\\ b").last == 3);
    CHECK(split_line("ls 'a b'c").last == 3);
}

TEST_CASE("a quoted word is found again as it was", "[cli]") {
    std::string all;
    for (int byte = 1; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
    for (const std::string& word : {std::string(), std::string("plain"), std::string("#x"), std::string("a b"), all}) {
        CHECK(words_of(quote_word(word)) == Words{word});
    }
    CHECK(quote_word("plain") == "plain");
}
