// SPDX-License-Identifier: BSD-2-Clause
// Copies and renames where the host lacks what they would like to use, and two programs at work in one place.
#include "integration/cli/refusing_host.hpp"
#include "integration/cli/share.hpp"
#include "integration/cli/tree.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* kEperm = "1";
constexpr const char* kEio = "5";
constexpr const char* kEinval = "22";
constexpr int kFiles = 5;

std::string refuse(const std::string& call, const char* error) { return call + "=" + error; }

int lines_of(const std::string& text) { return static_cast<int>(std::count(text.begin(), text.end(), '\n')); }

// Makes a tree of a few files, each with two names if they are to be `linked`.
enum class Names { single, linked };
void make_files(const fs::path& tree, Names names) {
    fs::create_directory(tree);
    for (int i = 0; i < kFiles; ++i) {
        const fs::path file = tree / std::to_string(i);
        std::ofstream(file) << "content " << i;
        if (names == Names::linked) fs::create_hard_link(file, tree / (std::to_string(i) + " again"));
    }
}
void check_copy(const fs::path& copy, Names names) {
    for (int i = 0; i < kFiles; ++i) {
        CHECK(Share::contents(copy / std::to_string(i)) == "content " + std::to_string(i));
        if (names == Names::single) continue;
        CHECK(Share::contents(copy / (std::to_string(i) + " again")) == "content " + std::to_string(i));
    }
}

} // namespace

TEST_CASE("a file whose close(2) fails is not copied, and the old one stays", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    share.write("file", "new");
    const fs::path target = share.beside("target");
    std::ofstream(target) << "old";
    const RefusingHost host(refuse("close", kEio));
    CHECK(share.complaint({"get", "file", target.string()}) ==
          "vfsproto: get: " + target.string() + ": Input/output error (EIO)");
    CHECK(Share::contents(target) == "old");
    const fs::path tree = share.beside("tree");
    CHECK(share.run({"get", "-r", "/", tree.string()}).status == 1);
    CHECK(fs::is_empty(tree));
}

TEST_CASE("without hard links where it goes, every name becomes a file, with one warning", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    const bool outwards = GENERATE(true, false);
    const fs::path from = outwards ? share.path() / "tree" : share.beside("tree");
    const fs::path to = outwards ? share.beside("copy") : share.path() / "copy";
    make_files(from, Names::linked);
    const RefusingHost host(refuse("linkat", kEperm));
    const Ran ran =
        outwards ? share.run({"get", "-r", "tree", to.string()}) : share.run({"put", "-r", from.string(), "copy"});
    CHECK(ran.status == 0);
    INFO(ran.err);
    CHECK(lines_of(ran.err) == 1);
    CHECK(ran.err.find("no hard links there") != std::string::npos);
    check_copy(to, Names::linked);
}

TEST_CASE("without modes where it goes, files are copied with one warning", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    make_files(share.path() / "tree", Names::single);
    const fs::path copy = share.beside("copy");
    const RefusingHost host(refuse("fchmod", kEperm));
    const Ran ran = share.run({"get", "-r", "tree", copy.string()});
    CHECK(ran.status == 0);
    INFO(ran.err);
    CHECK(lines_of(ran.err) == 1);
    check_copy(copy, Names::single);
}

TEST_CASE("without times where it goes, -p copies the files and says once what is not kept", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    make_files(share.path() / "tree", Names::single);
    const fs::path copy = share.beside("copy");
    const RefusingHost host(refuse("futimens", kEperm));
    const Ran ran = share.run({"get", "-r", "-p", "tree", copy.string()});
    CHECK(ran.status == 1); // it was asked to keep them
    INFO(ran.err);
    CHECK(lines_of(ran.err) == 1);
    check_copy(copy, Names::single);
}

TEST_CASE("mv -n keeps what is there where the server's file system cannot do it in one step", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    share.write("a", "a");
    share.write("b", "b");
    const RefusingHost host(refuse("renameat2", kEinval));
    CHECK(share.complaint({"mv", "-n", "a", "b"}).find("File exists (EEXIST)") != std::string::npos);
    CHECK(share.read("b") == "b");
    CHECK(share.output({"mv", "-n", "a", "c"}) == "");
    CHECK(share.read("c") == "a");
    CHECK_FALSE(share.exists("a"));
}

