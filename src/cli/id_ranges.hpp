// SPDX-License-Identifier: BSD-2-Clause
// Reads the maps of user and group ids that --map-users and --map-groups say.
#pragma once

#include "vfsproto/fuse/client/id_map.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

// Adds ranges such as "0:100000:65536": ids from 0 on here are those from 100000 on at the server. Returns what is wrong with the first
// that is not one, or does not go with those before it; empty if nothing is.
[[nodiscard]] std::string add_id_ranges(std::string_view option, const std::vector<std::string>& words,
                                        client::IdRanges& to);

} // namespace vfsproto::cli
