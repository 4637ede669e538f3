// SPDX-License-Identifier: BSD-2-Clause
// A trace tells every request when it starts and when it ends, also the one that is never answered; and a trace that cannot be
// written costs the command nothing but its exit status.
#include "integration/cli/json_lines.hpp"
#include "integration/cli/share.hpp"
#include "support/narrow_pipe.hpp"
#include "support/watchdog.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <regex>
#include <thread>

using namespace vfsproto::test;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

std::vector<Json> objects_of(const fs::path& trace) {
    std::vector<Json> objects;
    for (const std::string& line : lines_of(Share::contents(trace))) objects.push_back(Json::parse(line));
    return objects;
}

// Checks that each request started and ended once, and that nothing else is there.
void check_pairs(const std::vector<Json>& events) {
    std::map<std::uint64_t, std::string> out;
    for (const Json& event : events) {
        INFO(event.dump());
        const std::uint64_t unique = event.at("unique");
        if (event.at("event") == "start") {
            CHECK(out.emplace(unique, event.at("op")).second);
        } else {
            CHECK(event.at("event") == "end");
            CHECK(event.at("latency_ns") >= 0);
            REQUIRE(out.contains(unique));
            CHECK(out[unique] == event.at("op"));
            out.erase(unique);
        }
    }
    CHECK(out.empty());
}

// Returns the ends of an operation.
std::vector<Json> ends_of(const std::vector<Json>& events, const std::string& op) {
    std::vector<Json> ends;
    std::copy_if(events.begin(), events.end(), std::back_inserter(ends),
                 [&op](const Json& event) { return event["event"] == "end" && event["op"] == op; });
    return ends;
}

const Json& start_of(const std::vector<Json>& events, const std::string& op) {
    const auto at = std::find_if(events.begin(), events.end(),
                                 [&op](const Json& event) { return event["event"] == "start" && event["op"] == op; });
    REQUIRE(at != events.end());
    return *at;
}

std::uint64_t bytes_of(const std::vector<Json>& ends, const char* member) {
    std::uint64_t sum = 0;
    for (const Json& end : ends) sum += end["answer"][member].get<std::uint64_t>();
    return sum;
}

std::string large_content() {
    std::string content(3 << 20, 'x');
    for (std::size_t i = 0; i < content.size(); i += 4096) content[i] = static_cast<char>('a' + i / 4096 % 26);
    return content;
}

} // namespace

TEST_CASE("a text trace has a line for each start and each end, the session's own included", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("file", "content\n");
    const fs::path trace = share.beside("trace");
    CHECK(share.run({"--trace", trace.string(), "cat", "file", "missing"}).status == 1);
    const std::string time = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z)";
    const std::regex start(time + R"( start ([A-Z_0-9]+) unique=0x[0-9a-f]+ node=\d+ queue=[01] slot=\d+ uid=\d+ )"
                                  R"(gid=\d+ pid=\d+ sent=\d+( .*)?)");
    const std::regex end(time + R"( end ([A-Z_0-9]+) unique=0x[0-9a-f]+ node=\d+ latency_us=\d+\.\d{3} error=\S+ )"
                                R"(received=\d+( .*)?)");
    std::string started;
    std::string ended;
    for (const std::string& line : lines_of(Share::contents(trace))) {
        INFO(line);
        std::smatch match;
        if (std::regex_match(line, match, start)) {
            started += match[1].str() + " ";
        } else {
            REQUIRE(std::regex_match(line, match, end));
            ended += match[1].str() + " " + (contains(line, " error=ENOENT ") ? "ENOENT " : "");
        }
    }
    CHECK(started == "INIT LOOKUP OPEN GETATTR READ RELEASE LOOKUP DESTROY ");
    CHECK(ended == "INIT LOOKUP OPEN GETATTR READ RELEASE LOOKUP ENOENT DESTROY ");
}

