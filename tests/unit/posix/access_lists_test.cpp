// SPDX-License-Identifier: BSD-2-Clause
// A mount that judges its callers by access control lists, over a server that keeps them and refuses nobody anything; and the same
// verdicts as the kernel's.
#include "support/access_list_bytes.hpp"
#include "support/scratch_directory.hpp"
#include "support/skip.hpp"
#include "unit/posix/mounted.hpp"

#include "vfsproto/fuse/client/permissions.hpp"
#include "vfsproto/posix/async_mount.hpp"

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <grp.h>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace vfsproto;
using namespace vfsproto::abi;
using posix::CacheMode;
using posix::Failure;
using posix::File;
using posix::Mount;
using posix::SetTime;
using test::acl_bytes;
using test::AclEntry;
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

constexpr const char* kAccessList = "system.posix_acl_access";
constexpr std::uint32_t kListed = 5001;
constexpr std::uint32_t kUnlisted = 5002;
constexpr std::uint32_t kListedGroup = 5003;

// A list by which one user and one group have these bits, and the owner's group and all others none.
std::vector<std::byte> list_for(std::uint16_t user_bits, std::uint16_t group_bits = 0) {
    return acl_bytes({{AclTag::owner, 7},
                      {AclTag::user, user_bits, kListed},
                      {AclTag::group, 0},
                      {AclTag::named_group, group_bits, kListedGroup},
                      {AclTag::mask, 7},
                      {AclTag::other, 0}});
}

struct WithLists {
    explicit WithLists(CacheMode cache = CacheMode::none, std::function<backends::MemfsTime()> clock = {})
        : over(options(cache, std::move(clock))) {
        listed = over->acting_for({.caller = {kListed, kListed, 1}, .umask = 0, .groups = {}});
        unlisted = over->acting_for({.caller = {kUnlisted, kUnlisted, 1}, .umask = 0, .groups = {}});
        member = over->acting_for({.caller = {kUnlisted, kUnlisted, 1}, .umask = 0, .groups = {kListedGroup}});
        succeeds(over->chmod("/", 0755));
        succeeds(over->mkdir("/directory"));
        put(*over, "/directory/file", "text");
        set("/directory", 5);
        set("/directory/file", 4);
        sent.clear();
    }

    // Sets the list, and the mode that goes with it.
    void set(const std::string& path, std::uint16_t user_bits, std::uint16_t group_bits = 0) {
        succeeds(over->chmod(path, 0770));
        succeeds(over->set_xattr(path, kAccessList, list_for(user_bits, group_bits)));
    }
    [[nodiscard]] long asked_for_lists() const { return std::count(sent.begin(), sent.end(), Opcode::getxattr); }

    std::vector<Opcode> sent{};
    Errno list_error = Errno::none; // what the server says instead of a list
    OverMemfs over;
    std::unique_ptr<Mount> listed{};
    std::unique_ptr<Mount> unlisted{};
    std::unique_ptr<Mount> member{}; // of the group in the list

private:
    MountedOptions options(CacheMode cache, std::function<backends::MemfsTime()> clock) {
        MountedOptions options;
        options.memfs.clock = std::move(clock);
        options.mount.permissions = posix::Permissions::judged_here;
        options.mount.cache.mode = cache;
        options.memfs.server.flags.add(wire::InitFlag::posix_acl);
        options.memfs.faults = [this](const backends::MemfsQuestion& question) {
            sent.push_back(question.opcode);
            return backends::MemfsFault{question.opcode == Opcode::getxattr ? list_error : Errno::none};
        };
        return options;
    }
};

} // namespace

