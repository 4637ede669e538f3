// SPDX-License-Identifier: BSD-2-Clause
// The commands find, du, head and tail are run beside those of findutils and coreutils.
#include "integration/cli/coreutils.hpp"
#include "integration/cli/json_lines.hpp"

#include <algorithm>

using namespace vfsproto::test;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> words_of(const std::string& line) {
    std::vector<std::string> words;
    std::istringstream list(line);
    for (std::string word; list >> word;) words.push_back(word);
    return words;
}

std::string sorted(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream list(text);
    for (std::string line; std::getline(list, line);) lines.push_back(line + "\n");
    std::sort(lines.begin(), lines.end());
    std::string all;
    for (const std::string& line : lines) all += line;
    return all;
}

std::string quoted(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) line += " '" + word + "'";
    return line;
}

} // namespace

TEST_CASE("find finds what find(1) finds", "[cli][heavy]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd));
    if (share.missing()) return;
    fill(share, "t");
    fs::create_directory(share.path() / "t/empty");
    for (const char* line : {"find t",
                             "find t -name *mall",
                             "find t -iname BIG",
                             "find t -name .*",
                             "find t -type d",
                             "find t -type l,f",
                             "find t -size +1k",
                             "find t -size -2k",
                             "find t -size 3c",
                             "find t -size +0",
                             "find t -size -1M -type f",
                             "find t -empty",
                             "find t -newer t/small",
                             "find t ! -name s* -type f",
                             "find t -not -type f",
                             "find t -maxdepth 1",
                             "find t -mindepth 2",
                             "find t -maxdepth 0",
                             "find t/dir t/big",
                             "find t -path t/dir/*",
                             "find t/link",
                             "find t/dir/ -type f -print"}) {
        INFO(line);
        const auto words = words_of(line);
        CHECK(sorted(share.output(words)) == sorted(shell(share, ".", quoted(words))));
    }
    CHECK((share.output({"find", "t/big", "-print0"}) == std::string("t/big\0", 6)));
    CHECK(Json::parse(share.output({"--json", "find", "t", "-name", "big"}))["size"] == 70'000);
    CHECK(share.complaint({"find", "t", "-nmae", "x"}, 2) ==
          "vfsproto: find: unknown test -nmae, did you mean -name? ('vfsproto find --help' says more)");
    CHECK(share.complaint({"find", "t", "-size", "much"}, 2).find("'much' is no size") != std::string::npos);
    CHECK(share.complaint({"find", "t", "-type", "fd"}, 2).find("'fd' is none of") != std::string::npos);
    CHECK(share.complaint({"find", "t", "-name"}, 2).find("-name wants a value") != std::string::npos);
    CHECK(share.complaint({"find", "none"}) == "vfsproto: find: none: No such file or directory (ENOENT)");
}

TEST_CASE("du counts what du(1) counts", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd));
    if (share.missing()) return;
    fill(share, "t");
    fs::create_hard_link(share.path() / "t/big", share.path() / "t/big again");
    REQUIRE(std::system(("sync " + (share.path() / "t/big").string()).c_str()) == 0); // its blocks are there
    for (const char* line :
         {"du t", "du -s t", "du -a t/dir", "du -h t", "du -c t/dir t/small", "du -d 1 t", "du t/big", "du -b t/big",
          "du -ab t/dir/deep/file t/small", "du -s --si t", "du -k t", "du -sc t/big t/dir"}) {
        INFO(line);
        const auto words = words_of(line);
        CHECK(sorted(share.output(words)) == sorted(shell(share, ".", quoted(words))));
    }
    CHECK(Json::parse(share.output({"--json", "du", "-sb", "t/big"}))["bytes"] == 70'000);
    CHECK(share.output({"du", "-s"}).find("\t/\n") != std::string::npos);
}

TEST_CASE("head and tail show what head(1) and tail(1) show", "[cli][heavy]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd));
    if (share.missing()) return;
    std::string lines;
    for (int i = 1; i <= 40'000; ++i) lines += "line " + std::to_string(i) + "\n"; // more than two reads
    share.write("lines", lines);
    share.write("no end", "a\nb\nc");
    share.write("empty", "");
    share.write("one", "\n");
    for (const char* options : {"",       "-n 3",    "-3",        "-n 0",       "-n 39999",   "-n 50000",  "-c 5",
                                "-c 0",   "-c 1K",   "-c 200000", "-n -2",      "-n -39999",  "-n -50000", "-c -5",
                                "-c -1K", "-n +2",   "-n +39999", "-n +50000",  "-n +0",      "-c +5",     "-c +200000",
                                "-v",     "-q -n 1", "-qn -2",    "--lines=-2", "--lines -2", "-n-2"}) {
        for (const std::string command : {"head", "tail"}) {
            for (const char* file : {"lines", "no end", "empty", "one"}) {
                INFO(command << ' ' << options << ' ' << file);
                std::vector<std::string> words = words_of(command + ' ' + options);
                words.emplace_back(file);
                CHECK((share.output(words) == shell(share, ".", quoted(words))));
            }
        }
    }
    CHECK(share.output({"head", "-n1", "lines", "no end"}) == "==> lines <==\nline 1\n\n==> no end <==\na\n");
    CHECK(share.output({"tail", "-qn1", "lines", "no end"}) == "line 40000\nc");
    CHECK(share.complaint({"head", "-n", "x", "lines"}, 2).find("--lines: 'x' is not one of its values") !=
          std::string::npos);
    CHECK(share.complaint({"tail", "/"}) == "vfsproto: tail: /: Is a directory (EISDIR)");
    CHECK(json_lines(share.output({"--json", "head", "-c", "3", "lines"}))[0]["data"] == "bGlu");
}
