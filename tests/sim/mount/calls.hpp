// SPDX-License-Identifier: BSD-2-Clause
// Every call of a mount, an asynchronous mount and a queue, each of which succeeds on the tree of a FaultyMount.
#pragma once

#include "unit/posix/runner.hpp"

#include "vfsproto/posix/file.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/stop_source.hpp"

#include <cstdint>
#include <span>

namespace vfsproto::test {

// Has all that a call is given. `file` and `other` are open, and `buffer` is there, if the call needs them.
struct Prepared {
    posix::StopSource& stop; // of the mount, if that has limits
    Runner& runner;          // of handlers
    posix::File file{};      // "/dir/file", to be read and written
    posix::File other{};     // "/dir/other"
    posix::Buffer buffer{};
    bool read_wrong = false; // a call succeeded and brought what is not in the file
};

enum class Needs : std::uint8_t { nothing, files };

struct MountCase {
    const char* name;
    Needs needs;
    posix::Failure (*call)(posix::Mount& mount, Prepared& with);
};

[[nodiscard]] std::span<const MountCase> name_calls();
[[nodiscard]] std::span<const MountCase> file_calls();
[[nodiscard]] std::span<const MountCase> async_calls();
[[nodiscard]] std::span<const MountCase> queue_calls();

} // namespace vfsproto::test
