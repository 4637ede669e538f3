// SPDX-License-Identifier: BSD-2-Clause
// A filter shows what it was asked for, and decides as early as it can.
#include "../../../src/cli/trace_filter.hpp"
#include "support/catch.hpp"
#include "traced.hpp"

#include "vfsproto/fuse/wire/dirents.hpp"

#include <vector>

using namespace vfsproto;
using namespace vfsproto::cli;
using abi::Errno;
using wire::Opcode;
using enum TraceFilter::Decision;

namespace {

TraceFilter filter(std::string_view words) {
    TraceFilter filter;
    REQUIRE(filter.add(words));
    return filter;
}

} // namespace

TEST_CASE("without a filter everything is shown when it starts", "[cli]") {
    CHECK(TraceFilter().at_start(test::request<Opcode::read>()) == show);
    const TracedAnswer good = test::failure(Errno::none);
    CHECK(TraceFilter().at_end(test::request<Opcode::read>(), &good));
    CHECK(TraceFilter().at_end(test::request<Opcode::read>(), nullptr));
}

TEST_CASE("operations are alternatives, in capitals or not", "[cli]") {
    const TraceFilter both = filter("read,WRITE");
    CHECK(both.at_start(test::request<Opcode::read>()) == show);
    CHECK(both.at_start(test::request<Opcode::write>()) == show);
    CHECK(both.at_start(test::request<Opcode::readdir>()) == hide);
    CHECK_FALSE(both.at_end(test::request<Opcode::readdir>(), nullptr));
}

TEST_CASE("a node is wanted whoever names it: header, fields, records, or an answer", "[cli]") {
    const TraceFilter node = filter("node=9");
    TracedRequest read = test::request<Opcode::read>();
    CHECK(node.at_start(read) == hide);
    read.nodeid = 9;
    CHECK(node.at_start(read) == show);
    CHECK(node.at_start(test::request<Opcode::link>({.oldnodeid = 9})) == show);
    CHECK(node.at_start(test::request<Opcode::rename2>({.newdir = 9, .flags = 0, .padding = 0})) == show);
    TracedRequest forget = test::request<Opcode::batch_forget>();
    CHECK(node.at_start(forget) == hide);
    forget.forgotten = {{8, 1}, {9, 1}};
    CHECK(node.at_start(forget) == show);
    const TracedRequest lookup = test::request<Opcode::lookup>();
    CHECK(node.at_start(lookup) == when_over);
    wire::EntryOut out{};
    const TracedAnswer other = test::answer(out);
    CHECK_FALSE(node.at_end(lookup, &other));
    wire::EntryOut wanted{};
    wanted.nodeid = 9;
    const TracedAnswer found = test::answer(wanted);
    CHECK(node.at_end(lookup, &found));
    CHECK_FALSE(node.at_end(lookup, nullptr));
}

TEST_CASE("a directory that is read names the nodes of its entries", "[cli]") {
    const TraceFilter node = filter("node=9");
    const TracedRequest list = test::request<Opcode::readdirplus>();
    CHECK(node.at_start(list) == when_over);
    std::vector<std::byte> room(4096);
    wire::DirentplusWriter writer(room);
    wire::DirEntryPlus entry{};
    for (const std::uint64_t nodeid : {7, 9}) {
        TracedAnswer answer = test::failure(Errno::none);
        entry.entry.nodeid = nodeid;
        entry.dirent = {.ino = 1, .name = wire::Name("a", 1)};
        REQUIRE(writer.add(entry));
        answer.records = std::span(room).first(writer.size());
        CHECK(node.at_end(list, &answer) == (nodeid == 9));
        answer.records = answer.records.first(answer.records.size() - 8); // the name and its padding are cut off
        CHECK_FALSE(node.at_end(list, &answer));
    }
    CHECK_FALSE(node.at_end(list, nullptr));
}

TEST_CASE("errors are known at the end, and no answer is one", "[cli]") {
    const TraceFilter any = filter("error");
    const TracedRequest read = test::request<Opcode::read>();
    const TracedAnswer good = test::failure(Errno::none);
    const TracedAnswer missing = test::failure(Errno::enoent);
    TracedAnswer broken = test::failure(Errno::none);
    broken.errc = Errc::protocol_violation;
    CHECK(any.at_start(read) == when_over);
    CHECK_FALSE(any.at_end(read, &good));
    CHECK(any.at_end(read, &missing));
    CHECK(any.at_end(read, &broken));
    CHECK(any.at_end(read, nullptr));
    const TraceFilter named = filter("error=eacces,error=2");
    const TracedAnswer refused = test::failure(Errno::eacces);
    const TracedAnswer full = test::failure(Errno::enospc);
    CHECK(named.at_end(read, &missing));
    CHECK(named.at_end(read, &refused));
    CHECK_FALSE(named.at_end(read, &full));
    CHECK_FALSE(named.at_end(read, nullptr));
}

TEST_CASE("conditions of different kinds all hold", "[cli]") {
    TraceFilter all = filter("READ,node=5");
    REQUIRE(all.add("error"));
    const TracedAnswer failed = test::failure(Errno::eio);
    TracedRequest read = test::request<Opcode::read>();
    CHECK(all.at_start(read) == when_over);
    CHECK(all.at_end(read, &failed));
    CHECK(all.at_start(test::request<Opcode::write>()) == hide);
    read.nodeid = 6;
    CHECK(all.at_start(read) == hide);
}

TEST_CASE("what no filter knows is refused and changes nothing", "[cli]") {
    TraceFilter none;
    for (const char* words : {"", "READ,", "NOTHING", "node=", "node=x", "node=-1", "node=99999999999999999999",
                              "error=", "error=0", "error=EWHAT", "error=9999", "error=E???", "READ,error=x"}) {
        INFO(words);
        CHECK_FALSE(none.add(words));
    }
    CHECK(none.at_start(test::request<Opcode::write>()) == show);
}
