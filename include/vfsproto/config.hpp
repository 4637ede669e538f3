// SPDX-License-Identifier: BSD-2-Clause
// Every compile-time knob of the core, each with a default, a meaning and a range check. A host overrides them with
// -DVFSPROTO_…=… on the compiler's command line; nothing else in the core looks at the preprocessor.
#pragma once

#include <cstddef>
#include <cstdint>

// Selects what a broken invariant of our own does (never of anything a peer controls): 1 = trap, 0 = nothing.
#ifndef VFSPROTO_ASSERTIONS
#define VFSPROTO_ASSERTIONS 1
#endif

#if VFSPROTO_ASSERTIONS
#define VFSPROTO_ASSERT(condition) (static_cast<bool>(condition) ? static_cast<void>(0) : __builtin_trap())
#else
#define VFSPROTO_ASSERT(condition) static_cast<void>(sizeof(static_cast<bool>(condition)))
#endif

// A function called around every access to memory shared with a peer; the simulation build interleaves the two sides
// there. Empty in every other build.
#ifndef VFSPROTO_SHARED_ACCESS
#define VFSPROTO_SHARED_ACCESS() static_cast<void>(0)
#endif

// Called besides before every barrier for hardware (Ordering::platform): tests count them.
#ifndef VFSPROTO_AT_PLATFORM_FENCE
#define VFSPROTO_AT_PLATFORM_FENCE() static_cast<void>(0)
#endif

// Completions a lane takes from its queue in one go; bounds the time one drain() may hold its owner.
#ifndef VFSPROTO_DRAIN_BATCH
#define VFSPROTO_DRAIN_BATCH 32
#endif

// Queues of one device a register transport can enable: 0 up to this less one. Each costs 32 bytes of the transport.
#ifndef VFSPROTO_MAX_QUEUES
#define VFSPROTO_MAX_QUEUES 16
#endif

namespace vfsproto::config {

inline constexpr std::size_t kDrainBatch = VFSPROTO_DRAIN_BATCH;
static_assert(kDrainBatch >= 1 && kDrainBatch <= 256, "VFSPROTO_DRAIN_BATCH: 1 to 256");

inline constexpr std::size_t kMaxQueues = VFSPROTO_MAX_QUEUES;
static_assert(kMaxQueues >= 2 && kMaxQueues <= 1024, "VFSPROTO_MAX_QUEUES: 2 to 1024");

// Memory regions a device side can be given at once (vhost-user back ends commonly allow 8 to 509).
inline constexpr std::size_t kMaxRegions = 32;

} // namespace vfsproto::config
