// SPDX-License-Identifier: BSD-2-Clause
// Path resolution: what POSIX says, on both embedded file systems.
#include "unit/posix/mounted.hpp"

#include "vfsproto/fuse/client/operations/names.hpp"

using namespace vfsproto;
using namespace vfsproto::abi;
using posix::LastLink;
using test::Errno;
using test::error_of;
using test::OverDirectory;
using test::OverMemfs;
using test::succeeds;
using test::value_of;

namespace {

// /dir/{file,sub/deep,up -> ..,abs -> /dir/sub}, /link -> dir, /file_link -> dir/file, /dangling -> nowhere
void make_tree(posix::Mount& mount) {
    succeeds(mount.mkdir("/dir"));
    succeeds(mount.mkdir("/dir/sub"));
    test::put(mount, "/dir/file", "file");
    test::put(mount, "/dir/sub/deep", "deep");
    succeeds(mount.symlink("..", "/dir/up"));
    succeeds(mount.symlink("/dir/sub", "/dir/abs"));
    succeeds(mount.symlink("dir", "/link"));
    succeeds(mount.symlink("dir/file", "/file_link"));
    succeeds(mount.symlink("nowhere", "/dangling"));
}

std::uint64_t ino(posix::Mount& mount, std::string_view path) { return value_of(mount.stat(path)).ino; }
Errno stat_error(posix::Mount& mount, std::string_view path, LastLink last = LastLink::follow) {
    return error_of(mount.stat(path, last));
}

} // namespace

TEMPLATE_TEST_CASE("slashes, dots and links lead to the same file", "[path]", OverMemfs, OverDirectory) {
    TestType over;
    make_tree(*over);
    const auto root = ino(*over, "/");
    const auto deep = ino(*over, "/dir/sub/deep");
    for (const char* path : {"dir/sub/deep", "//dir///sub/deep", "./dir/./sub/././deep", "dir/sub/../sub/deep",
                             "../../dir/../../dir/sub/deep", "/link/sub/deep", "link/up/link/sub/deep", "/dir/abs/deep",
                             "/link/abs/../sub/deep", "/dir/up/dir/up/dir/up/dir/sub/deep"}) {
        INFO(path);
        CHECK(ino(*over, path) == deep);
    }
    for (const char* path : {".", "..", "/.", "/..", "//", "///", "/../..", "dir/..", "dir/../", "/dir/up", "dir/up/.",
                             "link/..", "dir/sub/../.."}) {
        INFO(path);
        CHECK(ino(*over, path) == root);
    }
    const auto dir = ino(*over, "/dir");
    for (const char* path : {"dir/", "dir//", "dir/.", "/link", "/link/", "/link/.", "dir/sub/..", "dir/abs/.."}) {
        INFO(path);
        CHECK(ino(*over, path) == dir);
    }
    CHECK(ino(*over, "file_link") == ino(*over, "dir/file"));
    CHECK(test::get(*over, "link/up/file_link") == "file");
}

