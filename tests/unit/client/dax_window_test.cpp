// SPDX-License-Identifier: BSD-2-Clause
// The rules of a DAX window, one a case (Linux fs/fuse/dax.c; virtio 1.2 §5.11.6).
#include "dax_fixture.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using namespace vfsproto::client;

using Kind = DaxAnswer::Kind;
using Why = DaxAnswer::Why;
using abi::Errno;

TEST_CASE("dax: a range is set up once, and used without a request from then on", "[dax]") {
    DaxFixture f;
    const DaxAnswer first = f.ask(kDaxNode, 5000);
    REQUIRE(first.kind == Kind::set_up);
    const wire::SetupmappingIn args = f.window.setup_args(*first.range);
    CHECK(first.range->nodeid == kDaxNode);
    CHECK(args.fh == ~std::uint64_t{0});
    CHECK(args.foffset == kDaxRange); // where the range of byte 5000 begins
    CHECK(args.len == kDaxRange);
    CHECK(args.flags == wire::kSetupmappingRead);
    CHECK(args.moffset == first.range->window_offset);
    CHECK(f.window.handle_set_up(*first.range, Errc::ok, Errno::none));
    f.window.release(*first.range);
    const DaxAnswer second = f.ask(kDaxNode, 5000);
    CHECK(second.kind == Kind::ready);
    CHECK(second.range == first.range);
    CHECK(second.window_offset == first.range->window_offset + 5000 - kDaxRange);
    CHECK(second.length == 100);
    CHECK(f.window.counters().hits == 1);
    CHECK(f.window.counters().set_ups == 1);
}

TEST_CASE("dax: files and pieces of a file have ranges of their own", "[dax]") {
    DaxFixture f;
    const DaxRange& a = f.map(kDaxNode, 0);
    const DaxRange& b = f.map(kDaxNode, kDaxRange);
    const DaxRange& c = f.map(kDaxNode + 1, 0);
    CHECK(a.window_offset != b.window_offset);
    CHECK(a.window_offset != c.window_offset);
    CHECK(b.window_offset != c.window_offset);
    CHECK(f.window.free_count() == 1);
}

TEST_CASE("dax: an answer ends with what is wanted, with the range, or with the file", "[dax]") {
    DaxFixture f;
    const auto length_of = [&](std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
        const DaxAnswer answer = f.window.acquire({kDaxNode, offset, length, size, MapAccess::read});
        if (answer.kind == Kind::set_up) CHECK(f.window.handle_set_up(*answer.range, Errc::ok, Errno::none));
        if (answer.range != nullptr) f.window.release(*answer.range);
        return answer.length;
    };
    CHECK(length_of(10, 20, kDaxSize) == 20);
    CHECK(length_of(kDaxRange - 10, 20, kDaxSize) == 10);
    CHECK(length_of(10, 20, 15) == 5);
    CHECK(length_of(0, ~std::uint64_t{0}, ~std::uint64_t{0}) == kDaxRange);
}

TEST_CASE("dax: bytes at or beyond the end of the file fall back, however large the numbers are", "[dax]") {
    DaxFixture f;
    const auto why_of = [&](std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
        const DaxAnswer answer = f.window.acquire({kDaxNode, offset, length, size, MapAccess::write});
        CHECK(answer.kind == Kind::fall_back);
        return answer.why;
    };
    CHECK(why_of(100, 1, 100) == Why::beyond_end);
    CHECK(why_of(0, 1, 0) == Why::beyond_end);
    CHECK(why_of(0, 0, 100) == Why::beyond_end);
    CHECK(why_of(~std::uint64_t{0}, 1, ~std::uint64_t{0}) == Why::beyond_end);
    CHECK(why_of(INT64_MAX, 1, ~std::uint64_t{0}) == Why::beyond_end);
    CHECK(f.window.free_count() == 4);
}

