// SPDX-License-Identifier: BSD-2-Clause
// --json: lines of objects, as docs/cli.md says, for every command and every error.
#include "integration/cli/json_lines.hpp"
#include "integration/cli/json_schema.hpp"
#include "integration/cli/share.hpp"
#include "support/peak_memory.hpp"
#include "support/scale.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <regex>
#include <sstream>

using namespace vfsproto::test;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

using Words = std::vector<std::string>;

struct Example {
    std::string command;
    Words words; // behind the command
    std::string input{};
};

// A place on this side to copy to; the tests replace it.
const std::string kBeside = "BESIDE";

constexpr const char* kSumOfFile = "c3f9c8c283a2b1f2f1896f27a01cbe3cddc0c9d93f752e4639035a0f5b36f6e8";

const std::vector<Example>& examples() {
    static const std::vector<Example> all{
        {"info", {}},
        {"info", {"--window", "2M"}},
        {"stats", {"--reset"}},
        {"ls", {"-R"}},
        {"ls", {"-l", "-S", "nodes"}},
        {"tree", {}},
        {"stat", {"file", "link", "nodes/null"}},
        {"readlink", {"link"}},
        {"df", {}},
        {"du", {"-c"}},
        {"find", {"/"}},
        {"cat", {"file", "empty", "-"}, "input"},
        {"head", {"-n1", "file"}},
        {"tail", {"-n1", "file", "empty"}},
        {"sha256sum", {"file"}},
        {"sha256sum", {"-c"}, std::string(kSumOfFile) + "  file\n"},
        {"get", {"--dry-run", "file", kBeside}},
        {"put", {"--dry-run", "file-of-host", "sent first"}},
        {"cp", {"--dry-run", "file", "copy"}},
        {"get", {"-r", "tree", kBeside}},
        {"put", {"file-of-host", "put"}},
        {"cp", {"-r", "tree", "copy"}},
        {"get", {"file", kBeside}}, // surplus, where the tree is
        {"sync-tree", {"--dry-run", ":tree", kBeside}},
        {"sync-tree", {"--delete", ":tree", kBeside}},
        {"mkdir", {"made"}},
        {"rmdir", {"made"}},
        {"mv", {"file", "moved"}},
        {"ln", {"moved", "linked"}},
        {"chmod", {"-R", "u+x", "tree"}},
        {"chown", {"0", "moved"}},
        {"truncate", {"-s", "5", "moved"}},
        {"sync", {}},
        {"touch", {"touched"}},
        {"flock", {"-s", "touched", "--", "true"}},
        {"lock", {"touched", "--", "true"}},
        {"lock", {"--test", "touched"}},
        {"lock", {"--test", "-s", "locked"}},
        {"xattr set", {"moved", "user.key", "value"}},
        {"xattr get", {"moved", "user.key"}},
        {"xattr ls", {"moved"}},
        {"xattr rm", {"moved", "user.key"}},
        {"bench", {"--op", "stat", "--count", "3"}},
        {"bench", {"--mapped", "--window", "2M", "--count", "3"}},
        {"run", {"-"}, "# nothing\n"},
        {"shell", {}, "\n"},
        {"manual", {}},
        {"completion", {"bash"}},
        {"rm", {"-r", "tree", "moved"}},
    };
    return all;
}

// Returns the words of a whole line, "--json" and the command before the rest.
Words line_of(const std::string& command, const Words& rest) {
    Words words{"--json"};
    std::istringstream parts(command);
    for (std::string part; parts >> part;) words.push_back(part);
    words.insert(words.end(), rest.begin(), rest.end());
    return words;
}

void fill(const Share& share) {
    share.write("file", "one\ntwo\n");
    share.write("empty", "");
    fs::create_symlink("file", share.path() / "link");
    fs::create_directories(share.path() / "tree/below");
    share.write("tree/below/bad\xff", "x");
    fs::create_symlink("nowhere", share.path() / "tree/symlink");
    fs::create_directory(share.path() / "nodes");
    REQUIRE(::mkfifo((share.path() / "nodes/null").c_str(), 0600) == 0);
    if (::geteuid() == 0 && fs::remove(share.path() / "nodes/null")) {
        static_cast<void>(::mknod((share.path() / "nodes/null").c_str(), S_IFCHR | 0600, ::makedev(1, 3)));
    }
}

