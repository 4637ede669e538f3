// SPDX-License-Identifier: BSD-2-Clause
// FUSE_INIT: what is asked, and what each answer settles (reference: fuse.h 7.45, Linux fs/fuse/inode.c process_init_reply).
#include "session_script.hpp"
#include "support/captured.hpp"
#include "support/message.hpp"

#include "vfsproto/base/endian.hpp"

#include <cerrno>
#include <fstream>
#include <string>

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using client::implemented_init_flags;
using client::InitOptions;
using client::SessionOptions;
using client::SessionParams;
using wire::InitFlag;
using wire::InitFlags;
using wire::InitOut;

namespace {

struct GoldenInit {
    Bytes request;
    Bytes reply;
};

// The first exchange of a captured session.
GoldenInit golden_init(const char* file) {
    std::ifstream in(std::string(VFSPROTO_SOURCE_DIR "/tests/data/golden/") + file);
    REQUIRE(in);
    GoldenInit golden;
    std::string word;
    while (golden.reply.empty() && in >> word) {
        if (word == "req") in >> word, golden.request = from_hex(word);
        if (word == "rep") in >> word, golden.reply = from_hex(word);
    }
    return golden;
}

template <class S> void patch(Bytes& bytes, std::size_t at, const S& value) {
    REQUIRE(bytes.size() >= at + sizeof(S));
    std::memcpy(bytes.data() + at, &value, sizeof(S));
}

// The session after this answer.
struct Settled {
    explicit Settled(const InitOut& out, std::size_t size = sizeof(InitOut), const InitOptions& wish = {}) {
        const auto message = script.open(wish);
        script.reply_init(message, out, size);
    }
    SessionScript script;
    [[nodiscard]] const SessionParams& params() const { return script.session.params(); }
    [[nodiscard]] SessionState state() const { return script.session.state(); }
    [[nodiscard]] Errc failure() const { return script.session.failure(); }
};

InitOut with(void (*change)(InitOut&)) {
    InitOut out = good_init_out();
    change(out);
    return out;
}

InitOptions without(InitFlag flag) {
    InitOptions wish;
    wish.flags.remove(flag);
    return wish;
}

} // namespace

TEST_CASE("INIT is the captured one, byte for byte, but for our unique and our flags", "[session]") {
    if (test::captured_bytes_are_foreign()) return;
    GoldenInit golden = golden_init("c_virtiofsd.txt");
    SessionScript script;
    InitOptions wish;
    wish.pid = 77;
    const auto message = script.open(wish);
    patch(golden.request, offsetof(wire::InHeader, unique), message.header().unique);
    patch(golden.request, sizeof(wire::InHeader) + offsetof(wire::InitIn, flags), implemented_init_flags().low_word());
    patch(golden.request, sizeof(wire::InHeader) + offsetof(wire::InitIn, flags2),
          implemented_init_flags().high_word());
    CHECK(message.bytes == golden.request);
    CHECK(message.request.queue == wire::QueueKind::request);
    CHECK(message.request.token.slot == Session::kControlToken);
    CHECK(message.request.writable.len == 80);
    CHECK(message.header().unique != 0);
    CHECK((message.header().unique & 1) == 0);
}

TEST_CASE("the captured answers of both daemons make the session ready", "[session]") {
    if (test::captured_bytes_are_foreign()) return;
    const auto settle = [](const char* file) {
        GoldenInit golden = golden_init(file);
        SessionScript script;
        const auto message = script.open();
        REQUIRE(golden.reply.size() == 80);
        InitOut out;
        std::memcpy(&out, golden.reply.data() + 16, sizeof(out));
        script.reply_init(message, out);
        REQUIRE(script.session.state() == SessionState::ready);
        return script.session.params();
    };
    const SessionParams c = settle("c_virtiofsd.txt");
    CHECK(c.minor == 36);
    CHECK(c.max_write == 1u << 20);
    CHECK(c.max_read == 1u << 20);
    CHECK(c.max_pages == 256);
    CHECK(c.max_readahead == 1u << 20);
    CHECK(c.max_background == 0);
    CHECK(c.flags == InitFlags::of(InitFlag::async_read, InitFlag::atomic_o_trunc, InitFlag::big_writes,
                                   InitFlag::do_readdirplus, InitFlag::async_dio, InitFlag::parallel_dirops,
                                   InitFlag::max_pages));
    const SessionParams rust = settle("rust_virtiofsd.txt");
    CHECK(rust.minor == 38);
    CHECK(rust.max_background == 65535);
    CHECK(rust.congestion_threshold == 49149);
    CHECK(rust.flags.has(InitFlag::init_ext));
    // ALLOW_IDMAP came back although nobody asked.
    CHECK(rust.flags.high_word() == InitFlags::of(InitFlag::create_supp_group).high_word());
}

