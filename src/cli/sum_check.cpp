// SPDX-License-Identifier: BSD-2-Clause
#include "sum_check.hpp"

#include "contents.hpp"
#include "json.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <vector>

namespace vfsproto::cli {
namespace {

constexpr std::string_view kInput = "-";

Subject subject_of(const std::string& path) {
    return path == kInput ? Subject::other("standard input") : Subject(path);
}

// Returns the digit of a sum as it is computed.
char lower(char digit) noexcept { return digit >= 'A' && digit <= 'F' ? static_cast<char>(digit - 'A' + 'a') : digit; }

bool is_equal(std::string_view listed, std::string_view computed) noexcept {
    return std::equal(listed.begin(), listed.end(), computed.begin(), computed.end(),
                      [](char a, char b) { return lower(a) == b; });
}

// Returns "1 line is" or "2 lines are".
std::string counted(std::uint64_t count, std::string_view what, std::string_view one, std::string_view more) {
    return count == 1 ? fmt::format("1 {} {}", what, one) : fmt::format("{} {}s {}", count, what, more);
}

} // namespace

bool SumCheck::check(const std::string& path) {
    const Subject list = subject_of(path);
    Count count;
    LineCutter cutter;
    const auto each = [&](std::string_view line) { check_line(list, line, count); };
    if (!read_list(path, [&](std::span<const std::byte> piece) { cutter.take(piece, each); })) return false;
    cutter.finish(each);
    return conclude(list, count);
}

bool SumCheck::read_list(const std::string& path, const Take& take) {
    if (path == kInput) return read_input(take);
    if (!list_.open(path)) return false;
    for (std::uint64_t at = 0;;) {
        const auto piece = list_.read(at, RemoteReader::kPiece);
        if (list_.failed()) return false;
        if (piece.empty()) return true;
        at += piece.size();
        take(piece);
    }
}

bool SumCheck::read_input(const Take& take) {
    LocalContents input(STDIN_FILENO, LocalContents::Access::in_order);
    std::vector<std::byte> buffer(RemoteReader::kPiece);
    for (;;) {
        const auto count = input.read(buffer, 0);
        if (!program_.succeeded(Subject::other("standard input"), count)) return false;
        if (*count == 0) return true;
        take(std::span(buffer).first(*count));
    }
}

void SumCheck::check_line(const Subject& list, std::string_view line, Count& count) {
    ++count.lines;
    if (SumLines::is_void(line)) return;
    const auto listed = lines_.read(line);
    // Standard input cannot be both the list and a file of it.
    if (listed && !(!list.is_path() && listed->name == kInput)) {
        ++count.formed;
        return compare(*listed, count);
    }
    ++count.malformed;
    if (options_.warn) program_.warn(list, fmt::format("line {} is no line of a SHA-256 sum", count.lines));
}

void SumCheck::compare(const ListedSum& listed, Count& count) {
    const auto absent = options_.ignore_missing ? FileSums::Absent::is_passed_over : FileSums::Absent::fails;
    const FileSums::Sum sum = sums_.of(listed.name, absent);
    if (sum.kind == FileSums::Sum::Kind::absent) return;
    const bool is_read = sum.kind == FileSums::Sum::Kind::computed;
    const bool matches = is_read && is_equal(listed.digits, sum.digits);
    ++(matches ? count.matched : is_read ? count.mismatched : count.unread);
    if (!options_.status && !(options_.quiet && matches)) show(listed.name, sum, matches);
}

void SumCheck::show(const std::string& name, const FileSums::Sum& sum, bool matches) {
    const bool is_read = sum.kind == FileSums::Sum::Kind::computed;
    if (program_.wants_json()) {
        Json object;
        add_text(object, "path", name);
        if (is_read) object.set("sha256", sum.digits);
        object.set("matches", matches);
        return print_json(program_, object);
    }
    // A backslash alone is shown as it is, as sha256sum of coreutils 9.1 shows it.
    const bool is_escaped = name.find('\n') != name.npos;
    const std::string shown = is_escaped ? escaped_name(name) : std::string(name);
    program_.out().print("{}{}: {}\n", is_escaped ? "\\" : "", program_.out().name(shown),
                         matches   ? "OK"
                         : is_read ? "FAILED"
                                   : "FAILED open or read");
}

bool SumCheck::conclude(const Subject& list, const Count& count) {
    const bool formed_enough = count.formed != 0 && (count.malformed == 0 || !options_.strict);
    const bool is_well = formed_enough && count.matched != 0 && count.mismatched == 0 && count.unread == 0;
    if (count.formed == 0) {
        program_.report(list, "no line of it is one of a SHA-256 sum");
        return false;
    }
    if (options_.status) return is_well;
    const auto say = [&](const std::string& what) {
        is_well ? program_.warn(list, what) : program_.report(list, what);
    };
    if (count.malformed != 0)
        say(counted(count.malformed, "line", "is none of a SHA-256 sum", "are none of a SHA-256 sum"));
    if (count.unread != 0) say(counted(count.unread, "file", "could not be read", "could not be read"));
    if (count.mismatched != 0) say(counted(count.mismatched, "sum", "does not match", "do not match"));
    if (options_.ignore_missing && count.matched == 0) say("no file was verified");
    return is_well;
}

} // namespace vfsproto::cli