TEST_CASE("a JSON trace has names, sizes, handles, flags, entries and attributes", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("file", "content\n");
    fs::create_symlink("target\xff", share.path() / "link");
    const fs::path trace = share.beside("trace");
    const std::vector<std::string> options{"--trace", trace.string(), "--trace-format", "json"};
    const auto traced = [&](const std::vector<std::string>& command) {
        std::vector<std::string> words = options;
        words.insert(words.end(), command.begin(), command.end());
        CHECK(share.run(words).status == 0);
        std::vector<Json> events = objects_of(trace);
        check_pairs(events);
        return events;
    };
    const std::vector<Json> cat = traced({"cat", "file"});
    CHECK(start_of(cat, "INIT")["request"]["major"] == 7);
    CHECK(ends_of(cat, "INIT")[0]["answer"]["max_write"] > 0);
    CHECK(start_of(cat, "LOOKUP")["request"]["name"] == "file");
    CHECK(start_of(cat, "LOOKUP")["uid"] == ::geteuid());
    const Json entry = ends_of(cat, "LOOKUP")[0]["answer"];
    CHECK(entry["size"] == 8);
    CHECK(std::stoul(entry["mode"].get<std::string>(), nullptr, 8) == status(share, "file").st_mode);
    CHECK(start_of(cat, "OPEN")["nodeid"] == entry["nodeid"]);
    const Json handle = ends_of(cat, "OPEN")[0]["answer"]["fh"];
    CHECK(start_of(cat, "READ")["request"]["fh"] == handle);
    CHECK(start_of(cat, "READ")["request"]["offset"] == 0);
    CHECK(bytes_of(ends_of(cat, "READ"), "bytes") == 8);
    CHECK(start_of(cat, "RELEASE")["request"]["fh"] == handle);

    const Json target = ends_of(traced({"readlink", "link"}), "READLINK")[0]["answer"];
    CHECK(target["target"] == "target\xef\xbf\xbd");
    CHECK(target["target_base64"] == "dGFyZ2V0/w==");

    const std::vector<Json> list = traced({"ls"});
    const std::vector<Json> plus = ends_of(list, "READDIRPLUS");
    const std::vector<Json> plain = ends_of(list, "READDIR");
    CHECK(bytes_of(plus, "entries") + bytes_of(plain, "entries") >= 2);
}

TEST_CASE("a traced copy shows every byte that goes over, in both directions", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const std::string content = large_content();
    share.write("file", content);
    const fs::path trace = share.beside("trace");
    const fs::path local = share.beside("local");
    CHECK(share.output({"--trace", trace.string(), "--trace-format", "json", "get", "file", local.string()}) == "");
    std::vector<Json> events = objects_of(trace);
    check_pairs(events);
    CHECK(bytes_of(ends_of(events, "READ"), "bytes") == content.size());
    CHECK(share.output({"--trace", trace.string(), "--trace-format", "json", "put", local.string(), "copy"}) == "");
    events = objects_of(trace);
    check_pairs(events);
    CHECK(bytes_of(ends_of(events, "WRITE"), "size") == content.size());
    CHECK(share.read("copy") == content);
}

TEST_CASE("the Chrome trace of a parallel copy is one JSON array of begins and ends in pairs", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    constexpr int kFiles = 60;
    fs::create_directory(share.path() / "tree");
    for (int i = 0; i < kFiles; ++i) share.write("tree/file" + std::to_string(i), std::string(10'000, 'x'));
    const fs::path trace = share.beside("trace");
    CHECK(share.output({"--trace", trace.string(), "--trace-format", "chrome", "get", "-r", "tree",
                        share.beside("copy").string()}) == "");
    const Json events = Json::parse(Share::contents(trace));
    REQUIRE(events.is_array());
    std::map<int, std::pair<std::string, double>> out; // by row
    int reads = 0;
    for (const Json& event : events) {
        INFO(event.dump());
        if (event["ph"] == "M") continue;
        const int row = event["tid"];
        const double time = event["ts"];
        if (event["ph"] == "B") {
            REQUIRE(out.emplace(row, std::pair(event["name"], time)).second);
            continue;
        }
        REQUIRE(event["ph"] == "E");
        REQUIRE(out.contains(row));
        CHECK(out[row].first == event["name"]);
        CHECK(out[row].second <= time);
        out.erase(row);
        reads += event["name"] == "READ" ? 1 : 0;
    }
    CHECK(out.empty());
    CHECK(reads >= kFiles);
}

TEST_CASE("a filter leaves what was asked for, starts of failed requests included", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "content\n");
    const fs::path trace = share.beside("trace");
    const auto ran = [&](const std::vector<std::string>& filters) {
        std::vector<std::string> words{"--trace", trace.string(), "--trace-format", "json"};
        for (const std::string& filter : filters) words.insert(words.end(), {"--trace-only", filter});
        words.insert(words.end(), {"cat", "file", "missing"});
        CHECK(share.run(words).status == 1);
        std::string told;
        for (const Json& event : objects_of(trace)) {
            told += event["event"].get<std::string>() + " " + event["op"].get<std::string>() + " ";
        }
        return told;
    };
    CHECK(ran({"READ,open"}) == "start OPEN end OPEN start READ end READ ");
    CHECK(ran({"error"}) == "start LOOKUP end LOOKUP ");
    CHECK(ran({"error=EACCES"}) == "");
    CHECK(ran({"error,READ"}) == "");
    CHECK(ran({"node=1", "LOOKUP"}) == "start LOOKUP end LOOKUP start LOOKUP end LOOKUP ");
    for (const char* word : {"NOTHING", "node=x", "error=EWHAT"}) {
        const std::string line = share.complaint({"--trace-only", word, "ls"}, 2);
        CHECK(contains(line, word));
    }
    CHECK(contains(share.complaint({"--trace-format", "xml", "ls"}, 2), "xml"));
}

TEST_CASE("a trace to '-' goes to standard error and leaves the output alone", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "content\n");
    const Ran ran = share.run({"--trace", "-", "cat", "file"});
    CHECK(ran.status == 0);
    CHECK(ran.out == "content\n");
    CHECK(contains(ran.err, " start READ "));
    CHECK(contains(ran.err, " end DESTROY "));
    const Ran logged = share.run({"--log", "trace", "cat", "file"});
    CHECK(logged.status == 0);
    CHECK(contains(logged.err, " end READ "));
    CHECK(contains(logged.err, "session open"));
}