TEST_CASE("-n gives a copy its name in one step where the server's file system only has links for that", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    share.write("source", "new");
    const std::string source = share.path() / "source";
    const std::string trace = share.beside("trace");
    const std::string without_rename = refuse("renameat2", kEinval);
    for (const std::string command : {"put", "cp"}) {
        INFO(command);
        const std::string from = command == "put" ? source : "source";
        {
            const RefusingHost host(without_rename);
            CHECK(share.output(
                      {"--trace", trace, "--trace-only", "LINK,RENAME,RENAME2", command, "-n", from, "copy"}) == "");
        }
        CHECK(share.read("copy") == "new");
        CHECK(fs::hard_link_count(share.path() / "copy") == 1); // the temporary name is gone
        const std::string asked = Share::contents(trace);
        CHECK(contains(asked, "LINK"));
        CHECK_FALSE(contains(asked, "RENAME ")); // which would have replaced what came meanwhile
        {
            const RefusingHost host(without_rename + " " + refuse("linkat", kEperm)); // neither links
            CHECK(share.output({command, "-n", from, "other copy"}) == "");
        }
        CHECK(share.read("other copy") == "new");
        fs::remove(share.path() / "copy");
        fs::remove(share.path() / "other copy");
    }
    CHECK(std::distance(fs::directory_iterator(share.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("rm -rf beside another rm -rf: what is gone already is no error", "[cli]") {
    const Share share(Server::embedded);
    constexpr int kDirectories = 40;
    constexpr int kEach = 30;
    for (int i = 0; i < kDirectories; ++i) {
        const fs::path directory = share.path() / "tree" / std::to_string(i);
        fs::create_directories(directory);
        for (int k = 0; k < kEach; ++k) std::ofstream(directory / std::to_string(k)) << "x";
    }
    const std::string device = "dir:" + share.path().string();
    RunningProgram one({"--device", device, "rm", "-rf", "tree"});
    RunningProgram other({"--device", device, "rm", "-rf", "tree"});
    for (RunningProgram* program : {&one, &other}) {
        const Ran ran = program->wait();
        CHECK(ran.status == 0);
        CHECK(ran.err == "");
    }
    CHECK_FALSE(share.exists("tree"));
}

TEST_CASE("a tree much deeper than there are descriptors is copied both ways and removed", "[cli][heavy]") {
    const Server server = GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust);
    const Daemon kind = server == Server::virtiofsd ? Daemon::c : Daemon::rust;
    if (server != Server::embedded && Virtiofsd::missing(kind)) return;
    const Share share(Server::embedded);
    constexpr int kDepth = 100;
    constexpr int kFilesEach = 3;
    fs::path at = share.path() / "tree";
    for (int i = 0; i < kDepth; ++i, at /= "d") {
        fs::create_directory(at);
        for (int k = 0; k < kFilesEach; ++k) std::ofstream(at / std::to_string(k)) << i * kFilesEach + k;
        fs::create_hard_link(at / "0", at / "linked");
    }
    const auto run_with_64 = [&](const std::string& arguments) {
        std::unique_ptr<Virtiofsd> daemon; // has a limit of its own
        if (server != Server::embedded)
            daemon = std::make_unique<Virtiofsd>(kind, std::vector<std::string>{}, share.path());
        const std::string device = daemon ? "vhost-user:" + daemon->socket() : "dir:" + share.path().string();
        const std::string line = "ulimit -n 64; exec " + program_path() + " --device " + device + " " + arguments +
                                 " >" + share.beside("out").string();
        INFO(arguments);
        CHECK(std::system(line.c_str()) == 0);
    };
    const fs::path copy = share.beside("copy");
    run_with_64("get -r -p tree " + copy.string());
    CHECK(difference(describe_tree(share.path() / "tree"), describe_tree(copy)) == "");
    run_with_64("put -r -p " + copy.string() + " back");
    CHECK(difference(describe_tree(copy), describe_tree(share.path() / "back")) == "");
    run_with_64("ls -R back");
    run_with_64("tree back");
    run_with_64("mv back/d/d/d moved");
    run_with_64("mv moved back/d/d/d");
    run_with_64("rm -r back");
    CHECK_FALSE(share.exists("back"));
}
