// SPDX-License-Identifier: BSD-2-Clause
// Reads and writes of any length: how they are split, how many pieces are under way, and where they end.
#include "operations_fixture.hpp"
#include "vfsproto/fuse/client/operations/data.hpp"

#include <random>

using namespace vfsproto;
using namespace vfsproto::test;
using namespace vfsproto::client;
using abi::Errno;
using wire::Opcode;

namespace {

constexpr std::uint32_t kPiece = 16384; // of the fixture: by session and by bounce area
constexpr std::uint64_t kStart = 1000;  // offset in the file

template <Opcode Op> struct TransferFixture : OperationsFixture {
    explicit TransferFixture(std::size_t length) : length_(length), buffer(memory.add(length + 1)) {
        span.nodeid = 5;
        span.fh = 3;
        span.offset = kStart;
        span.host = buffer.host();
        span.len = length;
        std::memset(buffer.host(), Op == Opcode::read ? 0x11 : 0, length + 1);
        if (Op == Opcode::write) {
            for (std::uint64_t i = 0; i < length; ++i) buffer.host()[i] = content(kStart + i);
        }
    }
    void start() { transfer->start(client, kCaller, span); }
    static std::byte content(std::uint64_t offset) {
        return static_cast<std::byte>((offset * 7 + (offset >> 8)) & 0xff);
    }

    // Answers one piece in full, or so many bytes of it.
    void serve(std::size_t which, std::uint32_t most = 0xffffffff) {
        const ScriptedQueue::Sent& sent = queue.sent(which);
        const auto in = sent.args<wire::InOf<Op>>();
        const std::uint32_t count = std::min(in.size, most);
        if constexpr (Op == Opcode::read) {
            std::vector<std::byte> data(count);
            for (std::uint32_t i = 0; i < count; ++i) data[i] = content(in.offset + i);
            queue.reply_bytes(which, data.data(), data.size());
        } else {
            const auto body = sent.body(sizeof(wire::WriteIn));
            CHECK(body.size() == in.size);
            bool is_right = true;
            for (std::uint32_t i = 0; i < in.size; ++i) is_right = is_right && body[i] == content(in.offset + i);
            CHECK(is_right);
            queue.reply(which, wire::WriteOut{count, 0});
        }
    }
    std::vector<std::size_t> pieces() {
        kick();
        return queue.visible();
    }
    // Serves everything, oldest first.
    void serve_all() {
        for (auto list = pieces(); !list.empty(); list = pieces()) {
            for (const std::size_t which : list) serve(which);
            drain();
        }
    }
    // The first `count` bytes are the file's, nothing beyond the buffer was touched.
    void check_content(std::uint64_t count) {
        if (Op == Opcode::write) return;
        bool is_right = true;
        for (std::uint64_t i = 0; i < count; ++i) is_right = is_right && buffer.host()[i] == content(kStart + i);
        CHECK(is_right);
        CHECK(buffer.host()[length_] == std::byte{0x11});
    }

    std::uint64_t length_;
    Region buffer;
    TransferSpan span{};
    Counted<LongTransfer<Op>> transfer;
};

template <Opcode Op> void check_split(std::size_t length, Payload payload) {
    TransferFixture<Op> f(length);
    if (payload == Payload::registered) f.span.lies_in(f.buffer);
    f.start();
    std::vector<std::uint32_t> sizes;
    std::uint64_t expected_offset = kStart;
    for (auto list = f.pieces(); !list.empty(); list = f.pieces()) {
        CHECK(list.size() <= LongTransfer<Op>::kPieces);
        for (const std::size_t which : list) {
            const auto in = f.queue.sent(which).template args<wire::InOf<Op>>();
            CHECK(in.offset == expected_offset);
            CHECK(in.fh == 3);
            CHECK(f.queue.sent(which).header().nodeid == 5);
            expected_offset += in.size;
            sizes.push_back(in.size);
            f.serve(which);
        }
        f.drain();
    }
    CHECK(f.transfer.finished == 1);
    CHECK(f.transfer->succeeded());
    CHECK(f.transfer->done() == length);
    CHECK(expected_offset == kStart + length);
    CHECK(sizes.size() == (length + kPiece - 1) / kPiece);
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) CHECK(sizes[i] == kPiece);
    CHECK(f.lane.counters().copies == (payload == Payload::registered ? 0 : sizes.size()));
    f.check_content(length);
}

} // namespace

