// SPDX-License-Identifier: BSD-2-Clause
#include "chrome_trace.hpp"

#include "trace_members.hpp"

#include <fmt/format.h>

#include <unistd.h>

namespace vfsproto::cli {
namespace {

// Returns the number of the row: above 0, because some readers take 0 for none.
std::uint32_t row_of(const TracedRequest& request) noexcept {
    return (std::uint32_t{request.lane} << 16 | request.slot) + 1;
}

std::uint64_t process() { return static_cast<std::uint64_t>(::getpid()); }

void add_place(TraceMembers& members, const char* phase, TraceClock::Moment moment, const TracedRequest& request) {
    members.add_text("ph", phase);
    members.add("pid", process());
    members.add("tid", row_of(request));
    members.add_thousandths("ts", moment.count()); // us
}

} // namespace

void ChromeTrace::begin(std::string& out) {
    out += "[\n";
    const auto about = [&out](const char* name, const char* key, const std::string& value) {
        TraceMembers members(out);
        members.add_text("ph", "M");
        members.add("pid", process());
        members.add_text("name", name);
        members.open("args");
        members.add_name(key, value);
        members.close();
        members.close();
    };
    about("process_name", "name", "vfsproto " + device_);
    out += ",\n";
    about("process_labels", "labels", "begins at " + clock_.wall({}));
}

void ChromeTrace::name_row(std::string& out, const TracedRequest& request) {
    if (!named_.insert(row_of(request)).second) return;
    out += ",\n";
    TraceMembers members(out);
    members.add_text("ph", "M");
    members.add("pid", process());
    members.add("tid", row_of(request));
    members.add_text("name", "thread_name");
    members.open("args");
    members.add_text("name", request.lane == 0 ? fmt::format("session, slot {}", request.slot)
                                               : fmt::format("queue {}, slot {}", request.queue(), request.slot));
    members.close();
    members.close();
}

void ChromeTrace::started(std::string& out, const TracedRequest& request) {
    name_row(out, request);
    out += ",\n";
    TraceMembers members(out);
    add_place(members, "B", request.start, request);
    members.add_text("name", request.op->name);
    members.add_text("cat", "fuse");
    members.open("args");
    members.add_text("time", clock_.wall(request.start));
    members.add("unique", request.unique);
    members.add("nodeid", request.nodeid);
    members.add_request(request);
    members.close();
    members.close();
}

void ChromeTrace::ended(std::string& out, const TracedRequest& request, const TracedAnswer& answer) {
    const bool is_over = answer.end != client::TraceEnd::abandoned;
    out += ",\n";
    TraceMembers members(out);
    add_place(members, is_over ? "E" : "i", answer.moment, request);
    members.add_text("name", is_over ? request.op->name : "abandoned");
    if (!is_over) members.add_text("s", "t"); // a mark on this row alone
    members.open("args");
    members.add_answer(request, answer);
    if (answer.end == client::TraceEnd::late) members.add_true("late");
    members.close();
    members.close();
}

void ChromeTrace::unanswered(std::string& out, const TracedRequest& request, TraceClock::Moment now) {
    out += ",\n";
    TraceMembers members(out);
    add_place(members, "E", now, request);
    members.add_text("name", request.op->name);
    members.open("args");
    members.add_true("unanswered");
    members.close();
    members.close();
}

void ChromeTrace::end(std::string& out) { out += "\n]\n"; }

} // namespace vfsproto::cli
