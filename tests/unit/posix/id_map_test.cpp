// SPDX-License-Identifier: BSD-2-Clause
// Mounts whose users and groups have other ids than those of the server, over file systems that show theirs.
#include "support/access_list_bytes.hpp"
#include "unit/posix/mounted.hpp"

#include "vfsproto/fuse/client/id_map.hpp"
#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/fuse/client/operations/xattrs.hpp"
#include "vfsproto/posix/async_mount.hpp"
#include "vfsproto/posix/io_queue.hpp"
#include "vfsproto/posix/lock.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace vfsproto;
using namespace vfsproto::abi;
using posix::Attributes;
using posix::CacheMode;
using posix::Credentials;
using posix::DirectoryEntry;
using posix::Failure;
using posix::File;
using posix::Mount;
using posix::Permissions;
using test::acl_bytes;
using test::AclTag;
using test::bytes_of;
using test::error_of;
using test::get;
using test::MountedOptions;
using test::OverMemfs;
using test::put;
using test::succeeds;
using test::value_of;
using wire::Opcode;

namespace {

constexpr std::uint32_t kUsersAt = 100'000;  // user 0 of the client at the server
constexpr std::uint32_t kGroupsAt = 200'000; // and group 0
constexpr std::uint32_t kMappedIds = 5000;
constexpr std::uint32_t kMappedUser = 1000;
constexpr std::uint32_t kMappedGroup = 1001;
constexpr std::uint32_t kOtherMapped = 1002;

client::IdRangeMap two_ranges() {
    client::IdRangeMap map;
    REQUIRE(map.users.add({0, kUsersAt, kMappedIds}) == Errc::ok);
    REQUIRE(map.groups.add({0, kGroupsAt, kMappedIds}) == Errc::ok);
    return map;
}

struct MappedMount {
    explicit MappedMount(CacheMode cache = CacheMode::none, Permissions permissions = Permissions::judged_by_server)
        : over(options(cache, permissions)) {
        user = over->acting_for(
            {.caller = {kMappedUser, kMappedGroup, 7}, .umask = 0, .groups = {kOtherMapped, kMappedIds + 1}});
        nobody = over->acting_for({.caller = {kMappedIds, kMappedGroup, 7}, .umask = 0, .groups = {}});
    }

    // Returns who asked for an operation last, as the server was told.
    [[nodiscard]] Caller asker(Opcode op) const { return asked.count(op) != 0 ? asked.at(op) : Caller{}; }
    // Sets an owner as the server has it, whatever the map says.
    void own(Mount& mount, std::string_view path, std::uint32_t uid, std::uint32_t gid) {
        posix::PathWalk walk(mount.channel(), mount.nodes(), mount.server_credentials().caller);
        succeeds(walk.to_file(path, posix::LastLink::keep));
        client::SetAttributes set;
        set.call.args.valid = wire::kSetattrUid | wire::kSetattrGid;
        set.call.args.uid = uid;
        set.call.args.gid = gid;
        mount.channel().run(set, mount.server_credentials().caller, walk.node().nodeid());
        REQUIRE(set.succeeded());
        mount.nodes().invalidate(walk.node());
    }

    client::IdRangeMap map = two_ranges();
    std::map<Opcode, Caller> asked{};
    OverMemfs over;
    std::unique_ptr<Mount> user{};
    std::unique_ptr<Mount> nobody{}; // whose user id has no image

private:
    MountedOptions options(CacheMode cache, Permissions permissions) {
        MountedOptions options;
        options.mount.permissions = permissions;
        options.mount.cache.mode = cache;
        options.mount.channel.ids = map.hook();
        options.memfs.server.flags.add(wire::InitFlag::posix_acl); // so that it keeps lists
        options.memfs.faults = [this](const backends::MemfsQuestion& question) {
            asked[question.opcode] = {question.header.uid, question.header.gid, question.header.pid};
            return backends::MemfsFault();
        };
        return options;
    }
};

struct MappedOwner {
    std::uint32_t uid;
    std::uint32_t gid;
    friend bool operator==(const MappedOwner&, const MappedOwner&) = default;
};
template <class T> MappedOwner owner_of(const T& attributes) { return {attributes.uid, attributes.gid}; }

} // namespace