bool has_nodes(const Share& share) { return fs::is_character_file(share.path() / "nodes/null"); }

// Returns the names of the commands that the help lists, those of families as "xattr get".
std::set<std::string> commands_of(const Words& family) {
    Words words = family;
    words.emplace_back("--help");
    std::istringstream help(run_program(words).out);
    std::set<std::string> names;
    bool listed = false;
    static const std::regex row("  ([a-z][\\w-]*) .*");
    std::smatch found;
    for (std::string line; std::getline(help, line);) {
        if (line == "Commands:") listed = true;
        if (line.empty()) listed = false;
        if (listed && std::regex_match(line, found, row)) {
            names.insert(family.empty() ? found[1].str() : family.front() + ' ' + found[1].str());
        }
    }
    return names;
}

std::set<std::string> all_commands() {
    std::set<std::string> names = commands_of({});
    for (const char* const family : {"xattr", "device"}) {
        names.erase(family);
        names.merge(commands_of({family}));
    }
    return names;
}

} // namespace

TEST_CASE("the page has the keys that each command prints with --json, and no others", "[cli]") {
    const JsonSchema schema;
    const Share share(Server::embedded);
    fill(share);
    fs::create_directory(share.beside("host"));
    std::ofstream(share.beside("host") / "file-of-host") << "content";
    const bool nodes = has_nodes(share);
    share.write("locked", "0123456789");
    const int locked = ::open((share.path() / "locked").c_str(), O_RDWR | O_CLOEXEC);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_start = 2;
    lock.l_len = 3;
    REQUIRE(::fcntl(locked, F_OFD_SETLK, &lock) == 0);
    std::map<std::string, JsonLines> printed;
    for (const Example& example : examples()) {
        Words words = example.words;
        for (std::string& word : words) {
            if (word == kBeside) word = share.beside("got").string();
            if (word == "file-of-host") word = (share.beside("host") / word).string();
        }
        printed[example.command].add(share.output(line_of(example.command, words), example.input));
    }
    ::close(locked);
    std::vector<std::string> elsewhere{"vhost-user", "vfio"};
    if (!nodes) {
        skip("only root makes device nodes: their keys are not seen");
        elsewhere.emplace_back("devices");
    }
    for (const auto& [command, lines] : printed) {
        INFO(command);
        CHECK(lines.difference(schema.keys(command), elsewhere) == "");
    }
}

TEST_CASE("the page has a section for every command, and so has the test above", "[cli]") {
    const JsonSchema schema;
    CHECK(schema.commands() == all_commands());
    std::set<std::string> shown{
        "device list", "device bind", "device unbind",
        "watch",       "mount",       "serve"}; // device_test.cpp, watch_test.cpp, mount_test.cpp, serve_test.cpp
    for (const Example& example : examples()) shown.insert(example.command);
    CHECK(shown == all_commands());
}

TEST_CASE("with --json every error is a line of JSON on standard error", "[cli]") {
    const JsonSchema schema;
    const Share share(Server::embedded);
    fill(share);
    JsonLines lines;
    const auto add = [&](const Ran& ran, int status) {
        INFO(ran.err);
        CHECK(ran.status == status);
        CHECK(ran.out == "");
        CHECK(json_lines(ran.err).size() == 1);
        lines.add(ran.err);
        return json_lines(ran.err).back().at("error");
    };
    for (const std::string& command : all_commands()) {
        INFO(command);
        CHECK(add(run_program(line_of(command, {"--no-such-option"})), 2).at("command") == command);
    }
    CHECK(add(share.run({"--json", "cat", "missing"}), 1).at("errno") == "ENOENT");
    CHECK(add(share.run({"--json", "cat", "bad\xff"}), 1).at("path_base64") == "YmFk/w==");
    const Json moved = add(share.run({"--json", "mv", "missing", "there"}), 1);
    CHECK(moved.at("path") == "missing");
    CHECK(moved.at("target") == "there");
    CHECK(add(share.run({"--json", "rm", "tree"}), 1).at("errno") == "EISDIR");
    CHECK(add(share.run({"--json", "chmod", "nonsense", "file"}), 2).at("subject") == "nonsense");
    CHECK(add(share.run({"--json", "get", "file", "-"}), 2).at("subject") == "-");
    CHECK(add(run_program({"--json", "no-such-command"}), 2).contains("message"));
    CHECK(add(run_program({"--json", "--device", "dir:/nowhere/at/all", "ls"}), 3).at("subject") ==
          "dir:/nowhere/at/all");
    CHECK(add(run_program({"--json", "--device", "nonsense:", "ls"}), 2).contains("message"));
    CHECK(add(run_program({"--json", "mkdir", "x"}), 2).at("command") == "mkdir");
    std::vector<JsonKey> keys{{"error", "object", "always"}};
    for (JsonKey key : schema.keys("Errors")) {
        key.name.insert(0, "error.");
        keys.push_back(key);
    }
    CHECK(lines.difference(keys, {}) == "");
}