TEST_CASE("a summary counts by operation on standard error, with or without a trace", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "content\n");
    const Ran table = share.run({"--trace-summary", "cat", "file", "missing"});
    CHECK(table.out == "content\n");
    CHECK(table.status == 1);
    CHECK(contains(table.err, "% time     seconds "));
    CHECK(std::regex_search(table.err, std::regex(R"( +2 +1 +0 LOOKUP\n)")));
    CHECK(std::regex_search(table.err, std::regex(R"(100\.00 .* total\n)")));
    const fs::path trace = share.beside("trace");
    const Ran json = share.run({"--trace", trace.string(), "--trace-format", "json", "--trace-summary", "--trace-only",
                                "READ", "cat", "file"});
    const Json summary = Json::parse(json.err);
    REQUIRE(summary["operations"].size() == 1);
    CHECK(summary["operations"][0]["op"] == "READ");
    CHECK(summary["operations"][0]["calls"] == ends_of(objects_of(trace), "READ").size());
    const std::string refused =
        share.complaint({"--trace", "-", "--trace-format", "chrome", "--trace-summary", "ls"}, 2);
    CHECK(contains(refused, "--trace-summary would follow"));
}

TEST_CASE("a trace that cannot be written is said once, and the command does its work", "[cli]") {
    const Share share(Server::embedded);
    const std::string content = large_content();
    share.write("file", content);
    const Ran full = share.run({"--trace", "/dev/full", "cat", "file"});
    CHECK(full.out == content);
    CHECK(full.status == 1);
    CHECK(full.err == "vfsproto: cat: /dev/full: No space left on device (ENOSPC)\n");
    const Ran absent = share.run({"--trace", "/nonexistent/trace", "cat", "file"});
    CHECK(absent.out == "");
    CHECK(absent.status == 1);
    CHECK(contains(absent.err, "/nonexistent/trace: No such file or directory (ENOENT)\n"));
}

TEST_CASE("a summary that cannot be written is in the exit status", "[cli]") {
    const Share share(Server::embedded);
    const std::string line =
        program_path() + " --device 'dir:" + share.path().string() + "' --trace-summary ls 2>/dev/full";
    const int left = std::system(line.c_str());
    REQUIRE(WIFEXITED(left));
    CHECK(WEXITSTATUS(left) == 1);
}

TEST_CASE("a request without an answer is told when a signal or a silence ends the program", "[cli][waits]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    const std::string format = GENERATE(as<std::string>{}, "text", "json", "chrome");
    const bool by_signal = GENERATE(true, false);
    if (kind == Daemon::rust && format != "text") return; // each silence takes seconds, and no format knows its daemon
    if (Virtiofsd::missing(kind)) return;
    const Watchdog watchdog("the traced program with a stopped daemon");
    const Share share(Server::embedded);
    const fs::path trace = share.beside("trace");
    Virtiofsd daemon(kind, {}, share.path());
    std::vector<std::string> arguments{
        "--device",       "vhost-user:" + daemon.socket(), "--trace", trace.string(), "--trace-format", format,
        "--trace-summary"};
    if (!by_signal) arguments.insert(arguments.end(), {"--silence", "1"});
    arguments.insert(arguments.end(), {"put", "-", "copy"});
    RunningProgram program(arguments);
    // The file shows what happened while the program waits for input.
    while (!contains(Share::contents(trace), "CREATE")) std::this_thread::yield();
    daemon.stop();
    program.write("content");
    program.close_input();
    // It shows the request that is out, too.
    while (!contains(Share::contents(trace), "WRITE")) std::this_thread::yield();
    if (by_signal) program.signal(SIGTERM);
    const Ran ran = program.wait();
    CHECK(ran.status == (by_signal ? -SIGTERM : 3));
    const std::string text = Share::contents(trace);
    INFO(text);
    if (format == "text") {
        CHECK(contains(text, " unanswered WRITE "));
        CHECK_FALSE(contains(text, " end WRITE "));
    } else if (format == "json") {
        const std::vector<Json> events = objects_of(trace);
        const auto is_lost = [](const Json& event) { return event["event"] == "unanswered" && event["op"] == "WRITE"; };
        REQUIRE(std::count_if(events.begin(), events.end(), is_lost) == 1);
        const Json& lost = *std::find_if(events.begin(), events.end(), is_lost);
        CHECK(lost["request"]["size"] == 7);
        CHECK(lost["waited_ns"] > 0);
    } else {
        const Json events = Json::parse(text);
        const auto is_lost = [](const Json& event) {
            return event["ph"] == "E" && event["name"] == "WRITE" && event["args"].value("unanswered", false);
        };
        CHECK(std::count_if(events.begin(), events.end(), is_lost) == 1);
    }
    CHECK(contains(ran.err,
                   format == "json" ? R"({"op":"WRITE","calls":1,"errors":0,"unanswered":1,)" : "          1 WRITE\n"));
}

