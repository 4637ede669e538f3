// SPDX-License-Identifier: BSD-2-Clause
#include "heavy.hpp"
#include "scale.hpp"

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

// A small run, or one of a program that a sanitizer makes slow, leaves out what is tagged [heavy], unless somebody asks for test
// cases by name.
int main(int argc, char* argv[]) {
    Catch::Session session;
    if (const int error = session.applyCommandLine(argc, argv); error != 0) return error;
    if (vfsproto::test::is_small() || vfsproto::test::is_slow()) {
        vfsproto::test::leave_out_heavy(session.configData().testsOrTags);
    }
    return session.run();
}
