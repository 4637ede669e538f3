// SPDX-License-Identifier: BSD-2-Clause
// Links and special files of a tree take the place of what is there in one step, or leave it.
#include "integration/cli/refusing_host.hpp"
#include "integration/cli/share.hpp"

#include <sys/stat.h>

#include <algorithm>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

void make_source(const fs::path& top) {
    fs::create_directory(top);
    fs::create_symlink("somewhere", top / "link");
    REQUIRE(::mkfifo((top / "fifo").c_str(), 0600) == 0);
    std::ofstream(top / "one") << "linked";
    fs::create_hard_link(top / "one", top / "two");
}

void make_target(const fs::path& top) {
    fs::create_directory(top);
    for (const char* name : {"link", "fifo", "one", "two"}) std::ofstream(top / name) << "old " << name;
}

// A temporary name that was left over shows here.
std::vector<std::string> names_in(const fs::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
}
const std::vector<std::string> kNames = {"fifo", "link", "one", "two"};

// Holds the words of a command, and where its target lies. Each command copies the tree called "tree", of its own side.
struct Copy {
    std::vector<std::string> words;
    fs::path target;
};
Copy copy_by(const Share& share, const std::string& command) {
    if (command == "get") return {{"get", "-rT", "tree", share.beside("copy")}, share.beside("copy")};
    if (command == "put") return {{"put", "-rT", share.beside("tree"), "copy"}, share.path() / "copy"};
    return {{"cp", "-rT", "tree", "copy"}, share.path() / "copy"};
}

} // namespace

TEST_CASE("what a link or a FIFO was to replace stays where that cannot be made", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    for (const fs::path& top : {share.path() / "tree", share.beside("tree")}) make_source(top);
    const auto [words, target] = copy_by(share, GENERATE("get", "put", "cp"));
    make_target(target);
    const RefusingHost host("symlinkat=28 mknodat=28"); // ENOSPC
    const Ran ran = share.run(words);
    INFO(ran.err);
    CHECK(ran.status == 1);
    CHECK(contains(ran.err, "ENOSPC"));
    for (const char* name : {"link", "fifo"}) {
        CHECK(fs::is_regular_file(fs::symlink_status(target / name)));
        CHECK(Share::contents(target / name) == std::string("old ") + name);
    }
    CHECK(names_in(target) == kNames);
}

TEST_CASE("links, hard links and FIFOs take the places of files, and of themselves", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    for (const fs::path& top : {share.path() / "tree", share.beside("tree")}) make_source(top);
    for (const char* command : {"get", "put", "cp"}) {
        INFO(command);
        const auto [words, target] = copy_by(share, command);
        fs::remove_all(target);
        make_target(target);
        for (int times = 0; times < 2; ++times) {
            CHECK(share.output(words) == "");
            CHECK(fs::read_symlink(target / "link") == "somewhere");
            CHECK(fs::is_fifo(target / "fifo"));
            CHECK(Share::contents(target / "one") == "linked");
            CHECK(Share::contents(target / "two") == "linked");
            const bool linked = fs::hard_link_count(target / "one") == 2;
            CHECK(linked == (std::string_view(command) != "cp")); // cp makes files of both, as cp(1) does
            CHECK(names_in(target) == kNames);
        }
    }
}

// A file of several names is written in place.
TEST_CASE("a file that becomes a link while it is replaced is not written through", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    for (const fs::path& top : {share.path(), fs::path(share.beside("."))}) std::ofstream(top / "new") << "new";
    const bool is_put = GENERATE(true, false);
    const fs::path top = is_put ? share.path() : fs::path(share.beside("."));
    std::ofstream(top / "becomes a link") << "old";
    for (const char* name : {"other name", "third name"}) fs::create_hard_link(top / "becomes a link", top / name);
    std::ofstream(top / "victim") << "precious";
    const RefusingHost host(is_put ? "swap=2" : "swap=1");
    const Ran ran = is_put ? share.run({"put", share.beside("new"), "becomes a link"})
                           : share.run({"get", "new", share.beside("becomes a link")});
    INFO((is_put ? "put: " : "get: ") << ran.err);
    CHECK(ran.status == 1);
    CHECK(fs::is_symlink(top / "becomes a link")); // so the test did what it says
    CHECK(Share::contents(top / "victim") == "precious");
    CHECK(Share::contents(top / "other name") == "old");
}
