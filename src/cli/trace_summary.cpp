// SPDX-License-Identifier: BSD-2-Clause
#include "trace_summary.hpp"

#include "json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vfsproto::cli {
namespace {

double percent(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

} // namespace

TraceSummary::Row& TraceSummary::row_of(const TracedRequest& request) {
    Row& row = rows_[request.op->row];
    row.name = request.op->name;
    ++row.calls;
    return row;
}

void TraceSummary::add(const TracedRequest& request, const TracedAnswer& answer) {
    Row& row = row_of(request);
    row.errors += answer.failed() ? 1 : 0;
    const auto latency = static_cast<std::uint64_t>((answer.moment - request.start).count());
    row.total += latency;
    row.most = std::max(row.most, latency);
}

void TraceSummary::add_unanswered(const TracedRequest& request) { ++row_of(request).unanswered; }

std::vector<TraceSummary::Row> TraceSummary::sorted() const {
    std::vector<Row> rows;
    for (const Row& row : rows_) {
        if (row.name != nullptr) rows.push_back(row);
    }
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.total > b.total; });
    return rows;
}

TraceSummary::Row TraceSummary::sum() const {
    Row sum{.name = "total"};
    for (const Row& row : rows_) {
        sum.calls += row.calls;
        sum.errors += row.errors;
        sum.unanswered += row.unanswered;
        sum.total += row.total;
        sum.most = std::max(sum.most, row.most);
    }
    return sum;
}

std::string TraceSummary::table() const {
    constexpr const char* kLine =
        "------ ----------- ----------- ----------- --------- --------- ---------- ----------\n";
    const Row all = sum();
    const auto line = [&all](const Row& row) {
        const auto us = [](std::uint64_t time) { return static_cast<double>(time) / 1e3; };
        return fmt::format("{:6.2f} {:11.6f} {:11.1f} {:11.1f} {:9} {:9} {:10} {}\n", percent(row.total, all.total),
                           static_cast<double>(row.total) / 1e9, us(row.mean()), us(row.most), row.calls, row.errors,
                           row.unanswered, row.name);
    };
    std::string text = "% time     seconds     us/call  us at most     calls    errors unanswered operation\n";
    text += kLine;
    for (const Row& row : sorted()) text += line(row);
    return text + kLine + line(all);
}

std::string TraceSummary::json() const {
    constexpr double kDigits = 10'000; // of a share
    const Row all = sum();
    Json operations = Json::array();
    for (const Row& row : sorted()) {
        Json operation;
        operation.set("op", row.name);
        operation.set("calls", row.calls);
        operation.set("errors", row.errors);
        operation.set("unanswered", row.unanswered);
        operation.set("total_ns", row.total);
        operation.set("mean_ns", row.mean());
        operation.set("max_ns", row.most);
        operation.set("share", std::round(percent(row.total, all.total) / 100 * kDigits) / kDigits);
        operations.push_back(operation);
    }
    Json summary;
    summary.set("event", "summary");
    summary.set("operations", operations);
    return summary.dump() + '\n';
}

} // namespace vfsproto::cli
