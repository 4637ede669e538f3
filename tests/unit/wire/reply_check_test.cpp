// SPDX-License-Identifier: BSD-2-Clause
// The lengths and errors that a reply may have.
#include "support/catch.hpp"
#include "vfsproto/fuse/wire/detail/reply_check.hpp"

#include <cerrno>
#include <limits>

using namespace vfsproto;
using namespace vfsproto::wire;

namespace {

constexpr u64 kUnique = 42;
constexpr u32 kHeader = sizeof(OutHeader);

Errc body_of(const OpInfo& op, u32 body, u32 asked) {
    return check_reply(expected_reply(op, asked), kUnique, {kHeader + body, 0, kUnique}, kHeader + body);
}
Errc error_of(i32 error, u32 body = 0) {
    const ExpectedReply expected = expected_reply(op_info(Opcode::getattr), 0);
    return check_reply(expected, kUnique, {kHeader + body, error, kUnique}, kHeader + body);
}

} // namespace

TEST_CASE("a reply without a tail must have exactly its size", "[wire]") {
    for_each_row(OpTable{}, [&]<class R>(R) {
        if (R::out_tail != OutTail::none || R::traits.compat == Compat::short_reply) return;
        if (R::traits.reply == ReplyOwed::never) return;
        INFO(R::name);
        for (u32 body = 0; body <= R::out_size + 16; ++body) {
            CHECK((body_of(op_info(R::opcode), body, 0) == Errc::ok) == (body == R::out_size));
        }
    });
}

TEST_CASE("a reply that is not owed is a violation, whatever it is", "[wire]") {
    for_each_row(OpTable{}, [&]<class R>(R) {
        if (R::traits.reply != ReplyOwed::never) return;
        INFO(R::name);
        const ExpectedReply expected = expected_reply(op_info(R::opcode), 0);
        for (u32 body = 0; body <= 16; ++body) CHECK(body_of(op_info(R::opcode), body, 0) == Errc::protocol_violation);
        CHECK(check_reply(expected, kUnique, {kHeader, -ENOENT, kUnique}, kHeader) == Errc::protocol_violation);
    });
}

TEST_CASE("a server cannot return more data than was asked for", "[wire]") {
    CHECK(body_of(op_info(Opcode::read), 16, 16) == Errc::ok);
    CHECK(body_of(op_info(Opcode::read), 17, 16) == Errc::protocol_violation);
    CHECK(body_of(op_info(Opcode::getxattr), sizeof(GetxattrOut), 0) == Errc::ok);
    CHECK(body_of(op_info(Opcode::getxattr), sizeof(GetxattrOut) + 1, 0) == Errc::protocol_violation);
    CHECK(body_of(op_info(Opcode::getxattr), 0, 0) == Errc::protocol_violation);
    CHECK(body_of(op_info(Opcode::getxattr), 4, 4) == Errc::ok); // data has no struct before it
    CHECK(body_of(op_info(Opcode::getxattr), 5, 4) == Errc::protocol_violation);
    CHECK(body_of(op_info(Opcode::ioctl), sizeof(IoctlOut) - 1, 4) == Errc::protocol_violation);
    CHECK(body_of(op_info(Opcode::ioctl), sizeof(IoctlOut) + 4, 4) == Errc::ok);
}

TEST_CASE("a short INIT is good as far as minor 22 had it", "[wire]") {
    CHECK(body_of(op_info(Opcode::init), kInitOutCompat22Size, 0) == Errc::ok);
    CHECK(body_of(op_info(Opcode::init), kInitOutCompat22Size - 1, 0) == Errc::protocol_violation);
}

// Linux fs/fuse/dev.c, fuse_dev_do_write
TEST_CASE("an error number no server may send is a violation, and so is a body beside an error", "[wire]") {
    CHECK(error_of(-1) == Errc::ok);
    CHECK(error_of(-511) == Errc::ok);
    CHECK(error_of(-512) == Errc::protocol_violation);
    CHECK(error_of(2) == Errc::protocol_violation);
    CHECK(error_of(std::numeric_limits<i32>::min()) == Errc::protocol_violation);
    CHECK(error_of(-ENOENT, 1) == Errc::protocol_violation);
}

TEST_CASE("lengths that differ are a violation, and another unique a mismatch", "[wire]") {
    const ExpectedReply expected = expected_reply(op_info(Opcode::read), 16);
    const OutHeader header{kHeader + 8, 0, kUnique};
    CHECK(check_reply(expected, kUnique, header, kHeader + 8) == Errc::ok);
    CHECK(check_reply(expected, kUnique, header, kHeader + 9) == Errc::protocol_violation);
    CHECK(check_reply(expected, kUnique, {kHeader - 1, 0, kUnique}, kHeader - 1) == Errc::protocol_violation);
    CHECK(check_reply(expected, kUnique + 2, header, kHeader + 8) == Errc::unique_mismatch);
}
