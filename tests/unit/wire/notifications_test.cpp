// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "support/golden_file.hpp"
#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"
#include "vfsproto/fuse/wire/detail/trace.hpp"
#include "vfsproto/fuse/wire/notifications.hpp"

using namespace vfsproto;
using namespace vfsproto::wire;
using test::Bytes;

namespace {

template <class S> Bytes made(NotifyCode code, const S& fixed, Name name = {}, std::span<const std::byte> data = {}) {
    Bytes bytes(256);
    const auto size = encode_notification(bytes, code, bytes_of(fixed), name, data);
    REQUIRE(size);
    bytes.resize(*size);
    return bytes;
}

std::vector<Bytes> one_of_each() {
    const u64 nodes[] = {4, 5, 6};
    const auto data = std::as_bytes(std::span(nodes));
    return {made(NotifyCode::poll, NotifyPollWakeupOut{9}),
            made(NotifyCode::inval_inode, NotifyInvalInodeOut{2, -1, 0}),
            made(NotifyCode::inval_entry, NotifyInvalEntryOut{1, 4, kExpireOnly}, "name"),
            made(NotifyCode::store, NotifyStoreOut{2, 4096, 24, 0}, {}, data),
            made(NotifyCode::retrieve, NotifyRetrieveOut{77, 2, 4096, 100, 0}),
            made(NotifyCode::delete_entry, NotifyDeleteOut{1, 2, 4, 0}, "gone"),
            made(NotifyCode::resend, None{}),
            made(NotifyCode::inc_epoch, None{}),
            made(NotifyCode::prune, NotifyPruneOut{3, 0, 0}, {}, data)};
}

} // namespace

TEST_CASE("every notification reaches the client as the server meant it", "[wire]") {
    const auto all = one_of_each();
    CHECK(decode_notification(all[0])->poll.kh == 9);
    CHECK(decode_notification(all[1])->inval_inode.off == -1);
    const auto entry = decode_notification(all[2]);
    REQUIRE(entry);
    CHECK(entry->is(NotifyCode::inval_entry));
    CHECK(entry->inval_entry.flags == kExpireOnly);
    CHECK(entry->name == "name");
    const auto store = decode_notification(all[3]);
    REQUIRE(store);
    CHECK(store->store.offset == 4096);
    CHECK(store->data.size() == 24);
    CHECK(decode_notification(all[4])->retrieve.notify_unique == 77);
    const auto gone = decode_notification(all[5]);
    REQUIRE(gone);
    CHECK(gone->delete_entry.child == 2);
    CHECK(gone->name == "gone");
    CHECK(decode_notification(all[6])->is(NotifyCode::resend));
    CHECK(decode_notification(all[7])->is(NotifyCode::inc_epoch));
    const auto prune = decode_notification(all[8]);
    REQUIRE(prune);
    REQUIRE(prune->prune.count == 3);
    CHECK(prune->node_id(2) == 6);
}

TEST_CASE("a notification cut off anywhere or too long is a violation", "[wire]") {
    for (const Bytes& whole : one_of_each()) {
        for (std::size_t length = 0; length <= whole.size() + 1; ++length) {
            if (length == whole.size()) continue;
            Bytes bytes = whole;
            bytes.resize(length);
            if (length >= 4) put_struct(bytes.data(), static_cast<u32>(length));
            CHECK(decode_notification(bytes).error() == Errc::protocol_violation);
        }
    }
}

TEST_CASE("a notification with a unique, without a code or with another length is a violation", "[wire]") {
    Bytes bytes = one_of_each()[6];
    put_struct(bytes.data(), OutHeader{16, 7, 1});
    CHECK(decode_notification(bytes).error() == Errc::protocol_violation);
    put_struct(bytes.data(), OutHeader{16, 0, 0});
    CHECK(decode_notification(bytes).error() == Errc::protocol_violation);
    put_struct(bytes.data(), OutHeader{16, -7, 0});
    CHECK(decode_notification(bytes).error() == Errc::protocol_violation);
    put_struct(bytes.data(), OutHeader{17, 7, 0});
    CHECK(decode_notification(bytes).error() == Errc::protocol_violation);
}

TEST_CASE("a notification of an unknown code can be told from a broken one", "[wire]") {
    Bytes bytes(24);
    put_struct(bytes.data(), OutHeader{24, 99, 0});
    const auto read = decode_notification(bytes);
    REQUIRE(read);
    CHECK(read->info == nullptr);
    CHECK(read->code == 99);
    CHECK(std::string(notification_name(99)) == "UNKNOWN");
    CHECK(std::string(notification_name(6)) == "DELETE");
}

TEST_CASE("names in notifications obey the rules of names", "[wire]") {
    for (const std::string& bad : {std::string("a/b"), std::string("a\0b", 3), std::string()}) {
        Bytes bytes(33 + bad.size());
        put_struct(bytes.data(), OutHeader{static_cast<u32>(bytes.size()), 3, 0});
        put_struct(bytes.data() + 16, NotifyInvalEntryOut{1, static_cast<u32>(bad.size()), 0});
        __builtin_memcpy(bytes.data() + 32, bad.data(), bad.size());
        CHECK(decode_notification(bytes).error() == Errc::protocol_violation);
    }
    Bytes huge(32);
    put_struct(huge.data(), OutHeader{32, 3, 0});
    put_struct(huge.data() + 16, NotifyInvalEntryOut{1, 0xffffffff, 0});
    CHECK(decode_notification(huge).error() == Errc::protocol_violation);
}

TEST_CASE("a notification whose struct contradicts its tail is not written", "[wire]") {
    Bytes bytes(256);
    const NotifyInvalEntryOut entry{1, 5, 0};
    CHECK(encode_notification(bytes, NotifyCode::inval_entry, bytes_of(entry), "name").error() == Errc::bad_argument);
    CHECK(encode_notification(bytes, NotifyCode{99}, {}).error() == Errc::bad_argument);
    CHECK(encode_notification(bytes, NotifyCode::resend, {}, "name").error() == Errc::bad_argument);
    CHECK(encode_notification(std::span(bytes).first(15), NotifyCode::resend, {}).error() == Errc::too_large);
}
