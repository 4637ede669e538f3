// SPDX-License-Identifier: BSD-2-Clause
#include "find_tests.hpp"

#include "nearest.hpp"
#include "paths.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace vfsproto::cli {

using namespace abi;

namespace {

struct Word {
    const char* name;
    bool takes_value;
};
constexpr std::array<Word, 11> kWords = {{{"-name", true},
                                          {"-iname", true},
                                          {"-path", true},
                                          {"-type", true},
                                          {"-size", true},
                                          {"-empty", false},
                                          {"-newer", true},
                                          {"-mindepth", true},
                                          {"-maxdepth", true},
                                          {"-print", false},
                                          {"-print0", false}}};

const Word* find_word(std::string_view name) {
    const auto found = std::find_if(kWords.begin(), kWords.end(), [&](const Word& word) { return word.name == name; });
    return found == kWords.end() ? nullptr : &*found;
}

// The name that patterns are compared with: "/" has that name.
std::string name_of(const std::string& path) {
    const std::string_view clean = without_slashes(path);
    const std::size_t slash = clean.rfind('/');
    return std::string(slash == std::string_view::npos || clean.size() == 1 ? clean : clean.substr(slash + 1));
}

bool is_newer(const posix::Attributes& a, const posix::Attributes& b) {
    const auto time = [](const posix::Attributes& each) {
        return std::pair(static_cast<std::int64_t>(each.mtime), each.mtimensec);
    };
    return time(a) > time(b);
}

std::uint32_t type_of(char letter) {
    switch (letter) {
    case 'f': return kSIfreg;
    case 'd': return kSIfdir;
    case 'l': return kSIflnk;
    case 'p': return kSIfifo;
    case 's': return kSIfsock;
    case 'b': return kSIfblk;
    case 'c': return kSIfchr;
    default: return 0;
    }
}

// Returns the bytes of a unit of "-size"; 0 for a letter that is none.
std::uint64_t unit_of(std::string_view letter) {
    constexpr std::uint64_t kBlock = 512;
    if (letter.empty() || letter == "b") return kBlock;
    constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
        {"c", 1}, {"w", 2}, {"k", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}};
    for (const auto& [name, bytes] : kUnits) {
        if (name == letter) return bytes;
    }
    return 0;
}

} // namespace

bool is_test_word(const std::string& word) { return word == "!" || (word.size() > 1 && word[0] == '-'); }

bool is_find_word(std::string_view word) {
    const bool is_number = word.size() > 1 && word[1] >= '0' && word[1] <= '9';
    return is_number || word == "-not" || word == "-o" || find_word(word) != nullptr ||
           (word.size() > 2 && word[1] != '-' && !nearest(word, {"-name", "-iname", "-type", "-size"}).empty());
}

std::string FindTests::parse(const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        bool holds = true;
        for (; i < words.size() && (words[i] == "!" || words[i] == "-not"); ++i) holds = !holds;
        if (i == words.size()) return "a test is missing behind !";
        const Word* const word = find_word(words[i]);
        if (word == nullptr) {
            std::vector<std::string> known;
            known.reserve(kWords.size());
            for (const Word& each : kWords) known.emplace_back(each.name);
            const std::string near = nearest(words[i], known);
            return fmt::format("unknown test {}{}", words[i], near.empty() ? "" : ", did you mean " + near + "?");
        }
        if (word->takes_value && i + 1 == words.size()) return words[i] + " wants a value";
        const std::size_t before = tests_.size();
        const std::string& name = words[i];
        if (word->takes_value) ++i;
        if (std::string wrong = add(name, words[i]); !wrong.empty()) return wrong;
        if (holds || tests_.size() == before) continue;
        tests_.back() = [test = std::move(tests_.back())](Program& program, const Visited& file) {
            return !test(program, file);
        };
    }
    return {};
}

bool FindTests::pass(Program& program, const Visited& file) const {
    return std::all_of(tests_.begin(), tests_.end(), [&](const Test& test) { return test(program, file); });
}

std::string FindTests::add(const std::string& name, const std::string& value) {
    if (name == "-type") return add_type(value);
    if (name == "-size") return add_size(value);
    if (name == "-mindepth") return set_level(least_level_, value);
    if (name == "-maxdepth") return set_level(most_level_, value);
    nul_ = nul_ || name == "-print0";
    if (name == "-name" || name == "-iname") {
        const int flags = name == "-iname" ? FNM_CASEFOLD : 0;
        tests_.emplace_back([value, flags](Program&, const Visited& file) {
            return ::fnmatch(value.c_str(), name_of(file.path).c_str(), flags) == 0;
        });
    } else if (name == "-path") {
        tests_.emplace_back(
            [value](Program&, const Visited& file) { return ::fnmatch(value.c_str(), file.path.c_str(), 0) == 0; });
    } else if (name == "-empty") {
        tests_.emplace_back([](Program& program, const Visited& file) {
            if (!posix::is_directory(file.attributes.mode)) {
                return posix::is_regular(file.attributes.mode) && file.attributes.size == 0;
            }
            const auto entries = program.deep_mount().list(file.path);
            return program.succeeded(file.path, entries) && entries->empty();
        });
    } else if (name == "-newer") {
        tests_.emplace_back(
            [value, model = std::optional<posix::Attributes>()](Program& program, const Visited& file) mutable {
                if (!model) {
                    const auto there = program.mount().stat(value, posix::LastLink::keep);
                    if (!program.succeeded(value, there)) throw Leave{ExitCode::failed};
                    model = *there;
                }
                return is_newer(file.attributes, *model);
            });
    }
    return {};
}

std::string FindTests::add_type(const std::string& letters) {
    std::vector<std::uint32_t> types;
    for (std::size_t i = 0; i < letters.size(); i += 2) {
        types.push_back(type_of(letters[i]));
        const bool goes_on = i + 1 < letters.size() && letters[i + 1] == ',' && i + 2 < letters.size();
        if (types.back() == 0 || (i + 1 < letters.size() && !goes_on)) types.clear();
        if (types.empty()) break;
    }
    if (types.empty()) return fmt::format("-type: '{}' is none of f, d, l, p, s, b and c", letters);
    tests_.emplace_back([types](Program&, const Visited& file) {
        return std::find(types.begin(), types.end(), file_type(file.attributes.mode)) != types.end();
    });
    return {};
}

std::string FindTests::add_size(const std::string& size) {
    std::string_view rest = size;
    const char sign = rest.starts_with('+') || rest.starts_with('-') ? rest.front() : '=';
    if (sign != '=') rest.remove_prefix(1);
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    const std::uint64_t unit = unit_of(rest.substr(static_cast<std::size_t>(parsed.ptr - rest.data())));
    if (parsed.ec != std::errc() || unit == 0) {
        return fmt::format("-size: '{}' is no size: say 5k, +1M or -100c", size);
    }
    tests_.emplace_back([sign, number, unit](Program&, const Visited& file) {
        const std::uint64_t units = file.attributes.size / unit + (file.attributes.size % unit != 0 ? 1 : 0);
        return sign == '+' ? units > number : sign == '-' ? units < number : units == number;
    });
    return {};
}

std::string FindTests::set_level(unsigned& level, const std::string& value) {
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), level);
    const bool read = parsed.ec == std::errc() && parsed.ptr == value.data() + value.size();
    return read ? std::string() : fmt::format("'{}' is no number of levels", value);
}

} // namespace vfsproto::cli
