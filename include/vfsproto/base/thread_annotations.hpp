// SPDX-License-Identifier: BSD-2-Clause
// Lock rules that clang checks (-Wthread-safety): which mutex a member or a function needs. Other compilers ignore them.
//
//   std::uint32_t count_ VFSPROTO_GUARDED_BY(mutex_) = 0;
//   void add() VFSPROTO_REQUIRES(mutex_);
#pragma once

#if defined(__clang__)
#define VFSPROTO_THREAD_ATTRIBUTE(attribute) __attribute__((attribute))
#else
#define VFSPROTO_THREAD_ATTRIBUTE(attribute)
#endif

// A class that is a lock, and a class that holds one while it lives.
#define VFSPROTO_CAPABILITY(kind) VFSPROTO_THREAD_ATTRIBUTE(capability(kind))
#define VFSPROTO_SCOPED_CAPABILITY VFSPROTO_THREAD_ATTRIBUTE(scoped_lockable)
// A member that is touched with the lock held; a pointer whose target is.
#define VFSPROTO_GUARDED_BY(lock) VFSPROTO_THREAD_ATTRIBUTE(guarded_by(lock))
#define VFSPROTO_PT_GUARDED_BY(lock) VFSPROTO_THREAD_ATTRIBUTE(pt_guarded_by(lock))
// A function that is called with the lock held, and returns with it held.
#define VFSPROTO_REQUIRES(...) VFSPROTO_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
// A function that is called without the lock, because it takes it.
#define VFSPROTO_EXCLUDES(...) VFSPROTO_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
// A function that takes the lock and returns with it, or is called with it and returns without.
#define VFSPROTO_ACQUIRE(...) VFSPROTO_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define VFSPROTO_TRY_ACQUIRE(...) VFSPROTO_THREAD_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define VFSPROTO_RELEASE(...) VFSPROTO_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
// A function that only says so: the lock is held for a reason the compiler cannot see, such as a callback.
#define VFSPROTO_ASSERT_HELD(...) VFSPROTO_THREAD_ATTRIBUTE(assert_capability(__VA_ARGS__))
// A function that returns a reference to the lock.
#define VFSPROTO_RETURN_CAPABILITY(lock) VFSPROTO_THREAD_ATTRIBUTE(lock_returned(lock))
// A function that is right although the compiler cannot tell; a comment there says why.
#define VFSPROTO_UNCHECKED VFSPROTO_THREAD_ATTRIBUTE(no_thread_safety_analysis)
