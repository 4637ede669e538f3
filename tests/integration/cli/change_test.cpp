// SPDX-License-Identifier: BSD-2-Clause
// The commands that change: mkdir, rmdir, rm, mv, ln, chmod, chown, touch, truncate, xattr, sync.
#include "integration/cli/json_lines.hpp"
#include "integration/cli/share.hpp"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <regex>

using vfsproto::test::Server;
using vfsproto::test::Share;
using Json = nlohmann::json;
namespace fs = std::filesystem;

TEST_CASE("mkdir, rmdir and rm make and remove", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    CHECK(share.output({"mkdir", "a", "ls"}) == "");
    CHECK(share.complaint({"mkdir", "a"}) == "vfsproto: mkdir: a: File exists (EEXIST)");
    CHECK(share.complaint({"mkdir", "x/y"}) == "vfsproto: mkdir: x/y: No such file or directory (ENOENT)");
    CHECK(share.output({"mkdir", "-p", "x/y//z/", "a"}) == "");
    CHECK(fs::is_directory(share.path() / "x/y/z"));
    CHECK(share.output({"mkdir", "-m", "700", "private"}) == "");
    CHECK(share.output({"mkdir", "-p", "-m", "755", "private", "x/above/new"}) == "");
    CHECK((status(share, "private").st_mode & 07777) == 0700); // it was there
    CHECK((status(share, "x/above/new").st_mode & 07777) == 0755);
    CHECK(share.output({"rmdir", "private", "a"}) == "");
    CHECK_FALSE(share.exists("a"));
    CHECK(share.complaint({"rmdir", "x"}) == "vfsproto: rmdir: x: Directory not empty (ENOTEMPTY)");
    share.write("file", "");
    CHECK(share.output({"rm", "file"}) == "");
    CHECK_FALSE(share.exists("file"));
    CHECK(share.output({"rm", "-f", "file"}) == "");
    CHECK(share.complaint({"rm", "file"}) == "vfsproto: rm: file: No such file or directory (ENOENT)");
    CHECK(share.complaint({"rm", "x"}).find("vfsproto: rm: x: Is a directory (EISDIR)") == 0);
}

TEST_CASE("mkdir -m opens a directory to nobody before its mode is set", "[cli]") {
    const Share share(Server::embedded);
    const std::string trace = share.beside("trace");
    CHECK(share.output({"--trace", trace, "--trace-only", "MKDIR", "mkdir", "-p", "-m", "700", "above/private"}) == "");
    const std::string told = Share::contents(trace);
    INFO(told);
    CHECK(std::regex_search(told, std::regex("start MKDIR .* mode=0700 .*name=\"private\"")));
    CHECK(std::regex_search(told, std::regex("start MKDIR .* mode=0777 .*name=\"above\"")));
}

TEST_CASE("rm -r removes everything below, and links rather than what they point to", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fs::create_directories(share.path() / "tree/a/b/c");
    fs::create_directory(share.path() / "kept");
    share.write("kept/file", "x");
    for (int i = 0; i < 300; ++i) share.write("tree/a/f" + std::to_string(i), "x");
    fs::create_directory_symlink("../kept", share.path() / "tree/link");
    CHECK(share.output({"rm", "-r", "tree"}) == "");
    CHECK_FALSE(share.exists("tree"));
    CHECK(share.exists("kept/file"));
    CHECK(share.complaint({"rm", "-r", "/"}).find("vfsproto: rm: /: ") == 0);
    CHECK(share.complaint({"rm", "-r", "kept/.."}).find("vfsproto: rm: kept/..: ") == 0);
    CHECK(share.exists("kept/file"));
}

TEST_CASE("mv renames, moves into directories, keeps what must not be replaced, and exchanges", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("one", "1");
    share.write("two", "2");
    fs::create_directory(share.path() / "dir");
    CHECK(share.output({"mv", "--exchange", "one", "two"}) == "");
    CHECK(share.read("one") == "2");
    CHECK(share.complaint({"mv", "--no-clobber", "one", "two"}).find("File exists (EEXIST)") != std::string::npos);
    CHECK(share.read("two") == "1");
    CHECK(share.output({"mv", "one", "two"}) == "");
    CHECK(share.read("two") == "2");
    CHECK_FALSE(share.exists("one"));
    share.write("three", "3");
    CHECK(share.output({"mv", "two", "three", "dir"}) == "");
    CHECK(share.read("dir/two") == "2");
    CHECK(share.read("dir/three") == "3");
    CHECK(share.complaint({"mv", "dir/two", "dir/three", "nowhere"}) ==
          "vfsproto: mv: nowhere: No such file or directory (ENOENT)");
}

TEST_CASE("ln makes hard and symbolic links", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("file", "x");
    fs::create_directory(share.path() / "dir");
    CHECK(share.output({"ln", "file", "hard"}) == "");
    CHECK(status(share, "hard").st_ino == status(share, "file").st_ino);
    CHECK(share.output({"ln", "-s", "no/where", "soft"}) == "");
    CHECK(fs::read_symlink(share.path() / "soft") == "no/where");
    CHECK(share.output({"ln", "-s", "../file", "dir"}) == "");
    CHECK(fs::read_symlink(share.path() / "dir/file") == "../file");
    CHECK(share.complaint({"ln", "file", "hard"}) == "vfsproto: ln: hard: File exists (EEXIST)");
}

