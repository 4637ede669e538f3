// SPDX-License-Identifier: BSD-2-Clause
// Every mutant of the ring code in one program: tools/mutate.py puts these calls in the places of operators, constants and
// statements, and the environment chooses the one that is broken. Included before everything else.
#pragma once

#include <type_traits>

namespace vmut {

inline constexpr unsigned kNone = 0; // numbers start at 1
inline constexpr unsigned kMost = 8192;

inline unsigned chosen = kNone;
inline bool is_mapping = false; // note which mutants are come by
inline bool reached[kMost] = {};

// The code that a constant expression runs is never broken.
[[gnu::always_inline]] constexpr bool active(unsigned number) noexcept {
    if (__builtin_is_constant_evaluated()) return false;
    if (is_mapping) __atomic_store_n(&reached[number], true, __ATOMIC_RELAXED);
    return chosen == number;
}

// Comparisons: off by one, and the other way round.
#define VMUT_COMPARE(name, op, near, opposite)                                                                         \
    template <class A, class B> [[gnu::always_inline]] constexpr bool name(unsigned number, A a, B b) noexcept {       \
        if (active(number)) return a near b;                                                                           \
        if (active(number + 1)) return a opposite b;                                                                   \
        return a op b;                                                                                                 \
    }
VMUT_COMPARE(less, <, <=, >=)
VMUT_COMPARE(at_most, <=, <, >)
VMUT_COMPARE(more, >, >=, <=)
VMUT_COMPARE(at_least, >=, >, <)

#define VMUT_BINARY(name, op, other)                                                                                   \
    template <class A, class B>                                                                                        \
    [[gnu::always_inline]] constexpr decltype(auto) name(unsigned number, A a, B b) noexcept {                         \
        using T = decltype(a op b);                                                                                    \
        if (active(number)) return static_cast<T>(a other b);                                                          \
        return static_cast<T>(a op b);                                                                                 \
    }
VMUT_BINARY(only_less, <, >=)
VMUT_BINARY(only_at_most, <=, >)
VMUT_BINARY(only_more, >, <=)
VMUT_BINARY(only_at_least, >=, <)
VMUT_BINARY(equal, ==, !=)
VMUT_BINARY(differ, !=, ==)
VMUT_BINARY(plus, +, -)
VMUT_BINARY(minus, -, +)
VMUT_BINARY(times, *, +)
VMUT_BINARY(over, /, *)
VMUT_BINARY(modulo, %, +)
VMUT_BINARY(bit_and, &, |)
VMUT_BINARY(bit_or, |, &)
VMUT_BINARY(bit_xor, ^, |)
VMUT_BINARY(left, <<, >>)
VMUT_BINARY(right, >>, <<)

#define VMUT_ASSIGN(name, op, other)                                                                                   \
    template <class A, class B> [[gnu::always_inline]] constexpr A& name(unsigned number, A& a, const B& b) noexcept { \
        if (active(number)) return a other b;                                                                          \
        return a op b;                                                                                                 \
    }
VMUT_ASSIGN(add_to, +=, -=)
VMUT_ASSIGN(take_from, -=, +=)
VMUT_ASSIGN(or_to, |=, &=)
VMUT_ASSIGN(and_to, &=, |=)
VMUT_ASSIGN(xor_to, ^=, |=)

template <class A> [[gnu::always_inline]] constexpr A& pre_up(unsigned number, A& a) noexcept {
    return active(number) ? --a : ++a;
}
template <class A> [[gnu::always_inline]] constexpr A& pre_down(unsigned number, A& a) noexcept {
    return active(number) ? ++a : --a;
}
template <class A> [[gnu::always_inline]] constexpr A post_up(unsigned number, A& a) noexcept {
    return active(number) ? a-- : a++;
}
template <class A> [[gnu::always_inline]] constexpr A post_down(unsigned number, A& a) noexcept {
    return active(number) ? a++ : a--;
}
[[gnu::always_inline]] constexpr bool negation(unsigned number, bool a) noexcept { return active(number) ? a : !a; }
template <class A> [[gnu::always_inline]] constexpr A complement(unsigned number, A a) noexcept {
    return active(number) ? a : static_cast<A>(~a);
}

// A condition: turned round, and never true.
[[gnu::always_inline]] constexpr bool turned(unsigned number, bool a) noexcept { return active(number) ? !a : a; }
[[gnu::always_inline]] constexpr bool never(unsigned number, bool a) noexcept { return active(number) ? false : a; }

// Constants: literals one more and one less, enumerators the next one, named ones twice as much.
template <class A> [[gnu::always_inline]] constexpr A literal(unsigned number, A a) noexcept {
    if (active(number)) return static_cast<A>(a + 1);
    if (active(number + 1)) return static_cast<A>(a - 1);
    return a;
}
template <class A> [[gnu::always_inline]] constexpr A zero(unsigned number, A a) noexcept {
    return active(number) ? static_cast<A>(a + 1) : a;
}
template <class A> [[gnu::always_inline]] constexpr A constant(unsigned number, A a) noexcept {
    if (!active(number)) return a;
    if constexpr (std::is_enum_v<A>) {
        return static_cast<A>(static_cast<unsigned>(a) + 1);
    } else {
        return static_cast<A>(a != A{} ? a + a : a + 1);
    }
}

// Ordering.
template <class A> [[gnu::always_inline]] inline auto load_acquire(unsigned number, const A& at) noexcept {
    return active(number) ? load_relaxed(at) : load_acquire(at);
}
template <class A, class B>
[[gnu::always_inline]] inline void store_release(unsigned number, A& at, const B& value) noexcept {
    active(number) ? store_relaxed(at, value) : store_release(at, value);
}

} // namespace vmut
