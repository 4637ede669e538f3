// SPDX-License-Identifier: BSD-2-Clause
// Attributes of a process that the program starts: it gets the signals as a program expects them, not as this one handles them.
#pragma once

#include <spawn.h>

namespace vfsproto::cli {

class SpawnAttributes {
public:
    // `more` are flags of posix_spawnattr_setflags(3) beside those for signals.
    explicit SpawnAttributes(short more = 0) noexcept;
    ~SpawnAttributes();
    SpawnAttributes(const SpawnAttributes&) = delete;
    SpawnAttributes& operator=(const SpawnAttributes&) = delete;

    // Returns 0, or an errno: then nothing may be started with them.
    [[nodiscard]] int error() const noexcept { return error_; }
    [[nodiscard]] const posix_spawnattr_t* get() const noexcept { return &attributes_; }

private:
    posix_spawnattr_t attributes_{};
    int error_;
};

} // namespace vfsproto::cli
