// SPDX-License-Identifier: BSD-2-Clause
#include "passthrough_fixture.hpp"
#include "support/catch.hpp"

#include <set>

using namespace vfsproto;
using namespace vfsproto::test;

TEST_CASE("passthrough answers every row but the listed exceptions", "[passthrough]") {
    PassthroughFixture f;
    std::set<wire::Opcode> excepted;
    for (const backends::PassthroughException& exception : backends::kPassthroughExceptions) {
        CHECK(std::string(exception.reason).size() > 5);
        CHECK(excepted.insert(exception.opcode).second);
    }
    wire::for_each_row(wire::OpTable{}, [&]<class Row>(Row) {
        INFO(Row::name);
        // Well-formed, about the root, with handles nobody has: an answer is due, not a success.
        Message message(Row::opcode);
        typename Row::In in{};
        if constexpr (Row::opcode == wire::Opcode::init) in.major = wire::kMajor;
        message.fixed(in);
        if constexpr (Row::in_tail == wire::InTail::name || Row::in_tail == wire::InTail::name_data) message.name("n");
        if constexpr (Row::in_tail == wire::InTail::name_pair) message.name("n").name("m");
        const Answered answer = f.client.send(message);
        const bool is_enosys = answer.error == abi::Errno::enosys;
        CHECK(is_enosys == (excepted.count(Row::opcode) == 1));
        if constexpr (Row::traits.reply == wire::ReplyOwed::always) CHECK(answer.written >= 16);
        if constexpr (Row::opcode == wire::Opcode::destroy) f.client.init({});
    });
}
