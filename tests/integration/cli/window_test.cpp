// SPDX-License-Identifier: BSD-2-Clause
// --window: devices served by the program get a shared memory window, info shows it, bench --mapped reads through it.
#include "integration/cli/json_lines.hpp"
#include "integration/cli/share.hpp"

#include <algorithm>
#include <regex>

using namespace vfsproto::test;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// Runs the program on the file system in memory.
Ran run_in_memory(std::vector<std::string> arguments, std::string_view input = {}) {
    arguments.insert(arguments.begin(), {"--device", "memfs:"});
    return run_program(arguments, input);
}

Json json_of(const Ran& ran) {
    INFO(ran.err);
    REQUIRE(ran.status == 0);
    CHECK(ran.err == "");
    return Json::parse(ran.out);
}

} // namespace

TEST_CASE("info tells of the window: its size and what begins where in it", "[cli]") {
    const Share share(Server::embedded);
    const std::vector<std::string> words{"info", "--json", "--window", "4M"};
    for (const Json& info : {Json::parse(share.output(words)), json_of(run_in_memory(words))}) {
        CHECK(info["window"] == Json{{"present", true}, {"size", 4 * kMiB}, {"mapped", true}, {"alignment", 2 * kMiB}});
        const Json& flags = info["fuse"]["flags"];
        CHECK(std::find(flags.begin(), flags.end(), "MAP_ALIGNMENT") != flags.end());
    }
    const std::string text = share.output({"info", "--window", "4MiB"});
    CHECK(std::regex_search(text, std::regex("\nwindow\n +present +true\n +size +4194304\n")));
}

TEST_CASE("info says that there is no window", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const Json info = Json::parse(share.output({"info", "--json"}));
    CHECK(info["window"] == Json{{"present", false}, {"size", 0}, {"mapped", false}});
    CHECK(std::regex_search(share.output({"info"}), std::regex("\nwindow\n +present +false\n")));
}

TEST_CASE("bench --mapped reads a file through a warm window, and sends nothing", "[cli]") {
    const std::string device = GENERATE("dir", "memfs");
    const std::string operation = GENERATE("read", "randread");
    const Share share(Server::embedded);
    std::vector<std::string> words{"bench",  "--mapped", "--op", operation, "--window", "4M",
                                   "--jobs", "2",        "--bs", "64K",     "--count",  "100"};
    const auto run = [&](const std::vector<std::string>& arguments) {
        return device == "dir" ? share.run(arguments) : run_in_memory(arguments);
    };
    const Ran told = run(words);
    CHECK(told.err == "");
    CHECK(std::regex_search(told.out,
                            std::regex("\nwindow +hits 200, mapped anew 0, read by READ 0, faults 0, requests 0\n")));
    words.emplace_back("--json");
    const Json result = json_of(run(words));
    CHECK(result["operations"] == 200);
    CHECK(result["mapped"] == Json{{"hits", 200}, {"set_ups", 0}, {"fallen_back", 0}, {"faults", 0}, {"requests", 0}});
    CHECK(fs::is_empty(share.path()));
}

TEST_CASE("bench --mapped reads a file that is there, to its end", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", std::string(3 * kMiB / 2, 'x'));
    const Json result = json_of(share.run(
        {"--window", "2M", "bench", "--mapped", "--path", "file", "--bs", "512K", "--count", "30", "--json"}));
    CHECK(result["operations"] == 30);
    CHECK(result["mapped"]["hits"] == 30);
    CHECK(result["mapped"]["requests"] == 0);
}

TEST_CASE("bench --mapped is refused in one line where nothing can be read that way", "[cli]") {
    const Share share(Server::embedded);
    CHECK(
        share.complaint({"bench", "--mapped"}) ==
        "vfsproto: bench: --mapped: there is no window that can be mapped: --window SIZE gives one to dir: and memfs:");
    const auto refused = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"--window", "2M", "bench", "--mapped"});
        return share.complaint(words, 2);
    };
    CHECK(contains(refused({"--op", "write"}), "--mapped: only reads go through the window"));
    CHECK(contains(refused({"--op", "stat"}), "--mapped: only reads go through the window"));
    CHECK(contains(refused({"--iodepth", "2"}), "--iodepth: a mapped read has no request on its way"));
    CHECK(contains(refused({"--size", "3M"}), "--size: a window of 2.0 MiB does not hold it"));
    CHECK(fs::is_empty(share.path()));
}

TEST_CASE("bench --mapped is refused by a device that has no window", "[cli]") {
    const Share share(GENERATE(Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    CHECK(contains(share.complaint({"bench", "--mapped"}), "there is no window that can be mapped"));
}

TEST_CASE("a window of a size that cannot be, or of a device that has its own, is refused in one line", "[cli]") {
    const Share share(Server::embedded);
    for (const char* size : {"1M", "3M", "2097153"}) {
        CHECK(contains(share.complaint({"--window", size, "ls"}, 2),
                       "ls: a window has a multiple of 2 MiB, and at most 64 GiB: not "));
    }
    for (const char* size : {"0", "65G", "none", ""}) {
        CHECK(contains(share.complaint({"--window", size, "ls"}, 2), "--window: "));
    }
    for (const char* device : {"vhost-user:/nowhere", "fuse-stream:/nowhere", "vfio:auto"}) {
        const Ran ran = run_program({"--device", device, "--window", "2M", "ls"});
        CHECK(ran.status == 2);
        CHECK(ran.err == std::string("vfsproto: ls: only dir: and memfs: can be given a window: '") + device +
                             "' has its own or none\n");
    }
}

TEST_CASE("with a window everything else goes as without one", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "content\n");
    CHECK(share.output({"--window", "2M", "cat", "file"}) == "content\n");
    const Ran ran = run_in_memory({"--window", "2M", "run", "-"}, "mkdir dir\n"
                                                                  "touch dir/file\n"
                                                                  "ls -R /\n");
    CHECK(ran.err == "");
    CHECK(ran.status == 0);
}

TEST_CASE("memfs: is empty, and has nothing behind its colon", "[cli]") {
    CHECK(run_in_memory({"ls", "-A"}).out == "");
    const Ran ran = run_in_memory({"run", "-"}, "mkdir dir\nln -s target dir/link\nls -A dir\nreadlink dir/link\n");
    CHECK(ran.err == "");
    CHECK(ran.out == "link\ntarget\n");
    const Ran wrong = run_program({"--device", "memfs:x", "ls"});
    CHECK(wrong.status == 2);
    CHECK(contains(wrong.err, "'memfs:x' is no device: say dir:PATH, memfs:, "));
}
