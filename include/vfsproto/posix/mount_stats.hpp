// SPDX-License-Identifier: BSD-2-Clause
// The counts of a session, which all its mounts share: what was asked, and what was known without asking.
#pragma once

#include "vfsproto/posix/channel_stats.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vfsproto::wire {
enum class Opcode : std::uint32_t;
} // namespace vfsproto::wire

namespace vfsproto::posix {

// Counts the requests of one operation that are over.
struct OperationStats {
    wire::Opcode op{};
    std::uint64_t calls = 0;
    std::uint64_t errors = 0;   // of these, those the server answered with an errno
    std::uint64_t failures = 0; // of these, those without an answer: none came, or none that keeps the rules
};

// Counts stay 0 where nothing is kept (CacheMode::none). A walk counts each name it looks for, and each file whose attributes it
// needs, unless it looks anew. A name that is found may lead to a file that the server was told to forget: the walk asks all the same.
struct CacheStats {
    std::uint64_t name_hits = 0;     // names that lead to a file
    std::uint64_t absent_hits = 0;   // names that are known to lead to none
    std::uint64_t name_misses = 0;   // names of which nothing is known, expired ones among them
    std::uint64_t names_expired = 0; // of the misses: it was known, and no more
    std::uint64_t names_kept = 0;    // answers that were taken, later ones about the same name among them
    std::uint64_t names_evicted = 0; // names that made room for others
    std::uint64_t attribute_hits = 0;
    std::uint64_t attribute_misses = 0;
    std::uint64_t target_hits = 0; // of symbolic links, on the way of a walk and for Mount::readlink()
    std::uint64_t target_misses = 0;
    std::uint64_t targets_kept = 0;
    std::uint64_t targets_evicted = 0; // targets that made room for others
    // These count directories that were read from their start while their listing may be kept. A listing that is kept is a miss too
    // where it is wanted with attributes and those of a file in it are not known.
    std::uint64_t listing_hits = 0;
    std::uint64_t listing_misses = 0;
    std::uint64_t listings_kept = 0;
    std::uint64_t listings_evicted = 0; // listings that made room for others
};

// Tells how much is held now.
struct HeldStats {
    std::uint64_t names = 0;         // expired ones among them
    std::uint64_t nodes = 0;         // files that the server was not told to forget
    std::uint64_t idle_nodes = 0;    // of these, those that nothing here uses
    std::uint64_t targets = 0;       // of symbolic links, void ones among them
    std::uint64_t listings = 0;      // of directories, void ones among them
    std::uint64_t content_bytes = 0; // of memory for both
};

struct MountStats {
    ChannelStats channel{};
    std::vector<QueueStats> queues{}; // the request queues in use, in their order
    // All operations there are, in the order of the table.
    std::vector<OperationStats> operations{};
    // READs and WRITEs of registered memory take a path of their own, which has no time to count them one by one: they are in no
    // operation, and errors that the server answered are not counted for them.
    std::uint64_t fast_transfers = 0;
    std::uint64_t lost_transfers = 0;  // of these, those without an answer, or with one that breaks a rule
    std::uint64_t abandoned = 0;       // requests in flight whose caller went on: at a stop, or after too long
    std::uint64_t late = 0;            // of these, those that were answered since, or lost with the device
    std::uint64_t forgets = 0;         // FORGETs, of one node each
    std::uint64_t batch_forgets = 0;   // BATCH_FORGETs
    std::uint64_t forgotten = 0;       // nodes in both
    std::uint64_t interrupts_sent = 0; // INTERRUPTs, those that were sent again among them
    CacheStats caches{};
    HeldStats held{};

    [[nodiscard]] const OperationStats& of(wire::Opcode op) const noexcept { return operations[index_of(op)]; }
    // Returns what was counted since `before`, which is of the same session or empty, and what is held now.
    [[nodiscard]] MountStats since(const MountStats& before) const;

private:
    [[nodiscard]] static std::size_t index_of(wire::Opcode op) noexcept;
};

} // namespace vfsproto::posix