TEST_CASE("every request carries the ids that its caller has at the server", "[ids]") {
    MappedMount at;
    succeeds(at.over->chmod("/", 0777));
    CHECK(at.asker(Opcode::setattr).uid == kUsersAt);
    succeeds(at.user->mkdir("/directory"));
    put(*at.user, "/file", "text");
    CHECK(get(*at.user, "/file") == "text");
    CHECK(value_of(at.user->list("/")).size() == 2);
    for (const Opcode op : {Opcode::mkdir, Opcode::create, Opcode::write, Opcode::read, Opcode::lookup, Opcode::getattr,
                            Opcode::opendir, Opcode::readdirplus, Opcode::flush}) {
        CAPTURE(wire::op_info(op).name);
        CHECK(at.asker(op).uid == kUsersAt + kMappedUser);
        CHECK(at.asker(op).gid == kGroupsAt + kMappedGroup);
        CHECK(at.asker(op).pid == 7);
    }
    CHECK(at.user->credentials().caller.uid == kMappedUser);
    CHECK(at.user->server_credentials().caller.uid == kUsersAt + kMappedUser);
    // A group without an image is none at the server.
    CHECK(at.user->server_credentials().groups == std::vector<std::uint32_t>{kGroupsAt + kOtherMapped});
}

TEST_CASE("owners are shown with the client's ids, by whatever tells them, from caches too", "[ids]") {
    const CacheMode cache = GENERATE(as<CacheMode>{}, CacheMode::none, CacheMode::always);
    MappedMount at(cache);
    succeeds(at.over->chmod("/", 0777));
    put(*at.user, "/file", "text");
    const MappedOwner wanted{kMappedUser, kMappedGroup};
    for (int round = 0; round < 2; ++round) { // the second time from what is kept, if anything is
        CAPTURE(round);
        CHECK(owner_of(value_of(at.over->stat("/file"))) == wanted);
        CHECK(owner_of(value_of(at.over->statx("/file"))) == wanted);
        const std::vector<DirectoryEntry> entries = value_of(at.over->list("/"));
        REQUIRE(entries.size() == 1);
        CHECK(entries[0].has_attributes);
        CHECK(owner_of(entries[0].attributes) == wanted);
    }
    File file = value_of(at.user->open_file("/file", kORdwr));
    CHECK(owner_of(value_of(at.user->stat(file))) == wanted);
    wire::SetattrIn what{};
    what.valid = wire::kSetattrUid | wire::kSetattrGid;
    what.uid = kMappedUser + 1;
    what.gid = kMappedGroup + 1;
    const MappedOwner changed{kMappedUser + 1, kMappedGroup + 1};
    CHECK(owner_of(value_of(at.over->set_attributes(file, what))) == changed);
    CHECK(owner_of(value_of(at.over->stat("/file"))) == changed);
    CHECK(owner_of(value_of(at.over->set_attributes("/file", what))) == changed);
    succeeds(at.user->close(std::move(file)));
    at.own(*at.over, "/file", 0, kGroupsAt);
    CHECK(owner_of(value_of(at.over->stat("/file"))) == MappedOwner{abi::kOverflowId, 0});
}

TEST_CASE("an owner without an image cannot be set, and nothing is sent for it", "[ids]") {
    MappedMount at;
    put(*at.over, "/file", "text");
    File file = value_of(at.over->open_file("/file", kORdwr));
    at.asked.clear();
    CHECK(error_of(at.over->chown("/file", kMappedIds, {})) == Errno::eoverflow);
    CHECK(error_of(at.over->chown("/file", 0, kMappedIds)) == Errno::eoverflow);
    CHECK(error_of(at.over->chown("/absent", kMappedIds, {})) == Errno::enoent);
    wire::SetattrIn what{};
    what.valid = wire::kSetattrGid;
    what.gid = abi::kNoId;
    CHECK(error_of(at.over->set_attributes(file, what)) == Errno::eoverflow);
    CHECK(at.asked.count(Opcode::setattr) == 0);
    succeeds(at.over->chown("/file", kMappedIds - 1, {}));
    CHECK(value_of(at.over->stat(file)).uid == kMappedIds - 1);
    succeeds(at.over->close(std::move(file)));
}

