// SPDX-License-Identifier: BSD-2-Clause
// SETUPMAPPING and REMOVEMAPPING as a client sends them.
#include "dax_fixture.hpp"
#include "operations_fixture.hpp"
#include "vfsproto/fuse/client/operations/mappings.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using namespace vfsproto::client;
using abi::Errno;
using wire::Opcode;

TEST_CASE("dax: a range is set up by one SETUPMAPPING to its node", "[dax]") {
    OperationsFixture f;
    DaxFixture dax;
    const DaxAnswer answer = dax.ask(kDaxNode, kDaxRange, MapAccess::write);
    Counted<SetupMapping> operation;
    operation->call.args = dax.window.setup_args(*answer.range);
    operation->start(f.client, kCaller, answer.range->nodeid);
    const ScriptedQueue::Sent& sent = f.next(Opcode::setupmapping);
    CHECK(sent.header().nodeid == kDaxNode);
    const auto args = sent.args<wire::SetupmappingIn>();
    CHECK(args.foffset == kDaxRange);
    CHECK(args.flags == (wire::kSetupmappingRead | wire::kSetupmappingWrite));
    f.answer();
    CHECK(operation.finished == 1);
    CHECK(dax.window.handle_set_up(*answer.range, operation->errc(), operation->error()));
}

TEST_CASE("dax: a REMOVEMAPPING has its entries right behind the count", "[dax]") {
    OperationsFixture f;
    DaxFixture dax;
    dax.map_idle(kDaxNode, 0);
    dax.map_idle(kDaxNode, kDaxRange);
    DaxRemoval removal;
    wire::RemovemappingOne room[4];
    REQUIRE(dax.window.take_removal(removal, room));
    Counted<RemoveMapping> operation;
    prepare_removal(operation.op, removal, room);
    operation->start(f.client, kCaller, removal.nodeid);
    const ScriptedQueue::Sent& sent = f.next(Opcode::removemapping);
    CHECK(sent.header().nodeid == kDaxNode);
    REQUIRE(sent.request.size() == sizeof(wire::InHeader) + sizeof(wire::RemovemappingIn) + 2 * sizeof room[0]);
    CHECK(sent.args<wire::RemovemappingIn>().count == 2);
    const auto second = sent.args<wire::RemovemappingOne>(sizeof(wire::RemovemappingIn) + sizeof room[0]);
    CHECK(second.moffset == room[1].moffset);
    CHECK(second.len == kDaxRange);
    f.answer();
    dax.window.handle_removed(removal, operation->errc(), operation->error());
    CHECK(dax.window.free_count() == 4);
}

TEST_CASE("dax: a malformed answer to a set-up puts its range in quarantine", "[dax]") {
    OperationsFixture f;
    DaxFixture dax;
    const DaxAnswer answer = dax.ask(kDaxNode, 0);
    Counted<SetupMapping> operation;
    operation->call.args = dax.window.setup_args(*answer.range);
    operation->start(f.client, kCaller, answer.range->nodeid);
    f.next(Opcode::setupmapping);
    f.answer_malformed();
    REQUIRE(operation.finished == 1);
    CHECK_FALSE(dax.window.handle_set_up(*answer.range, operation->errc(), operation->error()));
    CHECK(dax.window.quarantined_count() == 1);
}
