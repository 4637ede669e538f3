// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>

namespace vfsproto::posix {

// Tells when a request was sent: by the clock, and in the order of changes.
struct AskedAt {
    std::uint64_t time = 0;   // client::CacheTime
    std::uint64_t before = 0; // client::ChangeCount::Moment
};

} // namespace vfsproto::posix