TEST_CASE("dax: a window that is absent, or smaller than a range, falls back", "[dax]") {
    DaxWindow window;
    CHECK(window.acquire({kDaxNode, 0, 1, 1, MapAccess::read}).why == Why::no_window);
    std::vector<DaxRange> ranges(1);
    std::vector<DaxRange*> buckets(1, nullptr);
    CHECK(window.init({kDaxRange - 1, 12, kDaxRange}, ranges, buckets) == Errc::ok);
    CHECK(window.range_count() == 0);
    CHECK(window.acquire({kDaxNode, 0, 1, 1, MapAccess::read}).why == Why::no_window);
    DaxRemoval removal;
    wire::RemovemappingOne room[1];
    CHECK_FALSE(window.take_removal(removal, room));
}

TEST_CASE("dax: a geometry that cannot be is refused", "[dax]") {
    DaxWindow window;
    std::vector<DaxRange> ranges(4);
    std::vector<DaxRange*> buckets(4, nullptr);
    const std::uint64_t bytes = std::uint64_t{8} << 20;
    CHECK(window.init({bytes, 22, std::uint64_t{1} << 22}, ranges, buckets) ==
          Errc::bad_argument); // Linux: above 2 MiB
    CHECK(window.init({bytes, 21, std::uint64_t{1} << 20}, ranges, buckets) == Errc::bad_argument);
    CHECK(window.init({bytes, 0, 2048}, ranges, buckets) == Errc::bad_argument);
    CHECK(window.init({bytes, 12, 12288}, ranges, buckets) == Errc::bad_argument);
    CHECK(window.init({bytes, 12, 0}, ranges, buckets) == Errc::bad_argument);
    CHECK(window.init({bytes, 12, kDaxRange}, ranges, {}) == Errc::bad_argument);
    CHECK(window.init({.window_bytes = bytes, .map_alignment = 21}, ranges, buckets) == Errc::ok);
    CHECK(window.range_count() == 4);
    CHECK(ranges[3].window_offset == 3 * DaxGeometry::kRangeBytes);
}

TEST_CASE("dax: of a window with more room than ranges, the end is not used", "[dax]") {
    DaxWindow window;
    std::vector<DaxRange> ranges(2);
    std::vector<DaxRange*> buckets(1, nullptr);
    CHECK(window.init({100 * kDaxRange, 12, kDaxRange}, ranges, buckets) == Errc::ok);
    CHECK(window.range_count() == 2);
}

TEST_CASE("dax: a read-only range is set up once more to be written, and serves both afterwards", "[dax]") {
    DaxFixture f;
    DaxRange& range = f.map_idle(kDaxNode, 0);
    const DaxAnswer upgrade = f.ask(kDaxNode, 0, MapAccess::write);
    REQUIRE(upgrade.kind == Kind::set_up);
    CHECK(upgrade.range == &range);
    const wire::SetupmappingIn args = f.window.setup_args(range);
    CHECK(args.flags == (wire::kSetupmappingRead | wire::kSetupmappingWrite));
    CHECK(args.moffset == range.window_offset);
    CHECK(f.ask(kDaxNode, 0).kind == Kind::wait); // until the server has answered
    CHECK(f.window.handle_set_up(range, Errc::ok, Errno::none));
    CHECK(f.ask(kDaxNode, 0).kind == Kind::ready);
    CHECK(f.ask(kDaxNode, 0, MapAccess::write).kind == Kind::ready);
    CHECK(range.uses == 3);
    CHECK(f.window.counters().upgrades == 1);
}

TEST_CASE("dax: nobody's mapping is upgraded while others read it", "[dax]") {
    DaxFixture f;
    DaxRange& range = f.map(kDaxNode, 0);
    CHECK(f.ask(kDaxNode, 0, MapAccess::write).kind == Kind::wait);
    f.window.release(range);
    CHECK(f.ask(kDaxNode, 0, MapAccess::write).kind == Kind::set_up);
}

