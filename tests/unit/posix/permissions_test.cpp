// SPDX-License-Identifier: BSD-2-Clause
// A mount that judges itself what its callers may do, over a server that refuses nobody anything.
#include "unit/posix/mounted.hpp"
#include "unit/posix/somebody.hpp"

#include "vfsproto/posix/async_mount.hpp"

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace asio = boost::asio;
using namespace vfsproto;
using namespace vfsproto::abi;
using posix::Failure;
using posix::File;
using posix::LastLink;
using posix::Mount;
using posix::SetTime;
using test::bytes_of;
using test::Errno;
using test::error_of;
using test::get;
using test::kSharedGroup;
using test::kUser;
using test::MountedOptions;
using test::OverDirectory;
using test::OverMemfs;
using test::put;
using test::somebody;
using test::succeeds;
using test::value_of;
using wire::Opcode;

namespace {

MountedOptions judging(std::vector<Opcode>* sent = nullptr) {
    MountedOptions options;
    options.mount.permissions = posix::Permissions::judged_here;
    if (sent != nullptr) {
        options.memfs.faults = [sent](const backends::MemfsQuestion& question) {
            sent->push_back(question.opcode);
            return backends::MemfsFault();
        };
    }
    return options;
}

// Makes a tree as user 0: /private (0700), /open (0777), /sticky (01777), with a file in each that its owner alone may write.
void make_judged_tree(Mount& mount) {
    succeeds(mount.chmod("/", 0755));
    struct Made {
        std::string path;
        std::uint32_t mode;
    };
    for (const Made& made : {Made{"/private", 0700}, Made{"/open", 0777}, Made{"/sticky", 01777}}) {
        succeeds(mount.mkdir(made.path));
        put(mount, made.path + "/file", "text");
        succeeds(mount.chmod(made.path + "/file", 0644));
        succeeds(mount.chmod(made.path, made.mode));
    }
}

struct Judged {
    Judged() { make_judged_tree(*over); }

    std::vector<Opcode> sent{};
    OverMemfs over{judging(&sent)};
    std::unique_ptr<Mount> other = over->acting_for(somebody());
};

// A directory of the host, changed behind the mount's back, of which the mount keeps what it is told. It has /directory/file.
struct Kept : OverDirectory {
    Kept() : OverDirectory(keeping()) {
        set_mode("", 0755);
        std::filesystem::create_directory(directory.path() / "directory");
        put(*mount, "/directory/file", "text");
    }
    static MountedOptions keeping() {
        MountedOptions options = judging();
        options.mount.cache.mode = posix::CacheMode::always;
        return options;
    }
    // Changes the mode of what has this path below the root.
    void set_mode(const std::filesystem::path& path, unsigned mode) const {
        std::filesystem::permissions(directory.path() / path, static_cast<std::filesystem::perms>(mode));
    }
};

SetTime now() { return {SetTime::Kind::now}; }
SetTime second(std::int64_t seconds) { return {SetTime::Kind::at, seconds, 0}; }

} // namespace

TEST_CASE("a walk needs to search every directory that it passes", "[permissions]") {
    Judged at;
    CHECK(error_of(at.other->stat("/private/file")) == Errno::eacces);
    CHECK(error_of(at.other->stat("/private/absent")) == Errno::eacces);
    CHECK(error_of(at.other->stat("/private/../open/file")) == Errno::eacces);
    CHECK(error_of(at.other->stat("/private/.")) == Errno::eacces);
    CHECK(error_of(at.other->open_file("/private/file", kORdonly)) == Errno::eacces);
    CHECK(error_of(at.other->mkdir("/private/new")) == Errno::eacces);
    CHECK(value_of(at.other->stat("/private")).mode == (kSIfdir | 0700));
    CHECK(value_of(at.other->stat("/open/../open/file")).size == 4);
    succeeds(at.over->symlink("/private/file", "/open/link"));
    CHECK(error_of(at.other->stat("/open/link")) == Errno::eacces);
    succeeds(at.other->stat("/open/link", LastLink::keep).failure());
    CHECK(value_of(at.over->stat("/private/file")).size == 4);
    succeeds(at.over->chmod("/", 0700));
    CHECK(error_of(at.other->stat("/open")) == Errno::eacces);
    for (const char* path : {".", "/.", "..", "/..", "./", "./open", "../open/.", "/./."}) {
        INFO(path);
        CHECK(error_of(at.other->stat(path)) == Errno::eacces);
        CHECK(error_of(at.other->beginning_at("/")->stat(path)) == Errno::eacces);
    }
    CHECK(error_of(at.other->list(".")) == Errno::eacces);
    CHECK(error_of(at.other->mkdir("./new")) == Errno::eacces);
    CHECK(value_of(at.other->stat("/")).mode == (kSIfdir | 0700)); // which nothing is searched for
    succeeds(at.over->chmod("/", 0755));
    for (const char* path : {".", "/..", "./open/..", ".././open/./.."}) {
        INFO(path);
        CHECK(value_of(at.other->stat(path)).ino == value_of(at.over->stat("/")).ino);
    }
}