TEMPLATE_TEST_CASE("a mount that begins at a directory takes paths without a slash from there", "[path]", OverMemfs,
                   OverDirectory) {
    TestType over;
    make_tree(*over);
    const auto at_dir = over->beginning_at("link"); // which leads to dir
    CHECK(ino(*at_dir, "sub/deep") == ino(*over, "/dir/sub/deep"));
    CHECK(ino(*at_dir, "/dir/sub/deep") == ino(*over, "/dir/sub/deep"));
    CHECK(ino(*at_dir, ".") == ino(*over, "/dir"));
    CHECK(ino(*at_dir, "..") == ino(*over, "/"));
    CHECK(ino(*at_dir, "../../file_link") == ino(*over, "/dir/file"));
    CHECK(stat_error(*at_dir, "dir") == Errno::enoent);
    CHECK(stat_error(*at_dir, "") == Errno::enoent);
    const auto below = at_dir->looking_anew()->beginning_at("sub");
    CHECK(test::get(*below, "deep") == "deep");
    CHECK(value_of(below->list(".")).size() == 1);
    CHECK(test::get(*below->beginning_at("/dir"), "file") == "file");
    // Every kind of operation begins there.
    succeeds(below->mkdir("made"));
    succeeds(below->symlink("../file", "made/up"));
    succeeds(below->link("deep", "made/deep"));
    succeeds(below->rename("made/deep", "moved"));
    succeeds(below->chmod("moved", 0600));
    CHECK(value_of(below->readlink("made/up")) == "../file");
    test::put(*below, "written", "text");
    CHECK(test::get(*over, "/dir/sub/written") == "text");
    CHECK(value_of(over->stat("/dir/sub/moved")).ino == ino(*over, "/dir/sub/deep"));
    succeeds(below->unlink("made/up"));
    succeeds(below->rmdir("made"));
    CHECK(stat_error(*over, "/dir/sub/made") == Errno::enoent);
    // The directory has gone.
    const auto gone = over->beginning_at("nowhere");
    CHECK(stat_error(*gone, ".") == Errno::enoent);
    CHECK(ino(*gone, "/dir") == ino(*over, "/dir"));
}

TEMPLATE_TEST_CASE("a path may be longer than PATH_MAX from the root, but not as it is said", "[path]", OverMemfs,
                   OverDirectory) {
    TestType over;
    const std::string name(200, 'n');
    std::string half = name;
    while (half.size() < kPathMax / 2) half += '/' + name;
    std::vector<std::unique_ptr<posix::Mount>> at;
    at.push_back(over->beginning_at("/"));
    for (int i = 0; i < 2; ++i) {
        for (std::size_t end = half.find('/'); end != std::string::npos; end = half.find('/', end + 1)) {
            succeeds(at.back()->mkdir(half.substr(0, end)));
        }
        succeeds(at.back()->mkdir(half));
        at.push_back(at.back()->beginning_at(half));
    }
    test::put(*at.back(), "deep", "text");
    CHECK(test::get(*at.back(), "deep") == "text");
    const std::string whole = "/" + half + "/" + half + "/deep";
    CHECK(stat_error(*over, whole) == Errno::enametoolong);
    // A mount that takes long paths may be told it, and so may those that are made of it.
    const auto any = over->looking_anew()->taking_long_paths();
    CHECK(test::get(*any, whole) == "text");
    CHECK(test::get(*any->looking_anew(), whole) == "text");
    CHECK(test::get(*any->beginning_at(half), whole.substr(half.size() + 2)) == "text");
    succeeds(any->link(whole, whole + "er"));
    succeeds(any->rename(whole + "er", whole + "est"));
    CHECK(ino(*any, whole + "est") == ino(*any, whole));
    CHECK(value_of(any->list("/" + half + "/" + half)).size() == 2);
    succeeds(any->unlink(whole + "est"));
    CHECK(stat_error(*any, whole + "est") == Errno::enoent);
    CHECK(stat_error(*any, std::string(kPathMax + 1, 'n')) == Errno::enametoolong); // a name is not
    CHECK(error_of(any->symlink(whole, "/link")) == Errno::enametoolong);           // nor is a target
    succeeds(at.back()->unlink("deep"));
    for (at.pop_back(); !at.empty(); at.pop_back()) { // what removes a directory of the host knows no longer paths
        for (std::size_t end = half.size(); end != std::string::npos; end = half.rfind('/', end - 1)) {
            succeeds(at.back()->rmdir(half.substr(0, end)));
        }
    }
}

