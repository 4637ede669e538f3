// SPDX-License-Identifier: BSD-2-Clause
// A host whose system calls fail as a test says (support/refusing_host).
#pragma once

#include "support/skip.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

namespace vfsproto::test {

// Preloads a library that lets these calls fail in programs started while it lives.
class RefusingHost {
public:
    explicit RefusingHost(const std::string& calls) {
        ::setenv("LD_PRELOAD", VFSPROTO_REFUSING_HOST, 1);
        ::setenv("REFUSED_CALLS", calls.c_str(), 1);
    }
    ~RefusingHost() {
        ::unsetenv("LD_PRELOAD");
        ::unsetenv("REFUSED_CALLS");
    }
    RefusingHost(const RefusingHost&) = delete;
    RefusingHost& operator=(const RefusingHost&) = delete;

    [[nodiscard]] static bool missing() {
        const bool none = std::string_view(VFSPROTO_REFUSING_HOST).empty();
        if (none) skip("a sanitizer allows no preloaded library");
        return none;
    }
};

} // namespace vfsproto::test
