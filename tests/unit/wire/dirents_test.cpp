// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "support/golden_file.hpp"
#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"

using namespace vfsproto;
using namespace vfsproto::wire;
using test::Bytes;

namespace {

Bytes one_record(u32 namelen, const std::string& name) {
    Bytes bytes(dirent_size(name.size()));
    put_struct(bytes.data(), Dirent{1, 2, namelen, abi::kDtReg});
    __builtin_memcpy(bytes.data() + sizeof(Dirent), name.data(), name.size());
    return bytes;
}

Errc error_of(const Bytes& bytes) {
    DirentReader reader(bytes);
    while (reader.next()) {}
    return reader.error();
}

} // namespace

TEST_CASE("records written are the records read, for every length of name", "[wire]") {
    for (std::size_t length = 1; length <= kDirentNameMax; ++length) {
        const std::string name(length, 'n');
        Bytes bytes(dirent_size(length) + dirent_size(1));
        DirentWriter writer(bytes);
        REQUIRE(writer.add({11, 22, abi::kDtDir, name}));
        REQUIRE(writer.add({33, 44, abi::kDtReg, "z"}));
        REQUIRE(writer.size() == bytes.size());
        CHECK(bytes.size() % 8 == 0);
        DirentReader reader(bytes);
        REQUIRE(reader.next());
        CHECK(reader.entry().ino == 11);
        CHECK(reader.entry().next == 22);
        CHECK(reader.entry().type == abi::kDtDir);
        CHECK(reader.entry().name == Name(name));
        REQUIRE(reader.next());
        CHECK(reader.entry().name == "z");
        CHECK_FALSE(reader.next());
        CHECK(reader.error() == Errc::ok);
    }
}

TEST_CASE("a record that does not fit is not written at all", "[wire]") {
    Bytes bytes(dirent_size(1) + dirent_size(2) - 1, std::byte{0x77});
    DirentWriter writer(bytes);
    CHECK(writer.add({1, 1, 0, "a"}));
    CHECK_FALSE(writer.add({2, 2, 0, "bb"}));
    CHECK(writer.size() == dirent_size(1));
    CHECK(bytes[writer.size()] == std::byte{0x77});
    DirentplusWriter plus(bytes);
    CHECK_FALSE(plus.fits("a"));
    CHECK_FALSE(plus.add({}));
}

TEST_CASE("a last record cut off anywhere ends the walk without an error", "[wire]") {
    Bytes bytes(dirent_size(5) * 2);
    DirentWriter writer(bytes);
    REQUIRE(writer.add({1, 1, 0, "first"}));
    REQUIRE(writer.add({2, 2, 0, "other"}));
    for (std::size_t length = 0; length <= bytes.size(); ++length) {
        DirentReader reader{std::span(bytes).first(length)};
        int count = 0;
        while (reader.next()) ++count;
        CHECK(reader.error() == Errc::ok);
        const int whole = (length >= 24 + 5 ? 1 : 0) + (length >= 32 + 24 + 5 ? 1 : 0);
        CHECK(count == whole);
    }
}

TEST_CASE("malformed records end the walk with a violation", "[wire]") {
    CHECK(error_of(one_record(3, "abc")) == Errc::ok);
    CHECK(error_of(one_record(0, "abc")) == Errc::protocol_violation);
    CHECK(error_of(one_record(kDirentNameMax + 1, std::string(kDirentNameMax + 1, 'x'))) == Errc::protocol_violation);
    CHECK(error_of(one_record(0xffffffff, "abc")) == Errc::protocol_violation);
    CHECK(error_of(one_record(3, "a/b")) == Errc::protocol_violation);
    CHECK(error_of(one_record(3, std::string("a\0b", 3))) == Errc::protocol_violation);
}

TEST_CASE("a walk that ended with a violation stays ended", "[wire]") {
    Bytes bytes = one_record(0, "abc");
    const Bytes good = one_record(3, "abc");
    bytes.insert(bytes.end(), good.begin(), good.end());
    DirentReader reader(bytes);
    CHECK_FALSE(reader.next());
    CHECK_FALSE(reader.next());
    CHECK(reader.error() == Errc::protocol_violation);
}

TEST_CASE("readdirplus records carry the entry beside the name", "[wire]") {
    Bytes bytes(1024);
    DirentplusWriter writer(bytes);
    EntryOut entry{};
    entry.nodeid = 5;
    entry.attr.size = 99;
    REQUIRE(writer.add({entry, {1, 2, abi::kDtReg, "file"}}));
    REQUIRE(writer.add({EntryOut{}, {3, 4, abi::kDtDir, ".."}}));
    DirentplusReader reader{std::span(bytes).first(writer.size())};
    REQUIRE(reader.next());
    CHECK(reader.entry().entry.nodeid == 5);
    CHECK(reader.entry().entry.attr.size == 99);
    CHECK(reader.entry().dirent.name == "file");
    REQUIRE(reader.next());
    CHECK(reader.entry().entry.nodeid == 0);
    CHECK(reader.entry().dirent.name.is_dot_or_dot_dot());
    CHECK_FALSE(reader.next());
    CHECK(reader.error() == Errc::ok);
}
