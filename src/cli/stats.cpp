// SPDX-License-Identifier: BSD-2-Clause
// The command stats tells what this session has asked the device, and what it knew without asking.
#include "commands.hpp"
#include "json.hpp"
#include "parts.hpp"

#include "vfsproto/fuse/wire/op_table.hpp"
#include "vfsproto/posix/mount_stats.hpp"

namespace vfsproto::cli {
namespace {

using posix::MountStats;
using posix::OperationStats;

struct StatsOptions {
    bool reset = false;
};

// Calls f(name, counts) for each operation that was asked for.
template <class F> void each_operation(const MountStats& stats, F&& f) {
    for (const OperationStats& counts : stats.operations) {
        if (counts.calls != 0) f(wire::op_info(counts.op).name, counts);
    }
}

Json operations_of(const MountStats& stats) {
    Json operations = Json::array();
    each_operation(stats, [&operations](const char* name, const OperationStats& counts) {
        Json operation;
        operation.set("op", name);
        operation.set("calls", counts.calls);
        operation.set("errors", counts.errors);
        operation.set("failures", counts.failures);
        operations.push_back(operation);
    });
    return operations;
}

Json requests_part(const MountStats& stats) {
    return counts_part({{"ended", stats.channel.requests},
                        {"fast_transfers", stats.fast_transfers},
                        {"lost_transfers", stats.lost_transfers},
                        {"abandoned", stats.abandoned},
                        {"late_answers", stats.late},
                        {"waited_for_slot", stats.channel.waited_for_slot},
                        {"copies", stats.channel.copies},
                        {"violations", stats.channel.violations},
                        {"notifications", stats.channel.notifications}});
}

Json queue_part(const MountStats& stats) {
    const posix::ChannelStats& all = stats.channel;
    Json part = counts_part({{"descriptors", all.descriptors},
                             {"doorbells", all.doorbells},
                             {"sleeps", all.sleeps},
                             {"interrupts", all.interrupts},
                             {"syscalls", all.syscalls}});
    Json requests = Json::array();
    for (const posix::QueueStats& queue : stats.queues) requests.push_back(queue.requests);
    part.set("requests", requests);
    return part;
}

Json hiprio_part(const MountStats& stats) {
    return counts_part({{"forget", stats.forgets},
                        {"batch_forget", stats.batch_forgets},
                        {"interrupt", stats.interrupts_sent},
                        {"forgotten_files", stats.forgotten}});
}

Json names_part(const MountStats& stats) {
    return counts_part({{"hits", stats.caches.name_hits},
                        {"absent_hits", stats.caches.absent_hits},
                        {"misses", stats.caches.name_misses},
                        {"expired", stats.caches.names_expired},
                        {"kept", stats.caches.names_kept},
                        {"evicted", stats.caches.names_evicted},
                        {"held_now", stats.held.names}});
}

Json attributes_part(const posix::CacheStats& caches) {
    return counts_part({{"hits", caches.attribute_hits}, {"misses", caches.attribute_misses}});
}

Json targets_part(const MountStats& stats) {
    return counts_part({{"hits", stats.caches.target_hits},
                        {"misses", stats.caches.target_misses},
                        {"kept", stats.caches.targets_kept},
                        {"evicted", stats.caches.targets_evicted},
                        {"held_now", stats.held.targets}});
}

Json listings_part(const MountStats& stats) {
    return counts_part({{"hits", stats.caches.listing_hits},
                        {"misses", stats.caches.listing_misses},
                        {"kept", stats.caches.listings_kept},
                        {"evicted", stats.caches.listings_evicted},
                        {"held_now", stats.held.listings}});
}

Json files_part(const posix::HeldStats& held) {
    return counts_part({{"known_now", held.nodes}, {"idle_now", held.idle_nodes}});
}

void add_parts(Json& parts, const MountStats& stats) {
    parts.set("requests", requests_part(stats));
    parts.set("queue", queue_part(stats));
    parts.set("hiprio", hiprio_part(stats));
    parts.set("names", names_part(stats));
    parts.set("attributes", attributes_part(stats.caches));
    parts.set("targets", targets_part(stats));
    parts.set("listings", listings_part(stats));
    parts.set("files", files_part(stats.held));
}

void print_operations(Output& out, const MountStats& stats) {
    const auto print_line = [&out](const auto&... columns) { out.print("{:<20} {:>9} {:>9} {:>9}\n", columns...); };
    print_line("operation", "calls", "errors", "failures");
    each_operation(stats, [&print_line](const char* name, const OperationStats& counts) {
        print_line(name, counts.calls, counts.errors, counts.failures);
    });
    out.print("\n");
}

void print_stats(Program& program, const MountStats& stats) {
    Json parts;
    if (program.wants_json()) {
        parts.set("operations", operations_of(stats));
        add_parts(parts, stats);
        return print_json(program, parts);
    }
    add_parts(parts, stats);
    print_operations(program.out(), stats);
    print_parts(program.out(), parts);
}

void run_stats(Program& program, const StatsOptions& options) {
    const MountStats now = program.mount().mount_stats();
    const MountStats* const before = program.counts_from();
    print_stats(program, before != nullptr ? now.since(*before) : now);
    if (options.reset) program.count_from(now);
}

void describe(Arguments& command, StatsOptions& options) {
    command.add_flag("--reset", options.reset, "count from 0 afterwards");
}

} // namespace

void add_stats(Commands& commands) {
    commands.add<StatsOptions>({"stats", "Show what 'run' or 'shell' has asked the device so far"}, describe,
                               run_stats);
}

} // namespace vfsproto::cli