TEST_CASE("only what is implemented is offered, whatever was wished for", "[session]") {
    SessionScript script;
    InitOptions wish;
    wish.flags = InitFlags(~std::uint64_t{0});
    const auto message = script.open(wish);
    const auto in = wire::get_struct<wire::InitIn>(message.bytes.data() + sizeof(wire::InHeader));
    // The wish adds MAP_ALIGNMENT, which a client does not offer by itself.
    const InitFlags offered = implemented_init_flags() | InitFlags::of(InitFlag::map_alignment);
    CHECK_FALSE(implemented_init_flags().has(InitFlag::map_alignment));
    CHECK(in.flags == offered.low_word());
    CHECK(in.flags2 == offered.high_word());
    CHECK(in.major == 7);
    CHECK(in.minor == 45);
    CHECK_FALSE(implemented_init_flags().has(InitFlag::init_reserved));
}

TEST_CASE("flags nobody offered are not taken", "[session]") {
    const Settled all(with([](InitOut& out) { out.flags = out.flags2 = ~0u; }));
    CHECK(all.state() == SessionState::ready);
    CHECK(all.params().flags == implemented_init_flags());
    const Settled less(with([](InitOut& out) { out.flags = ~0u; }), sizeof(InitOut), without(InitFlag::setxattr_ext));
    CHECK_FALSE(less.params().flags.has(InitFlag::setxattr_ext));
    CHECK_FALSE(less.params().offered.has(InitFlag::setxattr_ext));
    const Settled none(with([](InitOut& out) { out.flags = 0; }));
    CHECK(none.params().flags == InitFlags{});
    CHECK(none.params().offered == implemented_init_flags());
}

TEST_CASE("the second word of flags counts only with INIT_EXT", "[session]") {
    CHECK(wire::init_flags_from_words(0, 0xff).bits() == 0);
    const Settled sneaky(with([](InitOut& out) {
        out.flags &= ~(1u << 30);
        out.flags2 = ~0u;
    }));
    CHECK(sneaky.state() == SessionState::ready);
    CHECK(sneaky.params().flags.high_word() == 0);
    CHECK_FALSE(sneaky.params().flags.has(InitFlag::init_ext));
}

TEST_CASE("a server that takes an offered flag of the second word and forgets INIT_EXT is believed", "[session]") {
    const auto forgetful = with([](InitOut& out) {
        out.flags &= ~(1u << 30);
        out.flags2 = 1; // SECURITY_CTX
    });
    CHECK(Settled(forgetful).params().flags.has(InitFlag::security_ctx));
    const Settled unasked(forgetful, sizeof(InitOut), without(InitFlag::security_ctx));
    CHECK_FALSE(unasked.params().flags.has(InitFlag::security_ctx));
}

TEST_CASE("the effective minor is the smaller of both", "[session]") {
    CHECK(Settled(with([](InitOut& out) { out.minor = 31; })).params().minor == 31);
    CHECK(Settled(with([](InitOut& out) { out.minor = 45; })).params().minor == 45);
    CHECK(Settled(with([](InitOut& out) { out.minor = 4000; })).params().minor == 45);
    CHECK(Settled(with([](InitOut& out) { out.minor = 27; })).params().minor == 27);
}

TEST_CASE("another major or a minor below 27 is refused with its own error", "[session]") {
    for (const std::uint32_t major : {0u, 6u, 8u, 0xffffffffu}) {
        SessionScript script;
        const auto message = script.open();
        InitOut out = good_init_out();
        out.major = major;
        script.reply_init(message, out);
        CHECK(script.session.state() == SessionState::failed);
        CHECK(script.session.failure() == Errc::version_unsupported);
    }
    for (const std::uint32_t minor : {0u, 4u, 22u, 26u}) {
        SessionScript script;
        const auto message = script.open();
        InitOut out = good_init_out();
        out.minor = minor;
        script.reply_init(message, out);
        CHECK(script.session.failure() == Errc::version_unsupported);
    }
    // Such a server may send its short form: still a question of version, not of form.
    CHECK(Settled(with([](InitOut& out) { out.minor = 4; }), 8).failure() == Errc::version_unsupported);
    CHECK(Settled(with([](InitOut& out) { out.minor = 22; }), 24).failure() == Errc::version_unsupported);
    CHECK(Settled(with([](InitOut& out) { out.major = 6; }), 8).failure() == Errc::version_unsupported);
}

