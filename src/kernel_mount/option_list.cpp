// SPDX-License-Identifier: BSD-2-Clause
#include "option_list.hpp"

#include <fmt/format.h>

#include <sys/mount.h>

#include <charconv>

namespace vfsproto::kernel_mount {

namespace {

struct FlagWord {
    const char* word;
    unsigned long bit;
    enum class Does : std::uint8_t { sets, clears } does;
};
using Does = FlagWord::Does;

constexpr FlagWord kFlagWords[] = {
    {"ro", MS_RDONLY, Does::sets},       {"rw", MS_RDONLY, Does::clears},      {"nosuid", MS_NOSUID, Does::sets},
    {"suid", MS_NOSUID, Does::clears},   {"nodev", MS_NODEV, Does::sets},      {"dev", MS_NODEV, Does::clears},
    {"noexec", MS_NOEXEC, Does::sets},   {"exec", MS_NOEXEC, Does::clears},    {"noatime", MS_NOATIME, Does::sets},
    {"atime", MS_NOATIME, Does::clears}, {"sync", MS_SYNCHRONOUS, Does::sets}, {"async", MS_SYNCHRONOUS, Does::clears},
    {"dirsync", MS_DIRSYNC, Does::sets},
};

constexpr std::uint32_t kLeastRead = 4096;
constexpr std::uint32_t kMostRead = 1u << 30;

std::string escaped(std::string_view value) {
    std::string out;
    for (const char c : value) {
        if (c == ',' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

} // namespace

const unsigned long OptionList::kDefaultFlags = MS_NOSUID | MS_NODEV;

bool OptionList::add_flag(std::string_view word) {
    for (const FlagWord& known : kFlagWords) {
        if (word != known.word) continue;
        flags = known.does == Does::sets ? flags | known.bit : flags & ~known.bit;
        return true;
    }
    return false;
}

std::string OptionList::add_word(std::string_view word) {
    if (add_flag(word)) return {};
    const std::size_t sign = word.find('=');
    const std::string_view name = word.substr(0, sign);
    const std::string_view value = sign == std::string_view::npos ? std::string_view() : word.substr(sign + 1);
    if (word == "allow_other") {
        allow_other = true;
    } else if (word == "default_permissions") {
        default_permissions = true;
    } else if (word == "no_default_permissions") {
        default_permissions = false;
    } else if (name == "fsname" && !value.empty()) {
        fsname = value;
    } else if (name == "subtype" && !value.empty() && value.find_first_of(",\\") == std::string_view::npos) {
        subtype = value;
    } else if (name == "max_read") {
        std::uint32_t bytes = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), bytes);
        const bool is_number = error == std::errc() && end == value.data() + value.size() && !value.empty();
        if (!is_number || bytes < kLeastRead || bytes > kMostRead) {
            return fmt::format("{}: a number of bytes from {} to {} is wanted", word, kLeastRead, kMostRead);
        }
        max_read = bytes;
    } else {
        return fmt::format("{}: no such option of a mount", word);
    }
    return {};
}

std::string OptionList::add(std::string_view words) {
    for (;;) {
        const std::size_t comma = words.find(',');
        const std::string_view word = words.substr(0, comma);
        if (!word.empty()) {
            if (std::string why = add_word(word); !why.empty()) return why;
        }
        if (comma == std::string_view::npos) return {};
        words.remove_prefix(comma + 1);
    }
}

std::string OptionList::for_helper() const {
    std::string words = (flags & MS_RDONLY) != 0 ? "ro" : "rw";
    for (const FlagWord& known : kFlagWords) {
        if (known.bit == MS_RDONLY) continue;
        const bool is_set = (flags & known.bit) != 0;
        const bool differs = is_set != ((kDefaultFlags & known.bit) != 0);
        // The helper is told what it has by itself, too, where it matters most: what a server says is not believed.
        const bool is_said = differs || (kDefaultFlags & known.bit) != 0;
        if (is_said && is_set == (known.does == Does::sets)) words += fmt::format(",{}", known.word);
    }
    if (allow_other) words += ",allow_other";
    if (default_permissions) words += ",default_permissions";
    if (max_read != 0) words += fmt::format(",max_read={}", max_read);
    return words + fmt::format(",fsname={},subtype={}", escaped(fsname), subtype);
}

std::string OptionList::for_kernel(int device, std::uint32_t uid, std::uint32_t gid) const {
    std::string data = fmt::format("fd={},rootmode=40000,user_id={},group_id={}", device, uid, gid);
    if (allow_other) data += ",allow_other";
    if (default_permissions) data += ",default_permissions";
    if (max_read != 0) data += fmt::format(",max_read={}", max_read);
    return data;
}

} // namespace vfsproto::kernel_mount
