// SPDX-License-Identifier: BSD-2-Clause
// A recorder makes a trace of what lanes tell, from several threads at once, and ends it with what is still out.
#include "../../../src/cli/trace_recorder.hpp"
#include "support/catch.hpp"
#include "support/scratch_directory.hpp"

#include "vfsproto/fuse/wire/dirents.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::cli;
using client::TraceEvent;
using wire::Opcode;
using Parsed = nlohmann::json;

namespace {

class Recorded {
public:
    explicit Recorded(std::string_view only = {}) {
        options.file = (scratch_.path() / "trace").string();
        options.format = TraceFormat::json;
        if (!only.empty()) REQUIRE(options.only.add(only));
        recorder.emplace(options, "a device", nullptr);
        hook = recorder->hook();
    }
    void start(const TraceEvent& event) const { hook.started(hook.context, event); }
    void finish(const TraceEvent& event) const { hook.finished(hook.context, event); }

    // Ends the trace and returns its lines.
    std::vector<Parsed> lines() {
        CHECK(recorder->conclude() == 0);
        std::vector<Parsed> parsed;
        std::ifstream file(options.file);
        for (std::string line; std::getline(file, line);) parsed.push_back(Parsed::parse(line));
        return parsed;
    }

    TraceOptions options;
    std::optional<TraceRecorder> recorder;
    client::TraceHook hook;

private:
    test::ScratchDirectory scratch_;
};

TraceEvent event(Opcode op, std::uint64_t unique, std::uint16_t slot = 0) {
    TraceEvent event;
    event.op = &wire::op_info(op);
    event.unique = unique;
    event.slot = slot;
    event.lane = 1;
    return event;
}

} // namespace

TEST_CASE("several threads report at once, and every line is whole", "[cli]") {
    constexpr int kThreads = 4;
    constexpr int kRequests = 500;
    Recorded recorded;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&recorded, t] {
            for (int i = 0; i < kRequests; ++i) {
                const auto one = event(Opcode::statfs, static_cast<std::uint64_t>(t * kRequests + i),
                                       static_cast<std::uint16_t>(t * 100));
                recorded.start(one);
                recorded.finish(one);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    std::map<std::uint64_t, int> told;
    for (const Parsed& line : recorded.lines()) ++told[line["unique"].get<std::uint64_t>()];
    CHECK(told.size() == kThreads * kRequests);
    for (const auto& [unique, times] : told) CHECK(times == 2);
}

TEST_CASE("what is out when the trace ends is told, and nothing after that", "[cli]") {
    Recorded recorded("error");
    recorded.start(event(Opcode::statfs, 1, 1));
    recorded.start(event(Opcode::read, 2, 2));
    recorded.finish(event(Opcode::statfs, 1, 1));
    const std::vector<Parsed> lines = recorded.lines();
    REQUIRE(lines.size() == 2); // the filter wants failures: STATFS is none
    CHECK(lines[0]["event"] == "start");
    CHECK(lines[1]["event"] == "unanswered");
    CHECK(lines[1]["op"] == "READ");
    recorded.finish(event(Opcode::read, 2, 2));
    recorded.start(event(Opcode::read, 3, 3));
    CHECK(recorded.lines().size() == 2);
}

TEST_CASE("a request that was abandoned and answered late is told as such, and is not out", "[cli]") {
    Recorded recorded;
    TraceEvent end = event(Opcode::read, 1);
    recorded.start(end);
    end.end = client::TraceEnd::abandoned;
    end.errc = Errc::timed_out;
    recorded.finish(end);
    end.end = client::TraceEnd::late;
    end.errc = Errc::ok;
    recorded.finish(end);
    const std::vector<Parsed> lines = recorded.lines();
    REQUIRE(lines.size() == 3);
    CHECK(lines[1]["event"] == "abandoned");
    CHECK(lines[2]["event"] == "late");
}

TEST_CASE("an end whose start was not seen is left out", "[cli]") {
    Recorded recorded;
    recorded.finish(event(Opcode::read, 1));
    recorded.start(event(Opcode::read, 2));
    recorded.finish(event(Opcode::read, 3));
    CHECK(recorded.lines().size() == 2); // the start, and that it is out
}

TEST_CASE("records of a directory are counted, also when the last ones are broken", "[cli]") {
    std::vector<std::byte> room(4096);
    wire::DirentWriter writer(room);
    for (const char* name : {"a", "b", "c"}) REQUIRE(writer.add({.ino = 1, .name = wire::Name(name, 1)}));
    TraceEvent end = event(Opcode::readdir, 1);
    Recorded recorded;
    recorded.start(end);
    end.data = std::span(room).first(writer.size());
    recorded.finish(end);
    const wire::Dirent hostile{.ino = 1, .off = 1, .namelen = 0xffff'ffff, .type = 0};
    std::memcpy(room.data() + writer.size(), &hostile, sizeof(hostile));
    end.data = room;
    recorded.start(end);
    recorded.finish(end);
    const std::vector<Parsed> lines = recorded.lines();
    REQUIRE(lines.size() == 4);
    CHECK(lines[1]["answer"]["entries"] == 3);
    CHECK(lines[3]["answer"]["entries"] == 3);
}

TEST_CASE("a full disk ends the trace with its error, and what reports goes on", "[cli]") {
    TraceOptions options;
    options.file = "/dev/full";
    TraceRecorder recorder(options, "a device", nullptr);
    const client::TraceHook hook = recorder.hook();
    for (std::uint64_t unique = 1; unique < 5'000; ++unique) { // several buffers
        hook.started(hook.context, event(Opcode::statfs, unique));
        hook.finished(hook.context, event(Opcode::statfs, unique));
    }
    CHECK(recorder.conclude() == ENOSPC);
    options.file = "/nonexistent/trace";
    CHECK_THROWS_AS(TraceRecorder(options, "a device", nullptr), std::system_error);
}
