// SPDX-License-Identifier: BSD-2-Clause
#include "row_sample.hpp"
#include "support/catch.hpp"

using namespace vfsproto;
using namespace vfsproto::wire;
using test::Bytes;
using test::RowSample;

namespace {

const InitFlags kExt = InitFlags::of(InitFlag::setxattr_ext);

WriteIn write_of(u32 size) {
    WriteIn in{};
    in.size = size;
    return in;
}

template <class S> bool same_bytes(const S& a, const S& b) {
    const auto x = bytes_of(a);
    const auto y = bytes_of(b);
    return std::equal(x.begin(), x.end(), y.begin(), y.end());
}

template <class R> void request_arrives(const RowSample<R>& sample) {
    Bytes message(1 << 16);
    const InHeader head = make_header(R::opcode, 0, 42, 7, {1000, 100, 77});
    const auto size = encode_request(message, op_info(R::opcode), head, bytes_of(sample.in), sample.tail(), kExt);
    REQUIRE(size);
    message.resize(*size);
    const auto request = decode_request<R>(message, message.size(), kExt);
    REQUIRE(request);
    CHECK(request->header.len == message.size());
    CHECK(request->header.unique == 42);
    CHECK(request->header.nodeid == 7);
    CHECK(request->header.uid == 1000);
    CHECK(request->header.gid == 100);
    CHECK(request->header.pid == 77);
    CHECK(same_bytes(request->in, sample.in));
    CHECK(request->parts.first == Name(sample.first));
    CHECK(request->parts.second == Name(sample.second));
    const std::span<const std::byte> whole(message);
    const auto data = whole.subspan(request->parts.data_at, request->parts.data_size);
    CHECK(std::equal(data.begin(), data.end(), sample.data.begin(), sample.data.end()));
    const auto extensions = whole.subspan(request->parts.extensions_at, request->parts.extensions_size);
    CHECK(std::equal(extensions.begin(), extensions.end(), sample.extensions.begin(), sample.extensions.end()));
}

template <class R> void reply_arrives(const RowSample<R>& sample) {
    Bytes message(1 << 12);
    const bool sized = R::out_tail == OutTail::size_or_data;
    const auto fixed = sized ? std::span<const std::byte>{} : bytes_of(sample.out);
    const auto size = encode_reply(message, op_info(R::opcode), 42, fixed, sample.reply_data);
    if (R::traits.reply != ReplyOwed::always) {
        CHECK(size.error() == Errc::bad_argument);
        return;
    }
    REQUIRE(size);
    CHECK(*size <= max_reply_size(op_info(R::opcode), sample.asked));
    message.resize(*size);
    const auto reply = decode_whole_reply<R>(message, 42, sample.asked);
    REQUIRE(reply);
    CHECK(reply->error == Errno::none);
    if (!sized) CHECK(same_bytes(reply->out, sample.out));
    CHECK(std::equal(reply->data.begin(), reply->data.end(), sample.reply_data.begin(), sample.reply_data.end()));
    CHECK(decode_whole_reply<R>(message, 43, sample.asked).error() == Errc::unique_mismatch);
    if (sized) {
        Bytes room(64);
        const auto told = encode_reply(room, op_info(R::opcode), 42, bytes_of(sample.out));
        REQUIRE(told);
        room.resize(*told);
        const auto answer = decode_whole_reply<R>(room, 42, 0);
        REQUIRE(answer);
        CHECK(same_bytes(answer->out, sample.out));
    }
}

} // namespace

TEST_CASE("a request of every row reaches the server as the client meant it") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        for_each_row(OpTable{}, [&]<class R>(R) {
            INFO(R::name << " seed " << seed);
            request_arrives<R>(RowSample<R>(seed));
        });
    }
}

TEST_CASE("a reply of every row reaches the client as the server meant it") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        for_each_row(OpTable{}, [&]<class R>(R) {
            INFO(R::name << " seed " << seed);
            reply_arrives<R>(RowSample<R>(seed));
        });
    }
}

TEST_CASE("an error reply of every row carries the error and no body") {
    for_each_row(OpTable{}, [&]<class R>(R) {
        INFO(R::name);
        Bytes message(16);
        REQUIRE(encode_error(message, 42, Errno::enoent));
        const auto reply = decode_whole_reply<R>(message, 42, 100);
        REQUIRE(reply);
        CHECK(reply->error == Errno::enoent);
        message.push_back(std::byte{0});
        put_struct(message.data(), u32{17});
        CHECK(decode_whole_reply<R>(message, 42, 100).error() == Errc::protocol_violation);
    });
}

