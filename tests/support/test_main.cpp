// SPDX-License-Identifier: BSD-2-Clause
#include "scale.hpp"

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

// A small run, or one of a program that a sanitizer makes slow, leaves out what is tagged [heavy], unless somebody asks for test
// cases by name. Catch2 takes back in what is hidden when anything is left out, so that is left out too.
int main(int argc, char* argv[]) {
    Catch::Session session;
    if (argc == 1 && (vfsproto::test::is_small() || vfsproto::test::is_slow())) {
        session.configData().testsOrTags.emplace_back("~[heavy]~[.]");
    }
    return session.run(argc, argv);
}