TEST_CASE("a short answer reads as zeros where it ends", "[session]") {
    const Settled old(with([](InitOut& out) { out.minor = 27; }), wire::kInitOutCompat22Size);
    REQUIRE(old.state() == SessionState::ready);
    CHECK(old.params().max_pages == 1); // MAX_PAGES is in the flags, and its field is not there
    CHECK(old.params().time_gran == 1);
    CHECK(old.params().flags.high_word() == 0);
    for (std::size_t size = wire::kInitOutCompat22Size; size <= sizeof(InitOut); ++size) {
        CHECK(Settled(good_init_out(), size).state() == SessionState::ready);
    }
    for (std::size_t size = 0; size < wire::kInitOutCompat22Size; ++size) {
        CHECK(Settled(good_init_out(), size).failure() == Errc::protocol_violation);
    }
}

TEST_CASE("a server that answers with an error refused the session, and says why", "[session]") {
    for (const std::int32_t error : {-EPERM, -EACCES, -EPROTO, -511}) {
        SessionScript script;
        script.reply_error(script.open(), error);
        CHECK(script.session.state() == SessionState::failed);
        CHECK(script.session.failure() == Errc::init_refused);
        CHECK(static_cast<std::int32_t>(script.session.server_error()) == -error);
    }
    for (const std::int32_t error : {EPERM, EPROTO, -512, -4096}) {
        SessionScript script;
        script.reply_error(script.open(), error);
        CHECK(script.session.failure() == Errc::protocol_violation);
        CHECK(script.session.server_error() == Errno::none);
    }
}

TEST_CASE("a malformed answer fails the session with a protocol violation", "[session]") {
    struct Case {
        wire::OutHeader header;
        std::size_t size;
        std::uint32_t written;
    };
    const Case cases[] = {
        {{80, 0, 0}, 64, 0},    {{80, 0, 0}, 64, 15},     {{80, 0, 0}, 64, 79},         {{79, 0, 0}, 64, 80},
        {{81, 0, 0}, 64, 81},   {{0, 0, 0}, 64, 80},      {{0xffffffff, 0, 0}, 64, 80}, {{16, 0, 0}, 0, 16},
        {{80, -71, 0}, 64, 80}, {{4096, 0, 0}, 64, 4096},
    };
    for (const Case& c : cases) {
        INFO(c.header.len << " " << c.header.error << " " << c.written);
        SessionScript script;
        const InitOut out = good_init_out();
        const auto message = script.open();
        script.reply(message, c.header, &out, c.size, c.written);
        CHECK(script.session.state() == SessionState::failed);
        CHECK(script.session.failure() == Errc::protocol_violation);
        CHECK_FALSE(script.peek());
    }
}

TEST_CASE("an answer to another request fails the session with its own error", "[session]") {
    SessionScript script;
    const auto message = script.open();
    const InitOut out = good_init_out();
    script.reply(message, {80, 0, message.header().unique + 2}, &out, sizeof(out), 80);
    CHECK(script.session.failure() == Errc::unique_mismatch);
}

TEST_CASE("an INIT the device left unanswered is not taken for an answer", "[session]") {
    SessionScript script;
    const auto message = script.open();
    script.use(message, 80);
    CHECK(script.session.failure() == Errc::protocol_violation);
}

TEST_CASE("max_write is at least a page, at most max_pages, and a page without BIG_WRITES", "[session]") {
    const auto write_of = [](std::uint32_t max_write, std::uint16_t max_pages) {
        InitOut out = good_init_out();
        out.max_write = max_write;
        out.max_pages = max_pages;
        return Settled(out).params().max_write;
    };
    CHECK(write_of(1u << 20, 256) == 1u << 20);
    CHECK(write_of(0, 256) == 4096);
    CHECK(write_of(4095, 256) == 4096);
    CHECK(write_of(0xffffffff, 256) == 1u << 20);
    CHECK(write_of(1u << 20, 32) == 128u << 10);
    CHECK(write_of(100000, 256) == 100000);
    CHECK(Settled(with([](InitOut& out) { out.flags &= ~(1u << 5); })).params().max_write == 4096);
    CHECK(Settled(good_init_out(), sizeof(InitOut), without(InitFlag::big_writes)).params().max_write == 4096);
}