TEST_CASE("dax: a range that is written at once needs no second request", "[dax]") {
    DaxFixture f;
    f.map_idle(kDaxNode, 0, MapAccess::write);
    CHECK(f.ask(kDaxNode, 0, MapAccess::write).kind == Kind::ready);
}

TEST_CASE("dax: another caller of a range that is being set up waits", "[dax]") {
    DaxFixture f;
    const DaxAnswer first = f.ask(kDaxNode, 0);
    CHECK(f.ask(kDaxNode, 0).kind == Kind::wait);
    CHECK(f.ask(kDaxNode, 0, MapAccess::write).kind == Kind::wait);
    CHECK(f.ask(kDaxNode, kDaxRange).kind == Kind::set_up);
    CHECK(f.window.handle_set_up(*first.range, Errc::ok, Errno::none));
    CHECK(f.ask(kDaxNode, 0).kind == Kind::ready);
}

TEST_CASE("dax: the range that nobody used for longest is reclaimed first", "[dax]") {
    DaxFixture f;
    const std::uint64_t oldest = f.map_idle(1, 0).window_offset;
    DaxRange& used_again = f.map_idle(2, 0);
    const std::uint64_t third = f.map_idle(3, 0).window_offset;
    const std::uint64_t fourth = f.map_idle(4, 0).window_offset;
    REQUIRE(f.ask(2, 0).kind == Kind::ready);
    f.window.release(used_again);
    CHECK(f.ask(5, 0).kind == Kind::reclaim);
    CHECK(f.reclaim() == std::vector{oldest});
    CHECK(f.reclaim() == std::vector{third});
    CHECK(f.reclaim() == std::vector{fourth});
    CHECK(f.reclaim() == std::vector{used_again.window_offset});
    CHECK(f.reclaim().empty());
    CHECK(f.window.free_count() == 4);
    CHECK(f.ask(2, 0).kind == Kind::set_up); // it is gone
}

TEST_CASE("dax: a range in use is never reclaimed; when all are, the caller falls back", "[dax]") {
    DaxFixture f;
    DaxRange& used = f.map(1, 0);
    for (std::uint64_t node = 2; node <= 4; ++node) f.map(node, 0);
    DaxRemoval removal;
    wire::RemovemappingOne room[4];
    CHECK_FALSE(f.window.take_removal(removal, room));
    const DaxAnswer answer = f.ask(5, 0);
    CHECK(answer.kind == Kind::fall_back);
    CHECK(answer.why == Why::all_in_use);
    f.window.release(used);
    CHECK(f.ask(5, 0).kind == Kind::reclaim);
    REQUIRE(f.window.take_removal(removal, room));
    CHECK(removal.count == 1);
    CHECK(removal.first == &used);
    CHECK(f.ask(5, 0).kind == Kind::wait); // for the removal
    f.window.handle_removed(removal, Errc::ok, Errno::none);
    CHECK(f.ask(5, 0).kind == Kind::set_up);
}

TEST_CASE("dax: one removal carries many ranges, of one node, oldest first, as far as there is room", "[dax]") {
    DaxFixture f(8);
    std::vector<std::uint64_t> places;
    for (std::uint64_t i = 0; i < 3; ++i) {
        places.push_back(f.map_idle(1, i * kDaxRange).window_offset);
        f.map_idle(2, i * kDaxRange);
    }
    DaxRemoval removal;
    wire::RemovemappingOne room[2];
    REQUIRE(f.window.take_removal(removal, room));
    CHECK(removal.nodeid == 1);
    REQUIRE(removal.count == 2);
    CHECK(room[0].moffset == places[0]);
    CHECK(room[0].len == kDaxRange);
    CHECK(room[1].moffset == places[1]);
    CHECK(f.ask(1, 0).kind == Kind::set_up); // in another range: what is being removed is not handed out
    f.window.handle_removed(removal, Errc::ok, Errno::none);
    CHECK(f.reclaim(8).size() == 3); // node 2's are older than the one that is left of node 1
    CHECK(f.reclaim(8) == std::vector{places[2]});
}

