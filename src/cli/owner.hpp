// SPDX-License-Identifier: BSD-2-Clause
// Names of users and groups, as this host knows them. Main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vfsproto::cli {

// The number itself where there is no name.
[[nodiscard]] std::string user_name(std::uint32_t uid);
[[nodiscard]] std::string group_name(std::uint32_t gid);

struct Owner {
    std::optional<std::uint32_t> uid; // absent = leave as it is
    std::optional<std::uint32_t> gid;
};
// "user", "user:group", ":group", "user:" (the user's own group); each a name or a number. Nothing when it is none of
// these or the name is unknown.
[[nodiscard]] std::optional<Owner> parse_owner(std::string_view text);

} // namespace vfsproto::cli