TEST_CASE("a request that does not fit its room is refused, whatever the room") {
    for_each_row(OpTable{}, [&]<class R>(R) {
        INFO(R::name);
        const RowSample<R> sample(5);
        Bytes message(1 << 16);
        const InHeader head = make_header(R::opcode, 0, 42, 7, {});
        const auto op = op_info(R::opcode);
        const auto size = encode_request(message, op, head, bytes_of(sample.in), sample.tail(), kExt);
        REQUIRE(size);
        for (u32 room = 0; room < *size; ++room) {
            const auto refused =
                encode_request(std::span(message).first(room), op, head, bytes_of(sample.in), sample.tail(), kExt);
            if (refused || refused.error() != Errc::too_large) FAIL("accepted " << room);
        }
    });
}

TEST_CASE("what a row does not have cannot be sent with it") {
    Bytes into(256);
    const InHeader head = make_header(Opcode::lookup, 0, 42, 7, {});
    const Bytes eight(8);
    CHECK(encode_request<Opcode::getattr>(into, head, {}, {.first = "x"}).error() == Errc::bad_argument);
    CHECK(encode_request<Opcode::lookup>(into, head, {}, {.first = "x", .second = "y"}).error() == Errc::bad_argument);
    CHECK(encode_request<Opcode::lookup>(into, head, {}, {.first = "x", .data = eight}).error() == Errc::bad_argument);
    CHECK(encode_request<Opcode::lookup>(into, head, {}, {.first = "x", .extensions = eight}).error() ==
          Errc::bad_argument);
    CHECK(encode_request<Opcode::lookup>(into, head, {}, {.first = Name("a\0b", 3)}).error() == Errc::bad_argument);
    CHECK(encode_request<Opcode::write>(into, head, write_of(9), {.data = eight}).error() == Errc::bad_argument);
    CHECK(encode_request<Opcode::batch_forget>(into, head, {2, 0}, {.data = Bytes(31)}).error() == Errc::bad_argument);
    CHECK(encode_request<Opcode::batch_forget>(into, head, {2, 0}, {.data = Bytes(32)}));
}

TEST_CASE("SETXATTR has eight bytes fewer without SETXATTR_EXT") {
    Bytes message(256);
    const InHeader head = make_header(Opcode::setxattr, 0, 42, 7, {});
    const RequestTail tail{.first = "user.a", .data = std::as_bytes(std::span("v", 1))};
    const SetxattrIn in{1, 2, 1, 0};
    const auto shorter = encode_request<Opcode::setxattr>(message, head, in, tail, {});
    REQUIRE(shorter);
    CHECK(*shorter == 40 + 8 + 7 + 1);
    const auto read = decode_request<RowOf<Opcode::setxattr>>(std::span(message).first(*shorter), *shorter, {});
    REQUIRE(read);
    CHECK(read->in.flags == 2);
    CHECK(read->in.setxattr_flags == 0);
    CHECK(read->parts.first == "user.a");
    const auto longer = encode_request<Opcode::setxattr>(message, head, in, tail, kExt);
    REQUIRE(longer);
    CHECK(*longer == *shorter + 8);
}

TEST_CASE("a short INIT is read by both sides with zeros for what is missing") {
    const InitIn in{7, 31, 5, 6, 7, {}};
    Bytes message(40);
    put_struct(message.data(), make_header(Opcode::init, 56, 2, 0, {}));
    const auto bytes = bytes_of(in).first(kInitInCompatSize);
    message.insert(message.end(), bytes.begin(), bytes.end());
    const auto request = decode_request<RowOf<Opcode::init>>(message, message.size(), {});
    REQUIRE(request);
    CHECK(request->in.flags == 6);
    CHECK(request->in.flags2 == 0);

    Bytes reply(100);
    InitOut out{};
    out.max_write = 4096;
    out.time_gran = 1;
    const auto size = encode_reply(reply, op_info(Opcode::init), 2, bytes_of(out).first(kInitOutCompat22Size));
    REQUIRE(size);
    reply.resize(*size);
    const auto read = decode_whole_reply<RowOf<Opcode::init>>(reply, 2);
    REQUIRE(read);
    CHECK(read->out.max_write == 4096);
    CHECK(read->out.time_gran == 0);
}

TEST_CASE("a server may decode a write whose data it has not copied") {
    Bytes message(256);
    const Bytes data(100, std::byte{0x5a});
    const auto size =
        encode_request<Opcode::write>(message, make_header(Opcode::write, 0, 4, 2, {}), write_of(100), {.data = data});
    REQUIRE(size);
    const auto head = std::span(message).first(80);
    const auto request = decode_request<RowOf<Opcode::write>>(head, *size, {});
    REQUIRE(request);
    CHECK(request->parts.data_at == 80);
    CHECK(request->parts.data_size == 100);
    CHECK(decode_request<RowOf<Opcode::write>>(std::span(message).first(79), *size, {}).error() == Errc::too_large);
}