TEST_CASE("a file is opened as its mode allows, and what is refused is not sent", "[permissions]") {
    Judged at;
    at.sent.clear();
    CHECK(error_of(at.other->open_file("/open/file", kORdwr)) == Errno::eacces);
    CHECK(error_of(at.other->open_file("/open/file", kOWronly | kOCreat)) == Errno::eacces);
    CHECK(error_of(at.other->open_file("/open/file", kORdonly | kOTrunc)) == Errno::eacces);
    CHECK(error_of(at.other->open_file("/open/file", kOWronly | kOCreat | kOExcl)) == Errno::eexist);
    CHECK(error_of(at.other->open_file("/new", kOWronly | kOCreat)) == Errno::eacces);
    CHECK(error_of(at.other->open_temporary("/", kORdwr)) == Errno::eacces);
    for (const Opcode op : at.sent) {
        CAPTURE(wire::op_info(op).name);
        CHECK((op == Opcode::lookup || op == Opcode::getattr || op == Opcode::forget || op == Opcode::batch_forget));
    }
    CHECK(get(*at.other, "/open/file") == "text");
    put(*at.other, "/open/new", "mine");
    CHECK(get(*at.other, "/open/new") == "mine");
    succeeds(at.other->close(value_of(at.other->open_temporary("/open", kORdwr))));
    succeeds(at.over->symlink("/open/dangling", "/open/link"));
    put(*at.other, "/open/link", "through");
    CHECK(get(*at.other, "/open/dangling") == "through");
}

TEST_CASE("a file that is made with a mode that forbids its maker to write it is open for writing", "[permissions]") {
    Judged at;
    const std::uint32_t flags = kOCreat | kOWronly | GENERATE(as<std::uint32_t>{}, 0u, kOExcl);
    File file = value_of(at.other->open_file("/open/new", flags, 0444));
    CHECK(value_of(at.other->write(file, bytes_of("x"), 0)) == 1);
    succeeds(at.other->close(std::move(file)));
    CHECK(error_of(at.other->open_file("/open/new", kOWronly)) == Errno::eacces);
}

TEST_CASE("names are made, removed and moved as their directories allow", "[permissions]") {
    Judged at;
    CHECK(error_of(at.other->mkdir("/new")) == Errno::eacces);
    CHECK(error_of(at.other->mkdir("/open")) == Errno::eexist); // as Linux, which looks first
    CHECK(error_of(at.other->symlink("target", "/new")) == Errno::eacces);
    CHECK(error_of(at.other->mknod("/open/device", kSIfblk | 0666, 1)) == Errno::eperm);
    CHECK(error_of(at.other->mknod("/open/file", kSIfblk | 0666, 1)) == Errno::eexist);
    CHECK(error_of(at.over->stat("/open/device")) == Errno::enoent);
    CHECK(error_of(at.other->link("/open/file", "/new")) == Errno::eacces);
    CHECK(error_of(at.other->rmdir("/open")) == Errno::eacces);
    CHECK(error_of(at.other->rename("/open/file", "/file")) == Errno::eacces);
    CHECK(error_of(at.other->rename("/open", "/sticky/open")) == Errno::eacces);
    succeeds(at.other->link("/open/file", "/open/second"));
    succeeds(at.other->rename("/open/second", "/open/third"));
    succeeds(at.other->unlink("/open/third"));
    // A member of a group, by a supplementary one.
    succeeds(at.over->chown("/private", 0, kSharedGroup));
    succeeds(at.over->chmod("/private", 0770));
    CHECK(error_of(at.other->mkdir("/private/new")) == Errno::eacces);
    succeeds(at.over->acting_for(somebody({kSharedGroup}))->mkdir("/private/new"));
}

