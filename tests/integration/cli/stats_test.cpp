// SPDX-License-Identifier: BSD-2-Clause
// stats: what a session has asked for, as the trace of the same session tells it.
#include "integration/cli/json_lines.hpp"
#include "integration/cli/share.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <regex>
#include <string>
#include <vector>

using namespace vfsproto::test;
using Json = nlohmann::json;

namespace {

using Words = std::vector<std::string>;

struct Calls {
    std::uint64_t calls = 0;
    std::uint64_t errors = 0;
    bool operator==(const Calls&) const = default;
};
using Operations = std::map<std::string, Calls>;

Operations operations_of(const Json& object) {
    Operations operations;
    for (const Json& row : object.at("operations")) {
        operations[row.at("op")] = {row.at("calls").get<std::uint64_t>(), row.at("errors").get<std::uint64_t>()};
    }
    return operations;
}

// Returns the lines that the command stats printed within a script.
std::vector<Json> stats_of(const Share& share, const std::string& script, Words options = {}) {
    options.insert(options.end(), {"--json", "run", "-"});
    std::vector<Json> stats;
    for (const Json& line : json_lines(share.output(options, script))) {
        if (line.contains("hiprio")) stats.push_back(line);
    }
    return stats;
}

void fill_tree(const Share& share) {
    share.write("file", "content");
    std::filesystem::create_directory(share.path() / "dir");
    share.write("dir/one", "1");
    share.write("dir/two", "2");
}

} // namespace

TEST_CASE("stats counts the calls and errors of each operation as the trace does", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fill_tree(share);
    const Ran ran = share.run({"--json", "--trace-summary", "--trace-format", "json", "run", "-"},
                              "ls -lR /\ncat file\nrm -f missing\nstat file dir/one\nstats\n");
    CHECK(ran.status == 0);
    const Operations counted = operations_of(json_lines(ran.out).back());
    const Operations traced = operations_of(Json::parse(ran.err));
    CHECK(counted.at("LOOKUP").errors > 0);
    for (const char* const op : {"LOOKUP", "GETATTR", "OPENDIR", "OPEN"}) { // a RELEASE may come after stats
        INFO(op);
        CHECK(counted.contains(op) == traced.contains(op));
        if (counted.contains(op)) CHECK(counted.at(op) == traced.at(op));
    }
    for (const char* const op : {"INIT", "DESTROY", "FORGET", "BATCH_FORGET"}) CHECK_FALSE(counted.contains(op));
}

TEST_CASE("stats counts from the start of the session, or from the last --reset", "[cli]") {
    const Share share(Server::embedded);
    fill_tree(share);
    const auto stats = stats_of(share, "stats\nls -d file\nstats --reset\nstats\nls -d file\nstats\nstats\n");
    REQUIRE(stats.size() == 5);
    CHECK(operations_of(stats[0]).empty());
    CHECK(stats[0].at("requests").at("ended") == 0);
    CHECK(operations_of(stats[1]) == Operations{{"LOOKUP", {2, 0}}}); // it looks twice
    CHECK(operations_of(stats[2]).empty());
    CHECK(stats[2].at("requests").at("ended") == 0);
    CHECK(stats[2].at("queue").at("doorbells") == 0);
    CHECK(stats[3].at("operations") == stats[1].at("operations"));
    CHECK(stats[4].at("operations") == stats[1].at("operations"));
    CHECK(stats[4].at("requests").at("ended") == stats[1].at("requests").at("ended"));
    for (const Json& each : stats) CHECK(each.at("requests").at("violations") == 0);
}

TEST_CASE("stats counts READs and WRITEs of the fast path as one number, and by their rows beside a trace", "[cli]") {
    const Share share(Server::embedded);
    constexpr std::uint64_t kReads = 20;
    share.write("file", std::string(64 * 1024, 'x'));
    const std::string script = "bench --op read --path file --size 64K --count " + std::to_string(kReads) + "\nstats\n";
    const auto fast = stats_of(share, script);
    REQUIRE(fast.size() == 1);
    CHECK(fast[0].at("requests").at("fast_transfers") >= kReads);
    CHECK(fast[0].at("requests").at("lost_transfers") == 0);
    const auto traced = stats_of(share, script, {"--trace", share.beside("trace").string()});
    REQUIRE(traced.size() == 1);
    CHECK(traced[0].at("requests").at("fast_transfers") == 0);
    CHECK(operations_of(traced[0]).at("READ").calls >= kReads);
    std::uint64_t sum = 0;
    for (const auto& [op, row] : operations_of(traced[0])) sum += row.calls;
    CHECK(traced[0].at("requests").at("ended") == sum);
}

TEST_CASE("stats tells what the caches knew, and nothing where nothing is kept", "[cli]") {
    const Share share(Server::embedded);
    fill_tree(share);
    const std::string script = "ls -lR /\nls -d dir/one\nstats --reset\nls -d dir/one\nstats\n";
    const auto kept = stats_of(share, script, {"--cache", "always"});
    REQUIRE(kept.size() == 2);
    CHECK(kept[0].at("names").at("held_now") == 4);
    CHECK(kept[0].at("files").at("known_now") == 4);
    CHECK(kept[0].at("listings").at("misses") == 2); // of the root and of "dir"
    CHECK(kept[0].at("listings").at("kept") == 2);
    CHECK(kept[1].at("listings").at("misses") == 0);
    CHECK(kept[1].at("listings").at("held_now") == 2);
    CHECK(kept[1].at("names").at("hits") == 4);
    CHECK(kept[1].at("names").at("misses") == 0);
    CHECK(kept[1].at("names").at("held_now") == 4);
    CHECK(kept[1].at("attributes").at("hits") == 2);
    CHECK(kept[1].at("attributes").at("misses") == 0);
    CHECK(operations_of(kept[1]).empty());
    const auto asked = stats_of(share, script, {"--cache", "none"});
    REQUIRE(asked.size() == 2);
    for (const char* const key : {"hits", "absent_hits", "misses", "expired", "kept", "evicted", "held_now"}) {
        CHECK(asked[0].at("names").at(key) == 0);
    }
    for (const char* const key : {"hits", "misses", "kept", "evicted", "held_now"}) {
        CHECK(asked[0].at("targets").at(key) == 0);
        CHECK(asked[0].at("listings").at(key) == 0);
    }
    CHECK(operations_of(asked[1]) == Operations{{"LOOKUP", {4, 0}}}); // of two names, twice
}

TEST_CASE("stats for people is a table and parts, in a shell as elsewhere", "[cli]") {
    const Share share(Server::embedded);
    fill_tree(share);
    const std::string text = share.output({"shell"}, "cat file\nstats\n");
    CHECK(std::regex_search(text, std::regex("contentoperation +calls +errors +failures\n")));
    CHECK(std::regex_search(text, std::regex("\nLOOKUP +[1-9][0-9]* +0 +0\n")));
    CHECK(std::regex_search(text, std::regex("\n\nrequests\n  ended +[1-9][0-9]*\n")));
    CHECK(std::regex_search(text, std::regex("\n  fast transfers +[0-9]+\n")));
    CHECK(std::regex_search(text, std::regex("\n\nnames\n  hits +0\n")));
    CHECK_FALSE(contains(text, "INIT"));
    const std::string alone = share.output({"stats"});
    CHECK(std::regex_search(alone, std::regex("^operation +calls +errors +failures\n\nrequests\n  ended +0\n")));
}