TEST_CASE("transfers are split at what a request may carry, around every limit, registered and bounced", "[transfer]") {
    for (const std::size_t length :
         {std::size_t{1}, std::size_t{4095}, std::size_t{4096}, std::size_t{4097}, std::size_t{kPiece - 1},
          std::size_t{kPiece}, std::size_t{kPiece + 1}, std::size_t{2 * kPiece - 1}, std::size_t{2 * kPiece},
          std::size_t{2 * kPiece + 1}, std::size_t{8 * kPiece}, std::size_t{8 * kPiece + 1},
          std::size_t{20 * kPiece + 77}}) {
        INFO(length);
        check_split<Opcode::read>(length, Payload::bounced);
        check_split<Opcode::read>(length, Payload::registered);
        check_split<Opcode::write>(length, Payload::bounced);
        check_split<Opcode::write>(length, Payload::registered);
    }
}

TEST_CASE("nothing to transfer is done at once, without a request", "[transfer]") {
    TransferFixture<Opcode::read> f(0);
    f.start();
    CHECK(f.transfer.finished == 1);
    CHECK(f.transfer->succeeded());
    CHECK(f.transfer->done() == 0);
    CHECK(f.queue.sent_count() == 0);
}

TEST_CASE("a piece is bound by the session, and by the bounce area where it has to pass through", "[transfer]") {
    OperationsFixture f;
    f.params.max_read = 1u << 20;
    f.params.max_write = 256u << 10;
    CHECK(piece_limit(f.client, Opcode::read, Payload::registered) == 1u << 20);
    CHECK(piece_limit(f.client, Opcode::write, Payload::registered) == 256u << 10);
    CHECK(piece_limit(f.client, Opcode::read, Payload::bounced) == LaneFixture::kBounce);
    f.params.max_write = 4096;
    CHECK(piece_limit(f.client, Opcode::write, Payload::bounced) == 4096);
    LaneOptions odd;
    odd.bounce = 10000;
    OperationsFixture g({.max_inflight = 64, .max_segments = 2}, 4, odd);
    g.params.max_read = 1u << 20;
    CHECK(piece_limit(g.client, Opcode::read, Payload::registered) ==
          8192); // two segments: everything bounces, in whole pages
}

TEST_CASE("at most eight pieces are under way, and each that ends at the front makes room for one", "[transfer]") {
    TransferFixture<Opcode::read> f(12 * kPiece);
    f.start();
    CHECK(f.pieces().size() == 8);
    f.serve(0);
    f.drain();
    CHECK(f.queue.sent_count() == 9);
    f.pieces();
    f.serve(2); // not the oldest: its place is not free yet
    f.drain();
    CHECK(f.queue.sent_count() == 9);
    f.serve(1);
    f.drain();
    CHECK(f.queue.sent_count() == 11);
    f.serve_all();
    CHECK(f.transfer->done() == 12 * kPiece);
    f.check_content(12 * kPiece);
}

TEST_CASE("without ASYNC_READ one READ is under way at a time, and WRITE does not care", "[transfer]") {
    TransferFixture<Opcode::read> f(4 * kPiece);
    f.params.flags.remove(wire::InitFlag::async_read);
    f.start();
    for (std::size_t i = 0; i < 4; ++i) {
        REQUIRE(f.pieces().size() == 1);
        CHECK(f.transfer.finished == 0);
        f.serve(i);
        f.drain();
    }
    CHECK(f.transfer.finished == 1);
    TransferFixture<Opcode::write> g(4 * kPiece);
    g.params.flags.remove(wire::InitFlag::async_read);
    g.start();
    CHECK(g.pieces().size() == 4);
    g.serve_all();
}

TEST_CASE("an appending write sends one piece at a time: the server puts each where the file ends", "[transfer]") {
    TransferFixture<Opcode::write> f(3 * kPiece);
    f.span.open_flags = abi::kOAppend | abi::kOWronly;
    f.start();
    for (std::size_t i = 0; i < 3; ++i) {
        REQUIRE(f.pieces().size() == 1);
        CHECK(f.queue.sent(i).args<wire::WriteIn>().flags == f.span.open_flags);
        f.serve(i);
        f.drain();
    }
    CHECK(f.transfer->done() == 3 * kPiece);
}