TEST_CASE("dax: a removal has no more entries than a page holds", "[dax]") {
    DaxFixture f(300);
    for (std::uint64_t i = 0; i < 200; ++i) f.map_idle(1, i * kDaxRange);
    for (std::uint64_t i = 200; i < 300; ++i) {
        const DaxAnswer answer = f.window.acquire({1, i * kDaxRange, 1, std::uint64_t{1} << 32, MapAccess::read});
        REQUIRE(answer.kind == Kind::set_up);
        REQUIRE(f.window.handle_set_up(*answer.range, Errc::ok, Errno::none));
        f.window.release(*answer.range);
    }
    CHECK(f.reclaim(300).size() == DaxWindow::kMostRemoved);
    CHECK(f.reclaim(300).size() == 300 - DaxWindow::kMostRemoved);
}

TEST_CASE("dax: a removal that failed, or whose end nobody knows, leaves its ranges in quarantine until reset",
          "[dax]") {
    const auto [errc, error] = GENERATE(table<Errc, Errno>({{Errc::ok, Errno::eio},
                                                            {Errc::ok, Errno::einval},
                                                            {Errc::timed_out, Errno::none},
                                                            {Errc::protocol_violation, Errno::none}}));
    DaxFixture f(2);
    f.map_idle(1, 0);
    f.map_idle(1, kDaxRange);
    DaxRemoval removal;
    wire::RemovemappingOne room[2];
    REQUIRE(f.window.take_removal(removal, room));
    f.window.handle_removed(removal, errc, error);
    CHECK(f.window.quarantined_count() == 2);
    CHECK(f.window.counters().failed == 1);
    CHECK(f.ask(1, 0).why == Why::all_in_use);
    CHECK(f.ask(2, 0).why == Why::all_in_use);
    CHECK(f.reclaim().empty());
    f.window.drop_node(1);
    CHECK(f.reclaim().empty());
    CHECK(f.window.reset() == Errc::ok);
    CHECK(f.window.quarantined_count() == 0);
    CHECK(f.ask(2, 0).kind == Kind::set_up);
}

TEST_CASE("dax: a set-up whose end nobody knows leaves its range in quarantine", "[dax]") {
    const Errc errc = GENERATE(Errc::timed_out, Errc::abandoned, Errc::device_gone, Errc::protocol_violation);
    const bool upgrade = GENERATE(false, true);
    DaxFixture f;
    if (upgrade) f.map_idle(1, 0);
    const DaxAnswer answer = f.ask(1, 0, MapAccess::write);
    REQUIRE(answer.kind == Kind::set_up);
    CHECK_FALSE(f.window.handle_set_up(*answer.range, errc, Errno::none));
    CHECK(f.window.quarantined_count() == 1);
    CHECK(f.window.free_count() == 3);
    const DaxAnswer again = f.ask(1, 0, MapAccess::write);
    CHECK(again.kind == Kind::set_up);
    CHECK(again.range != answer.range);
}

TEST_CASE("dax: a set-up that the server refused costs no range", "[dax]") {
    DaxFixture f(1);
    for (int i = 0; i < 3; ++i) {
        const DaxAnswer answer = f.ask(1, 0);
        REQUIRE(answer.kind == Kind::set_up);
        CHECK_FALSE(f.window.handle_set_up(*answer.range, Errc::ok, Errno::eacces));
    }
    CHECK(f.window.free_count() == 1);
    CHECK(f.window.counters().failed == 3);
    f.map(2, 0);
}

