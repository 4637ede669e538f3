// SPDX-License-Identifier: BSD-2-Clause
// The command bench: its options, and what it prints.
#include "bench.hpp"
#include "commands.hpp"
#include "json.hpp"
#include "readable.hpp"

#include "vfsproto/posix/detail/channel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
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
constexpr std::uint64_t kUsualFile = std::uint64_t{256} << 20;

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

// Reads through a window send no request, so the counters of the window are shown.
Json window_part(const BenchResult& result) {
    Json window;
    window.set("hits", result.mapped.hits);
    window.set("set_ups", result.mapped.set_ups);
    window.set("fallen_back", result.mapped.fallen_back);
    window.set("faults", result.mapped.faults);
    window.set("requests", result.used.requests);
    return window;
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
        if (options.way == BenchWay::mapped) object.set("mapped", window_part(result));
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
    if (options.way == BenchWay::mapped) {
        out.print("window        hits {}, mapped anew {}, read by READ {}, faults {}, requests {}\n",
                  result.mapped.hits, result.mapped.set_ups, result.mapped.fallen_back, result.mapped.faults,
                  result.used.requests);
        return;
    }
    out.print("per request   descriptors {:.2f}, kicks {:.3f}, interrupts {:.3f}, copies {:.2f}, system calls {:.3f}\n",
              each(result.used.descriptors), each(result.used.doorbells), each(result.used.interrupts),
              each(result.used.copies), each(result.used.syscalls));
}

void refuse_unmappable(Program& program, const BenchOptions& options) {
    if (options.op != BenchOp::read && options.op != BenchOp::randread) {
        program.refuse("--mapped", "only reads go through the window: --op read or randread");
    }
    if (options.iodepth != 1) program.refuse("--iodepth", "a mapped read has no request on its way: use --jobs");
}

// Returns nullptr where there is no window, which has been said then. Says the size of the file in `options`.
std::unique_ptr<posix::MappedFiles> open_window(Program& program, posix::Mount& mount, BenchOptions& options) {
    auto window = posix::MappedFiles::open(mount);
    if (!window) {
        program.report("",
                       "--mapped: there is no window that can be mapped: --window SIZE gives one to dir: and memfs:");
        return nullptr;
    }
    const std::uint64_t most = mount.channel().attachment().window(0).size();
    if (options.size == 0) options.size = std::min(kUsualFile, most);
    if (options.size > most) {
        program.refuse("--size", fmt::format("a window of {} does not hold it", readable_size(most)));
    }
    return *std::move(window);
}

void run(Program& program, const BenchOptions& given) {
    BenchOptions options = given;
    if ((options.op == BenchOp::readdir) && options.iodepth != 1) {
        program.refuse("--iodepth", "readdir reads one listing after the other: use --jobs");
    }
    const bool is_mapped = options.way == BenchWay::mapped;
    if (is_mapped) refuse_unmappable(program, options);
    posix::Mount& mount = program.unlimited_mount();
    const auto window = is_mapped ? open_window(program, mount, options) : nullptr;
    if (is_mapped && window == nullptr) return;
    if (options.size == 0) options.size = kUsualFile;
    if (!options.path.empty()) options.path = program.from_root(options.path);
    const BenchResult result = run_bench(mount, options, window.get());
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
    sub.add_size("--size", options.size, kLargestFile, "bytes of the file it works on")
        .without_it("256M, or the window");
    sub.add_flag(
        "--mapped", [&options] { options.way = BenchWay::mapped; },
        "read through the shared memory window (--window) once it is warm");
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
