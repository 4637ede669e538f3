// SPDX-License-Identifier: BSD-2-Clause
// Attributes of files and of the file system, on both embedded file systems.
#include "support/skip.hpp"
#include "unit/posix/mounted.hpp"

#include <unistd.h>

using namespace vfsproto;
using namespace vfsproto::abi;
using posix::File;
using posix::LastLink;
using posix::SetTime;
using posix::XattrSpace;
using test::Errno;
using test::error_of;
using test::MountedOptions;
using test::OverDirectory;
using test::OverMemfs;
using test::succeeds;
using test::value_of;

TEMPLATE_TEST_CASE("modes and owners change", "[attributes]", OverMemfs, OverDirectory) {
    TestType over;
    test::put(*over, "/f", "x");
    succeeds(over->symlink("f", "/link"));
    succeeds(over->chmod("/link", 04751));
    CHECK(value_of(over->stat("/f")).mode == (kSIfreg | 04751));
    CHECK(error_of(over->chmod("/absent", 0644)) == Errno::enoent);
    if (::geteuid() != 0) return test::skip("only root may do this");
    succeeds(over->chown("/link", 12, 34));
    CHECK(value_of(over->stat("/f")).uid == 12);
    CHECK(value_of(over->stat("/f")).gid == 34);
    succeeds(over->chown("/f", std::nullopt, 56));
    CHECK(value_of(over->stat("/f")).uid == 12);
    CHECK(value_of(over->stat("/f")).gid == 56);
    succeeds(over->chown("/link", 78, std::nullopt, LastLink::keep));
    CHECK(value_of(over->stat("/link", LastLink::keep)).uid == 78);
    CHECK(value_of(over->stat("/f")).uid == 12);
}

