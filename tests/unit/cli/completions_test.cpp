// SPDX-License-Identifier: BSD-2-Clause
// Words that are completed grow by what all of them have, and by whole characters.
#include "../../../src/cli/completions.hpp"
#include "support/catch.hpp"

#include <initializer_list>

using vfsproto::cli::Completions;

namespace {

Completions found(const char* typed, std::initializer_list<const char*> words) {
    Completions completions(0, typed);
    for (const char* word : words) completions.add(word);
    return completions;
}

} // namespace

TEST_CASE("one word is taken whole, and finished unless it is a directory", "[cli]") {
    const Completions file = found("fi", {"file"});
    CHECK(file.common() == "file");
    CHECK(file.is_longer());
    CHECK(file.is_finished());
    const Completions directory = found("di", {"directory/"});
    CHECK(directory.is_longer());
    CHECK_FALSE(directory.is_finished());
    CHECK_FALSE(found("file", {"file"}).is_longer());
    CHECK(found("file", {"file"}).is_finished());
}

TEST_CASE("several words give their common beginning", "[cli]") {
    CHECK(found("a", {"abc", "abd", "abcd"}).common() == "ab");
    CHECK(found("a", {"abc", "abcd"}).common() == "abc");
    CHECK_FALSE(found("ab", {"abc", "abd"}).is_longer());
    CHECK_FALSE(found("", {"x", "y"}).is_finished());
    CHECK(found("", {"x", "y"}).common().empty());
    CHECK(found("typed", {}).count() == 0);
}

TEST_CASE("a common beginning ends with a whole character", "[cli]") {
    CHECK(found("x", {"x\xc3\xa9", "x\xc3\xa8"}).common() == "x");         // é, è
    CHECK(found("x", {"x\xe2\x82\xac", "x\xe2\x82\xad"}).common() == "x"); // two of three bytes
    CHECK(found("x", {"x\xc3\xa9"
                      "1",
                      "x\xc3\xa9"
                      "2"})
              .common() == "x\xc3\xa9");
    CHECK(found("x", {"x\xc3\xa9", "xa"}).common() == "x");
    CHECK(found("", {"\xc3\xa9", "\xc3\xa8"}).common().empty());
}

TEST_CASE("of very many words some are shown, and all are counted", "[cli]") {
    Completions many(0, "");
    for (int i = 0; i < 1000; ++i) many.add("n" + std::to_string(i));
    CHECK(many.count() == 1000);
    CHECK(many.shown().size() == Completions::kMostShown);
    CHECK(many.common() == "n");
}
