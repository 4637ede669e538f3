// SPDX-License-Identifier: BSD-2-Clause
// A Mount runs steps to their end on the calling thread.
#pragma once

#include "name_steps.hpp"

#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/mount_call.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"
#include "vfsproto/posix/mount.hpp"

namespace vfsproto::posix {

template <class S, class... Args> Failure Mount::perform(const Args&... args) {
    S steps(names(), args...);
    MountCall call = begin_call();
    return run(call, steps);
}
template <class S, class... Args> Expected<typename S::Result> Mount::ask(const Args&... args) {
    S steps(names(), args...);
    MountCall call = begin_call();
    if (Failure failure = run(call, steps)) return failure;
    return steps.result();
}
inline MountCall Mount::begin_call() const noexcept { return {*channel_, asking_->caller, limits_}; }
inline NameContext Mount::names() noexcept { return {*channel_, *cache_, *asking_, look_, {from_, path_length_}}; }

} // namespace vfsproto::posix