TEST_CASE("dax: of an upgrade that the server refused, nobody knows what is mapped: it is removed first", "[dax]") {
    DaxFixture f(1);
    f.map_idle(1, 0);
    const DaxAnswer answer = f.ask(1, 0, MapAccess::write);
    CHECK_FALSE(f.window.handle_set_up(*answer.range, Errc::ok, Errno::eacces));
    CHECK(f.window.quarantined_count() == 0);
    CHECK(f.ask(1, 0).kind == Kind::reclaim); // not ready: the old mapping is not used any more
    DaxRemoval removal;
    wire::RemovemappingOne room[1];
    SECTION("and is free when that succeeds") {
        REQUIRE(f.window.take_unwanted(removal, room));
        f.window.handle_removed(removal, Errc::ok, Errno::none);
        CHECK(f.ask(1, 0).kind == Kind::set_up);
    }
    SECTION("and is in quarantine when that fails") {
        REQUIRE(f.window.take_unwanted(removal, room));
        f.window.handle_removed(removal, Errc::ok, Errno::eio);
        CHECK(f.ask(1, 0).why == Why::all_in_use);
    }
}

TEST_CASE("dax: a server without mappings is asked once a session; what it has mapped stays", "[dax]") {
    const Errno error = GENERATE(Errno::enosys, Errno::eopnotsupp);
    DaxFixture f;
    f.map_idle(1, 0);
    const DaxAnswer answer = f.ask(2, 0);
    CHECK_FALSE(f.window.handle_set_up(*answer.range, Errc::ok, error));
    CHECK(f.ask(2, 0).why == Why::refused);
    CHECK(f.ask(3, 0).why == Why::refused);
    CHECK(f.ask(1, 0, MapAccess::write).why == Why::refused);
    CHECK(f.ask(1, 0).kind == Kind::ready);
    f.window.release(f.ranges[0]);
    CHECK(f.window.reset() == Errc::ok);
    CHECK(f.ask(2, 0).kind == Kind::set_up);
}

TEST_CASE("dax: a window that is used, or has requests under way, cannot be reset", "[dax]") {
    DaxFixture f;
    DaxRange& used = f.map(1, 0);
    CHECK(f.window.reset() == Errc::wrong_state);
    CHECK(f.window.init({kDaxRange, 12, kDaxRange}, f.ranges, f.buckets) == Errc::wrong_state);
    CHECK(f.ask(1, 0).kind == Kind::ready); // nothing happened
    f.window.release(used);
    f.window.release(used);
    const DaxAnswer set_up = f.ask(2, 0);
    CHECK(f.window.reset() == Errc::wrong_state);
    CHECK_FALSE(f.window.handle_set_up(*set_up.range, Errc::device_gone, Errno::none));
    DaxRemoval removal;
    wire::RemovemappingOne room[1];
    REQUIRE(f.window.take_removal(removal, room));
    CHECK(f.window.reset() == Errc::wrong_state);
    f.window.handle_removed(removal, Errc::device_gone, Errno::none);
    DaxCut cut{.nodeid = 1};
    f.window.begin_cut(cut);
    CHECK(f.window.reset() == Errc::wrong_state);
    f.window.end_cut(cut);
    CHECK(f.window.reset() == Errc::ok);
    CHECK(f.window.free_count() == 4);
}

TEST_CASE("dax: what a forgotten node had is removed, and of what is used when the last use ends", "[dax]") {
    DaxFixture f;
    DaxRange& used = f.map(1, 0);
    const std::uint64_t idle = f.map_idle(1, kDaxRange).window_offset;
    f.map_idle(2, 0);
    f.window.drop_node(1);
    DaxRemoval removal;
    wire::RemovemappingOne room[4];
    REQUIRE(f.window.take_unwanted(removal, room));
    CHECK(removal.nodeid == 1);
    CHECK(removal.count == 1);
    CHECK(room[0].moffset == idle);
    f.window.handle_removed(removal, Errc::ok, Errno::none);
    CHECK_FALSE(f.window.take_unwanted(removal, room)); // node 2's is only idle
    CHECK(f.ask(1, 0).range != &used);                  // a node of that number is another file now
    f.window.release(used);
    REQUIRE(f.window.take_unwanted(removal, room));
    CHECK(room[0].moffset == used.window_offset);
    f.window.handle_removed(removal, Errc::ok, Errno::none);
}

