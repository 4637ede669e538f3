// SPDX-License-Identifier: BSD-2-Clause
// A trace has the same content in each of its forms, hostile names included.
#include "../../../src/cli/chrome_trace.hpp"
#include "../../../src/cli/json_trace.hpp"
#include "../../../src/cli/text_trace.hpp"
#include "support/catch.hpp"
#include "traced.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

using namespace vfsproto;
using namespace vfsproto::cli;
using client::TraceEnd;
using test::kClock;
using test::kHostileName;
using wire::Opcode;
using Parsed = nlohmann::json;

namespace {

wire::EntryOut found_entry() {
    wire::EntryOut out{};
    out.nodeid = 7;
    out.attr.size = 4096;
    out.attr.mode = 0100644;
    out.attr.mtime = static_cast<std::uint64_t>(-5); // before 1970
    return out;
}

template <class Writer>
std::string start_and_end(Writer&& writer, const TracedRequest& request, const TracedAnswer& answer) {
    std::string text;
    writer.started(text, request);
    writer.ended(text, request, answer);
    return text;
}

} // namespace

TEST_CASE("the text of a trace has names, fields, wall clock and latency", "[cli]") {
    TracedRequest lookup = test::request<Opcode::lookup>();
    lookup.name = "file";
    const wire::EntryOut out = found_entry();
    CHECK(start_and_end(TextTrace(kClock), lookup, test::answer(out)) ==
          "2026-11-29T14:23:08.500001000Z start LOOKUP unique=0x20040 node=5 queue=1 slot=2 uid=1000 gid=1001 pid=77 "
          "sent=48 name=\"file\"\n"
          "2026-11-29T14:23:08.500013345Z end LOOKUP unique=0x20040 node=5 latency_us=12.345 error=0 received=144 "
          "nodeid=7 generation=0 entry_valid=0 attr_valid=0 entry_valid_nsec=0 attr_valid_nsec=0 ino=0 size=4096 "
          "blocks=0 atime=0 mtime=-5 ctime=0 atimensec=0 mtimensec=0 ctimensec=0 mode=0100644 nlink=0 uid=0 gid=0 "
          "rdev=0x0 blksize=0 flags=0x0\n");
}

TEST_CASE("flags have their names in the text, and what has none is a number", "[cli]") {
    std::string text;
    TextTrace writer(kClock);
    writer.started(text, test::request<Opcode::open>({.flags = 0x80000000 | abi::kOTrunc, .open_flags = 0}));
    CHECK(text.find(" flags=O_RDONLY|O_TRUNC|0x80000000 ") != std::string::npos);
    text.clear();
    wire::SetattrIn setattr{};
    setattr.valid = wire::kSetattrSize | wire::kSetattrMode;
    writer.started(text, test::request<Opcode::setattr>(setattr));
    CHECK(text.find(" valid=FATTR_MODE|FATTR_SIZE ") != std::string::npos);
    text.clear();
    wire::LseekIn lseek{};
    lseek.whence = abi::kSeekHole;
    writer.started(text, test::request<Opcode::lseek>(lseek));
    CHECK(text.find(" whence=SEEK_HOLE\n") != std::string::npos);
    text.clear();
    writer.started(text, test::request<Opcode::rename2>());
    CHECK(text.find(" flags=0x0 name=\"\" name2=\"\"\n") != std::string::npos);
}

TEST_CASE("a hostile name stays in its quotes in the text, and one line", "[cli]") {
    TracedRequest link = test::request<Opcode::rename2>();
    link.name = kHostileName;
    link.name2 = "plain";
    std::string text;
    TextTrace(kClock).started(text, link);
    CHECK(text.ends_with(R"( name="a\"\\\n\x1b[2J\x01\xff\xc3(" name2="plain")"
                         "\n"));
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    TracedAnswer target = test::failure(abi::Errno::none);
    target.target = kHostileName;
    text.clear();
    TextTrace(kClock).ended(text, test::request<Opcode::readlink>(), target);
    CHECK(text.ends_with(R"( target="a\"\\\n\x1b[2J\x01\xff\xc3(")"
                         "\n"));
}

