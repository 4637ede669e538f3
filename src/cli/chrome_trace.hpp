// SPDX-License-Identifier: BSD-2-Clause
// A trace in the Trace Event Format, as a JSON array, which Perfetto and chrome://tracing show: a row for each slot, a bar for
// each request. A slot has one request at a time, so that begin and end pair by their row. The array of a program that was
// killed lacks its end, which these programs forgive.
#pragma once

#include "trace_writer.hpp"

#include <cstdint>
#include <string_view>
#include <unordered_set>

namespace vfsproto::cli {

class ChromeTrace final : public TraceWriter {
public:
    // `device` names the process.
    ChromeTrace(const TraceClock& clock, std::string_view device) : clock_(clock), device_(device) {}

    void begin(std::string& out) override;
    void started(std::string& out, const TracedRequest& request) override;
    void ended(std::string& out, const TracedRequest& request, const TracedAnswer& answer) override;
    void unanswered(std::string& out, const TracedRequest& request, TraceClock::Moment now) override;
    void end(std::string& out) override;

private:
    void name_row(std::string& out, const TracedRequest& request);

    const TraceClock& clock_;
    std::string device_;
    std::unordered_set<std::uint32_t> named_; // rows
};

} // namespace vfsproto::cli
