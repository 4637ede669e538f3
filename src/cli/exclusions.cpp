// SPDX-License-Identifier: BSD-2-Clause
#include "exclusions.hpp"

#include <fnmatch.h>

#include <algorithm>

namespace vfsproto::cli {
namespace {

// Returns the names between slashes; slashes that follow each other count as one.
std::vector<std::string> names_of(std::string_view path) {
    std::vector<std::string> names;
    while (!path.empty()) {
        const std::size_t slash = std::min(path.find('/'), path.size());
        if (slash != 0) names.emplace_back(path.substr(0, slash));
        path.remove_prefix(std::min(slash + 1, path.size()));
    }
    return names;
}

} // namespace

bool Exclusions::add(std::string_view pattern) {
    Pattern added{names_of(pattern), pattern.starts_with('/'), pattern.ends_with('/')};
    const auto is_dots = [](const std::string& part) { return part == "." || part == ".."; };
    if (added.parts.empty() || std::any_of(added.parts.begin(), added.parts.end(), is_dots)) return false;
    if (!added.anchored && added.parts.size() > 1) added.parts.insert(added.parts.begin(), "**");
    patterns_.push_back(std::move(added));
    return true;
}

bool Exclusions::leave_out(std::string_view path, Type type) const {
    if (patterns_.empty()) return false;
    const Parts names = names_of(path);
    if (names.empty()) return false;
    return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
        return pattern.takes(type) &&
               match(pattern.parts, pattern.is_name() ? std::span(names).last(1) : std::span(names));
    });
}

bool Exclusions::leave_out_source(std::string_view name, Type type) const {
    if (name.empty()) return false;
    const Parts names{std::string(name)};
    return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
        return pattern.is_name() && pattern.takes(type) && match(pattern.parts, names);
    });
}

// Each step takes one name; where the rest does not match, the last ** takes one name more and the rest is tried again.
bool Exclusions::match(std::span<const std::string> pattern, std::span<const std::string> names) {
    constexpr std::size_t kNone = ~std::size_t{0};
    std::size_t part = 0;
    std::size_t name = 0;
    std::size_t star = kNone; // the part behind the last **
    std::size_t taken = 0;    // where that part was tried last
    while (name < names.size()) {
        if (part < pattern.size() && pattern[part] == "**") {
            star = ++part;
            taken = name;
            if (star == pattern.size()) return true; // what is below
        } else if (part < pattern.size() && ::fnmatch(pattern[part].c_str(), names[name].c_str(), 0) == 0) {
            ++part;
            ++name;
        } else if (star != kNone) {
            part = star;
            name = ++taken;
        } else {
            return false;
        }
    }
    return part == pattern.size();
}

} // namespace vfsproto::cli
