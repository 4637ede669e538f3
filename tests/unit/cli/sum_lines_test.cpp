// SPDX-License-Identifier: BSD-2-Clause
// A list of sums says what sha256sum(1) finds in it, and nothing else is taken for one.
#include "../../../src/cli/sum_lines.hpp"
#include "support/catch.hpp"

#include <string>
#include <vector>

using namespace vfsproto::cli;

namespace {

const std::string kSum(64, 'a');

// Returns the name in a line that is the first of its list; "none" for a line of another form.
std::string name_in(const std::string& line) {
    const auto listed = SumLines().read(line);
    if (!listed) return "none";
    CHECK(listed->digits.size() == 64);
    return listed->name;
}

std::vector<std::string> lines_of(const std::vector<std::string>& pieces) {
    std::vector<std::string> lines;
    LineCutter cutter;
    const auto keep = [&](std::string_view line) { lines.emplace_back(line); };
    for (const std::string& piece : pieces) cutter.take(std::as_bytes(std::span(piece)), keep);
    cutter.finish(keep);
    return lines;
}

} // namespace

TEST_CASE("a line of a sum has 64 digits, a blank, a mark and a name", "[cli]") {
    CHECK(name_in(kSum + "  file") == "file");
    CHECK(name_in(kSum + " *file") == "file");
    CHECK(name_in(kSum + "\t file\r") == "file");
    CHECK(name_in(" \t" + kSum + "  two words ") == "two words ");
    CHECK(name_in(std::string(64, 'A') + "  file") == "file");
    CHECK(name_in(kSum + "    file") == "  file");
    CHECK(name_in(kSum + "  ") == " "); // the form without a mark
    CHECK(name_in(kSum + " f") == "f");
    for (const std::string& line : std::vector<std::string>{
             kSum, kSum + " ", "x" + kSum + "  file", std::string(63, 'a') + "g  file", kSum.substr(1) + "  file",
             kSum + "x file", " #" + kSum + "  file", kSum + "  nul" + std::string(1, '\0')}) {
        INFO(line);
        CHECK(name_in(line) == "none");
    }
}

TEST_CASE("a line of BSD has its sum behind the name, which ends at the last bracket", "[cli]") {
    CHECK(name_in("SHA256 (file) = " + kSum) == "file");
    CHECK(name_in("SHA256(a) (b)\t=" + kSum) == "a) (b");
    CHECK(name_in("\\SHA256 (a\\nb) = " + kSum) == "a\nb");
    for (const std::string& line : std::vector<std::string>{
             "SHA256 (file) = " + kSum + "0", "SHA256 (file) = ", "SHA256 (file = " + kSum, "SHA256 file) = " + kSum,
             "SHA256 (file) " + kSum, "SHA256", "SHA256  (file) = " + kSum, "SHA512 (file) = " + kSum}) {
        INFO(line);
        CHECK(name_in(line) == "none");
    }
}

TEST_CASE("a name is read as it was written", "[cli]") {
    for (const std::string name : {"a\\b", "a\nb", "\r", "\\", "\\n", "a\n\\\r\n", "plain"}) {
        const std::string escaped = escaped_name(name);
        INFO(escaped);
        CHECK(escaped.find_first_of("\n\r") == std::string::npos);
        CHECK(name_in((escaped == name ? "" : "\\") + kSum + "  " + escaped) == name);
    }
    CHECK(name_in("\\" + kSum + "  end\\") == "none");
    CHECK(name_in("\\" + kSum + "  a\\tb") == "none");
    CHECK(name_in(kSum + "  a\\tb") == "a\\tb");
}

TEST_CASE("the first line with a blank alone, or with a mark, tells the form of the others", "[cli]") {
    SumLines with_mark;
    CHECK(with_mark.read(kSum + "  file"));
    CHECK_FALSE(with_mark.read(kSum + " file"));
    CHECK(with_mark.read("SHA256 (file) = " + kSum));
    SumLines without_mark;
    CHECK(without_mark.read(kSum + " file")->name == "file");
    CHECK(without_mark.read(kSum + "  file")->name == " file");
    CHECK(without_mark.read(kSum + " *file")->name == "*file");
}

TEST_CASE("lines are whole, however the pieces are cut, and are not kept beyond a bound", "[cli]") {
    CHECK(lines_of({"one\ntwo\n"}) == std::vector<std::string>{"one", "two"});
    CHECK(lines_of({"o", "ne", "\n", "\ntwo", ""}) == std::vector<std::string>{"one", "", "two"});
    CHECK(lines_of({""}).empty());
    const std::string half(LineCutter::kMost, 'x');
    const auto long_lines = lines_of({half, half, half + "\nshort"});
    REQUIRE(long_lines.size() == 2);
    CHECK(long_lines[0].size() == LineCutter::kMost + 1);
    CHECK(long_lines[1] == "short");
    CHECK(name_in(kSum + "  " + half) == "none");
    CHECK(SumLines::is_void("# a comment"));
    CHECK(SumLines::is_void("\r"));
    CHECK_FALSE(SumLines::is_void(" "));
}
