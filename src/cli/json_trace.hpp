// SPDX-License-Identifier: BSD-2-Clause
// A trace for programs: a JSON object in each line.
#pragma once

#include "trace_writer.hpp"

namespace vfsproto::cli {

class JsonTrace final : public TraceWriter {
public:
    explicit JsonTrace(const TraceClock& clock) noexcept : clock_(clock) {}

    void started(std::string& out, const TracedRequest& request) override;
    void ended(std::string& out, const TracedRequest& request, const TracedAnswer& answer) override;
    void unanswered(std::string& out, const TracedRequest& request, TraceClock::Moment now) override;

private:
    const TraceClock& clock_;
};

} // namespace vfsproto::cli