TEMPLATE_TEST_CASE("the last component may be a link that is kept", "[path]", OverMemfs, OverDirectory) {
    TestType over;
    make_tree(*over);
    CHECK(is_symlink(value_of(over->stat("/link", LastLink::keep)).mode));
    CHECK(is_symlink(value_of(over->stat("/dangling", LastLink::keep)).mode));
    CHECK(is_directory(value_of(over->stat("/link/", LastLink::keep)).mode)); // a slash follows it
    CHECK(is_directory(value_of(over->stat("/link/.", LastLink::keep)).mode));
    CHECK(value_of(over->readlink("/dir/up")) == "..");
    CHECK(value_of(over->readlink("/link/up")) == "..");
    CHECK(error_of(over->readlink("/dir")) == Errno::einval);
    CHECK(error_of(over->readlink("/dir/file")) == Errno::einval);
    CHECK(error_of(over->readlink("/link/")) == Errno::einval);
    CHECK(error_of(over->readlink("/")) == Errno::einval);
    CHECK(error_of(over->readlink("/absent")) == Errno::enoent);
}

TEMPLATE_TEST_CASE("what is no path, no directory or not there is said so", "[path]", OverMemfs, OverDirectory) {
    TestType over;
    make_tree(*over);
    CHECK(stat_error(*over, "") == Errno::enoent);
    CHECK(stat_error(*over, "absent") == Errno::enoent);
    CHECK(stat_error(*over, "absent/x") == Errno::enoent);
    CHECK(stat_error(*over, "absent/..") == Errno::enoent);
    CHECK(stat_error(*over, "dangling") == Errno::enoent);
    CHECK(stat_error(*over, "dangling/") == Errno::enoent);
    CHECK(stat_error(*over, "dangling/x") == Errno::enoent);
    for (const char* path :
         {"dir/file/", "dir/file/x", "dir/file/.", "dir/file/..", "file_link/", "file_link/.", "file_link/x"}) {
        INFO(path);
        CHECK(stat_error(*over, path) == Errno::enotdir);
        CHECK(stat_error(*over, path, LastLink::keep) == Errno::enotdir);
    }
}

TEMPLATE_TEST_CASE("names and paths have a greatest length", "[path]", OverMemfs, OverDirectory) {
    TestType over;
    const std::string longest(255, 'n');
    succeeds(over->mkdir(longest));
    CHECK(is_directory(value_of(over->stat(longest)).mode));
    CHECK(stat_error(*over, std::string(256, 'n')) == Errno::enametoolong);
    CHECK(error_of(over->mkdir(std::string(256, 'n'))) == Errno::enametoolong);
    CHECK(error_of(over->open_file(std::string(256, 'n'), kOCreat | kOWronly)) == Errno::enametoolong);

    std::string path;
    while (path.size() + 2 <= kPathMax) path += "./";
    path.resize(kPathMax, '/');
    CHECK(ino(*over, path) == ino(*over, "/"));
    CHECK(stat_error(*over, path + "/") == Errno::enametoolong);
    CHECK(error_of(over->symlink(std::string(kPathMax + 1, 'x'), "/l")) == Errno::enametoolong);
    CHECK(error_of(over->symlink("", "/l")) == Errno::enoent);
}

TEMPLATE_TEST_CASE("forty links are followed and no more", "[path]", OverMemfs, OverDirectory) {
    TestType over;
    test::put(*over, "/l0", "end");
    for (int i = 1; i <= 41; ++i) succeeds(over->symlink("l" + std::to_string(i - 1), "/l" + std::to_string(i)));
    CHECK(value_of(over->stat("/l40")).size == 3);
    CHECK(stat_error(*over, "/l41") == Errno::eloop);
    CHECK(is_symlink(value_of(over->stat("/l41", LastLink::keep)).mode));

    succeeds(over->symlink("loop", "/loop"));
    CHECK(stat_error(*over, "/loop") == Errno::eloop);
    CHECK(stat_error(*over, "/loop/x") == Errno::eloop);
    CHECK(error_of(over->open_file("/loop", kOCreat | kOWronly)) == Errno::eloop);
    succeeds(over->symlink("b/x", "/a"));
    succeeds(over->symlink("a/x", "/b"));
    CHECK(stat_error(*over, "/a") == Errno::eloop);

    // Links in the middle count as well.
    succeeds(over->symlink(".", "/self"));
    std::string path;
    for (int i = 0; i < 40; ++i) path += "self/";
    CHECK(ino(*over, path + "l0") == ino(*over, "l0"));
    CHECK(stat_error(*over, path + "self/l0") == Errno::eloop);
}

