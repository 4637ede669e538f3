// SPDX-License-Identifier: BSD-2-Clause
// The command cp copies within the device, as cp(1) does, and lets the server copy the bytes.
#include "integration/cli/coreutils.hpp"
#include "integration/cli/json_lines.hpp"
#include "integration/cli/refusing_host.hpp"
#include "integration/cli/tree.hpp"

using namespace vfsproto::test;
using Json = nlohmann::json;
namespace fs = std::filesystem;

TEST_CASE("cp copies files and trees as cp(1) does", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fill(share, "t");
    std::string large;
    for (std::uint32_t i = 0; i < 20'000'000; i += 7) large += std::to_string(i * 2654435761u);
    share.write("t/large", large);
    CHECK(share.output({"cp", "t/large", "large"}) == "");
    CHECK((share.read("large") == large));
    CHECK(share.output({"cp", "-r", "t", "ours"}) == "");
    shell(share, ".", "cp -r t theirs");
    const char* const all = "find . -type d -printf '%P %y %m\\n' -o -printf '%P %y %m %s %l\\n' | sort";
    CHECK(shell(share, "ours", all) == shell(share, "theirs", all));
    CHECK(share.output({"cp", "-rp", "t", "ours p"}) == "");
    shell(share, ".", "cp -rp t 'theirs p'");
    CHECK(difference(describe_tree(share.path() / "theirs p"), describe_tree(share.path() / "ours p")) == "");
    fs::create_directory(share.path() / "into");
    CHECK(share.output({"cp", "t/small", "t/same", "into"}) == "");
    CHECK(share.output({"cp", "-r", "-t", "into", "t/dir", "t/link"}) == "");
    CHECK(share.read("into/dir/deep/file") == "deep");
    CHECK(fs::read_symlink(share.path() / "into/link") == "small");
    CHECK(share.output({"cp", "t/link", "followed"}) == "");
    CHECK(fs::is_regular_file(fs::symlink_status(share.path() / "followed")));
    CHECK(share.output({"cp", "-rT", "t/dir", "into"}) == "");
    CHECK(share.read("into/run") == "#!");
    const auto lines = json_lines(share.output({"--json", "cp", "t/big", "t/small", "into"}));
    REQUIRE(lines.size() == 3);
    CHECK(lines[2]["copied"]["files"] == 2);
}

TEST_CASE("the server copies the bytes of cp", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", std::string(3'000'000, 'x'));
    const std::string trace = share.beside("trace");
    CHECK(share.output({"--trace", trace, "cp", "file", "copy"}) == "");
    CHECK(contains(Share::contents(trace), "COPY_FILE_RANGE"));
    CHECK_FALSE(contains(Share::contents(trace), " WRITE"));
    CHECK((share.read("copy") == share.read("file")));
    // Holes stay holes, and a file whose size is not known is read to its end.
    share.write("holes", "begin");
    fs::resize_file(share.path() / "holes", 50'000'000);
    CHECK(share.output({"cp", "holes", "holes again"}) == "");
    CHECK(status(share, "holes again").st_size == 50'000'000);
    CHECK(status(share, "holes again").st_blocks == status(share, "holes").st_blocks);
    share.write("empty", "");
    CHECK(share.output({"cp", "empty", "copy"}) == "");
    CHECK(share.read("copy") == "");
}

TEST_CASE("cp reads and writes where the server's file system cannot copy", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    share.write("file", std::string(3'000'000, 'x'));
    constexpr const char* kExdev = "18";
    const RefusingHost host(std::string("copy_file_range=") + kExdev);
    CHECK(share.output({"cp", "file", "copy"}) == "");
    CHECK((share.read("copy") == share.read("file")));
}

TEST_CASE("cp does not believe a server that stops copying before the end", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    std::string text;
    while (text.size() < 3'000'000) text += std::to_string(text.size());
    share.write("file", text);
    share.write("long", std::string(5'000'000, 'x')); // of two names, so that it is written in place
    fs::create_hard_link(share.path() / "long", share.path() / "again");
    const RefusingHost host("copy_file_range=0");
    for (const char* copy : {"new", "long"}) {
        INFO(copy);
        CHECK(share.output({"cp", "file", copy}) == "");
        CHECK((share.read(copy) == text));
    }
}

TEST_CASE("cp loses no file: none is copied onto itself, no tree into itself", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd));
    if (share.missing()) return;
    fill(share, "t");
    fs::create_hard_link(share.path() / "t/small", share.path() / "t/again");
    fs::create_symlink("t", share.path() / "alias");
    for (const std::vector<std::string>& words : {std::vector<std::string>{"cp", "t/small", "t/small"},
                                                  {"cp", "t/small", "t/again"},
                                                  {"cp", "t/small", "t/link"},
                                                  {"cp", "t/small", "alias"},
                                                  {"cp", "-r", "t/small", "t/small"},
                                                  {"cp", "-r", "t/link", "alias"},
                                                  {"cp", "-r", "t/fifo", "alias"}}) {
        INFO(words[1] << ' ' << words[2]);
        CHECK(contains(share.complaint(words), "is the same file as"));
    }
    CHECK(share.read("t/small") == "abc");
    CHECK(fs::read_symlink(share.path() / "t/link") == "small");
    CHECK(contains(share.complaint({"cp", "-rT", "t", "alias/"}), "is the same directory as"));
    CHECK(contains(share.complaint({"cp", "-r", "t/dir", "t/dir/deep"}), "cannot copy a directory into itself"));
    CHECK(contains(share.complaint({"cp", "-r", "t/dir", "t/dir/new"}), "cannot copy a directory into itself"));
    CHECK(share.read("t/dir/new/deep/file") == "deep");
    CHECK_FALSE(share.exists("t/dir/new/new"));
    CHECK(share.complaint({"cp", "t/dir", "x"}) ==
          "vfsproto: cp: t/dir: Is a directory (EISDIR): cp -r copies directories");
    CHECK(share.complaint({"cp", "none", "x"}) == "vfsproto: cp: none: No such file or directory (ENOENT)");
    CHECK(contains(share.complaint({"cp", "t/small", "t/dir/deep/file", "x"}), "x: No such file or directory"));
    // A file that is there is replaced in one step, and keeps its other names.
    share.write("old", "old");
    CHECK(share.output({"cp", "t/small", "old"}) == "");
    CHECK(share.read("old") == "abc");
    CHECK(share.output({"ls", "-A"}) == "alias\nold\nt\n");
}
