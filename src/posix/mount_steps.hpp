// SPDX-License-Identifier: BSD-2-Clause
// A Mount runs steps to their end on the calling thread.
#pragma once

#include "name_steps.hpp"

#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"
#include "vfsproto/posix/mount.hpp"

namespace vfsproto::posix {

template <class S, class... Args> Failure Mount::perform(const Args&... args) {
    S steps(names(), args...);
    return run(*channel_, credentials_->caller, steps);
}
template <class S, class... Args> Expected<typename S::Result> Mount::ask(const Args&... args) {
    S steps(names(), args...);
    if (Failure failure = run(*channel_, credentials_->caller, steps)) return failure;
    return steps.result();
}
inline NameContext Mount::names() noexcept { return {*channel_, *cache_, *credentials_}; }

} // namespace vfsproto::posix