TEST_CASE("the pieces of a file are its base64, with an end where it was read to its end", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    std::string large;
    for (std::uint32_t i = 0; i < 1'000'001; ++i) large += static_cast<char>(i * 2654435761u >> 24);
    share.write("large", large);
    const auto pieces = json_lines(share.output({"cat", "--json", "large"}));
    REQUIRE(pieces.size() > 2);
    std::uint64_t at = 0;
    for (const Json& piece : pieces) {
        CHECK(piece.at("offset") == at);
        CHECK(piece.at("end") == (&piece == &pieces.back()));
        const std::string data = piece.at("data");
        CHECK(data.size() == (piece.at("size").get<std::size_t>() + 2) / 3 * 4);
        if (&piece != &pieces.back()) CHECK(data.find('=') == std::string::npos);
        at += piece.at("size").get<std::uint64_t>();
    }
    CHECK(at == large.size());
    share.write("bytes", std::string("\xff\x00\xfe\x01", 4));
    const auto bytes = json_lines(share.output({"cat", "--json", "bytes"}));
    CHECK(bytes.at(0).at("data") == "/wD+");
    CHECK(bytes.at(1).at("data") == "AQ==");
    const auto part = json_lines(share.output({"tail", "--json", "-c", "2", "bytes"}));
    CHECK(part.at(0).at("offset") == 2);
    CHECK(part.at(0).at("data") == "/gE=");
}

TEST_CASE("output with --json takes no more memory for more of it", "[cli]") {
    if (is_slow()) return skip("a sanitizer has memory of its own");
    const Share share(Server::embedded);
    constexpr long kMost = 32 * 1024; // KiB more than for nearly nothing
    share.write("small", "x");
    share.write("large", "");
    fs::resize_file(share.path() / "large", std::uint64_t{256} << 20);
    const auto peak = [&](const Words& words) {
        Words all{"--device", "dir:" + share.path().string(), "--json"};
        all.insert(all.end(), words.begin(), words.end());
        return peak_memory_of(all);
    };
    CHECK(peak({"cat", "large"}) < peak({"cat", "small"}) + kMost);
    fs::create_directory(share.path() / "many");
    constexpr int kFiles = 20'000;
    for (int i = 0; i < kFiles; ++i) {
        fs::create_hard_link(share.path() / "small", share.path() / "many" / ("name-" + std::to_string(i)));
    }
    const long least = peak({"ls", "small"});
    CHECK(peak({"ls", "many"}) < least + kMost / 4);
    CHECK(peak({"ls", "-S", "many"}) < least + kMost / 2); // a sorted one is held, in little room
    CHECK(peak({"get", "-r", "many", share.beside("copy").string()}) < least + kMost);
}

TEST_CASE("a reader that has gone ends the program by SIGPIPE, or is a failed write", "[cli]") {
    const Share share(Server::embedded);
    share.write("large", "");
    fs::resize_file(share.path() / "large", std::uint64_t{64} << 20);
    const std::string program = program_path() + " --device dir:" + share.path().string();
    const std::string err = share.beside("err").string();
    // Returns what the program left with.
    const auto status_of = [&](const std::string& before, const std::string& style) {
        const std::string status = share.beside("status").string();
        const std::string line =
            "{ " + before + program + style + " cat large 2>" + err + "; echo $? >" + status + "; }";
        CHECK(std::system(("bash -c '" + line + " | head -c 1 >/dev/null'").c_str()) == 0);
        return Share::contents(status);
    };
    for (const char* const style : {"", " --json"}) {
        INFO(style);
        CHECK(status_of("", style) == "141\n");
        CHECK(Share::contents(err) == "");
        CHECK(status_of("trap \"\" PIPE; ", style) == "1\n");
        CHECK(Share::contents(err).find("EPIPE") != std::string::npos);
    }
}
