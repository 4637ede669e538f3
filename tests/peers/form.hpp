// SPDX-License-Identifier: BSD-2-Clause
// What a test with a peer goes through for every kind of ring.
#pragma once

#include "vfsproto/virtqueue/ring_options.hpp"

#include <string>

namespace vfsproto::test {

// How our side of a ring learns that the peer has done something.
enum class Waiting { polls, sleeps };

inline std::string label_of(const char* kind, IndirectTables indirect, Waiting waiting) {
    return std::string(kind) + (indirect == IndirectTables::accepted ? ", indirect" : ", direct") +
           (waiting == Waiting::sleeps ? ", sleeping" : ", polling");
}

} // namespace vfsproto::test
