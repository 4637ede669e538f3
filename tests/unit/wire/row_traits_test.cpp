// SPDX-License-Identifier: BSD-2-Clause
// The traits of rows in the op table, beside sizes and names.
#include "support/catch.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

#include <string>
#include <type_traits>

using namespace vfsproto;
using namespace vfsproto::wire;

namespace {

// The names of the rows for which `is_so` holds, each followed by a blank.
template <class Test> std::string rows_that(Test&& is_so) {
    std::string names;
    for (const OpInfo& op : kOpInfo) {
        if (is_so(op)) names += std::string(op.name) + " ";
    }
    return names;
}

} // namespace

TEST_CASE("a row that describes a node grants a lookup of it, and READDIRPLUS one for each record", "[wire]") {
    CHECK(rows_that([](const OpInfo& op) { return op.grants.lookups == Grants::Lookups::one; }) ==
          "LOOKUP SYMLINK MKNOD MKDIR LINK CREATE TMPFILE ");
    CHECK(rows_that([](const OpInfo& op) { return op.grants.lookups == Grants::Lookups::each_record; }) ==
          "READDIRPLUS ");
    for (const OpInfo& op : kOpInfo) {
        INFO(op.name);
        CHECK((op.grants.node_at != Grants::kNone) == (op.grants.lookups == Grants::Lookups::one));
    }
}

TEST_CASE("a row that opens a handle names the one that closes it", "[wire]") {
    CHECK(rows_that([](const OpInfo& op) { return op.grants.handle_at != Grants::kNone; }) ==
          "OPEN OPENDIR CREATE TMPFILE ");
    for_each_row(OpTable{}, []<class R>(R) {
        if constexpr (R::traits.gives_back != Opcode{}) {
            INFO(R::name);
            CHECK(std::is_same_v<InOf<R::traits.gives_back>, ReleaseIn>);
        }
    });
    CHECK(op_info(Opcode::opendir).traits.gives_back == Opcode::releasedir);
    CHECK(op_info(Opcode::create).grants.handle_at == sizeof(EntryOut));
}

TEST_CASE("what may be repeated changes nothing, and what changes names may not be", "[wire]") {
    for (const OpInfo& op : kOpInfo) {
        INFO(op.name);
        // A request that names something to be made or removed succeeds once.
        if (op.in_tail == InTail::name_pair || op.traits.makes != MakesType::any) {
            CHECK(op.traits.repeat == Repeat::unsafe);
        }
        if (op.traits.reply == ReplyOwed::never) CHECK(op.traits.repeat == Repeat::unsafe);
    }
    CHECK(rows_that([](const OpInfo& op) { return op.traits.repeat == Repeat::unless_appending; }) == "WRITE ");
}

TEST_CASE("what changes a file is owed to stable storage, until it is synced", "[wire]") {
    const auto rows_of = [](Storage storage) {
        return rows_that([storage](const OpInfo& op) { return op.traits.storage == storage; });
    };
    CHECK(rows_of(Storage::owed) == "SETATTR WRITE FALLOCATE COPY_FILE_RANGE COPY_FILE_RANGE_64 ");
    CHECK(rows_of(Storage::reported) == "FLUSH ");
    CHECK(rows_of(Storage::settled) == "FSYNC ");
}

TEST_CASE("what waits for another request may block, and what must be in order stays on its lane", "[wire]") {
    CHECK(rows_that([](const OpInfo& op) { return op.traits.blocking == Blocking::for_another; }) == "SETLKW POLL ");
    CHECK(rows_that([](const OpInfo& op) { return op.traits.offload == Offload::never; }) ==
          "FORGET INIT INTERRUPT DESTROY BATCH_FORGET ");
}