TEST_CASE("pieces may end in any order, with fewer slots than pieces, and the result is the same", "[transfer]") {
    for (unsigned seed = 0; seed < 50; ++seed) {
        std::mt19937 random(seed);
        TransferFixture<Opcode::read> f(20 * kPiece + 5);
        f.start();
        while (f.transfer.finished == 0) {
            auto list = f.pieces();
            REQUIRE_FALSE(list.empty());
            std::shuffle(list.begin(), list.end(), random);
            list.resize(1 + random() % list.size());
            for (const std::size_t which : list) f.serve(which);
            f.drain();
        }
        CHECK(f.transfer.finished == 1);
        CHECK(f.transfer->done() == 20 * kPiece + 5);
        f.check_content(20 * kPiece + 5);
        CHECK(f.lane.idle());
    }
}

TEST_CASE("a transfer of a file that is not open is refused, and nothing is sent", "[transfer]") {
    OperationsFixture f;
    std::vector<std::byte> buffer(kPiece);
    Counted<ReadFile> read;
    TransferSpan span{}; // nodeid 0 is no node
    span.host = buffer.data();
    span.len = buffer.size();
    read->start(f.client, kCaller, span);
    CHECK(read.finished == 1);
    CHECK(read->error() == abi::Errno::ebadf);
    CHECK(f.queue.sent_count() == 0);
}

TEST_CASE("a transfer on a lane of two slots waits for them and ends", "[transfer]") {
    OperationsFixture f({.max_inflight = 64, .max_segments = 4}, 2);
    std::vector<std::byte> buffer(8 * kPiece);
    Counted<ReadFile> read;
    TransferSpan span{};
    span.nodeid = 5;
    span.host = buffer.data();
    span.len = buffer.size();
    read->start(f.client, kCaller, span);
    std::size_t served = 0;
    while (read.finished == 0) {
        f.next(Opcode::read);
        const auto in = f.queue.sent(f.number).args<wire::ReadIn>();
        f.answer_data(pattern(in.size, static_cast<unsigned>(in.offset / kPiece)));
        REQUIRE(++served <= 8);
    }
    CHECK(read->done() == 8 * kPiece);
    for (unsigned i = 0; i < 8; ++i) {
        const auto expected = pattern(kPiece, i);
        CHECK(std::memcmp(buffer.data() + std::size_t{i} * kPiece, expected.data(), kPiece) == 0);
    }
}

TEST_CASE("a short piece ends the transfer there, whatever the later pieces bring, and no more is sent", "[transfer]") {
    for (std::size_t shorter = 0; shorter < 6; ++shorter) {
        for (const std::uint32_t left : {0u, 1u, 4096u, kPiece - 1}) {
            INFO("piece " << shorter << " of " << left);
            TransferFixture<Opcode::read> f(12 * kPiece);
            f.start();
            const auto list = f.pieces();
            // Latest first, so that the end is known only after the rest.
            for (std::size_t i = list.size(); i-- > 0;) f.serve(i, i == shorter ? left : kPiece);
            f.drain();
            CHECK(f.transfer.finished == 1);
            CHECK(f.transfer->succeeded());
            CHECK(f.transfer->done() == shorter * kPiece + left);
            CHECK(f.queue.sent_count() == 8);
            f.check_content(shorter * kPiece + left);
            CHECK(f.lane.idle());
        }
    }
}

TEST_CASE("a short piece that comes first waits for those under way before the transfer ends", "[transfer]") {
    TransferFixture<Opcode::write> f(12 * kPiece);
    f.start();
    REQUIRE(f.pieces().size() == 8);
    f.serve(0, 100);
    f.drain();
    CHECK(f.transfer.finished == 0);
    CHECK(f.queue.sent_count() == 8);
    for (std::size_t i = 1; i < 8; ++i) f.serve(i);
    f.drain();
    CHECK(f.transfer.finished == 1);
    CHECK(f.transfer->done() == 100);
}

