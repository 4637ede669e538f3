// SPDX-License-Identifier: BSD-2-Clause
#include "../../../src/cli/trace_summary.hpp"
#include "support/catch.hpp"
#include "traced.hpp"

#include <nlohmann/json.hpp>

using namespace vfsproto;
using namespace vfsproto::cli;
using wire::Opcode;
using Parsed = nlohmann::json;

TEST_CASE("a summary counts by operation, and the slowest comes first", "[cli]") {
    TraceSummary summary;
    const TracedRequest read = test::request<Opcode::read>();
    const TracedRequest lookup = test::request<Opcode::lookup>();
    TracedAnswer slow = test::failure(abi::Errno::none);
    slow.moment = std::chrono::microseconds{101};           // 100 us after the start
    summary.add(lookup, test::failure(abi::Errno::enoent)); // 12.345 us
    summary.add(read, slow);
    slow.moment = std::chrono::microseconds{201};
    summary.add(read, slow);
    summary.add_unanswered(read);
    CHECK(summary.table() == "% time     seconds     us/call  us at most     calls    errors unanswered operation\n"
                             "------ ----------- ----------- ----------- --------- --------- ---------- ----------\n"
                             " 96.05    0.000300       150.0       200.0         3         0          1 READ\n"
                             "  3.95    0.000012        12.3        12.3         1         1          0 LOOKUP\n"
                             "------ ----------- ----------- ----------- --------- --------- ---------- ----------\n"
                             "100.00    0.000312       104.1       200.0         4         1          1 total\n");
    const Parsed parsed = Parsed::parse(summary.json());
    CHECK(parsed["event"] == "summary");
    REQUIRE(parsed["operations"].size() == 2);
    CHECK(parsed["operations"][0] == Parsed::parse(R"({"op":"READ","calls":3,"errors":0,"unanswered":1,
        "total_ns":300000,"mean_ns":150000,"max_ns":200000,"share":0.9605})"));
}

TEST_CASE("a summary of nothing is a table without rows", "[cli]") {
    CHECK(TraceSummary().table().find(
              "  0.00    0.000000         0.0         0.0         0         0          0 total\n") !=
          std::string::npos);
    CHECK(Parsed::parse(TraceSummary().json())["operations"].empty());
}
