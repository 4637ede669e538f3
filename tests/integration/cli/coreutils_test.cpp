// SPDX-License-Identifier: BSD-2-Clause
// Commands that coreutils has too are run beside them, on the same files, and have to come to the same.
#include "integration/cli/coreutils.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

using namespace vfsproto::test;
namespace fs = std::filesystem;

TEST_CASE("ls orders and picks names as ls(1) does", "[cli]") {
    const Share share(Server::embedded);
    fill(share, "t");
    for (const char* options : {"-1",
                                "-a",
                                "-A",
                                "-t",
                                "-S",
                                "-r",
                                "-tr",
                                "-rS",
                                "-at",
                                "-A -a",
                                "-a -A",
                                "-St",
                                "-tS",
                                "-R",
                                "-Rr",
                                "-d",
                                "-1tr small big dir",
                                "-S same dir big small",
                                "-r small big",
                                "-d small big"}) {
        INFO(options);
        std::vector<std::string> words{"ls"};
        std::istringstream list(options);
        bool named = false;
        for (std::string word; list >> word;) {
            named = named || word[0] != '-';
            words.push_back(word[0] == '-' ? word : "t/" + word);
        }
        if (!named) words.emplace_back("t");
        std::string expected = shell(share, ".", [&] {
            std::string line = "ls -1";
            for (std::size_t i = 1; i < words.size(); ++i) line += ' ' + words[i];
            return line;
        }());
        CHECK(share.output(words) == expected);
    }
    const std::string numbers = share.output({"ls", "-n", "t/small"});
    CHECK(numbers.find(' ' + std::to_string(::geteuid()) + ' ' + std::to_string(::getegid()) + ' ') !=
          std::string::npos);
}

TEST_CASE("ls --color paints names as ls(1) does", "[cli]") {
    const Share share(Server::embedded);
    fill(share, "t");
    const fs::path top = share.path() / "t";
    fs::create_symlink("nowhere", top / "dangling");
    fs::create_symlink("dangling", top / "to dangling");
    fs::create_symlink("dir/run", top / "to run");
    share.write("t/a.tar", "");
    share.write("t/B.TAR", "");
    fs::create_hard_link(top / "a.tar", top / "again");
    for (const auto& [name, mode] : std::vector<std::pair<std::string, mode_t>>{
             {"open", 0777}, {"sticky", 01755}, {"open and sticky", 01777}, {"inner", 0755}}) {
        fs::create_directory(top / name);
        REQUIRE(::chmod((top / name).c_str(), mode) == 0);
    }
    share.write("t/group", "");
    REQUIRE(::chmod((top / "group").c_str(), 02755) == 0);
    struct Environment {
        const char* colors;
        const char* terminal;
    };
    for (const Environment& each :
         {Environment{"", "xterm-256color"}, Environment{"", "dumb"}, Environment{"or=40;31;01:mi=01;05;37;41", "dumb"},
          Environment{"or=40;31;01:mi=00", "linux"}, Environment{"mi=7", "linux"},
          Environment{"*.tar=01;31:*.txt=1:fi=00:mh=44:ex=0:di=4:rs=00", "xterm"}}) {
        INFO(each.colors << " " << each.terminal);
        const auto environment = [&](const std::string& line) {
            return "export TERM=" + std::string(each.terminal) + " LS_COLORS='" + each.colors + "'; unset COLORTERM; " +
                   line;
        };
        const std::string ours = program_path() + " --device dir:. ";
        for (const std::string line : {"ls --color=always", "ls --color", "ls --color=always -Ra .", "ls --color=auto",
                                       "ls --color=no", "ls -d --color=force * */", "ls --color=always dir to*"}) {
            INFO(line);
            CHECK(shell(share, "t", environment(ours + line)) == shell(share, "t", environment(line)));
        }
        const std::string details = "ls -ld --color=always ";
        CHECK(shell(share, "t", environment(ours + details + "*")) ==
              shell(share, "t", environment(details + "--time-style=long-iso *")));
    }
    CHECK(contains(share.complaint({"ls", "--color=sometimes"}, 2), "'sometimes' is not one of its values"));
    CHECK_FALSE(contains(share.output({"--json", "ls", "--color", "t"}), "[0m"));
}

