// SPDX-License-Identifier: BSD-2-Clause
// The tests ask what access control lists grant, and that nothing a server sends as one is taken for another.
#include "support/access_list_bytes.hpp"
#include "support/catch.hpp"
#include "vfsproto/fuse/client/id_map.hpp"
#include "vfsproto/fuse/client/permissions.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <array>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::abi;
using client::AccessList;
using client::FileOwner;
using client::IdsOf;
using client::Subject;
using test::acl_bytes;
using test::AclEntry;
using test::AclTag;

namespace {

using ListValue = std::vector<std::byte>;

constexpr std::uint32_t kListOwner = 1000;
constexpr std::uint32_t kListGroup = 50;
constexpr std::uint32_t kNamedUser = 2000;    // a user with an entry
constexpr std::uint32_t kNamedNowhere = 3000; // one without
constexpr std::uint32_t kFirstListed = 60;    // groups with an entry
constexpr std::uint32_t kSecondListed = 70;
constexpr std::array<std::uint32_t, 2> kBothListed{kFirstListed, kSecondListed};
constexpr std::array<std::uint32_t, 1> kOwningGroup{kListGroup};

AccessList taken_list(const ListValue& value) {
    AccessList list;
    REQUIRE(list.take(value) == Errno::none);
    return list;
}

// A file whose mode shows the list as Linux does: the mask in place of the group.
FileOwner listed_file(std::uint32_t mode, const ListValue& value) {
    return {kSIfreg | mode, kListOwner, kListGroup, taken_list(value)};
}
FileOwner listed_file(std::uint32_t mode, ListValue&& value) = delete; // which the list would outlive

Subject subject_of(std::uint32_t uid, std::span<const std::uint32_t> groups = {}) { return {{uid, uid, 1}, groups}; }

// Returns what check_access() allows, as three bits.
std::uint32_t rights(const Subject& who, const FileOwner& file) {
    std::uint32_t all = 0;
    for (const std::uint32_t bit : {kROk, kWOk, kXOk}) {
        if (client::check_access(who, file, bit) == Errno::none) all |= bit;
    }
    return all;
}

// getfacl(1) shows this list as: user::rwx user:2000:rwx group::r-- group:60:-w- group:70:--x mask::rw- other::---
const ListValue& full_list() {
    static const ListValue list = acl_bytes({{AclTag::owner, 7},
                                             {AclTag::user, 7, kNamedUser},
                                             {AclTag::group, 4},
                                             {AclTag::named_group, 2, kFirstListed},
                                             {AclTag::named_group, 1, kSecondListed},
                                             {AclTag::mask, 6},
                                             {AclTag::other, 0}});
    return list;
}

} // namespace

TEST_CASE("the entry of the owner counts, then those of users, of groups, and last of others", "[permissions]") {
    const FileOwner file = listed_file(0760, full_list());
    CHECK(rights(subject_of(kListOwner), file) == 7);
    CHECK(rights(subject_of(kNamedUser), file) == 6); // the mask takes x
    CHECK(rights(subject_of(kNamedUser, kBothListed), file) == 6);
    CHECK(rights(subject_of(kNamedNowhere), file) == 0);
    CHECK(rights(subject_of(kNamedNowhere, kOwningGroup), file) == 4);
    CHECK(rights({{kNamedNowhere, kListGroup, 1}, {}}, file) == 4);
    CHECK(rights(subject_of(kNamedNowhere, kBothListed), file) == 2); // x of the second group is masked
    CHECK(rights(subject_of(0), file) == 7);
}

TEST_CASE("one group has to grant all of what is wanted", "[permissions]") {
    const ListValue list = acl_bytes({{AclTag::owner, 7},
                                      {AclTag::group, 0},
                                      {AclTag::named_group, 2, kFirstListed},
                                      {AclTag::named_group, 4, kSecondListed},
                                      {AclTag::mask, 7},
                                      {AclTag::other, 7}});
    const FileOwner file = listed_file(0777, list);
    CHECK(rights(subject_of(kNamedNowhere, kBothListed), file) == 6);
    CHECK(client::check_access(subject_of(kNamedNowhere, kBothListed), file, kROk | kWOk) == Errno::eacces);
    CHECK(rights(subject_of(kNamedNowhere, kOwningGroup), file) == 0); // a member is none of the others
    CHECK(rights(subject_of(kNamedNowhere), file) == 7);
}

TEST_CASE("a list without names has no mask, and one of a mode without bits for the group is not looked at",
          "[permissions]") {
    const ListValue plain = acl_bytes({{AclTag::owner, 6}, {AclTag::group, 4}, {AclTag::other, 1}});
    CHECK(rights(subject_of(kNamedNowhere, kOwningGroup), listed_file(0641, plain)) == 4);
    CHECK(rights(subject_of(kNamedNowhere), listed_file(0641, plain)) == 1);
    CHECK(rights(subject_of(kNamedUser), listed_file(0707, full_list())) == 7);
    const FileOwner hidden{kSIfreg | 0707, kListOwner, kListGroup};
    CHECK_FALSE(client::depends_on_list(subject_of(kNamedNowhere), hidden));
    const FileOwner file{kSIfreg | 0040, kListOwner, kListGroup};
    CHECK(client::depends_on_list(subject_of(kNamedNowhere), file));
    CHECK_FALSE(client::depends_on_list(subject_of(kListOwner), file));
    CHECK_FALSE(client::depends_on_list(subject_of(0), file));
    CHECK_FALSE(client::depends_on_list(subject_of(kNamedNowhere), {kSIflnk | 0777, kListOwner, kListGroup}));
}