TEST_CASE("dax: a range whose node is dropped while it is set up ends well either way", "[dax]") {
    const Errno error = GENERATE(Errno::none, Errno::eio);
    DaxFixture f;
    const DaxAnswer answer = f.ask(1, 0);
    f.window.drop_node(1);
    const bool there = f.window.handle_set_up(*answer.range, Errc::ok, error);
    CHECK(there == (error == Errno::none));
    if (there) f.window.release(*answer.range);
    CHECK(f.reclaim().size() == (there ? 1 : 0));
    CHECK(f.window.free_count() == 4);
}

TEST_CASE("dax: a cut waits for those who use what it takes away, and keeps others off until it ends", "[dax]") {
    DaxFixture f;
    DaxRange& kept = f.map(kDaxNode, 0);
    DaxRange& halved = f.map(kDaxNode, kDaxRange);
    const std::uint64_t taken = f.map_idle(kDaxNode, 2 * kDaxRange).window_offset;
    DaxCut cut{.nodeid = kDaxNode, .from = kDaxRange + 100};
    f.window.begin_cut(cut);
    CHECK_FALSE(f.window.may_cut(cut));
    CHECK(f.ask(kDaxNode, 0).kind == Kind::ready);
    f.window.release(kept);
    CHECK(f.ask(kDaxNode, kDaxRange).kind == Kind::wait);
    CHECK(f.ask(kDaxNode, 2 * kDaxRange).kind == Kind::wait);
    CHECK(f.ask(kDaxNode, 9 * kDaxRange).kind == Kind::wait); // nor is anything new set up there
    CHECK(f.ask(kDaxNode + 1, kDaxRange).kind == Kind::set_up);
    f.window.release(halved);
    CHECK(f.window.may_cut(cut));
    f.window.end_cut(cut);
    CHECK(f.ask(kDaxNode, kDaxRange).kind == Kind::ready); // its first bytes are still there
    DaxRemoval removal;
    wire::RemovemappingOne room[4];
    REQUIRE(f.window.take_unwanted(removal, room));
    CHECK(removal.count == 1);
    CHECK(room[0].moffset == taken); // wholly beyond the new end
    f.window.handle_removed(removal, Errc::ok, Errno::none);
}

TEST_CASE("dax: a hole is a cut with an end, and cuts end in any order", "[dax]") {
    DaxFixture f;
    f.map_idle(kDaxNode, 0);
    f.map_idle(kDaxNode, kDaxRange);
    f.map_idle(kDaxNode, 2 * kDaxRange);
    DaxCut hole{.nodeid = kDaxNode, .from = kDaxRange, .to = 2 * kDaxRange};
    DaxCut other{.nodeid = kDaxNode + 1};
    f.window.begin_cut(hole);
    f.window.begin_cut(other);
    CHECK(f.ask(kDaxNode, 0).kind == Kind::ready);
    CHECK(f.ask(kDaxNode, kDaxRange).kind == Kind::wait);
    CHECK(f.ask(kDaxNode, 2 * kDaxRange).kind == Kind::ready);
    CHECK(f.window.may_cut(hole));
    f.window.end_cut(hole);
    CHECK(f.ask(kDaxNode, kDaxRange).kind == Kind::set_up); // its range was dropped
    CHECK(f.ask(kDaxNode + 1, 0).kind == Kind::wait);
    f.window.end_cut(other);
}

TEST_CASE("dax: a window is low when fewer than a fifth of its ranges are free, and others could be", "[dax]") {
    DaxFixture f(10);
    for (std::uint64_t i = 0; i < 8; ++i) f.map_idle(1, i * kDaxRange);
    CHECK_FALSE(f.window.is_low());
    f.map_idle(1, 8 * kDaxRange);
    CHECK(f.window.is_low());
    CHECK(f.reclaim(DaxWindow::kReclaimed).size() == 9);
    CHECK_FALSE(f.window.is_low());
    DaxFixture used(1);
    used.map(1, 0);
    CHECK_FALSE(used.window.is_low());
}