TEST_CASE("stat -c formats as stat(1) does", "[cli][heavy]") {
    const Server server = GENERATE(Server::embedded, Server::virtiofsd);
    const Share share(server);
    if (share.missing()) return;
    fill(share, "t");
    for (const std::string format : {"%n", "%a %A %f %F", "%#a %#f", "%b %B %h %i %s", "%u %U %g %G", "%t %T",
                                     "%X %Y %Z", "%x|%y|%z", "%.3Y %.Y %.9X", "[%10s] [%-10s] [%010s]",
                                     "[%-12n] [%12n] [%.2n]", "100%% %n%", "%N", "%5a|%-5a|", "%10U|%-10U|", "%w %W"}) {
        if (format == "%w %W" && server != Server::embedded) continue; // it tells no birth
        for (const char* name : {"t", "t/big", "t/.dotted", "t/link", "t/fifo", "t/!first", "t/small"}) {
            INFO(format << " of " << name);
            CHECK(share.output({"stat", "-c", format, name}) ==
                  shell(share, ".", "stat -c '" + format + "' '" + name + "'"));
        }
    }
    CHECK(share.output({"stat", "--format=%s", "t/big", "t/small"}) == "70000\n3\n");
    CHECK(share.output({"stat", "-Lc", "%s", "t/link"}) == "3\n");
    CHECK(share.complaint({"--json", "stat", "-c", "%s", "t/link"}, 2).find("no JSON") != std::string::npos);
}

TEST_CASE("touch sets the times that touch(1) sets", "[cli]") {
    const Share share(Server::embedded);
    share.write("ours", "");
    share.write("theirs", "");
    share.write("model", "");
    const timespec of_model[2] = {{1'111'111'111, 1}, {1'222'222'222, 2}};
    REQUIRE(::utimensat(AT_FDCWD, (share.path() / "model").c_str(), of_model, 0) == 0);
    const std::vector<std::vector<std::string>> lines = {
        {"-d", "2024-05-31"},
        {"-d", "2024-05-31 17:04"},
        {"-d", "2024-05-31 17:04:09"},
        {"-d", "2024-05-31T17:04:09.25"},
        {"-d", "2024-05-31 17:04:09 +0200"},
        {"-d", "2024-05-31T17:04:09Z"},
        {"-d", "2024-02-29 00:00:00.123456789-05:30"},
        {"--date=@1717167849"},
        {"-d", "@1717167849.5"},
        {"-d", "@-1.25"},
        {"-d", "1969-12-31 23:59:59Z"},
        {"-t", "202405311704"},
        {"-t", "2405311704.09"},
        {"-t", "197001021704.59"},
        {"-t", "05311704"},
        {"-r", "model"},
        {"-a", "-d", "@5"},
        {"-m", "-d", "@6"},
        {"-am", "-d", "@7"},
        {"-a", "-r", "model"},
        {"-d", "1 day ago", "-r", "model"},
        {"-d", "20240531"},
        {"-d", "31 May 2024 17:04"},
        {"-d", "Fri May 31 17:04:09 UTC 2024"},
        {"-d", "2024-05-31 17:04 2 weeks ago"},
        {"-d", "2024-05-31 next month"},
    };
    for (const auto& line : lines) {
        INFO(line.back());
        std::vector<std::string> words{"touch"};
        words.insert(words.end(), line.begin(), line.end());
        words.emplace_back("ours");
        CHECK(share.output(words) == "");
        std::string command = "touch";
        for (const std::string& word : line) command += " '" + word + "'";
        shell(share, ".", command + " theirs");
        CHECK(status(share, "ours").st_mtim.tv_sec == status(share, "theirs").st_mtim.tv_sec);
        CHECK(status(share, "ours").st_mtim.tv_nsec == status(share, "theirs").st_mtim.tv_nsec);
        CHECK(status(share, "ours").st_atim.tv_sec == status(share, "theirs").st_atim.tv_sec);
        CHECK(status(share, "ours").st_atim.tv_nsec == status(share, "theirs").st_atim.tv_nsec);
    }
}