TEST_CASE("chmod understands what chmod(1) understands", "[cli][heavy]") {
    const Share share(Server::embedded);
    share.write("ours", "");
    share.write("theirs", "");
    fs::create_directory(share.path() / "ours.d");
    fs::create_directory(share.path() / "theirs.d");
    const std::vector<std::string> modes = {
        "644",   "0",   "7777",      "u+x",  "go-r",  "a+X",    "u=rw,go=r", "+t",   "ug+s",  "o=g",    "g=u-w",
        "u-w+x", "a=",  "u=rwxs,o=", "=r",   "+w",    "u+rw-x", "g+u",       "o-t",  "a+rwx", "ug=rwX", "-w",
        "+X",    "o+s", "00644",     "2755", "04755", "755",    "u=s",       "ug-s", "=s",    "a=rx",   "g=s,o=g"};
    for (const char* before : {"000", "640", "755", "4711"}) {
        for (const std::string& mode : modes) {
            for (const char* kind : {"", ".d"}) {
                INFO(before << " " << mode << kind);
                const std::string ours = std::string("ours") + kind;
                const std::string theirs = std::string("theirs") + kind;
                const auto bits = static_cast<mode_t>(std::stoul(before, nullptr, 8));
                REQUIRE(::chmod((share.path() / ours).c_str(), bits) == 0);
                REQUIRE(::chmod((share.path() / theirs).c_str(), bits) == 0);
                CHECK(share.output({"chmod", mode, ours}) == "");
                const std::string command =
                    "chmod -- " + mode + " '" + (share.path() / theirs).string() + "' 2>/dev/null";
                static_cast<void>(!std::system(command.c_str()));
                CHECK((status(share, ours).st_mode & 07777) == (status(share, theirs).st_mode & 07777));
            }
        }
    }
    for (const char* mode : {"", "888", "17777", "u", "u+q", "z+x", "u+x,", "+gx"}) {
        INFO(mode);
        CHECK(share.run({"chmod", mode, "ours"}).status == 2);
    }
}

TEST_CASE("chmod and chown change what the server holds", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("file", "");
    fs::create_symlink("file", share.path() / "link");
    CHECK(share.output({"chmod", "u=rwx,go=", "file"}) == "");
    CHECK((status(share, "file").st_mode & 07777) == 0700);
    CHECK(share.output({"chmod", "2644", "link"}) == "");
    CHECK((status(share, "file").st_mode & 07777) == 02644);
    CHECK(share.run({"chown", "no-such-user", "file"}).status == 2);
    if (::geteuid() != 0) return vfsproto::test::skip("only root gives files away");
    CHECK(share.output({"chown", "1234:2345", "file"}) == "");
    CHECK(status(share, "file").st_uid == 1234);
    CHECK(status(share, "file").st_gid == 2345);
    CHECK(share.output({"chown", ":root", "file"}) == "");
    CHECK(status(share, "file").st_uid == 1234);
    CHECK(status(share, "file").st_gid == 0);
    CHECK(share.output({"chown", "-P", "77", "link"}) == "");
    CHECK(status(share, "link").st_uid == 77);
    CHECK(share.output({"chown", "root:", "link"}) == "");
    CHECK(status(share, "file").st_uid == 0);
}

TEST_CASE("touch and truncate make files and set times and sizes", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("old", "12345");
    const timespec past[2] = {{1000, 5}, {2000, 7}};
    REQUIRE(::utimensat(AT_FDCWD, (share.path() / "old").c_str(), past, 0) == 0);
    const std::time_t before = std::time(nullptr) - 1;
    CHECK(share.output({"touch", "old", "new"}) == "");
    CHECK(status(share, "old").st_mtime >= before);
    CHECK(status(share, "old").st_atime >= before);
    CHECK(status(share, "new").st_size == 0);
    CHECK(share.output({"touch", "-c", "none"}) == "");
    CHECK_FALSE(share.exists("none"));
    CHECK(share.output({"truncate", "-s", "3", "old"}) == "");
    CHECK(share.read("old") == "123");
    CHECK(share.output({"truncate", "-s", "2M", "made", "new"}) == "");
    CHECK(status(share, "made").st_size == 2 << 20);
    CHECK(share.run({"truncate", "-s", "2X", "old"}).status == 2);
    CHECK(share.complaint({"truncate", "-s", "0", "/"}) == "vfsproto: truncate: /: Is a directory (EISDIR)");
    CHECK(share.output({"sync"}) == "");
}

TEST_CASE("xattr sets, gets, lists and removes", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("file", "");
    if (::setxattr((share.path() / "file").c_str(), "user.probe", "1", 1, 0) != 0) {
        return vfsproto::test::skip("no extended attributes here");
    }
    CHECK(share.output({"xattr", "set", "file", "user.note", "text"}) == "");
    CHECK(share.output({"xattr", "get", "file", "user.note"}) == "text");
    CHECK(share.output({"xattr", "set", "file", "user.bytes"}, std::string("\x00\xff", 2)) == "");
    CHECK((share.output({"xattr", "get", "file", "user.bytes"}) == std::string("\x00\xff", 2)));
    CHECK(share.output({"xattr", "ls", "file"}) == "user.bytes\nuser.note\nuser.probe\n");
    CHECK(vfsproto::test::json_lines(share.output({"xattr", "ls", "--json", "file"})).size() == 3);
    const Json value = Json::parse(share.output({"xattr", "get", "--json", "file", "user.bytes"}));
    CHECK(value["value"] == "AP8=");
    CHECK(share.complaint({"xattr", "set", "--create", "file", "user.note", "x"}) ==
          "vfsproto: xattr set: file: File exists (EEXIST)");
    CHECK(share.output({"xattr", "rm", "file", "user.note"}) == "");
    CHECK(share.complaint({"xattr", "get", "file", "user.note"}) ==
          "vfsproto: xattr get: file: No data available (ENODATA)");
}
