// SPDX-License-Identifier: BSD-2-Clause
// The tests ask who may do what, by mode and owner alone.
#include "support/catch.hpp"
#include "vfsproto/fuse/client/permissions.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <array>

using namespace vfsproto;
using namespace vfsproto::abi;
using client::check_access;
using client::check_making;
using client::check_open;
using client::check_removal;
using client::check_setattr;
using client::check_xattr;
using client::FileOwner;
using client::SetThrough;
using client::Subject;
using client::XattrUse;

namespace {

constexpr std::uint32_t kOwner = 1000;
constexpr std::uint32_t kOther = 1001;
constexpr std::uint32_t kGroup = 50;
constexpr std::uint32_t kSecondGroup = 60;
constexpr std::array<std::uint32_t, 2> kGroups{kSecondGroup, kGroup};

constexpr Subject kRoot{{0, 0, 0}, {}};
constexpr Subject kTheOwner{{kOwner, kOwner, 0}, {}};
constexpr Subject kMember{{kOther, kGroup, 0}, {}};
constexpr Subject kListed{{kOther, kOther, 0}, kGroups};
constexpr Subject kStranger{{kOther, kOther, 0}, {}};

constexpr FileOwner file_of(std::uint32_t mode) { return {kSIfreg | mode, kOwner, kGroup}; }
constexpr FileOwner directory_of(std::uint32_t mode) { return {kSIfdir | mode, kOwner, kGroup}; }

wire::SetattrIn setting(std::uint32_t valid) {
    wire::SetattrIn what{};
    what.valid = valid;
    return what;
}

} // namespace

TEST_CASE("the class that a caller belongs to decides alone", "[permissions]") {
    const FileOwner file = file_of(0047); // the owner may least of all
    CHECK(check_access(kTheOwner, file, kROk) == Errno::eacces);
    CHECK(check_access(kMember, file, kROk) == Errno::none);
    CHECK(check_access(kMember, file, kWOk) == Errno::eacces);
    CHECK(check_access(kListed, file, kROk) == Errno::none);
    CHECK(check_access(kListed, file, kXOk) == Errno::eacces);
    CHECK(check_access(kStranger, file, kROk | kWOk | kXOk) == Errno::none);
    CHECK(check_access(kTheOwner, file, kFOk) == Errno::none);
}

TEST_CASE("user 0 may all but execute what nobody may", "[permissions]") {
    CHECK(check_access(kRoot, file_of(0), kROk | kWOk) == Errno::none);
    CHECK(check_access(kRoot, file_of(0), kXOk) == Errno::eacces);
    CHECK(check_access(kRoot, file_of(0001), kXOk) == Errno::none);
    CHECK(check_access(kRoot, directory_of(0), kXOk) == Errno::none);
}

TEST_CASE("open asks for what its flags mean", "[permissions]") {
    CHECK(check_open(kStranger, file_of(0004), kORdonly) == Errno::none);
    CHECK(check_open(kStranger, file_of(0004), kORdonly | kOTrunc) == Errno::eacces);
    CHECK(check_open(kStranger, file_of(0002), kOWronly | kOTrunc) == Errno::none);
    CHECK(check_open(kStranger, file_of(0002), kORdwr) == Errno::eacces);
    CHECK(check_open(kStranger, file_of(0004), kORdonly | kONoatime) == Errno::eperm);
    CHECK(check_open(kTheOwner, file_of(0400), kORdonly | kONoatime) == Errno::none);
}

TEST_CASE("names are made and removed by who may write to and search their directory", "[permissions]") {
    const FileOwner file = file_of(0);
    CHECK(check_making(kMember, directory_of(0030)) == Errno::none);
    CHECK(check_making(kMember, directory_of(0020)) == Errno::eacces);
    CHECK(check_making(kMember, directory_of(0010)) == Errno::eacces);
    CHECK(check_removal(kMember, directory_of(0030), file) == Errno::none);
    CHECK(check_removal(kStranger, directory_of(0030), file) == Errno::eacces);
    CHECK(client::check_new_parent(kTheOwner, directory_of(0500)) == Errno::eacces);
}

TEST_CASE("a name in a sticky directory is its file's owner's, and the directory's owner's", "[permissions]") {
    constexpr std::uint32_t kSticky = kSIsvtx | 0777;
    const FileOwner of_other{kSIfreg, kOther, kOther};
    CHECK(check_removal(kStranger, directory_of(kSticky), file_of(0777)) == Errno::eperm);
    CHECK(check_removal(kStranger, directory_of(kSticky), of_other) == Errno::none);
    CHECK(check_removal(kTheOwner, directory_of(kSticky), of_other) == Errno::none);
    CHECK(check_removal(kRoot, directory_of(kSticky), of_other) == Errno::none);
}