TEST_CASE("in a sticky directory nobody removes, replaces or moves what is somebody else's", "[permissions]") {
    Judged at;
    put(*at.other, "/sticky/mine", "x");
    CHECK(error_of(at.other->unlink("/sticky/file")) == Errno::eperm);
    CHECK(error_of(at.other->rename("/sticky/file", "/sticky/moved")) == Errno::eperm);
    CHECK(error_of(at.other->rename("/sticky/mine", "/sticky/file")) == Errno::eperm);
    CHECK(error_of(at.other->rename("/sticky/mine", "/sticky/file", kRenameExchange)) == Errno::eperm);
    CHECK(error_of(at.other->rename("/sticky/mine", "/sticky/file", kRenameNoreplace)) == Errno::eexist);
    succeeds(at.over->link("/sticky/file", "/sticky/second"));
    succeeds(at.other->rename("/sticky/file", "/sticky/second")); // two names of one file stay as they are
    CHECK(error_of(at.other->rename("/sticky/file", "/sticky/second", kRenameNoreplace)) == Errno::eexist);
    CHECK(value_of(at.over->stat("/sticky/file")).nlink == 2);
    succeeds(at.other->rename("/sticky/mine", "/sticky/moved"));
    succeeds(at.other->unlink("/sticky/moved"));
    succeeds(at.over->unlink("/sticky/file"));
}

TEST_CASE("nothing is replaced by who cannot be judged by it", "[permissions]") {
    MountedOptions options = judging();
    bool fails = false;
    options.memfs.faults = [&fails](const backends::MemfsQuestion& question) {
        const bool is_target = question.opcode == Opcode::lookup && question.name == "file";
        return backends::MemfsFault{fails && is_target ? Errno::eio : Errno::none};
    };
    OverMemfs over(options);
    make_judged_tree(*over);
    const auto other = over->acting_for(somebody());
    put(*other, "/sticky/mine", "x");
    fails = true;
    CHECK(error_of(other->rename("/sticky/mine", "/sticky/file")) == Errno::eio);
    fails = false;
    CHECK(get(*over, "/sticky/file") == "text");
}

TEST_CASE("a directory is moved to another one by who may write to it", "[permissions]") {
    Judged at;
    succeeds(at.other->mkdir("/open/mine"));
    succeeds(at.other->chmod("/open/mine", 0555));
    CHECK(error_of(at.other->rename("/open/mine", "/sticky/mine")) == Errno::eacces);
    succeeds(at.other->rename("/open/mine", "/open/yours"));
    succeeds(at.other->chmod("/open/yours", 0755));
    succeeds(at.other->rename("/open/yours", "/sticky/yours"));
}

TEST_CASE("attributes are changed by a file's owner, by path and through an open file", "[permissions]") {
    Judged at;
    CHECK(error_of(at.other->chmod("/open/file", 0777)) == Errno::eperm);
    CHECK(error_of(at.other->chown("/open/file", kUser, {})) == Errno::eperm);
    CHECK(error_of(at.other->truncate("/open/file", 0)) == Errno::eacces);
    CHECK(error_of(at.other->set_times("/open/file", now(), now())) == Errno::eacces);
    CHECK(error_of(at.other->set_times("/open/file", second(1), second(1))) == Errno::eperm);
    CHECK(error_of(at.other->set_xattr("/open/file", "user.a", bytes_of("x"))) == Errno::eacces);
    CHECK(error_of(at.other->set_xattr("/open/file", "trusted.a", bytes_of("x"))) == Errno::eperm);
    CHECK(error_of(at.other->get_xattr("/open/file", "trusted.a")) == Errno::enodata);
    const File file = value_of(at.other->open_file("/open/file", kORdonly));
    CHECK(error_of(at.other->truncate(file, 0)) == Errno::einval);
    CHECK(value_of(at.over->stat("/open/file")).size == 4);
    wire::SetattrIn mode{};
    mode.valid = wire::kSetattrMode;
    mode.mode = kSIfreg | 0777;
    CHECK(error_of(at.other->set_attributes(file, mode)) == Errno::eperm);
    CHECK(error_of(at.other->set_times(file, second(1), second(1))) == Errno::eperm);
    succeeds(at.over->set_attributes(file, mode).failure());
    CHECK(value_of(at.over->stat("/open/file")).mode == (kSIfreg | 0777));
    succeeds(at.other->truncate("/open/file", 1));
    succeeds(at.other->set_times("/open/file", now(), now()));
}