TEST_CASE("an error before any byte is the transfer's; later it ends it with what came before", "[transfer]") {
    for (std::size_t failing = 0; failing < 4; ++failing) {
        INFO("piece " << failing);
        TransferFixture<Opcode::write> f(4 * kPiece);
        f.start();
        REQUIRE(f.pieces().size() == 4);
        for (std::size_t i = 4; i-- > 0;) {
            if (i == failing) {
                f.queue.reply_error(i, Errno::enospc);
            } else {
                f.serve(i);
            }
        }
        f.drain();
        REQUIRE(f.transfer.finished == 1);
        CHECK(f.transfer->done() == failing * kPiece);
        CHECK(f.transfer->errc() == Errc::ok);
        CHECK(f.transfer->error() == (failing == 0 ? Errno::enospc : Errno::none));
    }
}

TEST_CASE("the first error in the file's order counts, not the first that came", "[transfer]") {
    TransferFixture<Opcode::read> f(3 * kPiece);
    f.start();
    f.pieces();
    f.queue.reply_error(2, Errno::eio);
    f.queue.reply_error(1, Errno::estale);
    f.drain();
    CHECK(f.transfer.finished == 0);
    f.queue.reply_error(0, Errno::ebadf);
    f.drain();
    CHECK(f.transfer->error() == Errno::ebadf);
}

TEST_CASE("a transfer used again remembers nothing of the one before", "[transfer]") {
    TransferFixture<Opcode::read> f(3 * kPiece);
    f.start();
    f.pieces();
    for (std::size_t i = 0; i < 3; ++i) f.queue.reply_error(i, Errno::eio);
    f.drain();
    CHECK(f.transfer->error() == Errno::eio);
    f.start();
    f.serve_all();
    CHECK(f.transfer.finished == 2);
    CHECK(f.transfer->succeeded());
    CHECK(f.transfer->done() == 3 * kPiece);
}

TEST_CASE("a WRITE that claims more than was sent is a violation; one that took nothing is EIO", "[transfer]") {
    const auto claim = [](std::uint32_t first, std::uint32_t second) {
        TransferFixture<Opcode::write> f(2 * kPiece);
        f.start();
        f.pieces();
        f.queue.reply(0, wire::WriteOut{first, 0});
        f.queue.reply(1, wire::WriteOut{second, 0});
        f.drain();
        REQUIRE(f.transfer.finished == 1);
        return std::tuple(f.transfer->errc(), f.transfer->error(), f.transfer->done());
    };
    using T = std::tuple<Errc, Errno, std::uint64_t>;
    CHECK(claim(kPiece, kPiece) == T(Errc::ok, Errno::none, 2 * kPiece));
    CHECK(claim(kPiece + 1, kPiece) == T(Errc::protocol_violation, Errno::none, 0));
    CHECK(claim(0xffffffff, kPiece) == T(Errc::protocol_violation, Errno::none, 0));
    CHECK(claim(kPiece, kPiece + 1) == T(Errc::ok, Errno::none, kPiece));
    CHECK(claim(0, kPiece) == T(Errc::ok, Errno::eio, 0));
    CHECK(claim(kPiece, 0) == T(Errc::ok, Errno::none, kPiece));
}

TEST_CASE("reading nothing is the end of the file, not an error", "[transfer]") {
    TransferFixture<Opcode::read> f(100);
    f.start();
    f.pieces();
    f.serve(0, 0);
    f.drain();
    CHECK(f.transfer->succeeded());
    CHECK(f.transfer->done() == 0);
}

TEST_CASE("a malformed answer ends the transfer like an error", "[transfer]") {
    TransferFixture<Opcode::read> f(3 * kPiece);
    f.start();
    f.pieces();
    f.serve(0);
    f.queue.complete(1, 7);
    f.serve(2);
    f.drain();
    CHECK(f.transfer.finished == 1);
    CHECK(f.transfer->succeeded());
    CHECK(f.transfer->done() == kPiece);
}