TEMPLATE_TEST_CASE("a long target does not count against the rest of the path", "[path]", OverMemfs, OverDirectory) {
    TestType over;
    test::put(*over, "/file", "x");
    std::string target;
    while (target.size() < 4000) target += "./";
    succeeds(over->symlink(target, "/long"));
    std::string rest = "long";
    while (rest.size() < 500) rest += "/.";
    CHECK(value_of(over->stat(rest + "/file")).size == 1);
}

TEST_CASE("no link and no path leads out of the served directory", "[path]") {
    OverDirectory over;
    const test::ScratchDirectory outside;
    std::filesystem::create_symlink(outside.path(), over.directory.path() / "absolute");
    std::filesystem::create_symlink("../../../../../../../../../../etc", over.directory.path() / "relative");
    CHECK(stat_error(*over, "absolute") == Errno::enoent);
    CHECK(stat_error(*over, "relative") == Errno::enoent);
    CHECK(stat_error(*over, "relative/passwd") == Errno::enoent);
    CHECK(stat_error(*over, "../../../../../../etc/passwd") == Errno::enoent);
    succeeds(over->mkdir("/etc"));
    CHECK(ino(*over, "relative") == ino(*over, "/etc"));
    CHECK(error_of(over->open_file("absolute/x", kOCreat | kOWronly)) == Errno::enoent);
    CHECK(std::filesystem::is_empty(outside.path()));
}

TEST_CASE("a walk begins once more when something on its way was replaced", "[path]") {
    OverMemfs over;
    make_tree(*over);
    int refused = 0;
    over.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        const bool deep = std::string_view(question.name.data(), question.name.size()) == "deep";
        if (question.opcode == wire::Opcode::lookup && deep && refused < 1) {
            ++refused;
            fault.error = Errno::estale;
        }
        return fault;
    });
    CHECK(value_of(over->stat("/link/sub/deep")).size == 4);
    CHECK(refused == 1);
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        const bool deep = std::string_view(question.name.data(), question.name.size()) == "deep";
        const bool finds = question.opcode == wire::Opcode::lookup || question.opcode == wire::Opcode::create;
        if (finds && deep) fault.error = Errno::estale;
        return fault;
    });
    CHECK(stat_error(*over, "/dir/sub/deep") == Errno::estale);
    // A walk that has begun to create does not start again.
    CHECK(error_of(over->open_file("/dir/sub/deep", kOCreat | kOWronly)) == Errno::estale);
    over.fs.set_faults({});
}

TEST_CASE("a server out of descriptors gets back what we hold, and is asked once more", "[path]") {
    OverMemfs over;
    make_tree(*over);
    // It has room for three nodes besides the root.
    const auto exhausted = [&](wire::Opcode opcode) {
        return [&, opcode](const backends::MemfsQuestion& question) {
            backends::MemfsFault fault;
            if (question.opcode == opcode && over->nodes().size() > 3) fault.error = Errno::emfile;
            return fault;
        };
    };
    CHECK(over->nodes().idle() > 3);
    over.fs.set_faults(exhausted(wire::Opcode::lookup));
    CHECK(value_of(over->stat("/dir/sub/deep")).size == 4);
    CHECK(over->nodes().size() <= 3);
    over.fs.set_faults({});
    (void)value_of(over->list("/dir"));
    (void)value_of(over->list("/"));
    over.fs.set_faults(exhausted(wire::Opcode::open));
    CHECK(test::get(*over, "/file_link") == "file");
    over.fs.set_faults({});
    (void)value_of(over->list("/dir"));
    (void)value_of(over->list("/"));
    over.fs.set_faults(exhausted(wire::Opcode::create));
    test::put(*over, "/new", "new");
    over.fs.set_faults({});
    (void)value_of(over->list("/dir"));
    (void)value_of(over->list("/"));
    over.fs.set_faults(exhausted(wire::Opcode::opendir));
    CHECK(value_of(over->list("/dir/sub")).size() == 1);
    // Nothing left to give back: then it is as the server says.
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::open) fault.error = Errno::enfile;
        return fault;
    });
    CHECK(error_of(over->open_file("/file_link", kORdonly)) == Errno::enfile);
    over.fs.set_faults({});
}

