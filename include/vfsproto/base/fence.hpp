// SPDX-License-Identifier: BSD-2-Clause
// The only place where memory ordering is spelled. Wraps the compiler's __atomic builtins: libstdc++'s <atomic> is not
// usable in a kernel. No read-modify-write below the size of a word is offered, because some targets lower it to a call.
#pragma once

#include "vfsproto/base/endian.hpp"
#include "vfsproto/config.hpp"

#include <type_traits>

namespace vfsproto {

// The strength that barriers between driver and device must have (virtio 1.2 §6, VIRTIO_F_ORDER_PLATFORM).
enum class Ordering : std::uint8_t {
    smp,      // the device is software on the same CPUs
    platform, // the device is hardware: DMA barriers
};

// clang-format off
template <class T>
concept SharedWord = std::is_integral_v<T> && (sizeof(T) <= sizeof(void*) || sizeof(T) <= 8);
// clang-format on

template <SharedWord T> [[nodiscard]] inline T load_relaxed(const T& at) noexcept {
    VFSPROTO_SHARED_ACCESS();
    return __atomic_load_n(&at, __ATOMIC_RELAXED);
}
template <SharedWord T> [[nodiscard]] inline T load_acquire(const T& at) noexcept {
    VFSPROTO_SHARED_ACCESS();
    return __atomic_load_n(&at, __ATOMIC_ACQUIRE);
}
template <SharedWord T> inline void store_relaxed(T& at, std::type_identity_t<T> value) noexcept {
    VFSPROTO_SHARED_ACCESS();
    __atomic_store_n(&at, value, __ATOMIC_RELAXED);
}
template <SharedWord T> inline void store_release(T& at, std::type_identity_t<T> value) noexcept {
    VFSPROTO_SHARED_ACCESS();
    __atomic_store_n(&at, value, __ATOMIC_RELEASE);
}

template <class T> [[nodiscard]] inline T load_relaxed(const Le<T>& at) noexcept {
    return little_endian(load_relaxed(at.stored));
}
template <class T> [[nodiscard]] inline T load_acquire(const Le<T>& at) noexcept {
    return little_endian(load_acquire(at.stored));
}
template <class T> inline void store_relaxed(Le<T>& at, std::type_identity_t<T> value) noexcept {
    store_relaxed(at.stored, little_endian(value));
}
template <class T> inline void store_release(Le<T>& at, std::type_identity_t<T> value) noexcept {
    store_release(at.stored, little_endian(value));
}

// Asks for the cache line of something that will be read soon. A hint: any address is legal. When two CPUs hand requests
// to each other one by one, fetching a line costs more than all else.
inline void prefetch(const void* at) noexcept { __builtin_prefetch(at); }

// Orders an earlier store before a later load: between publishing an index and reading the other side's suppression
// (virtio 1.2 §2.7.13.4.1, "Driver Requirements: Notifying The Device"). Release/acquire is not enough there.
inline void full_fence() noexcept {
    VFSPROTO_SHARED_ACCESS();
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

// Orders every earlier access before every later one as a device that is hardware sees them (Ordering::platform).
inline void platform_fence() noexcept {
    VFSPROTO_SHARED_ACCESS();
    VFSPROTO_AT_PLATFORM_FENCE();
#if defined(__x86_64__) || defined(__i386__)
    __asm__ volatile("mfence" ::: "memory");
#elif defined(__aarch64__)
    __asm__ volatile("dmb osh" ::: "memory");
#elif defined(__riscv)
    __asm__ volatile("fence iorw, iorw" ::: "memory");
#else
    __sync_synchronize();
#endif
}

// Orders earlier stores before later loads, as strongly as the other side of a queue needs it. It belongs between
// publishing and the look at the other side's suppression, and between asking for a notification and the last look.
inline void store_load_fence(Ordering ordering) noexcept {
    if (ordering == Ordering::platform) [[unlikely]] {
        platform_fence();
    } else {
        full_fence();
    }
}

// Orders earlier stores to memory that a device reads before a later store to one of its registers. x86 keeps a store to
// uncached memory behind all earlier ones by itself.
inline void device_write_fence() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __asm__ volatile("" ::: "memory");
#elif defined(__aarch64__)
    __asm__ volatile("dmb oshst" ::: "memory");
#elif defined(__riscv)
    __asm__ volatile("fence w, o" ::: "memory");
#else
    __sync_synchronize();
#endif
}

// Orders a load of a device's register before later loads of memory that the device wrote.
inline void device_read_fence() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __asm__ volatile("" ::: "memory");
#elif defined(__aarch64__)
    __asm__ volatile("dmb oshld" ::: "memory");
#elif defined(__riscv)
    __asm__ volatile("fence i, r" ::: "memory");
#else
    __sync_synchronize();
#endif
}

// A hint to the CPU that this is a spin loop. Any context.
inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

} // namespace vfsproto