TEST_CASE("nothing is asked on behalf of a caller who is nobody at the server", "[ids]") {
    MappedMount at;
    succeeds(at.over->chmod("/", 0777));
    put(*at.over, "/file", "text");
    File file = value_of(at.over->open_file("/file", kORdwr));
    at.asked.clear();
    std::byte byte{};
    const Failure unmapped = Errc::unmapped_id;
    CHECK(unmapped.as_errno() == Errno::eoverflow);
    CHECK_FALSE(unmapped.is_fatal());
    CHECK(at.nobody->stat("/file").failure().errc == unmapped.errc);
    CHECK(at.nobody->mkdir("/new").errc == unmapped.errc);
    CHECK(at.nobody->open_file("/new", kOCreat | kOWronly).failure().errc == unmapped.errc);
    CHECK(at.nobody->list("/").failure().errc == unmapped.errc);
    CHECK(at.nobody->stat(file).failure().errc == unmapped.errc);
    CHECK(at.nobody->read(file, {&byte, 1}, 0).failure().errc == unmapped.errc);
    CHECK(at.nobody->write(file, {&byte, 1}, 0).failure().errc == unmapped.errc);
    CHECK(at.nobody->limited_by({.time = std::chrono::seconds(60)})->stat("/file").failure().errc == unmapped.errc);
    std::vector<Failure> said;
    {
        asio::io_context io;
        posix::AsyncMount files(*at.nobody, io.get_executor());
        files.mkdir("/new", 0777, [&](const Failure& why) { said.push_back(why); });
        files.read(file, {&byte, 1}, 0, [&](const Failure& why, std::uint64_t) { said.push_back(why); });
        io.run();
    }
    REQUIRE(said.size() == 2);
    for (const Failure& why : said) CHECK(why.errc == unmapped.errc);
    {
        posix::IoQueue queue(at.nobody->channel(), at.nobody->credentials().caller);
        posix::QueuedRead read;
        CHECK(queue.read(read, file, {&byte, 1}, 0) == unmapped.errc);
        client::MakeDirectory make;
        make.call.name = std::string_view("new");
        queue.start(make, wire::kRootNodeId);
        CHECK(queue.next() == &make);
        CHECK(make.errc() == unmapped.errc);
        CHECK(queue.next() == nullptr);
    }
    CHECK(at.asked.empty());
    succeeds(at.over->close(std::move(file)));
}

TEST_CASE("a file that a caller without an image closes gives its locks up all the same, on behalf of the mount",
          "[ids]") {
    MappedMount at;
    put(*at.over, "/file", "text");
    File file = value_of(at.over->open_file("/file", kORdwr));
    succeeds(at.over->lock(file, {}));
    at.asked.clear();
    const bool waits = GENERATE(true, false);
    CAPTURE(waits);
    Failure why;
    if (waits) {
        why = at.nobody->close(std::move(file));
    } else {
        asio::io_context io;
        posix::AsyncMount files(*at.nobody, io.get_executor());
        files.close(std::move(file), [&](const Failure& said) { why = said; });
        io.run();
        REQUIRE(at.over->channel().late_work().settle(std::chrono::seconds(60))); // that thread ends the file
    }
    CHECK(why.errc == Errc::unmapped_id);
    CHECK(at.asked.count(Opcode::flush) == 1);
    CHECK(at.asked.count(Opcode::release) == 1);
    CHECK(at.asker(Opcode::flush).uid == 0);
    CHECK(at.asker(Opcode::release).uid == 0);
}

TEST_CASE("a queue of operations makes its requests with the server's ids", "[ids]") {
    MappedMount at;
    put(*at.over, "/file", "text");
    File file = value_of(at.over->open_file("/file", kORdonly));
    posix::IoQueue queue(at.over->channel(), at.user->credentials().caller);
    posix::QueuedRead read;
    std::vector<std::byte> bytes(4);
    REQUIRE(queue.read(read, file, bytes, 0) == Errc::ok);
    REQUIRE(queue.next() == &read);
    CHECK(read.succeeded());
    CHECK(at.asker(Opcode::read).uid == kUsersAt + kMappedUser);
    succeeds(at.over->close(std::move(file)));
}

