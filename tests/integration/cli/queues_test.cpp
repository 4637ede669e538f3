// SPDX-License-Identifier: BSD-2-Clause
// --queues: how many request queues a command uses.
#include "integration/cli/json_lines.hpp"
#include "integration/cli/share.hpp"

#include <algorithm>
#include <filesystem>
#include <regex>

using vfsproto::test::contains;
using vfsproto::test::json_lines;
using vfsproto::test::run_program;
using vfsproto::test::Server;
using vfsproto::test::Share;
using Json = nlohmann::json;

TEST_CASE("info says how many request queues are offered, and how many are used", "[cli]") {
    const Server server = GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust);
    const Share share(server);
    if (share.missing()) return;
    struct Case {
        const char* wanted;
        int embedded; // used of the embedded server's, which offers as many; a daemon has one
    };
    const Case one = GENERATE(Case{"1", 1}, Case{"2", 2}, Case{"63", 63});
    const int used = server == Server::embedded ? one.embedded : 1;
    const Json json = Json::parse(share.output({"--queues", one.wanted, "info", "--json"}));
    CHECK(json["device"]["request_queues"] == used);
    CHECK(json["device"]["request_queues_used"] == used);
    const std::string text = share.output({"info", "--queues", one.wanted});
    CHECK(std::regex_search(text, std::regex("request queues used +" + std::to_string(used) + "\n")));
}

TEST_CASE("without --queues one request queue is used", "[cli]") {
    const Share share(Server::embedded);
    CHECK(Json::parse(share.output({"info", "--json"}))["device"]["request_queues_used"] == 1);
}

TEST_CASE("a number of request queues that cannot be is refused in one line", "[cli]") {
    struct Case {
        const char* value;
        const char* complaint;
    };
    const Case one = GENERATE(Case{"0", "'0' is not from 1 to 63"}, Case{"64", "'64' is not from 1 to 63"},
                              Case{"65536", "'65536' is too large"}, Case{"-1", "'-1' is no whole number"},
                              Case{"two", "'two' is no whole number"}, Case{"", "'' is no whole number"});
    const auto ran = run_program({"--queues=" + std::string(one.value), "ls"});
    CHECK(ran.status == 2);
    CHECK(ran.out.empty());
    CHECK(contains(ran.err, "vfsproto: ls: --queues: " + std::string(one.complaint)));
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
}

TEST_CASE("a tree is copied over several request queues as over one", "[cli]") {
    const Share share(Server::embedded);
    std::filesystem::create_directory(share.path() / "tree");
    constexpr int kFiles = 40;
    const std::string text(100'000, 'x');
    for (int i = 0; i < kFiles; ++i) share.write("tree/" + std::to_string(i), text + std::to_string(i));
    const std::filesystem::path to = share.beside("copy");
    CHECK(share.output({"--queues", "4", "get", "-r", "tree", to.string()}).empty());
    for (int i = 0; i < kFiles; ++i) {
        CHECK(Share::contents(to / std::to_string(i)) == text + std::to_string(i));
    }
    CHECK(share.output({"--queues", "4", "put", "-r", to.string(), "back"}).empty());
    for (int i = 0; i < kFiles; ++i) CHECK(share.read("back/" + std::to_string(i)) == text + std::to_string(i));
}

TEST_CASE("stats tells the requests of each queue, and a bench of two threads uses two", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", std::string(64 * 1024, 'x'));
    const char* const depth = GENERATE("1", "4");
    const std::string script =
        "bench --op read --path file --size 64K --count 50 --jobs 2 --iodepth " + std::string(depth) + "\nstats\n";
    const auto lines = json_lines(share.output({"--json", "--queues", "2", "run", "-"}, script));
    REQUIRE(lines.size() == 2);
    const Json& requests = lines[1].at("queue").at("requests");
    REQUIRE(requests.size() == 2);
    CHECK(requests[0] >= 50);
    CHECK(requests[1] >= 50);
    CHECK(requests[0].get<int>() + requests[1].get<int>() == lines[1].at("requests").at("ended").get<int>());
}
