// SPDX-License-Identifier: BSD-2-Clause
// Runs a test's own code at every access to memory shared with a peer, so that one thread can interleave the two sides of
// a ring at each of their accesses, by a seed. Must come before every other header of a translation unit.
#pragma once

namespace vfsproto::test {

struct SharedAccessHook {
    void (*run)(void* context) = nullptr;
    void* context = nullptr;
};
inline thread_local SharedAccessHook shared_access_hook;
inline thread_local unsigned platform_fences = 0;

inline void at_shared_access() noexcept {
    const SharedAccessHook hook = shared_access_hook;
    if (hook.run == nullptr) return;
    shared_access_hook = {}; // not within itself
    hook.run(hook.context);
    shared_access_hook = hook;
}

} // namespace vfsproto::test

#define VFSPROTO_SHARED_ACCESS() ::vfsproto::test::at_shared_access()
#define VFSPROTO_AT_PLATFORM_FENCE() static_cast<void>(++::vfsproto::test::platform_fences)
