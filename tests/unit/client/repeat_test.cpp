// SPDX-License-Identifier: BSD-2-Clause
// The table says which requests may be sent once more when a server has ended with them.
#include "support/catch.hpp"

#include "vfsproto/fuse/client/repeat.hpp"

using namespace vfsproto;
using namespace vfsproto::abi;
using client::may_repeat;
using client::may_repeat_open;
using client::MayRepeat;
using wire::Opcode;

TEST_CASE("a request that only asks may be repeated, and one that makes or removes a name may not", "[repeat]") {
    for (const Opcode op : {Opcode::lookup, Opcode::getattr, Opcode::read, Opcode::fsync, Opcode::readdir}) {
        CHECK(may_repeat(wire::op_info(op), {}) == MayRepeat::yes);
    }
    for (const Opcode op : {Opcode::mkdir, Opcode::unlink, Opcode::rename2, Opcode::setattr, Opcode::setlk}) {
        CHECK(may_repeat(wire::op_info(op), {}) == MayRepeat::no);
    }
}

TEST_CASE("a WRITE may be repeated unless it appends: its bytes would stand there twice", "[repeat]") {
    CHECK(may_repeat(wire::op_info(Opcode::write), {kORdwr}) == MayRepeat::yes);
    CHECK(may_repeat(wire::op_info(Opcode::write), {kOWronly | kOAppend}) == MayRepeat::no);
    CHECK(may_repeat(wire::op_info(Opcode::read), {kORdwr | kOAppend}) == MayRepeat::yes);
}

TEST_CASE("a transfer of a stream may not be repeated: no offset says where it is", "[repeat]") {
    for (const std::uint32_t stream : {wire::kFopenStream, wire::kFopenNonseekable}) {
        for (const Opcode op : {Opcode::read, Opcode::write}) {
            CHECK(may_repeat(wire::op_info(op), {kORdwr, stream}) == MayRepeat::no);
        }
        CHECK(may_repeat(wire::op_info(Opcode::getattr), {kORdwr, stream}) == MayRepeat::yes);
    }
    CHECK(may_repeat(wire::op_info(Opcode::read), {kORdwr, wire::kFopenDirectIo}) == MayRepeat::yes);
}

TEST_CASE("an open may be repeated unless it must make the file, or empties it", "[repeat]") {
    CHECK(may_repeat_open(kORdonly, 0) == MayRepeat::yes);
    CHECK(may_repeat_open(kOCreat | kORdwr, 0600) == MayRepeat::yes);
    CHECK(may_repeat_open(kOCreat | kOExcl | kORdwr, 0600) == MayRepeat::no);
    CHECK(may_repeat_open(kOTrunc | kOWronly, 0600) == MayRepeat::no);
}

TEST_CASE("an open may not be repeated if the mode of the file it makes would refuse the second one", "[repeat]") {
    CHECK(may_repeat_open(kOCreat | kORdwr, 0400) == MayRepeat::no);
    CHECK(may_repeat_open(kOCreat | kORdwr, 0200) == MayRepeat::no);
    CHECK(may_repeat_open(kOCreat | kOWronly, 0200) == MayRepeat::yes);
    CHECK(may_repeat_open(kOCreat | kORdonly, 0444) == MayRepeat::yes);
    CHECK(may_repeat_open(kOCreat | kORdonly, 0) == MayRepeat::no);
}
