// SPDX-License-Identifier: BSD-2-Clause
#include "mode.hpp"

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"

namespace vfsproto::cli {

using namespace abi;

namespace {

struct Type {
    std::uint32_t mode;
    char letter;
    const char* name;
};
constexpr Type kTypes[] = {
    {kSIfreg, '-', "file"},    {kSIfdir, 'd', "directory"},    {kSIflnk, 'l', "symlink"},
    {kSIfifo, 'p', "fifo"},    {kSIfblk, 'b', "block device"}, {kSIfchr, 'c', "character device"},
    {kSIfsock, 's', "socket"},
};

const Type* find_type(std::uint32_t mode) noexcept {
    for (const Type& type : kTypes) {
        if (type.mode == file_type(mode)) return &type;
    }
    return nullptr;
}

char execute_letter(bool execute, bool special, char both) noexcept {
    const char alone = static_cast<char>(both - 'a' + 'A');
    if (special) return execute ? both : alone;
    return execute ? 'x' : '-';
}

std::uint32_t who_bits(char who) noexcept {
    switch (who) {
    case 'u': return kSIsuid | 0700;
    case 'g': return kSIsgid | 0070;
    case 'o': return kSIsvtx | 0007;
    case 'a': return 07777;
    default: return 0;
    }
}

} // namespace

std::string mode_string(std::uint32_t mode) {
    const Type* type = find_type(mode);
    std::string text(1, type != nullptr ? type->letter : '?');
    for (const int shift : {6, 3, 0}) {
        const std::uint32_t bits = mode >> shift;
        text += (bits & 4) != 0 ? 'r' : '-';
        text += (bits & 2) != 0 ? 'w' : '-';
        text += (bits & 1) != 0 ? 'x' : '-';
    }
    text[3] = execute_letter((mode & 0100) != 0, (mode & kSIsuid) != 0, 's');
    text[6] = execute_letter((mode & 0010) != 0, (mode & kSIsgid) != 0, 's');
    text[9] = execute_letter((mode & 0001) != 0, (mode & kSIsvtx) != 0, 't');
    return text;
}

const char* type_name(std::uint32_t mode) noexcept {
    const Type* type = find_type(mode);
    return type != nullptr ? type->name : "unknown";
}

std::optional<ModeChange> ModeChange::parse(std::string_view text, std::uint32_t umask) {
    ModeChange change;
    if (text.empty()) return std::nullopt;
    if (text.find_first_not_of("01234567") == std::string_view::npos) {
        if (text.size() > 5) return std::nullopt;
        Step step;
        for (const char digit : text) step.bits = step.bits * 8 + static_cast<std::uint32_t>(digit - '0');
        if (step.bits > kSIallugo) return std::nullopt;
        step.all_mentioned = text.size() == 5;
        change.steps_.push_back(step);
        return change;
    }
    while (true) {
        const std::size_t comma = text.find(',');
        if (!change.parse_clause(text.substr(0, comma), umask)) return std::nullopt;
        if (comma == std::string_view::npos) return change;
        text.remove_prefix(comma + 1);
    }
}

bool ModeChange::take_letter(Step& step, char letter) noexcept {
    switch (letter) {
    case 'r': step.bits |= 0444; return true;
    case 'w': step.bits |= 0222; return true;
    case 'x': step.bits |= 0111; return true;
    case 'X': step.search_only = true; return true;
    case 's': step.bits |= kSIsuid | kSIsgid; return true;
    case 't': step.bits |= kSIsvtx; return true;
    case 'u':
    case 'g':
    case 'o':
        if (step.bits != 0 || step.copy != 0) return false;
        step.copy = letter;
        return true;
    default: return false;
    }
}

// [ugoa]* then one or more of: [+-=] and [rwxXst]* or one of ugo.
bool ModeChange::parse_clause(std::string_view clause, std::uint32_t umask) {
    std::uint32_t who = 0;
    while (!clause.empty() && who_bits(clause[0]) != 0) {
        who |= who_bits(clause[0]);
        clause.remove_prefix(1);
    }
    const std::uint32_t masked = who == 0 ? umask & 0777 : 0;
    if (who == 0) who = 07777;
    if (clause.empty()) return false;
    while (!clause.empty()) {
        Step step;
        step.action = clause[0];
        if (step.action != '+' && step.action != '-' && step.action != '=') return false;
        clause.remove_prefix(1);
        step.who = who & ~masked;
        // "=" without a who clears even what the umask holds back.
        if (step.action == '=' && masked != 0) steps_.push_back({.action = '=', .who = who});
        while (!clause.empty() && take_letter(step, clause[0])) clause.remove_prefix(1);
        if (step.copy != 0 && (step.bits != 0 || step.search_only)) return false;
        steps_.push_back(step);
    }
    return true;
}

std::uint32_t ModeChange::bits_of(const Step& step, std::uint32_t mode) noexcept {
    if (step.copy != 0) {
        const int shift = step.copy == 'u' ? 6 : step.copy == 'g' ? 3 : 0;
        return (mode >> shift & 7) * 0111;
    }
    const bool searchable = kSIfdir == file_type(mode) || (mode & 0111) != 0;
    return step.bits | (step.search_only && searchable ? 0111 : 0);
}

std::uint32_t ModeChange::kept_bits(const Step& step, std::uint32_t mode) noexcept {
    if (file_type(mode) != kSIfdir || step.all_mentioned) return 0;
    return (kSIsuid | kSIsgid) & ~(step.bits & step.who);
}

std::uint32_t ModeChange::apply(std::uint32_t mode) const noexcept {
    for (const Step& step : steps_) {
        const std::uint32_t kept = kept_bits(step, mode);
        const std::uint32_t bits = bits_of(step, mode) & step.who & ~kept;
        if (step.action == '+') mode |= bits;
        if (step.action == '-') mode &= ~bits;
        if (step.action == '=') mode = (mode & ~(step.who & kSIallugo & ~kept)) | bits;
    }
    return mode & kSIallugo;
}

} // namespace vfsproto::cli
