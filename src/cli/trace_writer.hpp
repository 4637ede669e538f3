// SPDX-License-Identifier: BSD-2-Clause
// The seam between what is traced and the form it is written in. Each call appends to a text that somebody else writes out.
#pragma once

#include "traced_request.hpp"

#include <string>

namespace vfsproto::cli {

class TraceWriter {
public:
    TraceWriter() = default;
    virtual ~TraceWriter() = default;
    TraceWriter(const TraceWriter&) = delete;
    TraceWriter& operator=(const TraceWriter&) = delete;

    virtual void begin(std::string& /*out*/) {}
    virtual void started(std::string& out, const TracedRequest& request) = 0;
    // Tells an answer, or that the caller went on (TraceEnd::abandoned).
    virtual void ended(std::string& out, const TracedRequest& request, const TracedAnswer& answer) = 0;
    // Tells of a request that has no answer when the trace ends.
    virtual void unanswered(std::string& out, const TracedRequest& request, TraceClock::Moment now) = 0;
    virtual void end(std::string& /*out*/) {}
};

} // namespace vfsproto::cli