TEST_CASE("user 0 of the client keeps set-id bits when it writes, and no other user does", "[ids]") {
    MappedMount at;
    put(*at.over, "/file", "text");
    succeeds(at.over->chown("/file", kMappedUser, kMappedGroup));
    const auto write_with_set_id = [&](Mount& mount) {
        succeeds(at.over->chmod("/file", kSIsuid | 0777));
        File file = value_of(mount.open_file("/file", kOWronly));
        CHECK(value_of(mount.write(file, bytes_of("x"), 0)) == 1);
        succeeds(mount.close(std::move(file)));
        return (value_of(at.over->stat("/file")).mode & kSIsuid) != 0;
    };
    CHECK(write_with_set_id(*at.over)); // which the server knows as another user than 0
    CHECK_FALSE(write_with_set_id(*at.user));
}

TEST_CASE("who judges knows callers and owners by the server's ids", "[ids][permissions]") {
    const CacheMode cache = GENERATE(as<CacheMode>{}, CacheMode::none, CacheMode::always);
    MappedMount at(cache, Permissions::judged_here);
    CHECK(error_of(at.over->chmod("/", 0777)) == Errno::eoverflow); // it is of the server's user 0, who is nobody here
    CHECK(error_of(at.over->mkdir("/new")) == Errno::eacces);
    at.own(*at.over, "/", kUsersAt, kGroupsAt);
    succeeds(at.over->chmod("/", 0777));
    put(*at.over, "/file", "text");
    succeeds(at.over->chmod("/file", 0640));
    CHECK(error_of(at.user->open_file("/file", kORdonly)) == Errno::eacces);
    succeeds(at.over->chown("/file", 0, kOtherMapped)); // a supplementary group of the user's
    CHECK(get(*at.user, "/file") == "text");
    CHECK(error_of(at.user->chmod("/file", 0777)) == Errno::eperm);
    succeeds(at.over->chown("/file", kMappedUser, kMappedGroup));
    succeeds(at.user->chmod("/file", 0600));
    succeeds(at.user->chown("/file", {}, kOtherMapped));
    CHECK(error_of(at.user->chown("/file", kMappedUser + 1, {})) == Errno::eperm);
    at.own(*at.over, "/file", 0, 0);
    CHECK(error_of(at.over->open_file("/file", kORdonly)) == Errno::eacces);
    CHECK(error_of(at.over->chmod("/file", 0777)) == Errno::eoverflow);
    CHECK(error_of(at.over->unlink("/file")) == Errno::eoverflow);
    CHECK(value_of(at.over->stat("/file")).uid == abi::kOverflowId);
}

TEST_CASE("the ids in access control lists are translated as owners are", "[ids]") {
    MappedMount at;
    put(*at.over, "/file", "text");
    const auto list = [](std::uint32_t user) {
        return acl_bytes(
            {{AclTag::owner, 7}, {AclTag::user, 4, user}, {AclTag::group, 4}, {AclTag::mask, 4}, {AclTag::other, 0}});
    };
    const char* const name = GENERATE("system.posix_acl_access", "system.posix_acl_default");
    CAPTURE(name);
    succeeds(at.over->set_xattr("/file", name, list(kMappedUser)));
    CHECK(value_of(at.over->get_xattr("/file", name)) == list(kMappedUser));
    CHECK(error_of(at.over->set_xattr("/file", name, list(kMappedIds))) == Errno::einval);
    CHECK(error_of(at.over->set_xattr("/file", name, bytes_of("no list"))) == Errno::einval);
    // The server keeps the list with its own ids, as a mount without a map sees them.
    client::GetXattr ask;
    std::vector<std::byte> kept(200);
    posix::PathWalk walk(at.over->channel(), at.over->nodes(), at.over->server_credentials().caller);
    succeeds(walk.to_file("/file", posix::LastLink::keep));
    ask.call.args = {static_cast<std::uint32_t>(kept.size()), 0};
    ask.call.name = std::string_view(name);
    ask.call.data_out = {kept.data(), static_cast<std::uint32_t>(kept.size()), {}};
    at.over->channel().run(ask, at.over->server_credentials().caller, walk.node().nodeid());
    REQUIRE(ask.succeeded());
    kept.resize(ask.call.bytes);
    CHECK(kept == list(kUsersAt + kMappedUser));
    // Values of other names are not touched.
    succeeds(at.over->set_xattr("/file", "user.a", bytes_of("no list")));
    CHECK(value_of(at.over->get_xattr("/file", "user.a")) == bytes_of("no list"));
}