TEST_CASE("a name with a NUL is never sent", "[path]") {
    OverMemfs over;
    CHECK(over->mkdir(std::string_view("a\0b", 3)).errc == Errc::bad_argument);
    CHECK(over->symlink(std::string_view("a\0b", 3), "/l").errc == Errc::bad_argument);
    CHECK(over->stat(std::string_view("a\0b", 3)).failure().errc == Errc::bad_argument);
}

namespace {

void look_up(OverMemfs& over, posix::PathSteps& steps) {
    client::Lookup lookup;
    lookup.call.name = steps.name();
    over->channel().run(lookup, over->credentials().caller, steps.nodeid());
    REQUIRE(lookup.succeeded());
    steps.handle_entry(lookup.call.reply);
}

} // namespace

TEST_CASE("the steps of a walk say what they want and take what they get", "[path]") {
    OverMemfs over;
    succeeds(over->symlink("dir", "/link"));
    succeeds(over->mkdir("/dir"));
    using Want = posix::PathSteps::Want;
    posix::PathSteps steps(over->nodes());
    CHECK(steps.want() == Want::failed); // nothing was asked yet

    steps.to_file("link/x/", LastLink::keep);
    REQUIRE(steps.want() == Want::lookup);
    CHECK(steps.nodeid() == wire::kRootNodeId);
    CHECK(steps.name() == "link");
    look_up(over, steps);
    REQUIRE(steps.want() == Want::readlink);
    CHECK(steps.nodeid() != wire::kRootNodeId);
    steps.handle_target("/dir");
    REQUIRE(steps.want() == Want::lookup);
    CHECK(steps.nodeid() == wire::kRootNodeId);
    CHECK(steps.name() == "dir");
    look_up(over, steps);
    REQUIRE(steps.want() == Want::lookup);
    CHECK(steps.name() == "x");
    CHECK(steps.nodeid() == steps.parent().nodeid());
    CHECK(steps.must_be_directory());
    steps.handle_failure(Errno::enoent);
    REQUIRE(steps.want() == Want::failed);
    CHECK(steps.failure().error == Errno::enoent);

    steps.to_file("/", LastLink::follow);
    REQUIRE(steps.want() == Want::attributes);
    CHECK(steps.nodeid() == wire::kRootNodeId);
    wire::AttrOut answer{};
    answer.attr.mode = kSIfdir | 0755;
    steps.handle_attributes(answer);
    REQUIRE(steps.want() == Want::arrived);
    CHECK(steps.ending() == posix::PathSteps::Ending::root);

    steps.to_parent("dir/../.");
    REQUIRE(steps.want() == Want::lookup);
    look_up(over, steps);
    REQUIRE(steps.want() == Want::arrived);
    CHECK(steps.ending() == posix::PathSteps::Ending::dot);
    CHECK(steps.parent().nodeid() == wire::kRootNodeId);
    CHECK(steps.name().empty());
}

TEST_CASE("the steps of a walk take no target that no server may give", "[path]") {
    OverMemfs over;
    succeeds(over->symlink("dir", "/link"));
    posix::PathSteps steps(over->nodes());
    steps.to_file("link", LastLink::follow);
    look_up(over, steps);
    steps.handle_target("");
    CHECK(steps.failure().error == Errno::enoent);
    steps.to_file("link", LastLink::follow);
    look_up(over, steps);
    steps.handle_target(std::string_view("a\0b", 3));
    CHECK(steps.failure().errc == Errc::protocol_violation);
}