TEST_CASE("user 0 executes by no list what no class may execute", "[permissions]") {
    const ListValue list = acl_bytes(
        {{AclTag::owner, 6}, {AclTag::user, 7, kNamedUser}, {AclTag::group, 4}, {AclTag::mask, 6}, {AclTag::other, 0}});
    const FileOwner file = listed_file(0660, list);
    CHECK(rights(subject_of(0), file) == 6);
    CHECK(rights(subject_of(kNamedUser), file) == 6);
}

TEST_CASE("no value, and one without entries, is an empty list", "[permissions]") {
    AccessList list;
    CHECK(list.take({}) == Errno::none);
    CHECK(list.is_empty());
    const ListValue header = acl_bytes({});
    CHECK(list.take(header) == Errno::none);
    CHECK(list.is_empty());
}

TEST_CASE("a value that is no access control list is refused, and leaves an empty list", "[permissions]") {
    const AclEntry owner{AclTag::owner, 7};
    const AclEntry user{AclTag::user, 7, kNamedUser};
    const AclEntry group{AclTag::group, 7};
    const AclEntry named{AclTag::named_group, 7, kFirstListed};
    const AclEntry mask{AclTag::mask, 7};
    const AclEntry other{AclTag::other, 7};
    const std::vector<std::vector<AclEntry>> broken{
        {owner},
        {owner, group},
        {owner, other, group},
        {group, owner, other},
        {owner, owner, group, other},
        {owner, group, group, other},
        {owner, group, other, other},
        {owner, user, group, other}, // a name without a mask
        {owner, group, named, other},
        {owner, user, group, other, mask},
        {owner, user, mask, group, other},
        {owner, group, user, mask, other},
        {owner, named, group, mask, other},
        {owner, group, mask, mask, other},
        {owner, group, mask},
        {owner, {AclTag::user, 7}, group, mask, other}, // kNoId
        {owner, {AclTag::user, 8, kNamedUser}, group, mask, other},
        {{AclTag::owner, 0xffff}, group, other},
        {{static_cast<AclTag>(0), 7}, group, other},
        {{static_cast<AclTag>(3), 7}, group, other}, // two tags at once
        {owner, {static_cast<AclTag>(6), 7}, other},
        {owner, group, {static_cast<AclTag>(0x40), 7}},
        {owner, group, {static_cast<AclTag>(0x8020), 7}},
    };
    for (std::size_t i = 0; i < broken.size(); ++i) {
        CAPTURE(i);
        const ListValue value = acl_bytes(broken[i]);
        AccessList list;
        CHECK(list.take(value) == Errno::eio);
        CHECK(list.is_empty());
    }
    AccessList list;
    const ListValue good = acl_bytes({owner, group, other});
    for (std::size_t size = 1; size < good.size(); ++size) {
        CAPTURE(size);
        const bool is_header = size == 4;
        CHECK(list.take({good.data(), size}) == (is_header ? Errno::none : Errno::eio));
        CHECK(list.is_empty());
    }
    for (const std::uint32_t version : {0u, 1u, 3u, 0x0200'0000u}) {
        CHECK(list.take(acl_bytes({owner, group, other}, version)) == Errno::eio);
    }
}

TEST_CASE("a list has as many entries as a page of Linux holds", "[permissions]") {
    constexpr std::size_t kMostEntries = (AccessList::kMostBytes - 4) / 8;
    std::vector<AclEntry> entries{{AclTag::owner, 0}};
    for (std::uint32_t i = 0; entries.size() + 3 < kMostEntries; ++i) entries.push_back({AclTag::user, 4, 5000 + i});
    const std::uint32_t last = entries.back().id;
    for (const AclEntry& entry : {AclEntry{AclTag::group, 0}, AclEntry{AclTag::mask, 4}, AclEntry{AclTag::other, 0}}) {
        entries.push_back(entry);
    }
    const ListValue most = acl_bytes(entries);
    CHECK(rights(subject_of(last), listed_file(0040, most)) == 4);
    entries.insert(entries.begin() + 1, {AclTag::user, 4, 4999});
    AccessList list;
    CHECK(list.take(acl_bytes(entries)) == Errno::eio);
}

TEST_CASE("no bytes make a list do anything but grant or refuse", "[permissions]") {
    constexpr std::uint32_t kSeed = 20261130;
    INFO("seed " << kSeed);
    std::uint32_t state = kSeed;
    const auto next = [&state] { return state = state * 1664525u + 1013904223u, state >> 16; };
    int lists = 0;
    for (int round = 0; round < 4000; ++round) {
        ListValue value = full_list();
        for (std::uint32_t damage = 1 + next() % 2; damage > 0; --damage) {
            value[next() % value.size()] = static_cast<std::byte>(next() % 8 == 0 ? next() : next() & 7u);
        }
        if (next() % 4 == 0) value.resize(next() % value.size());
        AccessList list;
        if (list.take(value) != Errno::none || list.is_empty()) continue;
        ++lists;
        const FileOwner file{kSIfreg | 0060, kListOwner, kListGroup, list};
        static_cast<void>(rights(subject_of(kNamedNowhere, kBothListed), file));
    }
    CHECK(lists > 100); // some damage leaves lists
}

TEST_CASE("the ids in a list are translated both ways", "[ids][permissions]") {
    client::IdRangeMap map;
    REQUIRE(map.users.add({0, 100'000, 65'536}) == Errc::ok);
    REQUIRE(map.groups.add({0, 200'000, 65'536}) == Errc::ok);
    const abi::IdMap ids = map.hook();
    ListValue value = full_list();
    REQUIRE(client::translate_list(value, ids, IdsOf::server) == Errno::none);
    CHECK(value == acl_bytes({{AclTag::owner, 7},
                              {AclTag::user, 7, 100'000 + kNamedUser},
                              {AclTag::group, 4},
                              {AclTag::named_group, 2, 200'000 + kFirstListed},
                              {AclTag::named_group, 1, 200'000 + kSecondListed},
                              {AclTag::mask, 6},
                              {AclTag::other, 0}}));
    REQUIRE(client::translate_list(value, ids, IdsOf::client) == Errno::none);
    CHECK(value == full_list());
    ListValue foreign = acl_bytes(
        {{AclTag::owner, 7}, {AclTag::user, 7, 70'000}, {AclTag::group, 4}, {AclTag::mask, 6}, {AclTag::other, 0}});
    CHECK(client::translate_list(foreign, ids, IdsOf::server) == Errno::einval);
    REQUIRE(client::translate_list(foreign, ids, IdsOf::client) == Errno::none);
    CHECK(foreign == acl_bytes({{AclTag::owner, 7},
                                {AclTag::user, 7, abi::kNoId},
                                {AclTag::group, 4},
                                {AclTag::mask, 6},
                                {AclTag::other, 0}}));
    ListValue broken(7);
    CHECK(client::translate_list(broken, ids, IdsOf::server) == Errno::einval);
    CHECK(client::translate_list(broken, ids, IdsOf::client) == Errno::eio);
    CHECK(client::translate_list({}, ids, IdsOf::server) == Errno::none);
}

TEST_CASE("privileges count for nothing over a file of which an id has no image, and nobody changes it",
          "[ids][permissions]") {
    client::IdRangeMap map;
    REQUIRE(map.users.add({0, 100'000, 65'536}) == Errc::ok);
    REQUIRE(map.groups.add({0, 100'000, 65'536}) == Errc::ok);
    const Subject root{{100'000, 100'000, 1}, {}, map.hook()};
    const Subject user{{100'500, 100'500, 1}, {}, map.hook()};
    CHECK(root.is_privileged());
    CHECK_FALSE(user.is_privileged());
    CHECK_FALSE(Subject{{0, 0, 1}, {}, map.hook()}.is_privileged()); // the server's user 0 is nobody here
    const FileOwner mine{kSIfreg | 0600, 100'500, 100'500};
    const FileOwner foreign{kSIfreg | 0646, 0, 0};
    const FileOwner half{kSIfreg | 0646, 100'500, 0};
    const FileOwner directory{kSIfdir | 0777, 100'500, 100'500};
    CHECK(rights(root, mine) == 6);
    CHECK(rights(user, mine) == 6);
    CHECK(rights(root, foreign) == 4); // like anybody, and nobody writes
    CHECK(rights(user, half) == 4);
    CHECK(client::check_removal(root, directory, mine) == Errno::none);
    CHECK(client::check_removal(root, directory, half) == Errno::eoverflow);
    wire::SetattrIn what{};
    what.valid = wire::kSetattrMode;
    const auto set = [&](const Subject& who, const FileOwner& file) {
        return client::check_setattr(who, file, what, client::SetThrough::path);
    };
    CHECK(set(root, mine) == Errno::none);
    CHECK(set(root, foreign) == Errno::eoverflow);
    CHECK(set(user, half) == Errno::eoverflow);
    what.valid = wire::kSetattrUid | wire::kSetattrGid;
    what.uid = what.gid = 100'500;
    CHECK(set(root, mine) == Errno::none);
    CHECK(set(root, foreign) == Errno::eperm);
    CHECK(client::check_xattr(user, half, "user.a", client::XattrUse::write) == Errno::eperm);
    CHECK(client::mode_for_chmod(root, half, kSIsgid | 0755) == 0755);
    CHECK(client::mode_for_chmod(root, mine, kSIsgid | 0755) == (kSIsgid | 0755));
}
