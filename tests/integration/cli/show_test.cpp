// SPDX-License-Identifier: BSD-2-Clause
// The commands that print: ls, tree, stat, cat, readlink, df, info, and their JSON.
#include "integration/cli/json_lines.hpp"
#include "integration/cli/share.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <map>
#include <regex>

using vfsproto::test::json_lines;
using vfsproto::test::Server;
using vfsproto::test::Share;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

void fill(const Share& share) {
    fs::create_directories(share.path() / "dir/deep");
    share.write("file", "hello\n");
    share.write(".hidden", "");
    share.write("dir/numbers", "1\n2\n3\n");
    share.write("dir/deep/last", "");
    fs::create_symlink("dir/numbers", share.path() / "link");
    fs::create_hard_link(share.path() / "file", share.path() / "same");
    fs::permissions(share.path() / "file", fs::perms(0640));
}

} // namespace

TEST_CASE("ls lists names in order, hidden ones and what is below when asked", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fill(share);
    CHECK(share.output({"ls"}) == "dir\nfile\nlink\nsame\n");
    CHECK(share.output({"ls", "-a", "/"}) == ".\n..\n.hidden\ndir\nfile\nlink\nsame\n");
    CHECK(share.output({"ls", "-R", "dir"}) == "dir:\ndeep\nnumbers\n\ndir/deep:\nlast\n");
    CHECK(share.output({"ls", "file", "dir"}) == "file\n\ndir:\ndeep\nnumbers\n");
    CHECK(share.output({"ls", "-d", "dir"}) == "dir\n");
    CHECK(share.output({"ls", "link"}) == "link\n");
}

TEST_CASE("ls -l shows mode, links, owner, size, time, name and where a link points", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fill(share);
    const std::string out = share.output({"ls", "-ln"});
    const std::string ids = std::to_string(::geteuid()) + " +" + std::to_string(::getegid());
    const std::string time = R"( \d{4}-\d\d-\d\d \d\d:\d\d )";
    CHECK(std::regex_search(out, std::regex("(^|\n)drwxr-xr-x +3 " + ids + " +\\d+" + time + "dir\n")));
    CHECK(std::regex_search(out, std::regex("(^|\n)-rw-r----- +2 " + ids + " +6" + time + "file\n")));
    CHECK(std::regex_search(out, std::regex("(^|\n)lrwxrwxrwx +1 " + ids + " +11" + time + "link -> dir/numbers\n")));
}

