// SPDX-License-Identifier: BSD-2-Clause
// A host whose system calls fail as a test says (support/refusing_host).
#pragma once

#include "support/scale.hpp"
#include "support/skip.hpp"

#include <cstddef>
#include <cstdlib>
#include <string>

namespace vfsproto::test {

// Preloads a library that lets these calls fail in programs started while it lives.
class RefusingHost {
public:
    explicit RefusingHost(const std::string& calls) {
        ::setenv("LD_PRELOAD", VFSPROTO_REFUSING_HOST, 1);
        ::setenv("REFUSED_CALLS", calls.c_str(), 1);
    }
    // Lets files grow to this size, and then fail with ENOSPC.
    static RefusingHost with_room(std::size_t bytes) {
        ::setenv("REFUSED_BEYOND", std::to_string(bytes).c_str(), 1);
        return RefusingHost("pwrite=28");
    }
    ~RefusingHost() {
        ::unsetenv("LD_PRELOAD");
        ::unsetenv("REFUSED_CALLS");
        ::unsetenv("REFUSED_BEYOND");
    }
    RefusingHost(const RefusingHost&) = delete;
    RefusingHost& operator=(const RefusingHost&) = delete;

    [[nodiscard]] static bool missing() {
        if (sanitized_program() == nullptr) return false;
        skip("a sanitizer allows no preloaded library");
        return true;
    }
};

} // namespace vfsproto::test
