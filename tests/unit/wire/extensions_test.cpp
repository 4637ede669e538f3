// SPDX-License-Identifier: BSD-2-Clause
#include "support/captured.hpp"
#include "support/catch.hpp"
#include "support/golden_file.hpp"
#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"
#include "vfsproto/fuse/wire/extensions.hpp"

using namespace vfsproto;
using namespace vfsproto::wire;
using test::Bytes;

namespace {

Errc walk(std::span<const std::byte> bytes) {
    ExtensionReader reader(bytes);
    while (reader.next()) {
        if (reader.extension().kind != ExtensionKind::security_contexts) continue;
        SecurityContextReader contexts(reader.extension());
        while (contexts.next()) {}
        if (contexts.error() != Errc::ok) return contexts.error();
    }
    return reader.error();
}

} // namespace

TEST_CASE("security contexts and groups written are those read", "[wire]") {
    Bytes room(512);
    ExtensionWriter writer(room);
    const Bytes context = test::from_hex("756e636f6e66696e656400");
    const NamedContext contexts[] = {{"security.selinux", context}, {"security.x", {}}};
    const u32 groups[] = {100, 4, 0xffffffff};
    REQUIRE(writer.add_security_contexts(contexts) == Errc::ok);
    REQUIRE(writer.add_groups(groups) == Errc::ok);
    CHECK(writer.bytes().size() % 8 == 0);

    ExtensionReader reader(writer.bytes());
    REQUIRE(reader.next());
    REQUIRE(reader.extension().kind == ExtensionKind::security_contexts);
    REQUIRE(reader.extension().count == 2);
    SecurityContextReader read(reader.extension());
    REQUIRE(read.next());
    CHECK(read.context().name == "security.selinux");
    CHECK(std::equal(context.begin(), context.end(), read.context().context.begin(), read.context().context.end()));
    REQUIRE(read.next());
    CHECK(read.context().name == "security.x");
    CHECK(read.context().context.empty());
    CHECK_FALSE(read.next());
    CHECK(read.error() == Errc::ok);

    REQUIRE(reader.next());
    REQUIRE(reader.extension().kind == ExtensionKind::groups);
    REQUIRE(reader.extension().count == 3);
    CHECK(group_at(reader.extension(), 0) == 100);
    CHECK(group_at(reader.extension(), 2) == 0xffffffff);
    CHECK_FALSE(reader.next());
    CHECK(reader.error() == Errc::ok);
}

TEST_CASE("the layout of extensions is the one of linux/fuse.h", "[wire]") {
    if (test::captured_bytes_are_foreign()) return;
    Bytes room(64);
    ExtensionWriter groups(room);
    const u32 one[] = {7};
    REQUIRE(groups.add_groups(one) == Errc::ok);
    CHECK(Bytes(groups.bytes().begin(), groups.bytes().end()) == test::from_hex("10000000200000000100000007000000"));
    ExtensionWriter none(room);
    REQUIRE(none.add_security_contexts({}) == Errc::ok);
    CHECK(Bytes(none.bytes().begin(), none.bytes().end()) == test::from_hex("0800000000000000"));
    ExtensionWriter context(room);
    const Bytes value = test::from_hex("6162");
    const NamedContext named[] = {{"s.x", value}};
    REQUIRE(context.add_security_contexts(named) == Errc::ok);
    CHECK(Bytes(context.bytes().begin(), context.bytes().end()) == test::from_hex("1800000001000000"
                                                                                  "0200000000000000"
                                                                                  "732e780061620000"));
}

TEST_CASE("extensions that do not fit are refused", "[wire]") {
    const u32 groups[] = {1, 2, 3};
    const Bytes value(3);
    const NamedContext contexts[] = {{"security.selinux", value}};
    for (std::size_t size = 0; size < 24; ++size) {
        Bytes room(size);
        ExtensionWriter writer(room);
        CHECK(writer.add_groups(groups) == Errc::too_large);
        CHECK(writer.add_security_contexts(contexts) == Errc::too_large);
        CHECK(writer.bytes().empty());
    }
    Bytes room(4096);
    ExtensionWriter writer(room);
    CHECK(writer.add_security_contexts(std::vector<NamedContext>(32)) == Errc::bad_argument);
}

TEST_CASE("malformed extensions are violations wherever they are cut", "[wire]") {
    Bytes room(512);
    ExtensionWriter writer(room);
    const Bytes value(9);
    const NamedContext contexts[] = {{"security.selinux", value}, {"security.b", value}};
    const u32 groups[] = {1, 2, 3};
    REQUIRE(writer.add_security_contexts(contexts) == Errc::ok);
    const std::size_t first = writer.bytes().size();
    REQUIRE(writer.add_groups(groups) == Errc::ok);
    for (std::size_t length = 0; length <= writer.bytes().size(); ++length) {
        const bool whole = length == 0 || length == first || length == writer.bytes().size();
        CHECK(walk(writer.bytes().first(length)) == (whole ? Errc::ok : Errc::protocol_violation));
    }
}

TEST_CASE("extensions that lie about their sizes are violations", "[wire]") {
    if (test::captured_bytes_are_foreign()) return;
    CHECK(walk(test::from_hex("0000000020000000")) == Errc::protocol_violation);                 // size 0
    CHECK(walk(test::from_hex("0c00000020000000")) == Errc::protocol_violation);                 // beyond the end
    CHECK(walk(test::from_hex("0800000020000000")) == Errc::protocol_violation);                 // no count of groups
    CHECK(walk(test::from_hex("10000000200000000200000007000000")) == Errc::protocol_violation); // too many groups
    CHECK(walk(test::from_hex("1000000020000000ffffffff07000000")) == Errc::protocol_violation);
    CHECK(walk(test::from_hex("10000000010000000000000061626364")) == Errc::protocol_violation); // no room for the name
    CHECK(walk(test::from_hex("1800000001000000"
                              "ff00000000000000"
                              "732e780061620000")) == Errc::protocol_violation);
    CHECK(walk(test::from_hex("1800000001000000"
                              "0000000000000000"
                              "732e787861626364")) == Errc::protocol_violation);
    CHECK(walk(test::from_hex("0800000002000000")) == Errc::protocol_violation); // two contexts in no bytes
    CHECK(walk(test::from_hex("0800000063000000")) == Errc::ok);                 // of an unknown type: ignored
}
