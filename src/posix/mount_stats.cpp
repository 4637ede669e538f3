// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/mount_stats.hpp"

#include "vfsproto/fuse/wire/op_table.hpp"

#include <cstddef>

namespace vfsproto::posix {

namespace {

using Count = std::uint64_t;

// Subtracts these counts of `before` from those of `now`.
template <class Counts, std::size_t Size>
void subtract(Counts& now, const Counts& before, Count Counts::* const (&counts)[Size]) noexcept {
    for (Count Counts::* const count : counts) now.*count -= before.*count;
}

// Subtracts every count of a struct, and does not compile if one is left out.
template <class Counts, std::size_t Size>
void subtract_all(Counts& now, const Counts& before, Count Counts::* const (&counts)[Size]) noexcept {
    static_assert(sizeof(Counts) == Size * sizeof(Count), "a count is missing");
    subtract(now, before, counts);
}

} // namespace

QueueStats QueueStats::since(const QueueStats& before) const noexcept {
    using Stats = QueueStats;
    QueueStats counted = *this;
    subtract_all(counted, before,
                 {&Stats::requests, &Stats::descriptors, &Stats::doorbells, &Stats::sleeps, &Stats::interrupts});
    return counted;
}

ChannelStats ChannelStats::since(const ChannelStats& before) const noexcept {
    using Stats = ChannelStats;
    ChannelStats counted = *this;
    subtract_all(counted, before,
                 {&Stats::requests, &Stats::descriptors, &Stats::doorbells, &Stats::sleeps, &Stats::interrupts,
                  &Stats::copies, &Stats::syscalls, &Stats::waited_for_slot, &Stats::violations,
                  &Stats::notifications});
    return counted;
}

std::size_t MountStats::index_of(wire::Opcode op) noexcept { return wire::op_info(op).row; }

MountStats MountStats::since(const MountStats& before) const {
    MountStats counted = *this;
    counted.channel = channel.since(before.channel);
    for (std::size_t i = 0; i < queues.size() && i < before.queues.size(); ++i) {
        counted.queues[i] = queues[i].since(before.queues[i]);
    }
    for (std::size_t i = 0; i < operations.size() && i < before.operations.size(); ++i) {
        using Row = OperationStats;
        subtract(counted.operations[i], before.operations[i], {&Row::calls, &Row::errors, &Row::failures});
    }
    using Stats = MountStats;
    subtract(counted, before,
             {&Stats::fast_transfers, &Stats::lost_transfers, &Stats::abandoned, &Stats::late, &Stats::forgets,
              &Stats::batch_forgets, &Stats::forgotten, &Stats::interrupts_sent});
    using Caches = CacheStats;
    subtract_all(counted.caches, before.caches,
                 {&Caches::name_hits, &Caches::absent_hits, &Caches::name_misses, &Caches::names_expired,
                  &Caches::names_kept, &Caches::names_evicted, &Caches::attribute_hits, &Caches::attribute_misses,
                  &Caches::target_hits, &Caches::target_misses, &Caches::targets_kept, &Caches::targets_evicted,
                  &Caches::listing_hits, &Caches::listing_misses, &Caches::listings_kept, &Caches::listings_evicted});
    return counted;
}

} // namespace vfsproto::posix