TEST_CASE("attributes are set by the owner, owners by user 0 alone, groups to a group of one's own", "[permissions]") {
    const FileOwner file = file_of(0666);
    const auto set = [&](const Subject& who, const wire::SetattrIn& what) {
        return check_setattr(who, file, what, SetThrough::path);
    };
    CHECK(set(kStranger, setting(wire::kSetattrMode)) == Errno::eperm);
    CHECK(set(kTheOwner, setting(wire::kSetattrMode)) == Errno::none);
    wire::SetattrIn owner = setting(wire::kSetattrUid);
    owner.uid = kOther;
    CHECK(set(kTheOwner, owner) == Errno::eperm);
    CHECK(set(kRoot, owner) == Errno::none);
    owner.uid = kOwner; // what it is already
    CHECK(set(kTheOwner, owner) == Errno::none);
    CHECK(set(kStranger, owner) == Errno::eperm);
    wire::SetattrIn group = setting(wire::kSetattrGid);
    group.gid = kGroup;
    CHECK(set(kTheOwner, group) == Errno::none);
    group.gid = kSecondGroup;
    CHECK(set(kTheOwner, group) == Errno::eperm);
    CHECK(set({kTheOwner.caller, kGroups}, group) == Errno::none);
    CHECK(set(kListed, group) == Errno::eperm);
}

TEST_CASE("sizes are set by who may write, through an open file by whoever has it", "[permissions]") {
    const wire::SetattrIn size = setting(wire::kSetattrSize);
    CHECK(check_setattr(kStranger, file_of(0666), size, SetThrough::path) == Errno::none);
    CHECK(check_setattr(kStranger, file_of(0644), size, SetThrough::path) == Errno::eacces);
    CHECK(check_setattr(kStranger, file_of(0644), size, SetThrough::open_file) == Errno::none);
}

TEST_CASE("both times may be set to now by who may write, all else of times by the owner", "[permissions]") {
    constexpr std::uint32_t kAtimeNow = wire::kSetattrAtime | wire::kSetattrAtimeNow;
    constexpr std::uint32_t kMtimeNow = wire::kSetattrMtime | wire::kSetattrMtimeNow;
    const auto set = [&](const Subject& who, std::uint32_t valid, std::uint32_t mode) {
        return check_setattr(who, file_of(mode), setting(valid), SetThrough::path);
    };
    CHECK(set(kStranger, kAtimeNow | kMtimeNow, 0666) == Errno::none);
    CHECK(set(kStranger, kAtimeNow | kMtimeNow, 0644) == Errno::eacces);
    CHECK(set(kStranger, kMtimeNow, 0666) == Errno::eperm);
    CHECK(set(kStranger, kAtimeNow | wire::kSetattrMtime, 0666) == Errno::eperm);
    CHECK(set(kTheOwner, wire::kSetattrAtime | wire::kSetattrMtime, 0) == Errno::none);
}

TEST_CASE("devices are made by user 0, all other nodes by everybody", "[permissions]") {
    CHECK(client::check_node(kStranger, kSIfchr | 0666, 5) == Errno::eperm);
    CHECK(client::check_node(kStranger, kSIfblk | 0666, 0) == Errno::eperm);
    CHECK(client::check_node(kRoot, kSIfblk | 0666, 5) == Errno::none);
    CHECK(client::check_node(kStranger, kSIfchr, 0) == Errno::none); // a whiteout
    CHECK(client::check_node(kStranger, kSIfreg | 0666, 0) == Errno::none);
    CHECK(client::check_node(kStranger, kSIfifo | 0666, 0) == Errno::none);
}

TEST_CASE("chmod by somebody outside the file's group takes its set-group-id bit", "[permissions]") {
    const FileOwner file = file_of(0755);
    constexpr std::uint32_t kMode = kSIsgid | 0755;
    CHECK(client::mode_for_chmod(kTheOwner, file, kMode) == 0755);
    CHECK(client::mode_for_chmod({kTheOwner.caller, kGroups}, file, kMode) == kMode);
    CHECK(client::mode_for_chmod(kRoot, file, kMode) == kMode);
}

TEST_CASE("extended attributes are judged by their name", "[permissions]") {
    const FileOwner file = file_of(0644);
    CHECK(check_xattr(kStranger, file, "user.a", XattrUse::read) == Errno::none);
    CHECK(check_xattr(kStranger, file, "user.a", XattrUse::write) == Errno::eacces);
    CHECK(check_xattr(kTheOwner, file, "user.a", XattrUse::write) == Errno::none);
    const FileOwner link{kSIflnk | 0777, kOwner, kGroup};
    CHECK(check_xattr(kTheOwner, link, "user.a", XattrUse::read) == Errno::enodata);
    CHECK(check_xattr(kRoot, link, "user.a", XattrUse::write) == Errno::eperm);
    CHECK(check_xattr(kStranger, directory_of(kSIsvtx | 0777), "user.a", XattrUse::write) == Errno::eperm);
    CHECK(check_xattr(kTheOwner, file, "trusted.a", XattrUse::read) == Errno::enodata);
    CHECK(check_xattr(kTheOwner, file, "trusted.a", XattrUse::write) == Errno::eperm);
    CHECK(check_xattr(kRoot, file, "trusted.a", XattrUse::write) == Errno::none);
    CHECK(check_xattr(kStranger, file, "system.posix_acl_access", XattrUse::read) == Errno::none);
    CHECK(check_xattr(kStranger, file, "system.posix_acl_access", XattrUse::write) == Errno::eperm);
    CHECK(check_xattr(kTheOwner, file, "system.posix_acl_access", XattrUse::write) == Errno::none);
    CHECK(check_xattr(kTheOwner, file, "security.capability", XattrUse::write) == Errno::eperm);
    CHECK(check_xattr(kStranger, file_of(0), "security.selinux", XattrUse::read) == Errno::none);
}
