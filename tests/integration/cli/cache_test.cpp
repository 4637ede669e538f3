// SPDX-License-Identifier: BSD-2-Clause
// --cache: a session asks once for names and attributes, or each time.
#include "integration/cli/json_lines.hpp"
#include "integration/cli/share.hpp"
#include "support/watchdog.hpp"

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

using namespace vfsproto;
using test::Ran;
using test::RunningProgram;
using test::Server;
using test::Share;
using test::Watchdog;
using Json = nlohmann::json;

namespace {

constexpr int kDirectories = 5;
constexpr int kFiles = 100; // of each

void fill(const std::filesystem::path& share) {
    for (int i = 0; i < kDirectories; ++i) {
        const auto directory = share / ("d" + std::to_string(i));
        std::filesystem::create_directory(directory);
        for (int j = 0; j < kFiles; ++j) std::ofstream(directory / ("f" + std::to_string(j))) << j;
    }
}

using Operations = std::set<std::string>;

// Returns how often the program asked for one of these.
std::uint64_t calls_of(const Operations& wanted, const Share& share, const std::string& mode,
                       const std::string& script) {
    const Ran ran = share.run({"--cache", mode, "--trace-summary", "--trace-format", "json", "run", "-"}, script);
    CHECK(ran.status == 0);
    std::uint64_t count = 0;
    const Json summary = Json::parse(ran.err);
    for (const Json& row : summary["operations"]) {
        if (wanted.contains(row["op"].get<std::string>())) count += row["calls"].get<std::uint64_t>();
    }
    return count;
}

// Returns how often the program asked for a name or for attributes.
std::uint64_t questions(const Share& share, const std::string& mode, const std::string& script) {
    return calls_of({"LOOKUP", "GETATTR", "STATX"}, share, mode, script);
}

} // namespace

TEST_CASE("a second ls -lR on one connection asks for no name and no attributes", "[cli]") {
    Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fill(share.path());
    const std::string once = "ls -lR /\n";
    const std::uint64_t asked_once = questions(share, "always", once);
    CHECK(asked_once <= 1 + kDirectories);
    CHECK(questions(share, "always", once + once) == asked_once);
    CHECK(questions(share, "none", once + once) == 2 * questions(share, "none", once));
}

TEST_CASE("a second ls -lR on one connection reads no directory", "[cli]") {
    Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fill(share.path());
    const Operations reads{"READDIR", "READDIRPLUS"};
    const std::string once = GENERATE("ls -lR /\n", "ls -R /\n");
    const std::uint64_t read_once = calls_of(reads, share, "always", once);
    CHECK(read_once >= 1 + kDirectories);
    CHECK(calls_of(reads, share, "always", once + once) == read_once);
    CHECK(calls_of(reads, share, "none", once + once) == 2 * calls_of(reads, share, "none", once));
}

TEST_CASE("a second ls -R reads no directory of a server that tells of changes, for as long as it allows", "[cli]") {
    const Share share(Server::embedded);
    fill(share.path());
    const Operations reads{"READDIR", "READDIRPLUS"};
    CHECK(calls_of(reads, share, "auto", "ls -R /\nls -R /\n") == calls_of(reads, share, "auto", "ls -R /\n"));
}

TEST_CASE("a second look at links on one connection asks for none of their targets", "[cli]") {
    Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    std::filesystem::create_directory(share.path() / "d");
    share.write("d/f", "content");
    std::filesystem::create_directory_symlink("d", share.path() / "to_d");
    std::filesystem::create_symlink("to_d/f", share.path() / "to_f");
    const std::string once = "ls -l /\ncat to_f\nreadlink to_d\n";
    CHECK(calls_of({"READLINK"}, share, "always", once) == 2);
    CHECK(calls_of({"READLINK"}, share, "always", once + once) == 2);
    CHECK(calls_of({"READLINK"}, share, "none", once + once) == 2 * calls_of({"READLINK"}, share, "none", once));
}

TEST_CASE("what commands of one connection change is what later ones see, whatever is kept", "[cli]") {
    Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fill(share.path());
    const std::string mode = GENERATE("none", "auto", "always");
    const Ran ran = share.run({"--cache", mode, "run", "-"}, "ls d0\nls d1\n"
                                                             "mv d0/f0 d1/moved\n"
                                                             "rm -r d0\n"
                                                             "mkdir d0\n"
                                                             "cp d1/moved d0/copy\n"
                                                             "ls d0\n"
                                                             "cat d0/copy d1/moved\n"
                                                             "stat d1/f0\n");
    CHECK(ran.err == "");
    CHECK(ran.status == 0);
    CHECK(ran.out.find("copy\n00") != std::string::npos);
}

TEST_CASE("a command that writes asks what is there, whatever is kept", "[cli]") {
    const Watchdog watchdog("a command that writes");
    const Share share(Server::embedded);
    share.write("file", "old");
    RunningProgram program({"--device", "dir:" + share.path().string(), "--cache", "always", "run", "-"});
    program.write("stat file\nmkdir told\n");
    while (!std::filesystem::exists(share.path() / "told")) std::this_thread::yield();
    share.write("file", "longer than what is kept");
    const std::string copy = share.beside("copy").string();
    program.write("get file " + copy + "\nput --checksum " + copy + " file\n");
    CHECK(program.wait().status == 0);
    CHECK(Share::contents(copy) == "longer than what is kept");
    CHECK(share.read("file") == "longer than what is kept");
}

TEST_CASE("a put onto the file itself is refused although an older state of it is kept", "[cli]") {
    const Watchdog watchdog("a put onto the file itself");
    const Share share(Server::embedded);
    share.write("file", "old");
    std::filesystem::create_hard_link(share.path() / "file", share.path() / "other");
    RunningProgram program({"--device", "dir:" + share.path().string(), "--cache", "always", "run", "-k", "-"});
    program.write("ls -l /\nmkdir told\n");
    while (!std::filesystem::exists(share.path() / "told")) std::this_thread::yield();
    share.write("file", "longer than what is kept");
    program.write("put " + (share.path() / "file").string() + " /file\n");
    CHECK(program.wait().status != 0);
    CHECK(share.read("file") == "longer than what is kept");
}

TEST_CASE("--cache takes none, auto or always", "[cli]") {
    Share share(Server::embedded);
    CHECK(test::contains(share.complaint({"--cache", "never", "ls"}, 2), "--cache"));
}
