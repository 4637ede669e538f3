// SPDX-License-Identifier: BSD-2-Clause
// A small run leaves out heavy test cases (support/heavy.hpp), in every test program.
#include "support/catch.hpp"
#include "support/heavy.hpp"

#include <string>
#include <vector>

using vfsproto::test::leave_out_heavy;

TEST_CASE("a small run leaves out what is heavy of the filters that ctest gives, and nothing of a person's", "[base]") {
    std::vector<std::string> filters;
    leave_out_heavy(filters);
    CHECK(filters == std::vector<std::string>{"~[heavy]~[.]"});

    filters = {"[#one]~[waits]~[.],[#two]~[waits]~[.]", "[waits]~[.]"};
    leave_out_heavy(filters);
    const std::vector<std::string> without{"[#one]~[waits]~[heavy]~[.],[#two]~[waits]~[heavy]~[.]",
                                           "[waits]~[heavy]~[.]"};
    CHECK(filters == without);

    const std::vector<std::string> asked{"[million]", "a path is a path*"};
    filters = asked;
    leave_out_heavy(filters);
    CHECK(filters == asked);
}