TEST_CASE("the device gone in the middle ends the transfer once, with every piece given back", "[transfer]") {
    TransferFixture<Opcode::read> f(20 * kPiece);
    f.start();
    f.pieces();
    f.lane.fail_all(Errc::device_gone);
    CHECK(f.transfer.finished == 1);
    CHECK(f.transfer->errc() == Errc::device_gone);
    CHECK(f.lane.idle());
    // A lane that is gone refuses the transfer at once; the calls do not nest.
    f.start();
    CHECK(f.transfer.finished == 2);
    CHECK(f.transfer->errc() == Errc::device_gone);
}

TEST_CASE("a queue that refuses a piece in the middle ends the transfer with what was sent before", "[transfer]") {
    TransferFixture<Opcode::read> f(12 * kPiece);
    f.start();
    REQUIRE(f.pieces().size() == 8);
    f.queue.refuse(1, Errc::bad_argument);
    f.serve(0);
    f.drain();
    CHECK(f.transfer.finished == 0);
    for (std::size_t i = 1; i < 8; ++i) f.serve(i);
    f.drain();
    for (auto list = f.pieces(); !list.empty(); list = f.pieces()) {
        for (const std::size_t which : list) f.serve(which);
        f.drain();
    }
    CHECK(f.transfer.finished == 1);
    CHECK(f.transfer->succeeded());
    CHECK(f.transfer->done() == 8 * kPiece);
    f.check_content(8 * kPiece);
}

TEST_CASE("a transfer that its own end starts again does not nest", "[transfer]") {
    TransferFixture<Opcode::read> f(2 * kPiece);
    struct Again {
        TransferFixture<Opcode::read>* f;
        int rounds = 0;
    } again{&f};
    f.transfer->user = &again;
    f.transfer->on_finish = [](Operation& operation) noexcept {
        auto& state = *static_cast<Again*>(operation.user);
        if (++state.rounds < 5) state.f->start();
    };
    f.start();
    f.serve_all();
    CHECK(again.rounds == 5);
    CHECK(f.queue.sent_count() == 10);
}

TEMPLATE_TEST_CASE_SIG("a transfer that does not lie within the largest file sends nothing", "[transfer]",
                       ((Opcode Op), Op), Opcode::read, Opcode::write) {
    constexpr std::uint64_t kEnd = INT64_MAX;
    static constexpr std::size_t kLength = 4 * kPiece;
    const auto refused_with = [](std::uint64_t offset) {
        TransferFixture<Op> f(kLength);
        f.span.offset = offset;
        f.start();
        CHECK(f.queue.sent_count() == 0);
        CHECK(f.transfer.finished == 1);
        CHECK(f.transfer->errc() == Errc::ok);
        CHECK(f.transfer->done() == 0);
        return f.transfer->error();
    };
    // The second piece of the first would start near 0: the file's first bytes would be overwritten.
    for (const std::uint64_t offset : {std::uint64_t{0} - 100, kEnd + 1, std::uint64_t{0} - kLength}) {
        CHECK(refused_with(offset) == Errno::einval);
    }
    for (const std::uint64_t offset : {kEnd, kEnd - kPiece, kEnd - kLength + 1}) {
        CHECK(refused_with(offset) == (Op == Opcode::write ? Errno::efbig : Errno::einval));
    }
    TransferFixture<Op> last(kLength);
    last.span.offset = kEnd - kLength;
    last.start();
    CHECK(last.pieces().size() == 4);
    last.queue.latch(Errc::device_gone);
    last.lane.fail_all(Errc::device_gone);
}

TEST_CASE("pieces behind a failing one may be written, but not with O_APPEND; neither counts as done", "[transfer]") {
    for (const std::uint32_t flags : {abi::kOWronly, abi::kOWronly | abi::kOAppend}) {
        const bool appends = (flags & abi::kOAppend) != 0;
        TransferFixture<Opcode::write> f(4 * kPiece);
        f.span.open_flags = flags;
        f.start();
        CHECK(f.pieces().size() == (appends ? 1 : 4));
        f.queue.reply_error(0, Errno::enospc);
        f.drain();
        f.serve_all();
        CHECK(f.queue.sent_count() == (appends ? 1 : 4));
        CHECK(f.transfer.finished == 1);
        CHECK(f.transfer->done() == 0);
        CHECK(f.transfer->error() == Errno::enospc);
    }
}