TEMPLATE_TEST_CASE("times are set, or left, or now", "[attributes]", OverMemfs, OverDirectory) {
    TestType over;
    test::put(*over, "/f", "x");
    const auto at = [](std::int64_t seconds, std::uint32_t nanoseconds) {
        return SetTime{SetTime::Kind::at, seconds, nanoseconds};
    };
    const SetTime keep{};
    const SetTime now{SetTime::Kind::now, 0, 0};
    succeeds(over->set_times("/f", at(1'000'000'001, 123'456'000), at(1'000'000'002, 7'000)));
    auto seen = value_of(over->stat("/f"));
    CHECK(seen.atime == 1'000'000'001);
    CHECK(seen.atimensec == 123'456'000);
    CHECK(seen.mtime == 1'000'000'002);
    CHECK(seen.mtimensec == 7'000);
    succeeds(over->set_times("/f", keep, at(5, 0)));
    seen = value_of(over->stat("/f"));
    CHECK(seen.atime == 1'000'000'001);
    CHECK(seen.mtime == 5);
    succeeds(over->set_times("/f", at(-7, 0), keep)); // before 1970
    seen = value_of(over->stat("/f"));
    CHECK(static_cast<std::int64_t>(seen.atime) == -7);
    CHECK(seen.mtime == 5);
    succeeds(over->set_times("/f", keep, now));
    CHECK(value_of(over->stat("/f")).mtime > 5);
    succeeds(over->set_times("/f", keep, keep));

    succeeds(over->symlink("f", "/link"));
    succeeds(over->set_times("/link", keep, at(9, 0), LastLink::keep));
    CHECK(value_of(over->stat("/link", LastLink::keep)).mtime == 9);
    CHECK(value_of(over->stat("/f")).mtime != 9);

    File file = value_of(over->open_file("/f", kORdwr));
    succeeds(over->set_times(file, at(11, 0), at(12, 0)));
    CHECK(value_of(over->stat(file)).atime == 11);
    CHECK(value_of(over->stat(file)).mtime == 12);
    succeeds(over->close(std::move(file)));
}

TEMPLATE_TEST_CASE("sizes are set by path and by file", "[attributes]", OverMemfs, OverDirectory) {
    TestType over;
    test::put(*over, "/f", "content");
    succeeds(over->symlink("f", "/link"));
    succeeds(over->truncate("/link", 3));
    CHECK(test::get(*over, "/f") == "con");
    succeeds(over->truncate("/f", 5));
    CHECK(test::get(*over, "/f") == std::string("con\0\0", 5));
    succeeds(over->mkdir("/d"));
    CHECK(error_of(over->truncate("/d", 0)) == Errno::eisdir);
    CHECK(error_of(over->truncate("/absent", 0)) == Errno::enoent);
    File file = value_of(over->open_file("/f", kORdwr));
    succeeds(over->truncate(file, 1));
    CHECK(value_of(over->stat(file)).size == 1);
    wire::SetattrIn what{};
    what.valid = wire::kSetattrSize | wire::kSetattrMode;
    what.size = 10;
    what.mode = kSIfreg | 0600;
    CHECK(value_of(over->set_attributes(file, what)).size == 10);
    CHECK((value_of(over->stat("/f")).mode & kSIallugo) == 0600);
    succeeds(over->close(std::move(file)));
}

TEMPLATE_TEST_CASE("statx knows at least what stat knows", "[attributes]", OverMemfs, OverDirectory) {
    TestType over;
    test::put(*over, "/f", "content");
    const auto plain = value_of(over->stat("/f"));
    const auto extended = value_of(over->statx("/f"));
    CHECK((extended.mask & kStatxBasicStats) == kStatxBasicStats);
    CHECK(extended.ino == plain.ino);
    CHECK(extended.size == 7);
    CHECK(extended.mode == plain.mode);
    CHECK(error_of(over->statx("/absent")) == Errno::enoent);
}

TEST_CASE("without STATX it is made of what GETATTR knows", "[attributes]") {
    OverMemfs over;
    test::put(*over, "/f", "content");
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::statx) fault.error = Errno::enosys;
        return fault;
    });
    for (int i = 0; i < 2; ++i) {
        const auto seen = value_of(over->statx("/f"));
        CHECK((seen.mask & kStatxBasicStats) == kStatxBasicStats);
        CHECK((seen.mask & kStatxBtime) == 0);
        CHECK(seen.size == 7);
    }
    over.fs.set_faults({});
}

TEMPLATE_TEST_CASE("the file system says how large it is, and is synchronised", "[attributes]", OverMemfs,
                   OverDirectory) {
    TestType over;
    const auto space = value_of(over->statfs());
    CHECK(space.bsize != 0);
    CHECK(space.blocks != 0);
    CHECK(space.namelen == 255);
    succeeds(over->mkdir("/d"));
    CHECK(value_of(over->statfs("/d")).blocks == space.blocks);
    CHECK(error_of(over->statfs("/absent")) == Errno::enoent);
    succeeds(over->sync());
    succeeds(over->access("/d", kROk | kWOk | kXOk));
    succeeds(over->access("/d", 0));
    CHECK(error_of(over->access("/absent", 0)) == Errno::enoent);
}

TEMPLATE_TEST_CASE("access is refused to those who have none", "[attributes]", OverMemfs, OverDirectory) {
    if (::geteuid() != 0) return test::skip("only root may do this");
    MountedOptions options;
    options.mount.credentials.caller = {4321, 4321, 1};
    TestType over(options);
    {
        // The file's owner is everybody's: it is made on the host, or by a mount of another caller.
        if constexpr (std::is_same_v<TestType, OverDirectory>) {
            std::filesystem::permissions(over.directory.path(), std::filesystem::perms(0777));
        }
        test::put(*over, "/f", "x");
        succeeds(over->chmod("/f", 0400));
    }
    succeeds(over->access("/f", kROk));
    CHECK(error_of(over->access("/f", kWOk)) == Errno::eacces);
    CHECK(value_of(over->stat("/f")).uid == 4321);
}

TEMPLATE_TEST_CASE("extended attributes are set, read, listed and removed", "[attributes]", OverMemfs, OverDirectory) {
    TestType over;
    test::put(*over, "/f", "x");
    const auto one = test::bytes_of("one");
    const auto first = over->set_xattr("/f", "user.one", one);
    if (first.error == Errno::eopnotsupp) return test::skip("the file system of the host has no such attributes");
    succeeds(first);
    CHECK(value_of(over->get_xattr("/f", "user.one")) == one);
    succeeds(over->set_xattr("/f", "user.empty", {}));
    CHECK(value_of(over->get_xattr("/f", "user.empty")).empty());
    CHECK(error_of(over->set_xattr("/f", "user.one", one, XattrSpace::create)) == Errno::eexist);
    CHECK(error_of(over->set_xattr("/f", "user.two", one, XattrSpace::replace)) == Errno::enodata);
    succeeds(over->set_xattr("/f", "user.one", test::bytes_of("other"), XattrSpace::replace));
    succeeds(over->set_xattr("/f", "user.two", one, XattrSpace::create));
    CHECK(test::text_of(value_of(over->get_xattr("/f", "user.one"))) == "other");
    auto names = value_of(over->list_xattrs("/f"));
    std::sort(names.begin(), names.end());
    CHECK(names == std::vector<std::string>{"user.empty", "user.one", "user.two"});
    succeeds(over->remove_xattr("/f", "user.one"));
    CHECK(error_of(over->get_xattr("/f", "user.one")) == Errno::enodata);
    CHECK(error_of(over->remove_xattr("/f", "user.one")) == Errno::enodata);
    CHECK(value_of(over->list_xattrs("/f")).size() == 2);

    succeeds(over->symlink("f", "/link"));
    CHECK(value_of(over->get_xattr("/link", "user.two")) == one);
    CHECK(over->get_xattr("/link", "user.two", LastLink::keep).failure().happened());
    CHECK(error_of(over->get_xattr("/absent", "user.two")) == Errno::enoent);
    CHECK(value_of(over->list_xattrs("/")).empty());
    CHECK(error_of(over->set_xattr("/f", "user.large", std::vector<std::byte>(kXattrSizeMax + 1))) == Errno::e2big);
}

TEST_CASE("values as large as may be pass, and what one reply cannot carry is ERANGE", "[attributes]") {
    const auto large = test::noise(kXattrSizeMax);
    {
        OverMemfs over;
        test::put(*over, "/f", "x");
        succeeds(over->set_xattr("/f", "user.large", large));
        CHECK(value_of(over->get_xattr("/f", "user.large")) == large);
    }
    MountedOptions options;
    options.mount.channel.bounce = 8192;
    OverMemfs over(options);
    test::put(*over, "/f", "x");
    CHECK(over->set_xattr("/f", "user.large", large).as_errno() == Errno::e2big);
    const std::vector<std::byte> fits(large.begin(), large.begin() + 7000);
    succeeds(over->set_xattr("/f", "user.fits", fits));
    CHECK(value_of(over->get_xattr("/f", "user.fits")) == fits);
    std::size_t names = 0;
    while (names * 205 < 8192 + 205) {
        succeeds(over->set_xattr("/f", "user." + std::string(196, 'n') + std::to_string(1000 + names++), {}));
    }
    CHECK(error_of(over->list_xattrs("/f")) == Errno::erange);
}

TEST_CASE("a server without extended attributes is asked once", "[attributes]") {
    OverMemfs over;
    test::put(*over, "/f", "x");
    int asked = 0;
    over.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        using wire::Opcode;
        for (const Opcode op : {Opcode::setxattr, Opcode::getxattr, Opcode::listxattr, Opcode::removexattr}) {
            if (question.opcode != op) continue;
            ++asked;
            fault.error = Errno::enosys;
        }
        return fault;
    });
    for (int i = 0; i < 3; ++i) {
        CHECK(error_of(over->set_xattr("/f", "user.a", {})) == Errno::eopnotsupp);
        CHECK(error_of(over->get_xattr("/f", "user.a")) == Errno::eopnotsupp);
        CHECK(error_of(over->list_xattrs("/f")) == Errno::eopnotsupp);
        CHECK(error_of(over->remove_xattr("/f", "user.a")) == Errno::eopnotsupp);
    }
    CHECK(asked == 4);
    over.fs.set_faults({});
}
