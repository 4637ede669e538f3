// SPDX-License-Identifier: BSD-2-Clause
#include "cleaning_up.hpp"

#include "interrupt.hpp"

#include "vfsproto/posix/mount.hpp"

#include <algorithm>
#include <chrono>

namespace vfsproto::cli {

namespace {

constexpr std::chrono::nanoseconds kAfterInterrupt = std::chrono::seconds(2);

posix::MountLimits limits_for(const posix::Mount& mount) noexcept {
    posix::MountLimits limits{.time = mount.limits().time};
    if (interrupted()) limits.time = std::min(limits.time.value_or(kAfterInterrupt), kAfterInterrupt);
    return limits;
}

} // namespace

CleaningUp::CleaningUp(posix::Mount& mount) : mount_(mount.limited_by(limits_for(mount))) { ++count_; }

CleaningUp::~CleaningUp() { --count_; }

} // namespace vfsproto::cli
