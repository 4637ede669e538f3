// SPDX-License-Identifier: BSD-2-Clause
// bench: its options, and what it prints.
#include "bench.hpp"
#include "commands.hpp"
#include "json.hpp"

#include <map>

namespace vfsproto::cli {
namespace {

const std::map<std::string, BenchOp> kOperations = {{"read", BenchOp::read},         {"write", BenchOp::write},
                                                    {"randread", BenchOp::randread}, {"randwrite", BenchOp::randwrite},
                                                    {"stat", BenchOp::stat},         {"create", BenchOp::create},
                                                    {"readdir", BenchOp::readdir},   {"null", BenchOp::null}};

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
        object["ops_per_second"] = rates.operations;
        object["bytes_per_second"] = rates.bytes;
        object["p50_us"] = result.p50_us;
        object["p99_us"] = result.p99_us;
        object["p999_us"] = result.p999_us;
        object["per_request"] = {{"descriptors", each(result.used.descriptors)},
                                 {"kicks", each(result.used.doorbells)},
                                 {"interrupts", each(result.used.interrupts)},
                                 {"copies", each(result.used.copies)},
                                 {"syscalls", each(result.used.syscalls)}};
        object["operations"] = result.operations;
        object["seconds"] = result.seconds;
        object["violations"] = result.used.violations;
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
        program.report("--iodepth", "readdir reads one listing after the other: use --jobs");
        throw Leave{ExitCode::usage};
    }
    const BenchResult result = run_bench(program.mount(), options);
    // Of an interrupted run: what there was of it.
    if (!result.failure.happened()) print_result(program, options, result);
    static_cast<void>(program.succeeded(result.failed_at, result.failure));
}

} // namespace

void add_bench(CLI::App& app, Chosen& chosen) {
    const auto describe = [](CLI::App& sub, BenchOptions& options) {
        sub.add_option("--op", options.op, "read, write, randread, randwrite, stat, create, readdir or null")
            ->transform(CLI::CheckedTransformer(kOperations, CLI::ignore_case).description(""))
            ->type_name("OP");
        sub.add_option("--bs", options.block_size, "bytes of one transfer (4k, 1m)")
            ->transform(CLI::AsSizeValue(false))
            ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 20));
        sub.add_option("--size", options.size, "bytes of the file it works on (256m)")
            ->transform(CLI::AsSizeValue(false))
            ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
        sub.add_option("--iodepth", options.iodepth, "requests of one job on their way")->check(CLI::Range(1, 1024));
        sub.add_option(
               "--buffers", options.buffers,
               "blocks of memory its transfers take turns with (one for each of them, of reads as many as 8 MiB hold)")
            ->check(CLI::Range(1, 1024));
        sub.add_option("--jobs", options.jobs, "threads")->check(CLI::Range(1, 256));
        sub.add_option("--seconds", options.seconds, "how long")->check(CLI::Range(0.01, 86400.0));
        sub.add_option("--count", options.count, "operations of one job, instead of a time");
        sub.add_option("--path", options.path, "work on this; without it, on a file or directory made for it");
    };
    add_command<BenchOptions>(app, chosen, "bench", "measure the device", describe, run);
}

} // namespace vfsproto::cli