TEST_CASE("each event is a line of JSON with numbers as numbers", "[cli]") {
    TracedRequest lookup = test::request<Opcode::lookup>();
    lookup.name = "file";
    const wire::EntryOut out = found_entry();
    const std::string text = start_and_end(JsonTrace(kClock), lookup, test::answer(out));
    const std::size_t newline = text.find('\n');
    const Parsed start = Parsed::parse(text.substr(0, newline));
    CHECK(start == Parsed::parse(R"({"event":"start","time":"2026-11-29T14:23:08.500001000Z","op":"LOOKUP",
        "unique":131136,"nodeid":5,"queue":1,"slot":2,"uid":1000,"gid":1001,"pid":77,"sent":48,
        "request":{"name":"file"}})"));
    const Parsed end = Parsed::parse(text.substr(newline));
    CHECK(end["event"] == "end");
    CHECK(end["latency_ns"] == 12'345);
    CHECK(end["error"].is_null());
    CHECK(end["received"] == 144);
    CHECK(end["answer"]["nodeid"] == 7);
    CHECK(end["answer"]["mtime"] == -5);
    CHECK(end["answer"]["mode"] == "0100644");
}

TEST_CASE("a hostile name is valid JSON, and its bytes are beside it", "[cli]") {
    TracedRequest symlink = test::request<Opcode::symlink>();
    symlink.name = kHostileName;
    symlink.name2 = "plain";
    std::string text;
    JsonTrace(kClock).started(text, symlink);
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    const Parsed start = Parsed::parse(text);
    CHECK(start["request"]["name"] == "a\"\\\n\x1b[2J\x01\xef\xbf\xbd\xef\xbf\xbd(");
    CHECK(start["request"]["name_base64"] == "YSJcChtbMkoB/8Mo");
    CHECK(start["request"]["name2"] == "plain");
    CHECK_FALSE(start["request"].contains("name2_base64"));
}

TEST_CASE("every row of the op table is valid JSON, with all its fields at their extremes", "[cli]") {
    const std::vector<std::byte> ones(wire::kMaxOutSize, std::byte{0xff});
    for (const wire::OpInfo& op : wire::kOpInfo) {
        INFO(op.name);
        TracedRequest request;
        request.op = &op;
        request.in.fill(std::byte{0xff});
        request.in_size = op.in_size;
        request.name = request.name2 = kHostileName;
        request.forgotten.resize(op.in_tail == wire::InTail::array ? 3 : 0);
        TracedAnswer answer;
        answer.out = std::span(ones).first(op.out_size);
        const std::string text = start_and_end(JsonTrace(kClock), request, answer);
        const std::size_t newline = text.find('\n');
        const Parsed start = Parsed::parse(text.substr(0, newline));
        const Parsed end = Parsed::parse(text.substr(newline));
        CHECK(start["op"] == op.name);
        CHECK(end["answer"].empty() == (op.out_size == 0));
        const std::string lines = start_and_end(TextTrace(kClock), request, answer);
        CHECK(std::count(lines.begin(), lines.end(), '\n') == 2);
    }
}

TEST_CASE("an answer that is cut short shows the fields that came", "[cli]") {
    wire::InitOut out{};
    out.max_write = 1 << 20;
    TracedAnswer answer = test::answer(out);
    answer.out = answer.out.first(wire::kInitOutCompat22Size);
    std::string text;
    JsonTrace(kClock).ended(text, test::request<Opcode::init>(), answer);
    const Parsed shown = Parsed::parse(text)["answer"];
    CHECK(shown["max_write"] == 1 << 20);
    CHECK_FALSE(shown.contains("time_gran"));
}

TEST_CASE("an error has its name and its number, a broken rule its own word", "[cli]") {
    std::string text;
    JsonTrace(kClock).ended(text, test::request<Opcode::lookup>(), test::failure(abi::Errno::enoent));
    const Parsed failed = Parsed::parse(text);
    CHECK(failed["error"] == "ENOENT");
    CHECK(failed["errno"] == 2);
    CHECK_FALSE(failed.contains("failure"));
    text.clear();
    TracedAnswer broken = test::failure(abi::Errno::none);
    broken.errc = Errc::protocol_violation;
    JsonTrace(kClock).ended(text, test::request<Opcode::lookup>(), broken);
    CHECK(Parsed::parse(text)["failure"] == to_string(Errc::protocol_violation));
    text.clear();
    TextTrace(kClock).ended(text, test::request<Opcode::lookup>(), test::failure(abi::Errno::enoent));
    CHECK(text.find(" error=ENOENT ") != std::string::npos);
    text.clear();
    TextTrace(kClock).ended(text, test::request<Opcode::lookup>(), test::failure(abi::Errno{41})); // not assigned
    CHECK(text.find(" error=41 ") != std::string::npos);
}

TEST_CASE("a request that was abandoned is told twice, one without an answer at the end", "[cli]") {
    const TracedRequest request = test::request<Opcode::read>();
    TracedAnswer abandoned = test::failure(abi::Errno::none);
    abandoned.end = TraceEnd::abandoned;
    abandoned.errc = Errc::timed_out;
    TracedAnswer late = test::failure(abi::Errno::eintr);
    late.end = TraceEnd::late;
    std::string text;
    JsonTrace json(kClock);
    json.ended(text, request, abandoned);
    CHECK(Parsed::parse(text)["event"] == "abandoned");
    CHECK_FALSE(Parsed::parse(text).contains("error"));
    text.clear();
    json.ended(text, request, late);
    CHECK(Parsed::parse(text)["event"] == "late");
    CHECK(Parsed::parse(text)["error"] == "EINTR");
    text.clear();
    json.unanswered(text, request, std::chrono::microseconds{21});
    CHECK(Parsed::parse(text)["event"] == "unanswered");
    CHECK(Parsed::parse(text)["waited_ns"] == 20'000);
    CHECK(Parsed::parse(text)["request"]["size"] == 0);
    text.clear();
    TextTrace(kClock).unanswered(text, request, std::chrono::microseconds{21});
    CHECK(text.find(" unanswered READ unique=0x20040 node=5 waited_us=20.000 ") != std::string::npos);
}

TEST_CASE("the Chrome form is one array, whose begins and ends pair on the row of their slot", "[cli]") {
    ChromeTrace writer(kClock, kHostileName);
    std::string text;
    TracedRequest lookup = test::request<Opcode::lookup>();
    lookup.name = kHostileName;
    TracedRequest other = test::request<Opcode::statfs>();
    other.slot = 3;
    writer.begin(text);
    writer.started(text, lookup);
    writer.started(text, other);
    writer.ended(text, lookup, test::failure(abi::Errno::enoent));
    writer.started(text, lookup);
    writer.unanswered(text, lookup, std::chrono::microseconds{21});
    writer.unanswered(text, other, std::chrono::microseconds{21});
    writer.end(text);
    const Parsed events = Parsed::parse(text);
    REQUIRE(events.is_array());
    std::map<int, int> open;
    int rows = 0;
    for (const Parsed& event : events) {
        CHECK(event.contains("pid"));
        const std::string phase = event["ph"];
        if (phase == "M") rows += event["name"] == "thread_name" ? 1 : 0;
        if (phase == "B") CHECK(++open[event["tid"]] == 1);
        if (phase == "E") CHECK(--open[event["tid"]] == 0);
    }
    CHECK(rows == 2); // each row is named once
    const Parsed& begin = events[3];
    CHECK(begin["name"] == "LOOKUP");
    CHECK(begin["ts"] == 1.0);
    CHECK(begin["args"]["request"]["name_base64"] == "YSJcChtbMkoB/8Mo");
    CHECK(events.back()["args"]["unanswered"] == true);
}
