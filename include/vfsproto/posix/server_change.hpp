// SPDX-License-Identifier: BSD-2-Clause
// A change that the server told of by itself, for whoever wants to hear of it (MountOptions::on_change).
#pragma once

#include <cstdint>
#include <string_view>

namespace vfsproto::posix {

// A mount puts right what it keeps before anybody hears of the change.
struct ServerChange {
    enum class What : std::uint8_t {
        file,       // attributes or contents of the file `nodeid`
        name,       // `name` in the directory `nodeid`: made, removed or renamed, as a lookup will tell
        removal,    // the same, and it was the file `child` that lost the name
        everything, // perhaps: the server does not say what, or it was not understood, or some of it was lost
    } what = What::everything;
    std::uint64_t nodeid = 0; // 1: the root of the share
    std::uint64_t child = 0;
    std::string_view name{}; // valid during the call
};

} // namespace vfsproto::posix
