// SPDX-License-Identifier: BSD-2-Clause
// The comparison says if a file is to be copied over what is there.
#include "../../../src/cli/comparison.hpp"
#include "support/catch.hpp"

using namespace vfsproto::cli;
using vfsproto::abi::Attributes;

namespace {

constexpr std::uint32_t kRegular = 0100644;
constexpr std::uint32_t kFine = 123'456'789; // ns

Attributes file(std::uint64_t size, std::uint64_t mtime, std::uint32_t nsec = 0) {
    Attributes made{};
    made.size = size;
    made.mtime = mtime;
    made.mtimensec = nsec;
    made.ctimensec = kFine;
    made.mode = kRegular;
    return made;
}

} // namespace

TEST_CASE("-n keeps all, -u what is not older", "[cli]") {
    const Comparison never{Overwrite::never, SameBy::content};
    CHECK(never.of(file(1, 2000), file(1, 1000)) == Verdict::kept);
    const Comparison older{Overwrite::when_older};
    CHECK(older.of(file(1, 2000), file(1, 1000)) == Verdict::copy);
    CHECK(older.of(file(1, 1000), file(9, 1000)) == Verdict::kept);
    CHECK(older.of(file(1, 1000, 6), file(1, 1000, 5)) == Verdict::copy);
    Attributes before_1970 = file(1, static_cast<std::uint64_t>(-5));
    CHECK(older.of(file(1, 0), before_1970) == Verdict::copy);
}

TEST_CASE("equal sizes let the content or the time decide", "[cli]") {
    const Comparison content{Overwrite::always, SameBy::content};
    CHECK(content.of(file(1, 1000), file(2, 1000)) == Verdict::copy);
    CHECK(content.of(file(1, 1000), file(1, 2000)) == Verdict::content_decides);
    Attributes link = file(1, 1000);
    link.mode = 0120777;
    CHECK(content.of(file(1, 1000), link) == Verdict::copy);
    CHECK(content.of(link, link) == Verdict::content_decides);
    const Comparison time{Overwrite::always, SameBy::size_and_time};
    CHECK(time.of(file(1, 1000), file(1, 1000)) == Verdict::same);
    CHECK(time.of(file(1, 1000), file(1, 2000)) == Verdict::copy);
    CHECK(time.of(file(1, 1000), file(2, 1000)) == Verdict::copy);
    CHECK(time.of(link, link) == Verdict::content_decides);
}

TEST_CASE("a time that the target's file system cut counts as the same", "[cli]") {
    const Attributes source = file(1, 1001, kFine);
    Attributes target = file(1, 1001, 123'000'000);
    CHECK_FALSE(is_same_time(source, target)); // it keeps nanoseconds, as its time of change shows
    target.ctimensec = 7'000'000;
    CHECK(is_same_time(source, target));
    target.ctimensec = 0;
    target.mtimensec = 0;
    CHECK(is_same_time(source, target));
    target.mtime = 1000; // every second second
    target.ctime = 2000;
    CHECK(is_same_time(source, target));
    target.ctime = 2001; // it keeps each second, as its time of change shows
    CHECK_FALSE(is_same_time(source, target));
    target.ctime = 2000;
    target.mtime = 999;
    CHECK_FALSE(is_same_time(source, target));
}