TEST_CASE("a signal ends a program whose trace nobody takes", "[cli]") {
    const Watchdog watchdog("the program that traces to a full pipe after a signal");
    const Share share(Server::embedded);
    constexpr int kFiles = 200;
    for (int i = 0; i < kFiles; ++i) share.write("file" + std::to_string(i), "x");
    const NarrowPipe pipe;
    // The watch of --silence looks at the lane, whose lock is kept by the thread that writes the trace.
    const bool watches_silence = GENERATE(false, true);
    std::vector<std::string> arguments{"--device", "dir:" + share.path().string(), "--trace", pipe.path()};
    if (watches_silence) arguments.insert(arguments.end(), {"--silence", "100"});
    arguments.insert(arguments.end(), {"get", "-r", "/", share.beside("copy").string()});
    RunningProgram program(arguments);
    until([&pipe] { return pipe.is_full(); });
    program.signal(SIGTERM);
    const Ran ran = program.wait();
    CHECK(ran.status == -SIGTERM);
    CHECK(ran.err == "");
}

namespace {

// Returns the lines of the example in docs/cli.md.
std::vector<std::string> example(const std::string& name) {
    const std::string page = Share::contents(fs::path(VFSPROTO_SOURCE_DIR) / "docs/cli.md");
    const std::string marker = "<!-- trace: " + name + " -->\n\n";
    const std::size_t at = page.find(marker);
    REQUIRE(at != std::string::npos);
    std::vector<std::string> lines;
    constexpr std::string_view kIndent = "    ";
    for (const std::string& line : lines_of(page.substr(at + marker.size()))) {
        if (!line.starts_with(kIndent)) break;
        lines.push_back(line.substr(kIndent.size()));
    }
    REQUIRE(!lines.empty());
    return lines;
}

// Puts a word for the kind in the place of each value.
Json shape(const Json& value) {
    if (!value.is_structured()) return value.type_name();
    Json shaped = value;
    for (auto& member : shaped) member = shape(member);
    return shaped;
}

std::string text_shape(const std::string& line) {
    const std::string timeless = std::regex_replace(line, std::regex(R"(^\S+Z )"), "TIME ");
    return std::regex_replace(timeless, std::regex(R"re(=("[^"]*"|\S+))re"), "=");
}

std::string number_shape(const std::string& line) {
    return std::regex_replace(line, std::regex(R"( *\b\d+(\.\d+)?)"), " N");
}

template <class Shape>
void check_lines(const std::vector<std::string>& shown, const std::vector<std::string>& real, Shape&& shape) {
    for (const std::string& line : shown) {
        INFO(line);
        const auto wanted = shape(line);
        CHECK(std::any_of(real.begin(), real.end(), [&](const std::string& each) { return shape(each) == wanted; }));
    }
}

// Takes the commas between the elements away.
Json element(std::string line) {
    if (line.ends_with(',')) line.pop_back();
    return line.starts_with('{') ? shape(Json::parse(line)) : Json(line);
}

} // namespace

TEST_CASE("the manual's examples of a trace have the form of a real one", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "content\n");
    const fs::path trace = share.beside("trace");
    const auto traced = [&](const std::string& format) {
        const Ran ran = share.run(
            {"--trace", trace.string(), "--trace-format", format, "--trace-summary", "cat", "file", "missing"});
        CHECK(ran.status == 1);
        return ran.err;
    };
    const std::string summary = traced("text");
    check_lines(example("text"), lines_of(Share::contents(trace)), text_shape);
    check_lines(example("summary"), lines_of(summary), number_shape);
    traced("json");
    check_lines(example("json"), lines_of(Share::contents(trace)), element);
    traced("chrome");
    check_lines(example("chrome"), lines_of(Share::contents(trace)), element);
}
