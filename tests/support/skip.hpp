// SPDX-License-Identifier: BSD-2-Clause
// A test case says here that it did not run. `./dev test` counts these lines and shows the reasons.
#pragma once

#include "support/catch.hpp"

#include <cstdio>

namespace vfsproto::test {

// Say it once, then return from the test case: `if (!daemon) return skip("virtiofsd is not installed");`
inline void skip(const char* reason) {
    std::printf("skipped: %s: %s\n", Catch::getResultCapture().getCurrentTestName().c_str(), reason);
    std::fflush(stdout);
}

} // namespace vfsproto::test
