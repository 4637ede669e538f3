// SPDX-License-Identifier: BSD-2-Clause
#include "spawn_attributes.hpp"

#include "interrupt.hpp"

#include <signal.h>

namespace vfsproto::cli {

SpawnAttributes::SpawnAttributes(short more) noexcept : error_(::posix_spawnattr_init(&attributes_)) {
    if (error_ != 0) return;
    sigset_t none;
    ::sigemptyset(&none);
    sigset_t defaults;
    ::sigemptyset(&defaults);
    if (!sigpipe_was_ignored) ::sigaddset(&defaults, SIGPIPE);
    if (!sigxfsz_was_ignored) ::sigaddset(&defaults, SIGXFSZ);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &defaults);
    ::posix_spawnattr_setflags(&attributes_, static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | more));
}

SpawnAttributes::~SpawnAttributes() {
    if (error_ == 0) ::posix_spawnattr_destroy(&attributes_);
}

} // namespace vfsproto::cli