TEST_CASE("touch says what is no date, and sets the times of a link itself", "[cli]") {
    const Share share(Server::embedded);
    share.write("ours", "");
    share.write("model", "");
    for (const char* date :
         {"soon", "2024-13-01", "2024-04-31", "2024-05-31 25:00", "2024-05-31 1704", "@", "@1.", "@1x",
          "2024-05-31T17:04 nowhere", "yesterday ago", "2024-05-31 2024-05-31", "5/31/2024", ""}) {
        INFO(date);
        CHECK(share.complaint({"touch", "-d", date, "ours"}, 2).find("this is no date") != std::string::npos);
    }
    CHECK(share.complaint({"touch", "-t", "1704", "ours"}, 2).find("this is no time") != std::string::npos);
    CHECK(share.complaint({"touch", "-t", "202404311200", "ours"}, 2).find("this is no time") != std::string::npos);
    CHECK(
        contains(share.complaint({"touch", "-t", "202404301200", "-r", "model", "ours"}, 2), "-t excludes -d and -r"));
    CHECK(share.output({"touch", "-d", "@9", "new"}) == "");
    CHECK(status(share, "new").st_mtim.tv_sec == 9);
    fs::create_symlink("ours", share.path() / "link");
    CHECK(share.output({"touch", "-h", "-d", "@11", "link"}) == "");
    CHECK(status(share, "link").st_mtim.tv_sec == 11);
    CHECK(status(share, "ours").st_mtim.tv_sec != 11);
    CHECK(share.complaint({"touch", "-h", "none"}) == "vfsproto: touch: none: No such file or directory (ENOENT)");
}

TEST_CASE("chmod -R changes what chmod(1) changes", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd));
    if (share.missing()) return;
    fill(share, "ours");
    fill(share, "theirs");
    for (const char* mode : {"u=rwX,go=rX", "g+s", "700", "a+rX,o-w", "2755", "00755"}) {
        INFO(mode);
        CHECK(share.output({"chmod", "-R", mode, "ours/dir", "ours/small", "ours/to dir"}) == "");
        shell(share, ".", std::string("chmod -R ") + mode + " theirs/dir theirs/small 'theirs/to dir'");
        for (const char* name : {"dir", "dir/deep", "dir/deep/file", "dir/run", "small", "same", "fifo"}) {
            INFO(name);
            CHECK(status(share, std::string("ours/") + name).st_mode ==
                  status(share, std::string("theirs/") + name).st_mode);
        }
    }
    CHECK(share.output({"chmod", "-R", "000", "ours"}) == "");
    CHECK((status(share, "ours/same").st_mode & 07777) == 0);
    CHECK(share.complaint({"chmod", "-R", "755", "none"}) ==
          "vfsproto: chmod: none: No such file or directory (ENOENT)");
}

TEST_CASE("chown -R changes everything below, and links themselves", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd));
    if (share.missing()) return;
    if (::geteuid() != 0) return skip("only root gives files away");
    fill(share, "t");
    share.write("outside", "");
    fs::create_symlink("../../outside", share.path() / "t/dir/leads out");
    CHECK(share.output({"chown", "-R", "1234:2345", "t"}) == "");
    for (const char* name : {"t", "t/dir", "t/dir/deep/file", "t/link", "t/fifo", "t/dir/leads out", "t/.dotted"}) {
        INFO(name);
        CHECK(status(share, name).st_uid == 1234);
        CHECK(status(share, name).st_gid == 2345);
    }
    CHECK(status(share, "outside").st_uid == 0);
    CHECK(share.output({"chown", "-h", "77", "t/link"}) == "");
    CHECK(status(share, "t/link").st_uid == 77);
    CHECK(status(share, "t/small").st_uid == 1234);
}