TEST_CASE("lists let those in who they name, and nobody else", "[permissions]") {
    const CacheMode cache = GENERATE(as<CacheMode>{}, CacheMode::none, CacheMode::always);
    WithLists at(cache);
    CHECK(get(*at.listed, "/directory/file") == "text");
    CHECK(value_of(at.listed->list("/directory")).size() == 1);
    CHECK(error_of(at.listed->open_file("/directory/file", kOWronly)) == Errno::eacces);
    CHECK(error_of(at.listed->truncate("/directory/file", 0)) == Errno::eacces);
    CHECK(error_of(at.listed->mkdir("/directory/new")) == Errno::eacces);
    CHECK(error_of(at.listed->unlink("/directory/file")) == Errno::eacces);
    succeeds(at.listed->access("/directory/file", kROk));
    CHECK(error_of(at.listed->access("/directory/file", kWOk)) == Errno::eacces);
    CHECK(error_of(at.unlisted->stat("/directory/file")) == Errno::eacces);
    CHECK(error_of(at.unlisted->list("/directory")) == Errno::eacces);
    CHECK(error_of(at.member->stat("/directory/file")) == Errno::eacces);
    at.set("/directory", 7, 1);
    at.set("/directory/file", 6, 4);
    put(*at.listed, "/directory/file", "more");
    CHECK(get(*at.member, "/directory/file") == "more");
    CHECK(error_of(at.member->list("/directory")) == Errno::eacces);
    put(*at.listed, "/directory/new", "mine");
    CHECK(error_of(at.member->unlink("/directory/new")) == Errno::eacces);
    succeeds(at.listed->rename("/directory/new", "/directory/other"));
    succeeds(at.listed->unlink("/directory/other"));
    CHECK(error_of(at.unlisted->open_file("/directory/file", kORdonly)) == Errno::eacces);
}

TEST_CASE("a list counts for dots, for paths that begin at its directory, and for a coroutine", "[permissions]") {
    WithLists at;
    CHECK(error_of(at.unlisted->stat("/directory/.")) == Errno::eacces);
    CHECK(error_of(at.unlisted->stat("/directory/..")) == Errno::eacces);
    CHECK(value_of(at.listed->stat("/directory/../directory/./file")).size == 4);
    CHECK(value_of(at.listed->beginning_at("directory")->stat("file")).size == 4);
    CHECK(error_of(at.unlisted->beginning_at("directory")->stat("file")) == Errno::eacces);
    std::vector<Errno> said;
    asio::io_context io;
    posix::AsyncMount in(*at.listed, io.get_executor());
    posix::AsyncMount out(*at.unlisted, io.get_executor());
    in.access("/directory/file", kROk, [&](const Failure& why) { said.push_back(error_of(why)); });
    io.run();
    io.restart();
    out.access("/directory/file", kROk, [&](const Failure& why) { said.push_back(error_of(why)); });
    io.run();
    CHECK(said == std::vector{Errno::none, Errno::eacces});
}

TEST_CASE("times of an open file are set to now by who its list lets write", "[permissions]") {
    WithLists at;
    at.set("/directory", 5, 5);
    at.set("/directory/file", 6, 4);
    const SetTime now{SetTime::Kind::now};
    for (const auto& [mount, wanted] :
         {std::pair(at.listed.get(), Errno::none), std::pair(at.member.get(), Errno::eacces)}) {
        File file = value_of(mount->open_file("/directory/file", kORdonly));
        CHECK(error_of(mount->set_times(file, now, now)) == wanted);
        CHECK(error_of(mount->set_times("/directory/file", now, now)) == wanted);
        succeeds(mount->close(std::move(file)));
    }
}

TEST_CASE("a list is asked for where its file's caller depends on it, and not for stat", "[permissions]") {
    WithLists at;
    CHECK(value_of(at.over->stat("/directory/file")).size == 4);
    CHECK(get(*at.over, "/directory/file") == "text");
    CHECK(at.asked_for_lists() == 0); // user 0
    succeeds(at.over->chown("/directory", kListed, {}));
    succeeds(at.over->chown("/directory/file", kListed, {}));
    CHECK(get(*at.listed, "/directory/file") == "text");
    // The root is the one file on the way that is not his. It has no list, which the server says each time.
    const long of_root = at.asked_for_lists();
    CHECK(of_root == 1);
    CHECK(error_of(at.unlisted->stat("/directory/file")) == Errno::eacces);
    CHECK(at.asked_for_lists() == of_root + 2); // the root, the directory
    at.set("/directory", 7, 5);
    at.sent.clear();
    CHECK(value_of(at.member->stat("/directory/file")).size == 4);
    CHECK(at.asked_for_lists() == 2);
    succeeds(at.member->access("/directory/file", 0));
    CHECK(at.asked_for_lists() == 5);
}

