// SPDX-License-Identifier: BSD-2-Clause
// A server that has room for a few nodes only: paths of any depth still lead somewhere, and what is made there is made once.
#include "unit/posix/mounted.hpp"

#include <string>

using namespace vfsproto;
using namespace vfsproto::abi;
using posix::LastLink;
using test::Errno;
using test::error_of;
using test::OverMemfs;
using test::succeeds;
using test::value_of;

namespace {

constexpr std::size_t kRoom = 3; // nodes besides the root
constexpr int kDepth = 20;       // of the directories

// Answers EMFILE to every request that may need one more node, when the client holds as many as there is room for.
void make_scarce(OverMemfs& over) {
    over.fs.set_faults([&over](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        using enum wire::Opcode;
        const bool takes_one = question.opcode == lookup || question.opcode == create || question.opcode == open ||
                               question.opcode == opendir || question.opcode == mkdir || question.opcode == mknod ||
                               question.opcode == symlink || question.opcode == link;
        if (takes_one && over->nodes().size() > kRoom) fault.error = Errno::emfile;
        return fault;
    });
}

// Makes "/d/d/…", and returns its path.
std::string make_deep(posix::Mount& mount, int depth = kDepth) {
    std::string path;
    for (int i = 0; i < depth; ++i) {
        path += "/d";
        succeeds(mount.mkdir(path));
    }
    return path;
}

} // namespace

TEST_CASE("a path is walked that has more directories than the server has room for", "[path]") {
    OverMemfs over;
    const std::string deep = make_deep(*over);
    test::put(*over, deep + "/file", "content");
    make_scarce(over);
    CHECK(value_of(over->stat(deep + "/file")).size == 7);
    CHECK(test::get(*over, deep + "/file") == "content");
    CHECK(value_of(over->list(deep)).size() == 1);
    succeeds(over->rename(deep + "/file", deep + "/moved"));
    succeeds(over->rename(deep + "/moved", "/d/file"));
    succeeds(over->link("/d/file", deep + "/linked"));
    succeeds(over->unlink(deep + "/linked"));
    succeeds(over->rmdir(deep));
    CHECK(value_of(over->stat("/d/file")).nlink == 1);
    over.fs.set_faults({});
}

TEST_CASE("dots lead to directories that were given back on the way", "[path]") {
    OverMemfs over;
    const std::string deep = make_deep(*over);
    succeeds(over->mkdir("/d/other"));
    const auto ino = [&](const std::string& path) { return value_of(over->stat(path)).ino; };
    const auto other = ino("/d/other");
    const auto parent = ino(deep.substr(0, deep.size() - 2));
    const auto deepest = ino(deep);
    std::string up;
    for (int i = 1; i < kDepth; ++i) up += "/..";
    succeeds(over->symlink("." + up + "/other", deep + "/link"));
    succeeds(over->symlink("." + up + "/new", deep + "/link to new"));
    make_scarce(over);
    CHECK(ino(deep + up + "/other") == other);
    CHECK(ino(deep + "/link") == other);
    CHECK(ino(deep + "/..") == parent);
    CHECK(ino(deep + "/../") == parent);
    CHECK(ino(deep + "/../d/./../d") == deepest);
    CHECK(ino(deep + up + "/.." + deep) == deepest);
    CHECK(ino(deep + up + "/../..") == ino("/"));
    CHECK(error_of(over->rmdir(deep + "/..")) == Errno::enotempty);
    CHECK(error_of(over->rmdir(deep + "/.")) == Errno::einval);
    CHECK(error_of(over->stat(deep + "/absent/..")) == Errno::enoent);
    test::put(*over, deep + "/link to new", "new"); // the walk goes on from where it had arrived
    CHECK(test::get(*over, "/d/new") == "new");
    over.fs.set_faults({});
}

TEST_CASE("what is made by a server out of descriptors is asked for once more", "[path]") {
    OverMemfs over;
    const std::string deep = make_deep(*over, 2);
    for (int i = 0; i < 5; ++i) succeeds(over->mknod("/n" + std::to_string(i), kSIfreg | 0600, 0));
    const auto fill = [&] {
        over.fs.set_faults({});
        for (int i = 0; i < 5; ++i) (void)value_of(over->stat("/n" + std::to_string(i)));
        CHECK(over->nodes().size() > kRoom);
        // The walk to the parent meets no lack: only the request does.
        over.fs.set_faults([&](const backends::MemfsQuestion& question) {
            backends::MemfsFault fault;
            if (question.opcode != wire::Opcode::lookup && over->nodes().size() > kRoom) fault.error = Errno::emfile;
            return fault;
        });
    };
    fill();
    succeeds(over->mkdir(deep + "/dir"));
    fill();
    succeeds(over->symlink("x", deep + "/link"));
    fill();
    succeeds(over->mknod(deep + "/node", kSIfifo | 0600, 0));
    fill();
    succeeds(over->close(value_of(over->open_file(deep + "/file", kOCreat | kOExcl | kOWronly))));
    over.fs.set_faults({});
}

TEST_CASE("a name that a server without descriptors made half is no name that was there", "[path]") {
    OverMemfs over;
    succeeds(over->mknod("/idle", kSIfreg | 0600, 0));
    int asked = 0;
    over.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        const bool makes = question.opcode == wire::Opcode::mkdir || question.opcode == wire::Opcode::create;
        if (makes) fault.error = ++asked % 2 == 1 ? Errno::emfile : Errno::eexist;
        return fault;
    });
    CHECK(error_of(over->mkdir("/dir")) == Errno::emfile);
    CHECK(asked == 2);
    over.fs.set_faults({});
    succeeds(over->mknod("/idle again", kSIfreg | 0600, 0));
    over.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::create) fault.error = ++asked % 2 == 1 ? Errno::enfile : Errno::eexist;
        return fault;
    });
    CHECK(error_of(over->open_file("/file", kOCreat | kOExcl | kOWronly)) == Errno::enfile);
    CHECK(asked == 4);
    over.fs.set_faults({});
}