TEST_CASE("ls -l tells files of every kind apart", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    REQUIRE(::mkfifo((share.path() / "fifo").c_str(), 0600) == 0);
    share.write("set", "");
    REQUIRE(::chmod((share.path() / "set").c_str(), 07655) == 0);
    fs::create_directory(share.path() / "sticky");
    REQUIRE(::chmod((share.path() / "sticky").c_str(), 01777) == 0);
    const bool devices = ::mknod((share.path() / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0;
    const std::string out = share.output({"ls", "-l"});
    CHECK(out.find("prw-------") != std::string::npos);
    CHECK(out.find("-rwSr-sr-t") != std::string::npos);
    CHECK(out.find("drwxrwxrwt") != std::string::npos);
    if (devices) CHECK(std::regex_search(out, std::regex("crw.*1, 3 .*null")));
}

TEST_CASE("ls -lh and df -h show sizes as ls(1) and df(1) do", "[cli]") {
    const Share share(Server::embedded);
    for (const std::uintmax_t size :
         {0ull, 1023ull, 1024ull, 1025ull, 10188ull, 10241ull, 1047553ull, 1048576ull, 5ull << 40}) {
        share.write("file", "");
        fs::resize_file(share.path() / "file", size);
        const std::string shown = share.output({"ls", "-lh", "file"});
        const std::string real = (share.path() / "file").string();
        INFO(shown);
        const std::string same =
            "LC_ALL=C ls -lh '" + real + "' | cut -d ' ' -f 5 > '" + share.beside("size").string() + "'";
        REQUIRE(std::system(same.c_str()) == 0);
        std::string expected = Share::contents(share.beside("size"));
        expected.back() = ' ';
        CHECK(shown.find(' ' + expected) != std::string::npos);
    }
    CHECK(std::regex_search(share.output({"df", "-h"}), std::regex("Size.*\n.* \\d+(\\.\\d)?[KMGTPE] ")));
    CHECK(std::regex_search(share.output({"df", "-H"}), std::regex("Size.*\n.* \\d+(\\.\\d)?[kMGTPE] ")));
    CHECK(share.output({"df", "-h", "-k"}).find("1K-blocks") != std::string::npos);
}

TEST_CASE("tree draws branches and counts", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fill(share);
    CHECK(share.output({"tree"}) == "/\n"
                                    "|-- dir\n"
                                    "|   |-- deep\n"
                                    "|   |   `-- last\n"
                                    "|   `-- numbers\n"
                                    "|-- file\n"
                                    "|-- link -> dir/numbers\n"
                                    "`-- same\n"
                                    "\n2 directories, 5 files\n");
    CHECK(share.output({"tree", "-L", "1", "dir"}) == "dir\n|-- deep\n`-- numbers\n\n1 directory, 1 file\n");
    const auto tree = json_lines(share.output({"tree", "--json", "dir"}));
    REQUIRE(tree.size() == 4);
    CHECK(tree[1]["name"] == "deep");
    CHECK(tree[2]["path"] == "dir/deep/last");
    CHECK(tree[2]["level"] == 2);
}

TEST_CASE("cat writes the bytes of its files, one after the other", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    std::string large;
    for (std::uint32_t i = 0; i < 3'000'000; ++i) large += static_cast<char>(i * 2654435761u >> 24);
    share.write("large", large);
    share.write("small", "end\n");
    share.write("empty", "");
    CHECK((share.output({"cat", "large", "empty", "small"}) == large + "end\n"));
}

TEST_CASE("stat, readlink and df tell what the server's host tells", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fill(share);
    struct stat there{};
    REQUIRE(::stat((share.path() / "file").c_str(), &there) == 0);
    const std::string text = share.output({"stat", "file"});
    CHECK(text.find("File: file\n") != std::string::npos);
    CHECK(text.find("Access: (0640/-rw-r-----)") != std::string::npos);
    const auto json = json_lines(share.output({"--json", "stat", "file", "link"}));
    REQUIRE(json.size() == 2);
    CHECK(json[0]["ino"] == there.st_ino);
    CHECK(json[0]["mode"] == "0640");
    CHECK(json[0]["nlink"] == 2);
    CHECK(json[0]["mtime"] == there.st_mtim.tv_sec);
    CHECK(json[0]["mtime_nsec"] == there.st_mtim.tv_nsec);
    CHECK(json[1]["type"] == "symlink");
    CHECK(json[1]["target"] == "dir/numbers");
    CHECK(Json::parse(share.output({"stat", "-L", "--json", "link"}))["size"] == 6);
    CHECK(share.output({"readlink", "link"}) == "dir/numbers\n");
    CHECK(Json::parse(share.output({"readlink", "link", "--json"}))["target"] == "dir/numbers");
    CHECK(share.output({"df"}).find("Use%") != std::string::npos);
    CHECK(share.output({"df", "-h"}).find("Size") != std::string::npos);
    CHECK(Json::parse(share.output({"df", "--json"}))["size"] > 0);
}

TEST_CASE("info names transport, features, flags, limits, quirks and space", "[cli]") {
    const Server server = GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust);
    const Share share(server);
    if (share.missing()) return;
    const Json json = Json::parse(share.output({"info", "--json"}));
    CHECK(json["device"]["transport"] == (server == Server::embedded ? "loopback" : "vhost-user"));
    const auto has = [](const Json& list, const char* name) {
        return std::find(list.begin(), list.end(), name) != list.end();
    };
    CHECK(has(json["device"]["features_used"], "VERSION_1"));
    CHECK(has(json["fuse"]["flags"], "ASYNC_READ"));
    CHECK(json["fuse"]["version"].get<std::string>().substr(0, 2) == "7.");
    CHECK(json["fuse"]["max_write"] >= 4096);
    CHECK(json["quirks"].contains("server"));
    CHECK(json["quirks"]["lock_waits"] == (server == Server::embedded ? "by server" : "by client"));
    CHECK(json["statfs"]["blocks"] > 0);
    const std::string text = share.output({"info", "--queue-size", "64"});
    CHECK(std::regex_search(text, std::regex("queue size +64\n")));
    CHECK(std::regex_search(text, std::regex("max write +[0-9]+\n")));
}

TEST_CASE("ls --json lists what can be looped over", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fill(share);
    const auto json = json_lines(share.output({"ls", "-R", "--json"}));
    REQUIRE(json.size() == 7);
    std::map<std::string, Json> files;
    for (const Json& file : json) files[file["path"]] = file;
    CHECK(files["/dir"]["type"] == "directory");
    CHECK(files["/file"]["name"] == "file");
    CHECK(files["/file"]["size"] == 6);
    CHECK(json[6]["path"] == "/dir/deep/last");
    const auto sorted = json_lines(share.output({"ls", "-S", "-r", "--json", "file", "dir/numbers"}));
    REQUIRE(sorted.size() == 2);
    CHECK(sorted[0]["size"] <= sorted[1]["size"]);
}

TEST_CASE("a name that is no UTF-8 is shown as it is in a pipe, and replaced in JSON", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const std::string name = "bad\xff\nname";
    share.write(name, "content");
    CHECK(share.output({"ls"}) == name + "\n");
    const Json json = Json::parse(share.output({"ls", "--json"}));
    CHECK(json["name"] == "bad\xef\xbf\xbd\nname");
    CHECK(json["name_base64"] == "YmFk/wpuYW1l");
    CHECK(share.output({"cat", name}) == "content");
    CHECK(share.complaint({"cat", name + "s"}) ==
          "vfsproto: cat: bad\\xff\\nnames: No such file or directory (ENOENT)");
}

TEST_CASE("a listing of hundreds of entries is complete", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    std::string expected;
    for (int i = 1000; i < 2500; ++i) {
        share.write("file-" + std::to_string(i), "");
        expected += "file-" + std::to_string(i) + "\n";
    }
    CHECK((share.output({"ls"}) == expected));
    CHECK(json_lines(share.output({"ls", "--json"})).size() == 1500);
}
