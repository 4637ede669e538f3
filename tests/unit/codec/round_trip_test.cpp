// SPDX-License-Identifier: BSD-2-Clause
// The server's lane reads what the client's lane writes, and the other way round. For every row.
#include "client_side.hpp"
#include "row_sample.hpp"
#include "support/catch.hpp"
#include "told_server.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using wire::Opcode;

namespace {

constexpr std::uint64_t kNode = 7;
constexpr client::Caller kSomeone{.uid = 1000, .gid = 100, .pid = 77};

// INIT and DESTROY are the server lane's own: no file system sees them.
template <class R> constexpr bool kReachesTheFileSystem = R::opcode != Opcode::init && R::opcode != Opcode::destroy;
template <class R> constexpr bool kAnswered = R::traits.reply == wire::ReplyOwed::always && kReachesTheFileSystem<R>;

template <class R> void fill(AnyRequest& request, const RowSample<R>& sample) {
    request.nodeid = kNode;
    request.caller = kSomeone;
    const auto in = wire::bytes_of(sample.in);
    request.set_in(Bytes(in.begin(), in.end()));
    request.name = text_span(sample.first);
    request.name2 = text_span(sample.second);
    request.set_data(sample.data);
    request.ext = sample.extensions.data();
    request.ext_len = static_cast<std::uint16_t>(sample.extensions.size());
    if (R::out_tail != wire::OutTail::none) request.ask(sample.asked);
}

// Returns a body that a server may answer: the fixed struct, then data; data alone where the request asked for some of
// it.
template <class R> Bytes body_of(const RowSample<R>& sample) {
    Bytes body;
    const auto out = wire::bytes_of(sample.out);
    if (R::out_tail != wire::OutTail::size_or_data) body.assign(out.begin(), out.end());
    body.insert(body.end(), sample.reply_data.begin(), sample.reply_data.end());
    return body;
}

// A READ is refused by the server when its size is more than the room: the size is what the reply has room for.
template <class R> RowSample<R> sample_of(unsigned seed) {
    RowSample<R> sample(seed);
    if constexpr (R::out_tail == wire::OutTail::data && requires { sample.in.read_flags; })
        sample.in.size = sample.asked;
    return sample;
}

template <class R> void request_arrives(const RowSample<R>& sample) {
    ClientSide client;
    ToldServer server;
    AnyRequest request(wire::op_info(R::opcode));
    fill(request, sample);
    const Bytes message = client.send(request);
    static_cast<void>(server.serve(message, client.queue.last().capacity));
    REQUIRE(server.fs.asked == 1);
    CHECK(server.fs.header.len == message.size());
    CHECK(server.fs.header.opcode == static_cast<std::uint32_t>(R::opcode));
    CHECK(server.fs.header.nodeid == kNode);
    CHECK(server.fs.header.uid == kSomeone.uid);
    CHECK(server.fs.header.gid == kSomeone.gid);
    CHECK(server.fs.header.pid == kSomeone.pid);
    CHECK(server.fs.in == request.in_bytes);
    CHECK(server.fs.first == sample.first);
    CHECK(server.fs.second == sample.second);
    CHECK(server.fs.data == sample.data);
    CHECK(server.fs.extensions == sample.extensions);
    client.lane.fail_all(Errc::device_gone);
}

template <class R> void reply_arrives(const RowSample<R>& sample, Errno error) {
    ClientSide client;
    ToldServer server;
    server.fs.error = error;
    server.fs.body = body_of(sample);
    AnyRequest request(wire::op_info(R::opcode));
    fill(request, sample);
    const Bytes message = client.send(request);
    client.answer(server.serve(message, client.queue.last().capacity));
    REQUIRE(request.ended == 1);
    CHECK(request.errc == Errc::ok);
    CHECK(request.error == error);
    CHECK(request.body() == (error == Errno::none ? server.fs.body : Bytes{}));
    CHECK(client.lane.idle());
}

} // namespace

TEST_CASE("a request of every row reaches the server as the client meant it", "[codec]") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        wire::for_each_row(wire::OpTable{}, [&]<class R>(R) {
            INFO(R::name << " seed " << seed);
            if constexpr (kReachesTheFileSystem<R>) request_arrives<R>(sample_of<R>(seed));
        });
    }
}

TEST_CASE("a reply of every row reaches the client as the server meant it", "[codec]") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        wire::for_each_row(wire::OpTable{}, [&]<class R>(R) {
            INFO(R::name << " seed " << seed);
            if constexpr (kAnswered<R>) reply_arrives<R>(sample_of<R>(seed), Errno::none);
        });
    }
}

TEST_CASE("an error reply of every row carries the error and no body", "[codec]") {
    wire::for_each_row(wire::OpTable{}, [&]<class R>(R) {
        INFO(R::name);
        if constexpr (kAnswered<R>) reply_arrives<R>(sample_of<R>(3), Errno::enoent);
    });
}

TEST_CASE("the size of an xattr comes in the struct that its value does not have", "[codec]") {
    constexpr std::uint32_t kSize = 17;
    ClientSide client;
    ToldServer server;
    const wire::GetxattrOut told{kSize, 0};
    const auto bytes = wire::bytes_of(told);
    server.fs.body.assign(bytes.begin(), bytes.end());
    AnyRequest request(wire::op_info(Opcode::getxattr));
    request.set_in(Bytes(sizeof(wire::GetxattrIn)));
    request.name = text_span("user.a");
    const Bytes message = client.send(request);
    client.answer(server.serve(message, client.queue.last().capacity));
    CHECK(request.succeeded());
    CHECK(request.body() == server.fs.body);
}

TEST_CASE("SETXATTR has eight bytes fewer without SETXATTR_EXT", "[codec]") {
    ToldServer old(wire::InitFlags{});
    ClientSide client;
    AnyRequest request(wire::op_info(Opcode::setxattr));
    wire::SetxattrIn in{};
    in.size = 1;
    in.flags = 2;
    in.setxattr_flags = 1;
    const auto bytes = wire::bytes_of(in).first(wire::kSetxattrInCompatSize);
    request.set_in(Bytes(bytes.begin(), bytes.end()));
    request.name = text_span("user.a");
    request.set_data(Bytes(1, std::byte{'v'}));
    const Bytes message = client.send(request);
    CHECK(message.size() == sizeof(wire::InHeader) + wire::kSetxattrInCompatSize + sizeof("user.a") + 1);
    client.answer(old.serve(message, client.queue.last().capacity));
    CHECK(request.succeeded());
    const auto read = wire::get_struct<wire::SetxattrIn>(old.fs.in.data());
    CHECK(read.flags == in.flags);
    CHECK(read.setxattr_flags == 0);
    CHECK(old.fs.first == "user.a");
    CHECK(old.fs.data == request.sent_data);
}
