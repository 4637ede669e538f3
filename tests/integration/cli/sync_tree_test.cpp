// SPDX-License-Identifier: BSD-2-Clause
// The command sync-tree moves what differs, and removes only what the source is sure not to have.
#include "integration/cli/local_files.hpp"
#include "integration/cli/printed_lines.hpp"
#include "integration/cli/refusing_host.hpp"
#include "integration/cli/share.hpp"
#include "integration/cli/tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

using namespace vfsproto::test;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

void make_tree(const fs::path& top) {
    fs::create_directories(top / "dir/deep");
    write_file(top / "file", "content");
    write_file(top / "dir/other", "other");
    write_file(top / "dir/deep/run", "#!");
    fs::create_hard_link(top / "file", top / "dir/linked");
    fs::create_symlink("file", top / "link");
    REQUIRE(::mkfifo((top / "fifo").c_str(), 0640) == 0);
    REQUIRE(::chmod((top / "dir/deep/run").c_str(), 0750) == 0);
}

// Adds what the source does not have, of every kind.
void add_surplus(const fs::path& top) {
    fs::create_directories(top / "surplus/deep");
    write_file(top / "surplus/deep/file", "surplus");
    write_file(top / "dir/surplus", "surplus");
    fs::create_symlink("../../outside", top / "link to surplus");
    REQUIRE(::mkfifo((top / "dir/deep/surplus").c_str(), 0600) == 0);
}

// One direction, and where both trees lie. `outside` is beside the target.
struct Direction {
    std::string from;
    std::string to;
    fs::path source;
    fs::path target;

    [[nodiscard]] std::vector<std::string> with(std::initializer_list<std::string> options) const {
        std::vector<std::string> words{"sync-tree"};
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), {from, to});
        return words;
    }
};
// Returns a direction with nothing on either side.
Direction towards(const Share& share, const std::string& where) {
    const fs::path here = share.beside("here");
    const fs::path there = share.path() / "there";
    for (const fs::path& top : {here, there}) fs::remove_all(top);
    if (where == "here") return {":there", here, there, here};
    return {here, ":there", here, there};
}

// Returns one with a tree on both sides, and more of it at the target.
Direction towards_surplus(const Share& share, const std::string& where) {
    Direction direction = towards(share, where);
    make_tree(direction.source);
    make_tree(direction.target);
    add_surplus(direction.target);
    return direction;
}

Json sums_of(const Share& share, const Direction& direction, std::initializer_list<std::string> options) {
    std::vector<std::string> words = direction.with(options);
    words.insert(words.begin(), "--json");
    return copied_sums(share.output(words));
}

std::string tree_difference(const Direction& direction) {
    return difference(describe_tree(direction.source), describe_tree(direction.target));
}

} // namespace

TEST_CASE("sync-tree copies a tree, and then only what differs", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    for (const char* where : {"here", "there"}) {
        INFO(where);
        const Direction direction = towards(share, where);
        make_tree(direction.source);
        CHECK(share.output(direction.with({})) == "");
        CHECK(tree_difference(direction) == "");
        const Json again = sums_of(share, direction, {});
        CHECK(again["files"] == 0);
        CHECK(again["bytes"] == 0);
        CHECK(again["unchanged"] == 6); // all but the three directories
        CHECK(again["removed"] == 0);

        write_file(direction.source / "dir/other", "OTHER"); // of equal size, and later
        set_time(direction.source / "dir/other", 5000);
        REQUIRE(::chmod((direction.source / "dir/deep/run").c_str(), 0700) == 0); // of the bytes nothing changed
        const Json changed = sums_of(share, direction, {});
        CHECK(changed["files"] == 1);
        CHECK(changed["bytes"] == 5);
        CHECK(tree_difference(direction) == "");

        write_file(direction.source / "dir/other", "Other"); // of equal size and time
        set_time(direction.source / "dir/other", 5000);
        CHECK(sums_of(share, direction, {})["files"] == 0);
        CHECK(sums_of(share, direction, {"--checksum"})["files"] == 1);
        CHECK(Share::contents(direction.target / "dir/other") == "Other");
    }
}