TEST_CASE("what is kept of lists is as old as the attributes, and is asked for again before it refuses",
          "[permissions]") {
    WithLists at(CacheMode::always);
    CHECK(get(*at.listed, "/directory/file") == "text");
    const long asked = at.asked_for_lists();
    CHECK(asked == 3);
    CHECK(value_of(at.listed->stat("/directory/file")).size == 4);
    succeeds(at.listed->access("/directory/file", kROk));
    CHECK(at.asked_for_lists() == asked);
    at.set("/directory/file", 6); // a change of our own
    succeeds(at.listed->access("/directory/file", kWOk));
    CHECK(at.asked_for_lists() == asked + 1);
    // A refusal is looked at once more, with everything on the way.
    CHECK(error_of(at.listed->access("/directory/file", kXOk)) == Errno::eacces);
    CHECK(at.asked_for_lists() == asked + 4);
    succeeds(at.over->remove_xattr("/directory/file", kAccessList));
    CHECK(error_of(at.listed->access("/directory/file", kROk)) == Errno::eacces);
}

TEST_CASE("a list is asked for again after a change of the mode that the server's clock does not show",
          "[permissions]") {
    WithLists at(CacheMode::always, [] { return backends::MemfsTime{1'000'000'000, 0}; });
    succeeds(at.listed->access("/directory/file", kROk));
    const long asked = at.asked_for_lists();
    succeeds(at.listed->access("/directory/file", kROk));
    CHECK(at.asked_for_lists() == asked);
    SECTION("by its path") { succeeds(at.over->chmod("/directory/file", 0740)); }
    SECTION("through an open file") {
        File file = value_of(at.over->open_file("/directory/file", kORdonly));
        wire::SetattrIn what{};
        what.valid = wire::kSetattrMode;
        what.mode = kSIfreg | 0740;
        CHECK(error_of(at.over->set_attributes(file, what)) == Errno::none);
        succeeds(at.over->close(std::move(file)));
    }
    succeeds(at.listed->access("/directory/file", kROk));
    CHECK(at.asked_for_lists() == asked + 1);
}

TEST_CASE("a list is kept no longer than the attributes that it came with", "[permissions]") {
    client::ChangeCount changes;
    client::AttributeCache attributes(changes);
    client::CachedNode node;
    posix::KeptAccessLists lists;
    const abi::Attributes said{};
    const auto list = std::make_shared<const std::string>("list");
    const auto read_now = [&] {
        return client::ContentRead{node.incarnation, client::version_of(said), changes.now()};
    };
    REQUIRE(attributes.apply(node.attributes, {said, 10, changes.now()}));
    lists.put(node, list, read_now());
    // Attributes that say the same, of a file whose list may be another one by now.
    REQUIRE(attributes.apply(node.attributes, {said, 20, changes.now()}));
    CHECK(lists.find(node, attributes, 9) == list);
    CHECK(lists.find(node, attributes, 10) == nullptr);
    // A list that was asked for before a change of the mode is not kept after it.
    const client::ContentRead before = read_now();
    attributes.apply_changed(node.attributes, {said, 20, changes.now()});
    lists.drop_changed(node, changes.now());
    lists.put(node, list, before);
    CHECK(lists.find(node, attributes, 11) == nullptr);
    lists.put(node, list, read_now());
    CHECK(lists.find(node, attributes, 11) == list);
}

TEST_CASE("a server without access control lists is asked once, and files without are judged by mode",
          "[permissions]") {
    WithLists at;
    succeeds(at.over->chmod("/directory", 0755));
    succeeds(at.over->chmod("/directory/file", 0644));
    SECTION("it does not know of extended attributes") {
        at.list_error = Errno::enosys;
        CHECK(get(*at.unlisted, "/directory/file") == "text");
        CHECK(get(*at.unlisted, "/directory/file") == "text");
        CHECK(at.asked_for_lists() == 1);
    }
    SECTION("the file system of a file has none, which says nothing of others") {
        at.list_error = Errno::eopnotsupp;
        CHECK(get(*at.unlisted, "/directory/file") == "text");
        CHECK(at.asked_for_lists() == 3);
        at.list_error = Errno::none;
        CHECK(error_of(at.unlisted->stat("/directory/file")) == Errno::eacces);
    }
    SECTION("the file has none") {
        at.list_error = Errno::enodata;
        CHECK(get(*at.unlisted, "/directory/file") == "text");
    }
    SECTION("it cannot say") {
        at.list_error = Errno::eio;
        CHECK(error_of(at.unlisted->stat("/directory/file")) == Errno::eio);
        at.list_error = Errno::erange;
        CHECK(error_of(at.unlisted->stat("/directory/file")) == Errno::e2big);
    }
}

TEST_CASE("a value that is no list lets nobody in who depends on it", "[permissions]") {
    const CacheMode cache = GENERATE(as<CacheMode>{}, CacheMode::none, CacheMode::always);
    WithLists at(cache);
    succeeds(at.over->chmod("/directory/file", 0666));
    for (const auto& value : {bytes_of("?"), acl_bytes({{AclTag::owner, 7}}), acl_bytes({{AclTag::other, 7}}, 3)}) {
        succeeds(at.over->set_xattr("/directory/file", kAccessList, value));
        CHECK(error_of(at.listed->open_file("/directory/file", kORdonly)) == Errno::eio);
        CHECK(get(*at.over, "/directory/file") == "text");
    }
    succeeds(at.over->set_xattr("/directory/file", kAccessList, list_for(4)));
    CHECK(get(*at.listed, "/directory/file") == "text");
}

namespace {

// Files with lists, on the host's own file system, and the people who want something of them.
constexpr std::size_t kListedFiles = 48;
constexpr std::uint32_t kFileOwner = 6000;
constexpr std::uint32_t kFileGroup = 6001;
struct Person {
    std::uint32_t uid;
    std::uint32_t gid;
    std::vector<std::uint32_t> groups;
};
const std::vector<Person>& people() {
    static const std::vector<Person> all{{0, 0, {}},
                                         {kFileOwner, kUnlisted, {kListedGroup}},
                                         {kListed, kFileGroup, {}},
                                         {kListed, kUnlisted, {kFileGroup, kListedGroup}},
                                         {kUnlisted, kFileGroup, {kListedGroup}},
                                         {kUnlisted, kListedGroup, {}},
                                         {kUnlisted, kUnlisted, {kFileGroup}},
                                         {kUnlisted, kUnlisted, {}}};
    return all;
}

std::vector<std::byte> any_list(std::uint32_t& state) {
    const auto bits = [&state] {
        state = state * 1664525u + 1013904223u;
        return static_cast<std::uint16_t>(state >> 24 & 7u);
    };
    std::vector<AclEntry> entries{{AclTag::owner, bits()}};
    if (bits() >= 2) entries.push_back({AclTag::user, bits(), kListed});
    entries.push_back({AclTag::group, bits()});
    if (bits() >= 2) entries.push_back({AclTag::named_group, bits(), kListedGroup});
    if (entries.size() > 2 || bits() >= 4) entries.push_back({AclTag::mask, bits()});
    entries.push_back({AclTag::other, bits()});
    return acl_bytes(entries);
}

// Returns what the kernel lets this person do with each of the files 0, 1 … of a directory: three bits each. The way there need not let
// him pass.
std::vector<std::uint8_t> kernels_verdicts(const Person& who, const std::filesystem::path& directory) {
    std::vector<std::uint8_t> verdicts(kListedFiles, 0xff);
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const std::vector<gid_t> groups(who.groups.begin(), who.groups.end());
        bool is_ready = ::chdir(directory.c_str()) == 0;
        is_ready = is_ready && ::setgroups(groups.size(), groups.data()) == 0;
        is_ready = is_ready && ::setresgid(who.gid, who.gid, who.gid) == 0;
        is_ready = is_ready && ::setresuid(who.uid, who.uid, who.uid) == 0;
        for (std::size_t i = 0; is_ready && i < verdicts.size(); ++i) {
            verdicts[i] = 0;
            for (const int bit : {R_OK, W_OK, X_OK}) {
                if (::access(std::to_string(i).c_str(), bit) == 0)
                    verdicts[i] = static_cast<std::uint8_t>(verdicts[i] | bit);
            }
        }
        const bool told = ::write(pipe[1], verdicts.data(), verdicts.size()) == static_cast<ssize_t>(verdicts.size());
        ::_exit(told ? 0 : 1);
    }
    ::close(pipe[1]);
    const ssize_t got = ::read(pipe[0], verdicts.data(), verdicts.size());
    ::close(pipe[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    REQUIRE(got == static_cast<ssize_t>(verdicts.size()));
    return verdicts;
}

} // namespace

TEST_CASE("lists grant what the kernel says that they grant", "[permissions]") {
    if (::geteuid() != 0) return test::skip("only root acts for others");
    const test::ScratchDirectory scratch;
    REQUIRE(::chmod(scratch.path().c_str(), 0755) == 0);
    constexpr std::uint32_t kSeed = 30112026;
    INFO("seed " << kSeed);
    std::uint32_t state = kSeed;
    std::vector<std::vector<std::byte>> lists;
    std::vector<std::uint32_t> modes;
    for (std::size_t i = 0; i < kListedFiles; ++i) {
        const std::string path = (scratch.path() / std::to_string(i)).string();
        const int fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        REQUIRE(fd >= 0);
        ::close(fd);
        REQUIRE(::chown(path.c_str(), kFileOwner, kFileGroup) == 0);
        const std::vector<std::byte> wanted = any_list(state);
        if (::setxattr(path.c_str(), kAccessList, wanted.data(), wanted.size(), 0) != 0) {
            return test::skip("the host's file system keeps no access control lists");
        }
        // A list that says no more than a mode is kept as one.
        std::vector<std::byte> kept(client::AccessList::kMostBytes);
        const ssize_t size = ::getxattr(path.c_str(), kAccessList, kept.data(), kept.size());
        kept.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        lists.push_back(kept);
        struct stat status{};
        REQUIRE(::stat(path.c_str(), &status) == 0);
        modes.push_back(status.st_mode);
    }
    for (const Person& who : people()) {
        const std::vector<std::uint8_t> wanted = kernels_verdicts(who, scratch.path());
        const client::Subject subject{{who.uid, who.gid, 1}, who.groups};
        for (std::size_t i = 0; i < kListedFiles; ++i) {
            client::FileOwner file{modes[i], kFileOwner, kFileGroup};
            REQUIRE(file.list.take(lists[i]) == Errno::none);
            std::uint32_t all = 0;
            for (const std::uint32_t bit : {kROk, kWOk, kXOk}) {
                if (client::check_access(subject, file, bit) == Errno::none) all |= bit;
            }
            CAPTURE(who.uid, who.gid, i, modes[i]);
            CHECK(all == wanted[i]);
            // A client that asks for a list only where it counts judges alike.
            if (!client::depends_on_list(subject, file)) {
                file.list = {};
                CHECK((client::check_access(subject, file, kROk) == Errno::none) == ((wanted[i] & kROk) != 0));
            }
        }
    }
}
