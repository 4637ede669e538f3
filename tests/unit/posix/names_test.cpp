// SPDX-License-Identifier: BSD-2-Clause
// Making, moving and removing names, on both embedded file systems.
#include "unit/posix/mounted.hpp"

using namespace vfsproto;
using namespace vfsproto::abi;
using posix::LastLink;
using test::Errno;
using test::error_of;
using test::OverDirectory;
using test::OverMemfs;
using test::succeeds;
using test::value_of;

TEMPLATE_TEST_CASE("directories are made and removed", "[names]", OverMemfs, OverDirectory) {
    TestType over;
    succeeds(over->mkdir("/a"));
    succeeds(over->mkdir("/a/b/")); // a slash behind a directory to be is fine
    CHECK(error_of(over->mkdir("/a")) == Errno::eexist);
    CHECK(error_of(over->mkdir("/a/")) == Errno::eexist);
    CHECK(error_of(over->mkdir("/")) == Errno::eexist);
    CHECK(error_of(over->mkdir("/a/.")) == Errno::eexist);
    CHECK(error_of(over->mkdir("/a/..")) == Errno::eexist);
    CHECK(error_of(over->mkdir("")) == Errno::enoent);
    CHECK(error_of(over->mkdir("/no/b")) == Errno::enoent);
    CHECK(error_of(over->mkdir("/new/.")) == Errno::enoent);
    test::put(*over, "/f", "x");
    CHECK(error_of(over->mkdir("/f")) == Errno::eexist);
    CHECK(error_of(over->mkdir("/f/b")) == Errno::enotdir);
    succeeds(over->symlink("nowhere", "/dangling"));
    CHECK(error_of(over->mkdir("/dangling")) == Errno::eexist);
    CHECK(value_of(over->stat("/a")).nlink == 3);

    CHECK(error_of(over->rmdir("/a")) == Errno::enotempty);
    CHECK(error_of(over->rmdir("/f")) == Errno::enotdir);
    CHECK(error_of(over->rmdir("/dangling")) == Errno::enotdir);
    CHECK(error_of(over->rmdir("/")) == Errno::ebusy);
    CHECK(error_of(over->rmdir("//")) == Errno::ebusy);
    CHECK(error_of(over->rmdir("/a/.")) == Errno::einval);
    CHECK(error_of(over->rmdir("/a/./")) == Errno::einval);
    CHECK(error_of(over->rmdir("/a/b/..")) == Errno::enotempty);
    CHECK(error_of(over->rmdir("/a/b/../")) == Errno::enotempty);
    CHECK(error_of(over->rmdir("/absent")) == Errno::enoent);
    succeeds(over->symlink("a/b", "/link"));
    CHECK(error_of(over->rmdir("/link")) == Errno::enotdir);
    CHECK(error_of(over->rmdir("/link/")) == Errno::enotdir);
    succeeds(over->rmdir("/a/b/"));
    succeeds(over->rmdir("/a"));
}

TEMPLATE_TEST_CASE("files are unlinked, directories are not", "[names]", OverMemfs, OverDirectory) {
    TestType over;
    succeeds(over->mkdir("/d"));
    test::put(*over, "/f", "x");
    succeeds(over->symlink("f", "/link"));
    CHECK(error_of(over->unlink("/absent")) == Errno::enoent);
    CHECK(error_of(over->unlink("/f/")) == Errno::enotdir);
    CHECK(error_of(over->unlink("/link/")) == Errno::enotdir);
    CHECK(error_of(over->unlink("/d")) == Errno::eisdir);
    CHECK(error_of(over->unlink("/d/")) == Errno::eisdir);
    CHECK(error_of(over->unlink("/d/.")) == Errno::eisdir);
    CHECK(error_of(over->unlink("/d/..")) == Errno::eisdir);
    CHECK(error_of(over->unlink("/")) == Errno::eisdir);
    succeeds(over->unlink("/link")); // the link, not the file
    CHECK(test::get(*over, "/f") == "x");
    succeeds(over->unlink("/d/../f"));
    CHECK(error_of(over->unlink("/f")) == Errno::enoent);
    succeeds(over->rmdir("/d"));
}

TEMPLATE_TEST_CASE("a file may have several names", "[names]", OverMemfs, OverDirectory) {
    TestType over;
    succeeds(over->mkdir("/d"));
    test::put(*over, "/f", "content");
    succeeds(over->link("/f", "/d/g"));
    CHECK(value_of(over->stat("/f")).nlink == 2);
    CHECK(value_of(over->stat("/d/g")).ino == value_of(over->stat("/f")).ino);
    CHECK(error_of(over->link("/f", "/d/g")) == Errno::eexist);
    CHECK(error_of(over->link("/absent", "/x")) == Errno::enoent);
    CHECK(error_of(over->link("/d", "/x")) == Errno::eperm);
    CHECK(error_of(over->link("/f", "/x/")) == Errno::enoent);
    CHECK(error_of(over->link("/f", "/d/")) == Errno::eexist);
    CHECK(error_of(over->link("/f", "/")) == Errno::eexist);
    CHECK(error_of(over->link("/f", "/no/x")) == Errno::enoent);
    CHECK(error_of(over->link("/f/", "/x")) == Errno::enotdir);
    succeeds(over->symlink("f", "/link"));
    succeeds(over->link("/link", "/link2")); // of the link itself
    CHECK(is_symlink(value_of(over->stat("/link2", LastLink::keep)).mode));
    CHECK(value_of(over->readlink("/link2")) == "f");
    succeeds(over->unlink("/f"));
    CHECK(test::get(*over, "/d/g") == "content");
    CHECK(value_of(over->stat("/d/g")).nlink == 1);
}