TEST_CASE("sync-tree --delete removes what the source does not have, and nothing without it", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    for (const char* where : {"here", "there"}) {
        INFO(where);
        const Direction direction = towards_surplus(share, where);
        const fs::path outside = direction.target.parent_path().parent_path() / "outside";
        fs::create_directories(outside);
        write_file(outside / "file", "precious");
        CHECK(share.output(direction.with({})) == "");
        CHECK(fs::exists(direction.target / "surplus/deep/file"));

        const std::string shown = where == std::string_view("here") ? direction.target.string() : "there";
        std::string lines;
        for (const char* name :
             {"dir/deep/surplus", "dir/surplus", "link to surplus", "surplus", "surplus/deep", "surplus/deep/file"}) {
            lines += "would remove " + shown + '/' + name + '\n';
        }
        CHECK(sorted_lines(share.output(direction.with({"--delete", "--dry-run"}))) == sorted_lines(lines));
        CHECK(fs::exists(direction.target / "surplus/deep/file"));

        CHECK(sums_of(share, direction, {"--delete"})["removed"] == 6);
        CHECK(tree_difference(direction) == "");
        CHECK(Share::contents(outside / "file") == "precious");
        CHECK(sums_of(share, direction, {"--delete"})["removed"] == 0);
    }
}

TEST_CASE("sync-tree --delete leaves what --exclude names, with the directories above it", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    for (const char* where : {"here", "there"}) {
        INFO(where);
        const Direction direction = towards_surplus(share, where);
        write_file(direction.source / "file.o", "not copied");
        write_file(direction.target / "surplus/deep/kept.o", "kept");
        CHECK(share.output(direction.with({"--delete", "--exclude", "*.o", "--exclude", "/dir/deep/"})) == "");
        CHECK_FALSE(fs::exists(direction.target / "file.o"));
        CHECK(Share::contents(direction.target / "surplus/deep/kept.o") == "kept");
        CHECK(fs::exists(direction.target / "dir/deep/surplus"));
        CHECK_FALSE(fs::exists(direction.target / "surplus/deep/file"));
        CHECK_FALSE(fs::exists(direction.target / "dir/surplus"));
    }
}

TEST_CASE("sync-tree --delete removes nothing where not all was copied", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    for (const char* where : {"here", "there"}) {
        INFO(where);
        const Direction direction = towards_surplus(share, where);
        fs::remove(direction.target / "file");
        fs::create_directory(direction.target / "file"); // in the way
        const Ran ran = share.run(direction.with({"--delete"}));
        INFO(ran.err);
        CHECK(ran.status == 1);
        CHECK(contains(ran.err, "EISDIR"));
        CHECK(contains(ran.err, "nothing is removed there: not all was copied"));
        CHECK(fs::exists(direction.target / "surplus/deep/file"));
        CHECK(fs::exists(direction.target / "dir/surplus"));
    }
}

TEST_CASE("sync-tree --delete removes nothing that the source may have after all", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    const Direction direction = towards(share, "there");
    make_tree(direction.source);
    make_tree(direction.target);
    for (const char* name : {"cannot be looked at", "is in no list", "surplus"}) {
        write_file(direction.target / name, "there");
    }
    write_file(direction.source / "is in no list", "here");
    const RefusingHost host("look=13 readdir=0"); // EACCES
    const Ran ran = share.run(direction.with({"--delete"}));
    INFO(ran.err);
    CHECK(ran.status == 1);
    CHECK(contains(ran.err, "cannot be looked at: Permission denied (EACCES)"));
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
    CHECK(Share::contents(direction.target / "cannot be looked at") == "there");
    CHECK(Share::contents(direction.target / "is in no list") == "there");
    CHECK_FALSE(fs::exists(direction.target / "surplus"));
}

