// SPDX-License-Identifier: BSD-2-Clause
// A trace for people: a line for each start and each end. Names stand in quotes, with C's escapes for what is no printable
// UTF-8, so that no name looks like something else.
#pragma once

#include "trace_writer.hpp"

namespace vfsproto::cli {

class TextTrace final : public TraceWriter {
public:
    explicit TextTrace(const TraceClock& clock) noexcept : clock_(clock) {}

    void started(std::string& out, const TracedRequest& request) override;
    void ended(std::string& out, const TracedRequest& request, const TracedAnswer& answer) override;
    void unanswered(std::string& out, const TracedRequest& request, TraceClock::Moment now) override;

private:
    void head(std::string& out, TraceClock::Moment moment, const char* what, const TracedRequest& request) const;

    const TraceClock& clock_;
};

} // namespace vfsproto::cli