TEMPLATE_TEST_CASE("special files are made, not opened", "[names]", OverMemfs, OverDirectory) {
    TestType over;
    succeeds(over->mknod("/fifo", kSIfifo | 0644, 0));
    CHECK((value_of(over->stat("/fifo")).mode & kSIfmt) == kSIfifo);
    succeeds(over->mknod("/plain", 0600, 0));
    CHECK(is_regular(value_of(over->stat("/plain")).mode));
    CHECK(error_of(over->mknod("/fifo", kSIfifo | 0644, 0)) == Errno::eexist);
    CHECK(error_of(over->mknod("/x/", kSIfifo | 0644, 0)) == Errno::enoent);
    CHECK(error_of(over->mknod("/", kSIfifo | 0644, 0)) == Errno::eexist);
    CHECK(over->open_file("/fifo", kORdonly).failure().happened());
    succeeds(over->unlink("/fifo"));
}

TEMPLATE_TEST_CASE("names move", "[names]", OverMemfs, OverDirectory) {
    TestType over;
    succeeds(over->mkdir("/d"));
    succeeds(over->mkdir("/e"));
    test::put(*over, "/f", "f");
    test::put(*over, "/g", "g");
    succeeds(over->rename("/f", "/d/moved"));
    CHECK(error_of(over->stat("/f")) == Errno::enoent);
    CHECK(test::get(*over, "/d/moved") == "f");
    succeeds(over->rename("/d/moved", "/g")); // over another
    CHECK(test::get(*over, "/g") == "f");
    succeeds(over->rename("/g", "/g"));
    succeeds(over->rename("/d", "/e/"));
    CHECK(error_of(over->stat("/d")) == Errno::enoent);
    succeeds(over->rename("/e", "/d2/"));
    CHECK(is_directory(value_of(over->stat("/d2")).mode));

    CHECK(error_of(over->rename("/absent", "/x")) == Errno::enoent);
    CHECK(error_of(over->rename("/g", "/no/x")) == Errno::enoent);
    CHECK(error_of(over->rename("/g/", "/x")) == Errno::enotdir);
    CHECK(error_of(over->rename("/g", "/x/")) == Errno::enotdir);
    CHECK(error_of(over->rename("/g", "/d2")) == Errno::eisdir);
    CHECK(error_of(over->rename("/d2", "/g")) == Errno::enotdir);
    CHECK(error_of(over->rename("/d2", "/d2/x")) == Errno::einval);
    CHECK(error_of(over->rename("/", "/x")) == Errno::ebusy);
    CHECK(error_of(over->rename("/d2/.", "/x")) == Errno::ebusy);
    CHECK(error_of(over->rename("/d2", "/d2/..")) == Errno::ebusy);
    succeeds(over->mkdir("/full"));
    test::put(*over, "/full/x", "x");
    CHECK(error_of(over->rename("/d2", "/full")) == Errno::enotempty);
    // A link is moved, not what it points to.
    succeeds(over->symlink("g", "/link"));
    succeeds(over->rename("/link", "/link2"));
    CHECK(value_of(over->readlink("/link2")) == "g");
}

TEMPLATE_TEST_CASE("a move may spare the target, or exchange the two", "[names]", OverMemfs, OverDirectory) {
    TestType over;
    test::put(*over, "/f", "f");
    succeeds(over->mkdir("/d"));
    const Errno first = error_of(over->rename("/f", "/d", kRenameNoreplace));
    if (first == Errno::einval) return; // the file system of the host has none
    CHECK(first == Errno::eexist);
    succeeds(over->rename("/f", "/g", kRenameNoreplace));
    CHECK(test::get(*over, "/g") == "f");
    succeeds(over->rename("/g", "/d", kRenameExchange));
    CHECK(test::get(*over, "/d") == "f");
    CHECK(is_directory(value_of(over->stat("/g")).mode));
    CHECK(error_of(over->rename("/g", "/absent", kRenameExchange)) == Errno::enoent);
    CHECK(error_of(over->rename("/g", "/d", kRenameExchange | kRenameNoreplace)) == Errno::einval);
}

TEST_CASE("plain moves ask for nothing old servers lack", "[names]") {
    OverMemfs over;
    test::put(*over, "/f", "f");
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::rename2 || question.opcode == wire::Opcode::link) {
            fault.error = Errno::enosys;
        }
        return fault;
    });
    succeeds(over->rename("/f", "/g"));
    for (int i = 0; i < 2; ++i) {
        CHECK(error_of(over->rename("/g", "/h", kRenameNoreplace)) == Errno::einval);
        CHECK(error_of(over->link("/g", "/h")) == Errno::eperm);
    }
    over.fs.set_faults({});
}