TEST_CASE("max_pages is 32 without its flag, whatever the field says, and never above what we wish", "[session]") {
    const Settled silent(with([](InitOut& out) { out.flags &= ~(1u << 22); }));
    CHECK(silent.params().max_pages == 32);
    CHECK(silent.params().max_read == 128u << 10);
    CHECK(silent.params().max_write == 128u << 10);
    const Settled not_offered(good_init_out(), sizeof(InitOut), without(InitFlag::max_pages));
    CHECK(not_offered.params().max_pages == 32);

    CHECK(Settled(with([](InitOut& out) { out.max_pages = 0; })).params().max_pages == 1);
    CHECK(Settled(with([](InitOut& out) { out.max_pages = 65535; })).params().max_pages == 256);
    CHECK(Settled(with([](InitOut& out) { out.max_pages = 100; })).params().max_read == 400u << 10);
    InitOptions small;
    small.max_pages = 12; // a short ring
    CHECK(Settled(good_init_out(), sizeof(InitOut), small).params().max_pages == 12);
    CHECK(Settled(good_init_out(), sizeof(InitOut), small).params().max_write == 12u * 4096);
    small.max_pages = 0;
    CHECK(Settled(good_init_out(), sizeof(InitOut), small).params().max_pages == 1);
    InitOptions large;
    large.max_pages = 65535;
    CHECK(Settled(with([](InitOut& out) { out.max_pages = 65535; }), sizeof(InitOut), large).params().max_read ==
          65535u * 4096);
}

TEST_CASE("readahead is the smaller of both, and the time granularity stays within a second", "[session]") {
    CHECK(Settled(with([](InitOut& out) { out.max_readahead = 4096; })).params().max_readahead == 4096);
    CHECK(Settled(with([](InitOut& out) { out.max_readahead = ~0u; })).params().max_readahead == 1u << 20);
    CHECK(Settled(with([](InitOut& out) { out.time_gran = 0; })).params().time_gran == 1);
    CHECK(Settled(with([](InitOut& out) { out.time_gran = 1'000'000'000; })).params().time_gran == 1'000'000'000);
    CHECK(Settled(with([](InitOut& out) { out.time_gran = 1'000'000'001; })).params().time_gran == 1);
}

TEST_CASE("fields whose flag was not agreed on mean nothing", "[session]") {
    const Settled odd(with([](InitOut& out) {
        out.map_alignment = 21;
        out.request_timeout = 5;
        out.flags2 = ~0u;
    }));
    CHECK(odd.params().map_alignment == 0);
    CHECK(odd.params().request_timeout == 0);
}

TEST_CASE("where lengths are upper bounds the header's own length counts in INIT too", "[session]") {
    SessionOptions options;
    options.lengths = WrittenLength::upper_bound;
    SessionScript script(options);
    const auto message = script.open();
    const InitOut out = good_init_out();
    script.reply(message, {40, 0, 0}, &out, 24, 80);
    CHECK(script.session.state() == SessionState::ready);
    SessionScript empty(options);
    empty.use(empty.open(), 80);
    CHECK(empty.session.failure() == Errc::protocol_violation);
}

// A server that answers in the other byte order than it was asked in serves another machine, or lies.
TEST_CASE("a server of the other byte order is refused, and no session begins", "[session]") {
    constexpr std::uint32_t kWhole = sizeof(wire::OutHeader) + sizeof(InitOut);
    SessionOptions options;
    options.lengths = GENERATE(as<WrittenLength>{}, WrittenLength::exact, WrittenLength::upper_bound);
    SessionScript script(options);
    const auto message = script.open();
    InitOut out = good_init_out();
    for (std::uint32_t* word : {&out.major, &out.minor, &out.flags, &out.max_write}) *word = byte_swapped(*word);
    wire::OutHeader header{kWhole, 0, 0};
    SECTION("all of the answer") {
        header.len = byte_swapped(header.len);
        header.unique = byte_swapped(message.header().unique);
    }
    SECTION("its header names the request") { header.len = byte_swapped(header.len); }
    SECTION("its content alone") {}
    script.reply(message, header, &out, sizeof(out), kWhole);
    CHECK(script.session.state() == client::SessionState::failed);
    CHECK(script.session.params().flags == wire::InitFlags{});
    const bool is_framed = header.len == kWhole;
    CHECK(script.session.failure() == (is_framed ? Errc::version_unsupported : Errc::protocol_violation));
    CHECK_FALSE(script.peek()); // not even DESTROY
}

TEST_CASE("a session needs its memory", "[session]") {
    SharedMemory memory;
    const Region block = memory.add(Session::kMemoryBytes);
    Session session;
    CHECK(session.open({}) == Errc::wrong_state);
    CHECK(session.init(Region{}, {}) == Errc::bad_argument);
    CHECK(session.init(block.part(0, Session::kMemoryBytes - 1), {}) == Errc::bad_argument);
    CHECK(session.init(block, {}) == Errc::ok);
    CHECK(session.open({}) == Errc::ok);
}
