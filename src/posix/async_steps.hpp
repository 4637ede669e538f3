// SPDX-License-Identifier: BSD-2-Clause
// An AsyncMount runs steps to their end in a coroutine whose frame holds them and what they were given.
#pragma once

#include "name_steps.hpp"

#include "vfsproto/posix/async_mount.hpp"

namespace vfsproto::posix {

template <class S, class... Args> AsyncMount::Steps<Failure> AsyncMount::perform(Args... args) {
    S steps(names(), args...);
    co_await run_steps(steps);
    co_return steps.failure();
}
template <class S, class... Args> AsyncMount::Steps<Expected<typename S::Result>> AsyncMount::ask(Args... args) {
    S steps(names(), args...);
    co_await run_steps(steps);
    if (steps.failure()) co_return steps.failure();
    co_return steps.result();
}

} // namespace vfsproto::posix
