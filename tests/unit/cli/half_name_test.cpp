// SPDX-License-Identifier: BSD-2-Clause
// The name of what a cut copy leaves tells target and version of the source apart.
#include "../../../src/cli/half_name.hpp"
#include "support/catch.hpp"

#include <set>

using vfsproto::abi::Attributes;
using vfsproto::cli::half_name;
using vfsproto::cli::half_name_prefix;
using vfsproto::cli::is_half_name;

namespace {

Attributes some_file() {
    Attributes file{};
    file.ino = 1;
    file.size = 2;
    file.mtime = 3;
    file.ctime = 4;
    return file;
}

} // namespace

TEST_CASE("each version of a source and each target have a name of their own", "[cli]") {
    const Attributes first = some_file();
    std::set<std::string> names{half_name("target", first), half_name("other", first)};
    std::size_t count = names.size();
    for (const auto change : {+[](Attributes& a) { ++a.ino; }, +[](Attributes& a) { ++a.size; },
                              +[](Attributes& a) { ++a.mtime; }, +[](Attributes& a) { ++a.mtimensec; },
                              +[](Attributes& a) { ++a.ctime; }, +[](Attributes& a) { ++a.ctimensec; }}) {
        Attributes changed = first;
        change(changed);
        names.insert(half_name("target", changed));
        CHECK(names.size() == ++count);
    }
    Attributes read = first; // its access time is no other version
    ++read.atime;
    CHECK(half_name("target", read) == half_name("target", first));
}

TEST_CASE("the halves of a target are known by how their names begin", "[cli]") {
    const Attributes source = some_file();
    CHECK(half_name("target", source).starts_with(half_name_prefix("target")));
    CHECK(half_name_prefix("target") != half_name_prefix("targets"));
    CHECK(is_half_name(half_name("a name of any length\n", source)));
    CHECK_FALSE(is_half_name(half_name_prefix("target")));
    CHECK_FALSE(is_half_name(".vfsproto-0123456789abcdef")); // a temporary name
}
