// SPDX-License-Identifier: BSD-2-Clause
// These tests look how much a command asks of the server, and in how many messages it gives files back, by what stats counts.
#include "integration/cli/json_lines.hpp"
#include "integration/cli/share.hpp"
#include "support/watchdog.hpp"

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::test;
using Json = nlohmann::json;

namespace {

// Returns what each "stats" of the script printed with --json. The lines of other commands, which may be many, are not parsed.
std::vector<Json> counts_in(const std::string& text) {
    std::string counts;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (contains(line, "\"hiprio\"")) counts += line + "\n";
    }
    return json_lines(counts);
}

std::uint64_t counted_calls(const Json& counts, const std::string& op) {
    for (const Json& row : counts.at("operations")) {
        if (row.at("op").get<std::string>() == op) return row.at("calls").get<std::uint64_t>();
    }
    return 0;
}

std::uint64_t hiprio_count(const Json& counts, const char* what) {
    return counts.at("hiprio").at(what).get<std::uint64_t>();
}

// Returns how many messages have given files back.
std::uint64_t messages_back(const Json& counts) {
    return hiprio_count(counts, "forget") + hiprio_count(counts, "batch_forget");
}

std::uint64_t files_known(const Json& counts) { return counts.at("files").at("known_now").get<std::uint64_t>(); }

void make_many(const Share& share, const std::string& directory, std::uint64_t files) {
    const std::filesystem::path path = share.path() / directory;
    std::filesystem::create_directory(path);
    for (std::uint64_t i = 0; i < files; ++i) {
        const std::string file = (path / ("file " + std::to_string(i))).string();
        if (::mknod(file.c_str(), S_IFREG | 0600, 0) != 0) FAIL("mknod " << file);
    }
}

// Returns how many files below the share a process has open, those that are gone among them.
std::size_t open_files_below(const Share& share, pid_t process) {
    const std::string below = std::filesystem::canonical(share.path()).string() + "/";
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd")) {
        std::error_code closed; // since the directory was read
        count += std::filesystem::read_symlink(entry.path(), closed).string().starts_with(below) ? 1 : 0;
    }
    return count;
}

constexpr std::uint64_t kFilesAMessage = 64;
constexpr Scale kRemoved{500, 3000, 100'000};

} // namespace

TEST_CASE("ls -lR asks for a hundred files at once, and for none alone", "[cli]") {
    const Server server = GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust);
    const Share share(server);
    if (share.missing()) return;
    constexpr std::uint64_t kFilesAnAnswer = 100;
    constexpr std::uint64_t kFew = 500;
    constexpr std::uint64_t kSmall = 2000;
    constexpr std::uint64_t kFull = 20'000;
    const bool is_large = server == Server::embedded && !is_small();
    const std::uint64_t files = is_slow() ? kFew : is_large ? kFull : kSmall;
    make_many(share, "empty", 0);
    make_many(share, "many", files);
    const auto counts =
        counts_in(share.output({"--json", "run", "-"}, "ls -lR empty\nstats --reset\nls -lR many\nstats\n"));
    REQUIRE(counts.size() == 2);
    // The directory itself is looked up and opened, however many files it has.
    for (const char* const op : {"LOOKUP", "GETATTR", "STATX", "OPENDIR", "READDIR"}) {
        INFO(op);
        CHECK(counted_calls(counts[1], op) == counted_calls(counts[0], op));
    }
    CHECK(counted_calls(counts[0], "LOOKUP") != 0);
    CHECK(counted_calls(counts[0], "READDIR") == 0);
    CHECK(counted_calls(counts[1], "READDIRPLUS") >= counted_calls(counts[0], "READDIRPLUS"));
    CHECK(counted_calls(counts[1], "READDIRPLUS") <= files / kFilesAnAnswer);
}

TEST_CASE("find and rm -r give back 64 files and more in a message, and keep none", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd));
    if (share.missing()) return;
    constexpr std::uint64_t kEnds = 2; // the first that is removed, which goes alone, and what is gathered last
    // A machine that is busy with something else holds the program up, and what was gathered is sent: the best of a few rounds
    // counts.
    constexpr int kRounds = 5;
    const std::uint64_t files = scaled(kRemoved);
    bool is_gathered = false;
    for (int round = 0; round < kRounds && !is_gathered; ++round) {
        make_many(share, "many", files);
        const auto counts =
            counts_in(share.output({"--json", "run", "-"}, "find many\nstats --reset\nrm -rf many\nstats\n"));
        REQUIRE(counts.size() == 2);
        const Json& found = counts[0];
        CHECK(hiprio_count(found, "forgotten_files") + files_known(found) >= files);
        CHECK(messages_back(found) * kFilesAMessage <= hiprio_count(found, "forgotten_files"));
        const Json& removed = counts[1];
        const std::uint64_t forgotten = hiprio_count(removed, "forgotten_files");
        CHECK(forgotten + kFilesAMessage >= files); // the last ones may follow
        CHECK(files_known(removed) == 0);
        CHECK_FALSE(share.exists("many"));
        is_gathered = messages_back(removed) <= forgotten / kFilesAMessage + kEnds;
    }
    // A sanitizer's program is held up in every round while a build runs beside it. Other builds gate this.
    CHECK((is_gathered || is_slow()));
}

TEST_CASE("after find and rm -r a server holds none of the files, while the session goes on", "[cli]") {
    const Watchdog watchdog("removing");
    const Share share(Server::embedded);
    make_many(share, "many", scaled(kRemoved));
    const std::string out = share.beside("out").string();
    RunningProgram program({"--device", "dir:" + share.path().string(), "run", "-"}, out);
    const auto has_said = [&out](const char* word) { return contains(Share::contents(out), word); };
    REQUIRE(program.write("find many -name none\nstats\n"));
    until([&] { return has_said("hiprio"); });
    CHECK(open_files_below(share, program.pid()) != 0); // so that the next look can fail
    REQUIRE(program.write("rm -rf many\npwd\n"));
    until([&] { return open_files_below(share, program.pid()) == 0; });
    const Ran ran = program.wait();
    CHECK(ran.status == 0);
    CHECK(ran.err == "");
    CHECK_FALSE(share.exists("many"));
}
