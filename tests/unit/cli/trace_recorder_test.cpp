// SPDX-License-Identifier: BSD-2-Clause
// A recorder makes a trace of what lanes tell, from several threads at once, and ends it with what is still out.
#include "../../../src/cli/interrupt.hpp"
#include "../../../src/cli/trace_recorder.hpp"
#include "support/catch.hpp"
#include "support/narrow_pipe.hpp"
#include "support/scratch_directory.hpp"
#include "support/watchdog.hpp"

#include "vfsproto/backends/logging.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

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
        return written();
    }
    // Returns the lines that are in the file.
    [[nodiscard]] std::vector<Parsed> written() const {
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

// Lives while standard error is a file.
class StandardError {
public:
    explicit StandardError(const std::string& path) : before_(::dup(STDERR_FILENO)) {
        const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        REQUIRE(::dup2(file, STDERR_FILENO) == STDERR_FILENO);
        ::close(file);
    }
    ~StandardError() {
        ::dup2(before_, STDERR_FILENO);
        ::close(before_);
    }
    StandardError(const StandardError&) = delete;
    StandardError& operator=(const StandardError&) = delete;

private:
    int before_;
};

// Lives while signals are what the program makes of them.
class ProgramSignals {
public:
    ProgramSignals() {
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
        ::sigaction(SIGPIPE, nullptr, &pipe_);
        block_interrupts();
    }
    ~ProgramSignals() {
        ::sigaction(SIGPIPE, &pipe_, nullptr);
        ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
    }
    ProgramSignals(const ProgramSignals&) = delete;
    ProgramSignals& operator=(const ProgramSignals&) = delete;

private:
    sigset_t mask_{};
    struct sigaction pipe_{};
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

TEST_CASE("a slot that is used again tells that its first request got no answer", "[cli]") {
    Recorded recorded;
    recorded.start(event(Opcode::read, 1));
    recorded.start(event(Opcode::write, 2));
    recorded.finish(event(Opcode::write, 2));
    const std::vector<Parsed> lines = recorded.lines();
    REQUIRE(lines.size() == 4);
    CHECK(lines[1]["event"] == "unanswered");
    CHECK(lines[1]["unique"] == 1);
    CHECK(lines[3]["event"] == "end");
    CHECK(lines[3]["unique"] == 2);
}

TEST_CASE("the records of a BATCH_FORGET are told, as far as they are whole", "[cli]") {
    const wire::ForgetOne records[] = {{7, 1}, {8, 200}, {9, 1}};
    constexpr std::size_t kWhole = 2 * sizeof(wire::ForgetOne);
    TraceEvent start = event(Opcode::batch_forget, 1);
    start.records = std::as_bytes(std::span(records)).first(kWhole + 1);
    Recorded recorded;
    recorded.start(start);
    CHECK(recorded.lines()[0]["request"]["forgotten"] ==
          Parsed::parse(R"([{"nodeid":7,"nlookup":1},{"nodeid":8,"nlookup":200}])"));
}

TEST_CASE("what was collected is in the file after a refresh", "[cli]") {
    Recorded recorded;
    recorded.start(event(Opcode::read, 1));
    CHECK(recorded.written().empty());
    recorded.recorder->refresh();
    CHECK(recorded.written().size() == 1);
}

TEST_CASE("a summary that cannot be written is an error of the trace", "[cli]") {
    TraceOptions options;
    options.summary = true;
    TraceRecorder recorder(options, "a device", nullptr);
    const StandardError full("/dev/full");
    CHECK(recorder.conclude() == ENOSPC);
    CHECK(options.name() == "standard error");
}

TEST_CASE("the end of a trace is in the log, unless there is no time to wait for its reader", "[cli]") {
    const bool waits = GENERATE(true, false);
    const test::ScratchDirectory scratch;
    const std::string path = (scratch.path() / "log").string();
    {
        const StandardError to_file(path);
        backends::Log log(backends::LogLevel::trace);
        TraceRecorder recorder({}, "a device", &log);
        const client::TraceHook hook = recorder.hook();
        hook.started(hook.context, event(Opcode::read, 1));
        if (waits) {
            CHECK(recorder.conclude() == 0);
        } else {
            recorder.conclude_without_waiting();
        }
    }
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    CHECK(text.str().find(" start READ ") != std::string::npos);
    CHECK((text.str().find(" unanswered READ ") != std::string::npos) == waits);
}

TEST_CASE("a trace ends without waiting though a thread waits for its reader", "[cli]") {
    const test::Watchdog watchdog("a thread that traces to a full pipe");
    const ProgramSignals signals;
    const test::NarrowPipe pipe;
    TraceOptions options;
    options.file = pipe.path();
    TraceRecorder recorder(options, "a device", nullptr);
    const client::TraceHook hook = recorder.hook();
    std::thread thread([&hook] {
        constexpr std::uint64_t kSeveralBuffers = 5'000;
        for (std::uint64_t unique = 1; unique < kSeveralBuffers; ++unique) {
            hook.started(hook.context, event(Opcode::statfs, unique));
            hook.finished(hook.context, event(Opcode::statfs, unique));
        }
    });
    test::until([&pipe] { return pipe.is_full() && LocalCall::any(); });
    recorder.conclude_without_waiting();
    thread.join();
    CHECK(pipe.is_full());
}
