// SPDX-License-Identifier: BSD-2-Clause
// The entries of a directory, kept in little room.
#include "../../../src/cli/packed_entries.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using vfsproto::abi::Attributes;
using vfsproto::cli::PackedEntries;
using vfsproto::cli::TextStore;

namespace {

std::vector<std::string> names_of(const PackedEntries& entries) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < entries.size(); ++i) names.emplace_back(entries[i].name);
    return names;
}

Attributes of_inode(std::uint64_t ino) {
    Attributes attributes{};
    attributes.ino = ino;
    return attributes;
}

} // namespace

TEST_CASE("texts of any length are kept", "[cli]") {
    TextStore store;
    std::vector<std::pair<TextStore::Place, std::string>> kept;
    // Blocks grow from 256 bytes to a mebibyte; the last texts are longer than the largest.
    for (const std::size_t length : {0U, 1U, 100U, 5U, 255U, 256U, 4096U, 70'000U, 1U << 20, 3U << 20, 1U, 0U}) {
        const std::string text(length, static_cast<char>('a' + kept.size()));
        kept.emplace_back(store.add(text), text);
    }
    for (int i = 0; i < 100'000; ++i) {
        const std::string text = "name " + std::to_string(i);
        kept.emplace_back(store.add(text), text);
    }
    bool all = true;
    for (const auto& [place, text] : kept) all &= store.at(place) == text;
    CHECK(all);
    CHECK(store.at(store.add(std::string_view("a\0b", 3))) == std::string_view("a\0b", 3));
}

TEST_CASE("entries keep what is known of them, sorted or not, and where they are moved to", "[cli]") {
    PackedEntries entries;
    CHECK(entries.empty());
    const Attributes first = of_inode(1);
    const Attributes second = of_inode(2);
    entries.add({"link", 0120000, &first, "where it leads"});
    entries.add({"unknown"});
    entries.add({"file", 0100000, &second});
    entries.add_first({".."});
    entries.add_first({"."});
    CHECK(names_of(entries) == std::vector<std::string>{".", "..", "link", "unknown", "file"});
    entries.sort_by_name();
    CHECK(names_of(entries) == std::vector<std::string>{".", "..", "file", "link", "unknown"});
    const PackedEntries::Entry link = entries[3];
    const PackedEntries moved = std::move(entries);
    CHECK(link.name == "link");
    CHECK(link.type == 0120000);
    CHECK(link.target == "where it leads");
    REQUIRE(link.attributes != nullptr);
    CHECK(link.attributes->ino == 1);
    CHECK(moved[2].attributes->ino == 2);
    CHECK_FALSE(moved[2].target);
    CHECK(moved[4].type == 0);
    CHECK(moved[4].attributes == nullptr);
    // A target may be empty, and is one all the same.
    PackedEntries odd;
    odd.add({"", 0120000, &first, ""});
    CHECK(odd[0].name.empty());
    CHECK(odd[0].target == "");
}

TEST_CASE("entries are sorted by whatever is asked of them", "[cli]") {
    constexpr std::uint64_t kEntries = 1000;
    PackedEntries entries;
    for (std::uint64_t i = 0; i < kEntries; ++i) {
        const Attributes attributes = of_inode(i * 7 % kEntries);
        entries.add({std::to_string(i), 0, &attributes});
    }
    entries.sort([](const PackedEntries::Entry& a, const PackedEntries::Entry& b) {
        return a.attributes->ino > b.attributes->ino;
    });
    bool sorted = entries.size() == kEntries;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const std::uint64_t ino = kEntries - 1 - i;
        sorted &= entries[i].attributes->ino == ino && std::stoull(std::string(entries[i].name)) * 7 % kEntries == ino;
    }
    CHECK(sorted);
}
