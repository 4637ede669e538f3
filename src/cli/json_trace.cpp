// SPDX-License-Identifier: BSD-2-Clause
#include "json_trace.hpp"

#include "trace_members.hpp"

namespace vfsproto::cli {
namespace {

void add_head(TraceMembers& members, const char* event, const std::string& time, const TracedRequest& request) {
    members.add_text("event", event);
    members.add_text("time", time);
    members.add_text("op", request.op->name);
    members.add("unique", request.unique);
    members.add("nodeid", request.nodeid);
}

std::uint64_t nanoseconds(TraceClock::Moment time) { return static_cast<std::uint64_t>(time.count()); }

} // namespace

void JsonTrace::started(std::string& out, const TracedRequest& request) {
    TraceMembers members(out);
    add_head(members, "start", clock_.wall(request.start), request);
    members.add_request(request);
    members.close();
    out += '\n';
}

void JsonTrace::ended(std::string& out, const TracedRequest& request, const TracedAnswer& answer) {
    TraceMembers members(out);
    add_head(members, word_of(answer.end), clock_.wall(answer.moment), request);
    members.add("latency_ns", nanoseconds(answer.moment - request.start));
    members.add_answer(request, answer);
    members.close();
    out += '\n';
}

void JsonTrace::unanswered(std::string& out, const TracedRequest& request, TraceClock::Moment now) {
    TraceMembers members(out);
    add_head(members, "unanswered", clock_.wall(now), request);
    members.add("waited_ns", nanoseconds(now - request.start));
    members.add_request(request);
    members.close();
    out += '\n';
}

} // namespace vfsproto::cli
