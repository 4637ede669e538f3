// SPDX-License-Identifier: BSD-2-Clause
// bench: its options, and what it prints.
#include "bench.hpp"
#include "commands.hpp"
#include "json.hpp"

#include <string_view>
#include <utility>

namespace vfsproto::cli {
namespace {

constexpr std::pair<std::string_view, BenchOp> kOperations[] = {
    {"read", BenchOp::read},           {"write", BenchOp::write}, {"randread", BenchOp::randread},
    {"randwrite", BenchOp::randwrite}, {"stat", BenchOp::stat},   {"create", BenchOp::create},
    {"readdir", BenchOp::readdir},     {"null", BenchOp::null},
};

constexpr std::uint64_t kLargestBlock = std::uint64_t{1} << 20;
constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 40;

struct Rates {
    double operations = 0; // a second
    double bytes = 0;      // a second
    double requests = 1;   // in all, to divide by
};

Rates rates_of(const BenchResult& result) {
    const double seconds = result.seconds > 0 ? result.seconds : 1;
    return {static_cast<double>(result.operations) / seconds, static_cast<double>(result.bytes) / seconds,
            static_cast<double>(result.used.requests != 0 ? result.used.requests : 1)};
}

void print_result(Program& program, const BenchOptions& options, const BenchResult& result) {
    const Rates rates = rates_of(result);
    const auto each = [&rates](std::uint64_t count) { return static_cast<double>(count) / rates.requests; };
    if (program.wants_json()) {
        Json object;
        object.set("ops_per_second", rates.operations);
        object.set("bytes_per_second", rates.bytes);
        object.set("p50_us", result.p50_us);
        object.set("p99_us", result.p99_us);
        object.set("p999_us", result.p999_us);
        Json each_request;
        each_request.set("descriptors", each(result.used.descriptors));
        each_request.set("kicks", each(result.used.doorbells));
        each_request.set("interrupts", each(result.used.interrupts));
        each_request.set("copies", each(result.used.copies));
        each_request.set("syscalls", each(result.used.syscalls));
        object.set("per_request", each_request);
        object.set("operations", result.operations);
        object.set("seconds", result.seconds);
        object.set("violations", result.used.violations);
        return print_json(program, object);
    }
    Output& out = program.out();
    out.print("{:.0f} operations a second", rates.operations);
    if (result.bytes != 0) out.print(", {:.1f} MB/s", rates.bytes / 1e6);
    out.print("  ({} jobs, {} at a time each, {:.1f} s)\n", options.jobs, options.iodepth, result.seconds);
    out.print("latency       p50 {:.1f} us, p99 {:.1f} us, p99.9 {:.1f} us\n", result.p50_us, result.p99_us,
              result.p999_us);
    out.print("per request   descriptors {:.2f}, kicks {:.3f}, interrupts {:.3f}, copies {:.2f}, system calls {:.3f}\n",
              each(result.used.descriptors), each(result.used.doorbells), each(result.used.interrupts),
              each(result.used.copies), each(result.used.syscalls));
}

void run(Program& program, const BenchOptions& options) {
    if ((options.op == BenchOp::readdir) && options.iodepth != 1) {
        program.refuse("--iodepth", "readdir reads one listing after the other: use --jobs");
    }
    BenchOptions wanted = options;
    if (!wanted.path.empty()) wanted.path = program.from_root(wanted.path);
    const BenchResult result = run_bench(program.unlimited_mount(), wanted);
    // An interrupted run prints what it measured until then.
    if (!result.failure.happened()) print_result(program, options, result);
    static_cast<void>(program.succeeded(result.failed_at, result.failure));
}

bool choose(BenchOptions& options, std::string_view word) {
    for (const auto& [name, op] : kOperations) {
        if (name != word) continue;
        options.op = op;
        return true;
    }
    return false;
}

void describe(Arguments& sub, BenchOptions& options) {
    sub.add_word(
           "--op", [&options](const std::string& word) { return choose(options, word); },
           "read, write, randread, randwrite, stat, create, readdir or null")
        .without_it("read");
    sub.add_size("--bs", options.block_size, kLargestBlock, "bytes of one transfer").without_it("4K");
    sub.add_size("--size", options.size, kLargestFile, "bytes of the file it works on").without_it("256M");
    sub.add_option("--iodepth", options.iodepth, "requests of one job on their way").between(1, 1024);
    sub.add_option("--buffers", options.buffers, "blocks of memory its transfers take turns with")
        .without_it("one for each, of reads as many as 8 MiB hold")
        .between(1, 1024);
    sub.add_option("--jobs", options.jobs, "threads").between(1, 256);
    sub.add_option("--seconds", options.seconds, "how long").between(0.01, 86400);
    sub.add_option("--count", options.count, "operations of one job, instead of a time");
    sub.add_option("--path", options.path, "the file or directory to work on")
        .shown_as("PATH")
        .without_it("one that is made for it");
}

} // namespace

void add_bench(Commands& commands) {
    commands.add<BenchOptions>({"bench", "Measure the device", Effect::changes}, describe, run);
}

} // namespace vfsproto::cli
