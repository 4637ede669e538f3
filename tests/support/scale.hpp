// SPDX-License-Identifier: BSD-2-Clause
// Says how long a scaling test runs: shortest in builds that are slow by nature (a sanitizer, an emulated machine),
// else as VFSPROTO_TEST_SCOPE asks. VFSPROTO_SEED changes the seed.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace vfsproto::test {

// The test programs of one build differ in this, and what they share is linked into all: functions take it as an argument.
#ifdef VFSPROTO_SLOW_BUILD
constexpr bool kIsSlowBuild = true;
#else
constexpr bool kIsSlowBuild = false;
#endif

// Returns the program that tests run instead of the one built beside them, which a sanitizer makes slow, or nullptr.
inline const char* sanitized_program() { return std::getenv("VFSPROTO_SANITIZED_PROGRAM"); }
inline bool is_slow(bool slow_build = kIsSlowBuild) { return slow_build || sanitized_program() != nullptr; }

inline bool has_scope(std::string_view name) {
    const char* const scope = std::getenv("VFSPROTO_TEST_SCOPE");
    return scope != nullptr && scope == name;
}
// True in ./dev test without --full.
inline bool is_small() { return has_scope("small"); }
// True in the nightly form of ./dev test.
inline bool is_nightly() { return has_scope("nightly"); }

struct Scale {
    std::uint64_t least;
    std::uint64_t usual;
    std::uint64_t nightly;
};

inline std::uint64_t scaled(const Scale& scale, bool slow_build = kIsSlowBuild) {
    if (is_slow(slow_build)) return scale.least;
    return is_nightly() ? scale.nightly : scale.usual;
}

// Returns the seed of the whole run, 0 unless VFSPROTO_SEED gives one. A failing test prints it.
inline std::uint64_t run_seed() {
    const char* const seed = std::getenv("VFSPROTO_SEED");
    return seed == nullptr ? 0 : std::strtoull(seed, nullptr, 10);
}

} // namespace vfsproto::test
