// SPDX-License-Identifier: BSD-2-Clause
#include "owner.hpp"

#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <map>

namespace vfsproto::cli {
namespace {

// Reads "1000" or "+1000", which is never taken for a name.
std::optional<std::uint32_t> parse_id(const std::string& text) {
    std::uint32_t id = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + (text.starts_with('+') ? 1 : 0), end, id);
    if (parsed.ec != std::errc() || parsed.ptr != end || id == ~std::uint32_t{0}) return std::nullopt;
    return id;
}

} // namespace

std::string user_name(std::uint32_t uid) {
    static std::map<std::uint32_t, std::string> known;
    std::string& name = known[uid];
    if (name.empty()) {
        const passwd* entry = ::getpwuid(uid);
        name = entry != nullptr ? entry->pw_name : std::to_string(uid);
    }
    return name;
}

std::string group_name(std::uint32_t gid) {
    static std::map<std::uint32_t, std::string> known;
    std::string& name = known[gid];
    if (name.empty()) {
        const group* entry = ::getgrgid(gid);
        name = entry != nullptr ? entry->gr_name : std::to_string(gid);
    }
    return name;
}

std::optional<Owner> parse_owner(std::string_view text) {
    const std::size_t colon = text.find(':');
    const std::string user(text.substr(0, colon));
    const std::string group(colon == std::string_view::npos ? "" : text.substr(colon + 1));
    Owner owner;
    if (!user.empty()) {
        const passwd* entry = ::getpwnam(user.c_str());
        owner.uid = entry != nullptr ? entry->pw_uid : parse_id(user);
        if (!owner.uid) return std::nullopt;
        if (colon != std::string_view::npos && group.empty()) {
            if (entry == nullptr) return std::nullopt; // a number has no group of its own
            owner.gid = entry->pw_gid;
        }
    }
    if (!group.empty()) {
        const ::group* entry = ::getgrnam(group.c_str());
        owner.gid = entry != nullptr ? entry->gr_gid : parse_id(group);
        if (!owner.gid) return std::nullopt;
    }
    if (!owner.uid && !owner.gid) return std::nullopt;
    return owner;
}

} // namespace vfsproto::cli