TEST_CASE("a mode takes the set-group-id bit along for members of the file's group alone", "[permissions]") {
    Judged at;
    put(*at.other, "/open/mine", "x");
    succeeds(at.over->chown("/open/mine", kUser, 0));
    wire::SetattrIn mode{};
    mode.valid = wire::kSetattrMode;
    mode.mode = kSIfreg | kSIsgid | 0755;
    const File file = value_of(at.other->open_file("/open/mine", kORdonly));
    CHECK(value_of(at.other->set_attributes("/open/mine", mode)).mode == (kSIfreg | 0755));
    CHECK(value_of(at.other->set_attributes(file, mode)).mode == (kSIfreg | 0755));
    succeeds(at.other->chmod("/open/mine", kSIsgid | 0755));
    CHECK(value_of(at.over->stat("/open/mine")).mode == (kSIfreg | 0755));
    CHECK(value_of(at.over->acting_for(somebody({0}))->set_attributes("/open/mine", mode)).mode == mode.mode);
}

TEST_CASE("access is answered without a request of its own", "[permissions]") {
    Judged at;
    at.sent.clear();
    succeeds(at.other->access("/open/file", kROk));
    CHECK(error_of(at.other->access("/open/file", kWOk)) == Errno::eacces);
    CHECK(error_of(at.over->access("/open/file", kXOk)) == Errno::eacces); // nobody may execute it
    CHECK(std::count(at.sent.begin(), at.sent.end(), Opcode::access) == 0);
    CHECK(at.over->channel().params().offered.has(wire::InitFlag::posix_acl));
    CHECK(std::count(at.sent.begin(), at.sent.end(), Opcode::getxattr) == 0); // the server did not agree
}

TEST_CASE("a directory is listed by who may read it, also by a coroutine", "[permissions]") {
    Judged at;
    succeeds(at.over->chmod("/private", 0711));
    CHECK(error_of(at.other->list("/private")) == Errno::eacces);
    CHECK(value_of(at.other->stat("/private/file")).size == 4);
    CHECK(value_of(at.other->list("/open")).size() == 1);
    asio::io_context io;
    posix::AsyncMount files(*at.other, io.get_executor());
    Failure listed;
    Failure opened;
    Failure changed;
    files.list("/private", [&](const Failure& why, const auto&) { listed = why; });
    files.open_file("/open/file", kOWronly, 0, [&](const Failure& why, File) { opened = why; });
    files.chmod("/open/file", 0777, [&](const Failure& why) { changed = why; });
    io.run();
    CHECK(error_of(listed) == Errno::eacces);
    CHECK(error_of(opened) == Errno::eacces);
    CHECK(error_of(changed) == Errno::eperm);
}

TEST_CASE("what is kept of a mode refuses nothing that is allowed by now", "[permissions]") {
    Kept over;
    over.set_mode("directory", 0700);
    over.set_mode("directory/file", 0600);
    auto other = over->acting_for(somebody());
    succeeds(over->looking_anew()->stat("/directory/file").failure());
    CHECK(error_of(other->stat("/directory/file")) == Errno::eacces);
    over.set_mode("directory", 0755);
    CHECK(value_of(other->stat("/directory/file")).size == 4);
    CHECK(error_of(other->open_file("/directory/file", kORdonly)) == Errno::eacces);
    over.set_mode("directory/file", 0644);
    CHECK(get(*other, "/directory/file") == "text");
    CHECK(error_of(other->mkdir("/directory/new")) == Errno::eacces);
    CHECK(error_of(other->unlink("/directory/file")) == Errno::eacces);
    over.set_mode("directory", 0777);
    succeeds(other->unlink("/directory/file"));
}

