// SPDX-License-Identifier: BSD-2-Clause
// Makes the requests that a walk wants, and hands it their answers.
#pragma once

#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/posix/detail/path_steps.hpp"

#include <cstddef>
#include <string_view>

namespace vfsproto::posix {

// READLINK with room for the longest target.
struct ReadTarget {
    ReadTarget() { operation.call.data_out = {bytes, sizeof(bytes), {}}; }

    [[nodiscard]] std::string_view target() const noexcept {
        return {reinterpret_cast<const char*>(bytes), operation.call.bytes};
    }

    client::ReadLink operation;
    std::byte bytes[wire::linux_abi::kPathMax + 1];
};

inline void take(PathSteps& steps, const client::Lookup& lookup) {
    if (lookup.succeeded()) return steps.handle_entry(lookup.call.reply);
    // An entry with the nodeid 0 says that the name does not exist, and for how long that may be kept.
    if (lookup.call.succeeded() && lookup.errc() == Errc::ok) return steps.handle_absent(lookup.call.reply);
    steps.handle_failure(failure_of(lookup));
}
inline void take(PathSteps& steps, const ReadTarget& read) {
    read.operation.succeeded() ? steps.handle_target(read.target()) : steps.handle_failure(failure_of(read.operation));
}
inline void take(PathSteps& steps, const client::GetAttributes& get) {
    get.succeeded() ? steps.handle_attributes(get.call.reply) : steps.handle_failure(failure_of(get));
}

} // namespace vfsproto::posix