TEST_CASE("sync-tree takes one directory of each side", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const Direction direction = towards(share, "there");
    make_tree(direction.source);
    for (const auto& [from, to] : {std::pair{":a", ":b"}, std::pair{"a", "b"}}) {
        CHECK(contains(share.complaint({"sync-tree", from, to}, 2), "begins with a colon"));
    }
    write_file(share.beside("file"), "no directory");
    share.write("file", "no directory");
    CHECK(contains(share.complaint({"sync-tree", share.beside("file"), ":there"}), "ENOTDIR"));
    CHECK(contains(share.complaint({"sync-tree", ":file", share.beside("copy")}), "ENOTDIR"));
    CHECK_FALSE(share.exists("there"));
    CHECK_FALSE(fs::exists(share.beside("copy")));
    // Links at the ends of both local paths are followed: what they lead to is meant.
    const fs::path link = share.beside("link");
    fs::create_symlink("here", link);
    CHECK(share.output({"sync-tree", link, ":there"}) == "");
    CHECK(tree_difference(direction) == "");
    fs::remove_all(direction.source);
    fs::create_directory(direction.source);
    CHECK(share.output({"sync-tree", ":there", link}) == "");
    CHECK(tree_difference(direction) == "");
    CHECK(fs::is_symlink(link));
    const Ran itself = share.run({"sync-tree", "--delete", share.path() / "there", ":there"});
    CHECK(itself.status == 1);
    CHECK(contains(itself.err, "is the same directory as"));
    CHECK(share.read("there/dir/other") == "other");
}

// A copy beside its source: nothing of either is to go.
TEST_CASE("sync-tree --delete removes nothing where the source lies in the target", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const fs::path target = share.path() / "there";
    for (const fs::path inside : {"source", "deep/below/source", "dir/deep"}) {
        const fs::path source = target / inside;
        const std::string remote = ":there/" + inside.string();
        for (const auto& [from, to] : {std::pair<std::string, std::string>{remote, target}, {source, ":there"}}) {
            INFO(from << " to " << to);
            fs::remove_all(target);
            make_tree(target);
            make_tree(source);
            const Ran ran = share.run({"sync-tree", "--delete", from, to});
            INFO(ran.err);
            CHECK(ran.status == 1);
            CHECK(contains(ran.err, "is the source, and lies in the target: nothing is removed"));
            CHECK(Share::contents(source / "dir/other") == "other");
            CHECK(Share::contents(target / "file") == "content");
        }
    }
}

TEST_CASE("sync-tree --delete removes nothing from a directory that the source lost meanwhile", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    for (const char* where : {"here", "there"}) {
        INFO(where);
        const Direction direction = towards(share, where);
        for (const fs::path& top : {direction.source, direction.target}) {
            make_tree(top);
            fs::create_directory(top / "vanishes");
        }
        write_file(direction.target / "vanishes/the last one", "precious");
        write_file(direction.target / "surplus", "surplus");
        const RefusingHost host("vanish=2");
        const Ran ran = share.run(direction.with({"--delete"}));
        INFO(ran.err);
        CHECK(ran.status == 1);
        CHECK(contains(ran.err, "vanishes: No such file or directory (ENOENT)"));
        CHECK(contains(ran.err, "nothing is removed from "));
        CHECK(Share::contents(direction.target / "vanishes/the last one") == "precious");
        CHECK_FALSE(fs::exists(direction.target / "surplus"));
    }
}

TEST_CASE("sync-tree --delete keeps a file whose name is told in other letters", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    for (const char* where : {"here", "there"}) {
        INFO(where);
        const Direction direction = towards(share, where);
        for (const fs::path& top : {direction.source, direction.target}) make_tree(top);
        write_file(direction.source / "dir/photo.jpg", "picture");
        write_file(direction.target / "dir/PHOTO.JPG", "picture");
        for (const fs::path& file : {direction.source / "dir/photo.jpg", direction.target / "dir/PHOTO.JPG"}) {
            set_time(file, 5000);
        }
        write_file(direction.target / "surplus", "surplus");
        const RefusingHost host("fold=2");
        const Ran ran = share.run(direction.with({"--delete"}));
        INFO(ran.err);
        CHECK(ran.status == 1);
        CHECK(contains(ran.err, "dir/photo.jpg: has another name in its directory: nothing is removed there"));
        CHECK(Share::contents(direction.target / "dir/PHOTO.JPG") == "picture");
        CHECK_FALSE(fs::exists(direction.target / "surplus"));
    }
}
