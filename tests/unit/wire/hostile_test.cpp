// SPDX-License-Identifier: BSD-2-Clause
// Bytes that no honest peer sends.
#include "../../../fuzz/reply_input.hpp"
#include "../../../fuzz/request_input.hpp"

#include "row_sample.hpp"
#include "support/catch.hpp"

using namespace vfsproto;
using namespace vfsproto::wire;
using test::Bytes;
using test::RowSample;

namespace {

// Requests of every row and of the golden vectors.
std::vector<Bytes> honest_requests() {
    std::vector<Bytes> all;
    for (const auto& golden : test::all_golden()) all.push_back(golden.request);
    for_each_row(OpTable{}, [&]<class R>(R) {
        const RowSample<R> sample(3);
        Bytes message(1 << 13);
        const auto size = encode_request(message, op_info(R::opcode), make_header(R::opcode, 0, 42, 7, {}),
                                         bytes_of(sample.in), sample.tail(), {});
        REQUIRE(size);
        message.resize(*size);
        all.push_back(message);
    });
    return all;
}

// Fuzz inputs: the row and what was asked, then the reply.
std::vector<Bytes> honest_replies() {
    std::vector<Bytes> all;
    const auto add = [&](u32 opcode, u32 asked, const Bytes& reply) {
        Bytes input{static_cast<std::byte>(kOpIndex[opcode] - 1), static_cast<std::byte>(asked),
                    static_cast<std::byte>(asked >> 8), std::byte{1}};
        input.insert(input.end(), reply.begin(), reply.end());
        all.push_back(input);
    };
    for (const auto& golden : test::all_golden()) add(get_struct<u32>(golden.request.data() + 4), 4096, golden.reply);
    for_each_row(OpTable{}, [&]<class R>(R) {
        const RowSample<R> sample(3);
        Bytes message(1 << 13);
        const auto fixed = R::out_tail == OutTail::size_or_data ? std::span<const std::byte>{} : bytes_of(sample.out);
        const auto size = encode_reply(message, op_info(R::opcode), 42, fixed, sample.reply_data);
        if (!size) return;
        message.resize(*size);
        add(static_cast<u32>(R::opcode), sample.asked, message);
    });
    return all;
}

} // namespace

TEST_CASE("a request cut off anywhere is refused") {
    for (const Bytes& honest : honest_requests()) {
        const auto opcode = get_struct<u32>(honest.data() + 4);
        INFO(find_op(opcode)->name);
        for (std::size_t length = 0; length < honest.size(); ++length) {
            // Once with the header as it was, once with a length that agrees.
            Bytes cut(honest.begin(), honest.begin() + static_cast<std::ptrdiff_t>(length));
            CHECK(decode_in_header(cut, cut.size()).error() == Errc::protocol_violation);
            if (length < sizeof(InHeader)) continue;
            put_struct(cut.data(), static_cast<u32>(length));
            const auto header = decode_in_header(cut, cut.size());
            REQUIRE(header);
            const auto parts = decode_request(*find_op(opcode), *header, cut, cut.size(), {});
            const bool short_init = opcode == static_cast<u32>(Opcode::init) && length >= 40 + kInitInCompatSize;
            if (short_init ? !parts : parts.error() != Errc::protocol_violation) FAIL("length " << length);
        }
    }
}

TEST_CASE("a request with bytes too many is refused") {
    for (Bytes request : honest_requests()) {
        const auto opcode = get_struct<u32>(request.data() + 4);
        INFO(find_op(opcode)->name);
        request.insert(request.end(), 8, std::byte{0x41});
        put_struct(request.data(), static_cast<u32>(request.size()));
        const auto header = decode_in_header(request, request.size());
        REQUIRE(header);
        CHECK(decode_request(*find_op(opcode), *header, request, request.size(), {}).error() ==
              Errc::protocol_violation);
    }
}

TEST_CASE("a reply cut off anywhere fails or is shorter data, never more") {
    for (const Bytes& honest : honest_replies()) {
        for (std::size_t length = 0; length <= honest.size(); ++length) {
            Bytes cut(honest.begin(), honest.begin() + static_cast<std::ptrdiff_t>(length));
            if (!fuzz::reply_input_holds(cut)) FAIL("row " << static_cast<int>(honest[0]) << " length " << length);
            if (length > 3) cut[3] = std::byte{0};
            if (!fuzz::reply_input_holds(cut)) FAIL("row " << static_cast<int>(honest[0]) << " length " << length);
        }
    }
}

TEST_CASE("a reply without a tail must have exactly its size") {
    for_each_row(OpTable{}, [&]<class R>(R) {
        if (R::out_tail != OutTail::none || R::traits.compat == Compat::short_reply) return;
        INFO(R::name);
        const OpInfo& op = op_info(R::opcode);
        for (std::size_t body = 0; body <= R::out_size + 16; ++body) {
            CHECK(static_cast<bool>(check_reply_size(op, body, 4096)) == (body == R::out_size));
        }
    });
}

TEST_CASE("a server cannot return more data than was asked for") {
    CHECK(check_reply_size(op_info(Opcode::read), 16, 16));
    CHECK(check_reply_size(op_info(Opcode::read), 17, 16).error() == Errc::protocol_violation);
    CHECK(check_reply_size(op_info(Opcode::getxattr), 8, 0));
    CHECK(check_reply_size(op_info(Opcode::getxattr), 9, 0).error() == Errc::protocol_violation);
    CHECK(check_reply_size(op_info(Opcode::getxattr), 0, 0).error() == Errc::protocol_violation);
    CHECK(check_reply_size(op_info(Opcode::getxattr), 5, 4).error() == Errc::protocol_violation);
    CHECK(check_reply_size(op_info(Opcode::ioctl), 15, 4).error() == Errc::protocol_violation);
    CHECK(*check_reply_size(op_info(Opcode::ioctl), 20, 4) == 4);
}

TEST_CASE("an error number no server may send is a violation") {
    CHECK(*reply_error({16, 0, 1}) == Errno::none);
    CHECK(*reply_error({16, -511, 1}) == Errno{511});
    CHECK(reply_error({16, -512, 1}).error() == Errc::protocol_violation);
    CHECK(reply_error({16, 2, 1}).error() == Errc::protocol_violation);
    CHECK(reply_error({16, std::numeric_limits<i32>::min(), 1}).error() == Errc::protocol_violation);
    Bytes into(16);
    CHECK(encode_error(into, 1, Errno::none).error() == Errc::bad_argument);
    CHECK(encode_error(into, 1, Errno{512}).error() == Errc::bad_argument);
}

TEST_CASE("random damage to honest messages is refused or read the same way twice") {
    std::mt19937 random(2024);
    std::vector<Bytes> requests = honest_requests();
    for (Bytes& request : requests) request.insert(request.begin(), std::byte{2});
    const std::vector<Bytes> replies = honest_replies();
    for (int round = 0; round < 20000; ++round) {
        const bool asks = random() % 2 == 0;
        const std::vector<Bytes>& all = asks ? requests : replies;
        Bytes input = all[random() % all.size()];
        for (unsigned hits = 1 + random() % 4; hits > 0; --hits) {
            const std::size_t at = random() % input.size();
            input[at] =
                random() % 2 == 0 ? static_cast<std::byte>(random()) : static_cast<std::byte>(0xff * (random() % 2));
        }
        if (random() % 4 == 0) input.resize(random() % (input.size() + 1));
        INFO((asks ? "request" : "reply") << " round " << round);
        if (!(asks ? fuzz::request_input_holds(input) : fuzz::reply_input_holds(input))) FAIL("does not hold");
    }
}