TEST_CASE("a mount that begins at a directory needs to search the way there and the directory itself",
          "[permissions]") {
    Judged at;
    succeeds(at.over->mkdir("/private/below"));
    succeeds(at.over->chmod("/private/below", 0777));
    put(*at.over, "/private/below/file", "deep");
    const auto there = at.other->beginning_at("private");
    const auto below = there->beginning_at("below");
    at.sent.clear();
    for (const char* path : {"file", "absent", ".", "./", "..", "../open/file", "below", "below/file"}) {
        INFO(path);
        CHECK(error_of(there->stat(path)) == Errno::eacces);
    }
    // To be allowed to search the last directory is not to be allowed to search those above it.
    for (const char* path : {"file", ".", "../..", "../../open/file"}) {
        INFO(path);
        CHECK(error_of(below->stat(path)) == Errno::eacces);
    }
    CHECK(error_of(below->mkdir("new")) == Errno::eacces);
    CHECK(error_of(below->list(".")) == Errno::eacces);
    CHECK(error_of(below->open_file("new", kOCreat | kOWronly)) == Errno::eacces);
    CHECK(error_of(below->rename("file", "/open/moved")) == Errno::eacces);
    CHECK(error_of(below->rename("/open/file", "moved")) == Errno::eacces);
    CHECK(error_of(below->link("/open/file", "linked")) == Errno::eacces);
    CHECK(error_of(below->unlink("file")) == Errno::eacces);
    for (const Opcode op : at.sent) {
        CAPTURE(wire::op_info(op).name);
        CHECK((op == Opcode::lookup || op == Opcode::getattr || op == Opcode::forget || op == Opcode::batch_forget));
    }
    CHECK(get(*below, "/open/file") == "text"); // which begins at the root
    // The caller counts, not the mount that he got his from.
    const auto own = at.over->beginning_at("/private/below");
    CHECK(get(*own, "file") == "deep");
    CHECK(error_of(own->acting_for(somebody())->stat("file")) == Errno::eacces);
    succeeds(at.over->chmod("/private", 0711));
    CHECK(value_of(there->stat("file")).size == 4);
    CHECK(get(*there, "../open/file") == "text");
    CHECK(error_of(there->list(".")) == Errno::eacces);
    CHECK(error_of(there->mkdir("new")) == Errno::eacces);
    put(*below, "made", "mine");
    succeeds(below->rename("made", "/open/made"));
    succeeds(below->link("../../open/made", "linked"));
    CHECK(get(*at.over, "/private/below/linked") == "mine");
    CHECK(value_of(below->list(".")).size() == 2);
}

TEST_CASE("a coroutine's paths are judged from the directory where its mount begins", "[permissions]") {
    Judged at;
    const auto judge = [&](std::string_view directory) {
        const auto begun = at.other->beginning_at(directory);
        asio::io_context io;
        posix::AsyncMount files(*begun, io.get_executor());
        std::vector<Failure> said(4);
        files.list(".", [&](const Failure& why, const auto&) { said[0] = why; });
        files.open_file("file", kOWronly, 0, [&](const Failure& why, File) { said[1] = why; });
        files.chmod("file", 0777, [&](const Failure& why) { said[2] = why; });
        files.unlink("file", [&](const Failure& why) { said[3] = why; });
        io.run();
        std::vector<Errno> errors;
        for (const Failure& why : said) errors.push_back(error_of(why));
        return errors;
    };
    CHECK(judge("/private") == std::vector(4, Errno::eacces));
    CHECK(judge("/sticky") == std::vector{Errno::none, Errno::eacces, Errno::eperm, Errno::eperm});
    CHECK(value_of(at.over->stat("/sticky/file")).size == 4);
}

TEST_CASE("what is kept of the directory where a mount begins refuses nothing that is allowed by now",
          "[permissions]") {
    Kept over;
    over.set_mode("directory/file", 0644);
    const auto there = over->acting_for(somebody())->beginning_at("directory");
    const auto close_and_keep = [&] {
        over.set_mode("directory", 0700);
        succeeds(over->looking_anew()->stat("/directory").failure());
        CHECK(error_of(there->stat("file")) == Errno::eacces);
    };
    close_and_keep();
    over.set_mode("directory", 0755);
    CHECK(get(*there, "file") == "text");
    close_and_keep();
    over.set_mode("directory", 0755);
    CHECK(value_of(there->list(".")).size() == 1);
    close_and_keep();
    over.set_mode("directory", 0777);
    put(*there, "made", "mine");
    close_and_keep();
    over.set_mode("directory", 0777);
    succeeds(there->unlink("file"));
}
