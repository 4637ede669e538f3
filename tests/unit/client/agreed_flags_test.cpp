// SPDX-License-Identifier: BSD-2-Clause
// Flags that INIT agreed on add to the requests of operations.
#include "operations_fixture.hpp"
#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using namespace vfsproto::client;
using abi::Errno;
using wire::Opcode;

TEST_CASE("with security contexts agreed on, what makes something says that it has none", "[session]") {
    OperationsFixture f;
    const bool agreed = GENERATE(true, false);
    if (agreed) f.params.flags.add(wire::InitFlag::security_ctx);
    constexpr std::uint32_t kNameAndNul = 4;
    const std::size_t extra = agreed ? sizeof(wire::ExtHeader) : 0;
    const auto check_end = [&](const ScriptedQueue::Sent& sent, std::size_t before) {
        REQUIRE(sent.request.size() == before + extra);
        if (!agreed) return;
        wire::ExtHeader header{};
        std::memcpy(&header, sent.request.data() + before, sizeof(header));
        CHECK(header.size == sizeof(wire::ExtHeader));
        CHECK(header.type == 0); // no context
    };
    Counted<CreateFile> create;
    create->start(f.client, kCaller, 5, {text_span("new"), abi::kOWronly, 0640, 022});
    check_end(f.next(Opcode::create), sizeof(wire::InHeader) + sizeof(wire::CreateIn) + kNameAndNul);
    f.answer_error(Errno::eacces);
    Counted<client::MakeDirectory> directory;
    directory->call.name = text_span("new");
    directory->start(f.client, kCaller, 5);
    check_end(f.next(Opcode::mkdir), sizeof(wire::InHeader) + sizeof(wire::MkdirIn) + kNameAndNul);
    f.answer_error(Errno::eacces);
    Counted<client::MakeSymlink> link;
    link->call.name = text_span("new");
    link->call.name2 = text_span("old");
    link->start(f.client, kCaller, 5);
    check_end(f.next(Opcode::symlink), sizeof(wire::InHeader) + 2 * kNameAndNul);
    f.answer_error(Errno::eacces);
}

TEST_CASE("who is not user 0 has set-id bits taken away where the server does that", "[session]") {
    OperationsFixture f;
    const bool agreed = GENERATE(true, false);
    if (agreed) f.params.flags.add(wire::InitFlag::handle_killpriv_v2);
    const bool is_root = GENERATE(true, false);
    const client::Caller caller{.uid = is_root ? 0u : 1000u, .gid = 100, .pid = 77};
    const bool kills = agreed && !is_root;
    Counted<OpenFile> open;
    open->start(f.client, caller, 5, abi::kOWronly | abi::kOTrunc);
    CHECK(f.next(Opcode::open).args<wire::OpenIn>().open_flags == (kills ? wire::kOpenKillSuidgid : 0));
    f.answer_error(Errno::eacces);
    Counted<client::SetAttributes> cut;
    cut->call.args.valid = wire::kSetattrSize;
    cut->start(f.client, caller, 5);
    CHECK(f.next(Opcode::setattr).args<wire::SetattrIn>().valid ==
          (wire::kSetattrSize | (kills ? wire::kSetattrKillSuidgid : 0)));
    f.answer_error(Errno::eacces);
    const std::vector<std::byte> data(10);
    Counted<client::Single<Opcode::write>> once;
    once->call.data_in = {data.data(), 10, {}};
    once->call.args.size = 10;
    once->start(f.client, caller, 5);
    CHECK(f.next(Opcode::write).args<wire::WriteIn>().write_flags == (kills ? wire::kWriteKillSuidgid : 0));
    f.answer_error(Errno::eacces);
}
