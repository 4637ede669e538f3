// SPDX-License-Identifier: BSD-2-Clause
// DaxWindow hands out ranges of the device's shared memory window (virtio 1.2 §5.11.6; Linux fs/fuse/dax.c). A range maps
// one aligned piece of one file. It is a state machine without I/O, clock and locks: the host asks for bytes of a file, and is
// told that they are there, or which request to send first.
//
//   DaxAnswer answer = window.acquire(wanted);
//   ready      copy at answer.window_offset, then window.release(*answer.range)
//   set_up     send window.setup_args(*answer.range) to the range's node; once it is answered:
//              window.handle_set_up(*answer.range, errc, error) says whether the range is there now, as if ready
//   reclaim    window.take_removal(removal, room); send it; window.handle_removed(removal, errc, error); ask again
//   wait       ask again later, or use READ and WRITE
//   fall_back  use READ and WRITE
//
// A range is in quarantine, and not handed out before reset(), once nobody knows what the server has mapped there: a request
// about it was lost, or its removal was refused.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/base/errc.hpp"
#include "vfsproto/fuse/client/dax_range.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::client {

struct DaxGeometry {
    static constexpr std::uint64_t kRangeBytes = std::uint64_t{1} << 21; // what Linux uses

    std::uint64_t window_bytes = 0;          // of shared memory region 0
    std::uint16_t map_alignment = 0;         // log2, of SessionParams
    std::uint64_t range_bytes = kRangeBytes; // a power of two, no less than 4096 and the alignment
};

// One owner at a time: the host locks it.
class DaxWindow {
public:
    // Most entries of one REMOVEMAPPING: a page of them (Linux FUSE_REMOVEMAPPING_MAX_ENTRY).
    static constexpr std::size_t kMostRemoved = 256;
    // A good number of ranges to reclaim at a time (Linux FUSE_DAX_RECLAIM_CHUNK).
    static constexpr std::size_t kReclaimed = 10;
    // The largest alignment that is taken: 2 MiB (Linux).
    static constexpr std::uint16_t kMostAlignment = 21;

    DaxWindow() noexcept = default;
    DaxWindow(const DaxWindow&) = delete;
    DaxWindow& operator=(const DaxWindow&) = delete;

    // Takes the ranges and the buckets, which are the host's and empty. Fewer ranges than the window has leave its end unused.
    // No ranges, and a window too small for one, are legal: every acquire() falls back. Errors: bad_argument: the geometry makes no
    // sense, or there are ranges and no buckets; wrong_state: a range is in use or a request under way.
    [[nodiscard]] Errc init(const DaxGeometry& geometry, std::span<DaxRange> ranges,
                            std::span<DaxRange*> buckets) noexcept;
    // Forgets everything, quarantine and refusals included: the device was reset, or the session began anew. Errors, and then
    // nothing happened: wrong_state (a range is in use or a request under way).
    [[nodiscard]] Errc reset() noexcept;

    // Asks for bytes of a file. The caller of a range that is ready, or to be set up, uses it until release().
    [[nodiscard]] DaxAnswer acquire(const DaxWanted& wanted) noexcept;
    void release(DaxRange& range) noexcept;

    // Returns what SETUPMAPPING says of this range. The header's nodeid is range.nodeid. The server opens the file itself: `fh`
    // is that of no handle.
    [[nodiscard]] wire::SetupmappingIn setup_args(const DaxRange& range) const noexcept;
    // Tells how it ended: by the engine's word and the server's. True if the range is ready, and still used by its caller; false
    // if the caller falls back, and has no use to release.
    [[nodiscard]] bool handle_set_up(DaxRange& range, Errc errc, abi::Errno error) noexcept;

    // Takes ranges of one node that nobody uses: unwanted ones, or else the least recently used one and others of its node, oldest
    // first. Fills in as many entries of a REMOVEMAPPING as there is room for. False if there is nothing to remove.
    [[nodiscard]] bool take_removal(DaxRemoval& removal, std::span<wire::RemovemappingOne> room) noexcept;
    // Takes unwanted ranges alone, in the same way.
    [[nodiscard]] bool take_unwanted(DaxRemoval& removal, std::span<wire::RemovemappingOne> room) noexcept;
    // Tells how it ended. A removal that did not succeed as a whole leaves every range of it in quarantine.
    void handle_removed(const DaxRemoval& removal, Errc errc, abi::Errno error) noexcept;

    // Nothing of this node is wanted any more: call it before the node is forgotten, and then take_unwanted() until it says no.
    // Takes time in proportion to the ranges, as cuts do.
    void drop_node(std::uint64_t nodeid) noexcept;

    // A cut begins: nobody gets a range that it touches until it ends. It lies in storage of the host until then.
    void begin_cut(DaxCut& cut) noexcept;
    // True if nobody uses what it touches any more: its request may be sent. Ask again after the next change if not.
    [[nodiscard]] bool may_cut(const DaxCut& cut) const noexcept;
    // The request was answered, whatever it was: ranges that lie wholly within the cut are unwanted now.
    void end_cut(DaxCut& cut) noexcept;

    [[nodiscard]] std::size_t range_count() const noexcept { return ranges_.size(); }
    [[nodiscard]] std::size_t free_count() const noexcept { return free_.count; }
    [[nodiscard]] std::size_t idle_count() const noexcept { return idle_.count + unwanted_.count; }
    [[nodiscard]] std::size_t quarantined_count() const noexcept { return quarantined_; }
    // True if few ranges are free and some could be: a host with a worker reclaims now (Linux: below a fifth).
    [[nodiscard]] bool is_low() const noexcept { return free_.count * 5 < ranges_.size() && idle_count() != 0; }
    [[nodiscard]] const DaxCounters& counters() const noexcept { return counters_; }

private:
    // Ranges linked by previous and next, oldest first.
    struct List {
        DaxRange* oldest = nullptr;
        DaxRange* newest = nullptr;
        std::size_t count = 0;

        void push(DaxRange& range) noexcept;
        void take_out(DaxRange& range) noexcept;
    };

    void start() noexcept;
    [[nodiscard]] bool is_busy() const noexcept;
    [[nodiscard]] DaxRange*& bucket_of(std::uint64_t nodeid, std::uint64_t file_offset) const noexcept;
    [[nodiscard]] DaxRange* find(std::uint64_t nodeid, std::uint64_t file_offset) const noexcept;
    void leave_hash(DaxRange& range) noexcept;
    [[nodiscard]] bool overlaps(const DaxCut& cut, std::uint64_t nodeid, std::uint64_t file_offset) const noexcept;
    [[nodiscard]] bool is_cut(std::uint64_t nodeid, std::uint64_t file_offset) const noexcept;
    [[nodiscard]] DaxAnswer use(DaxRange& range, DaxAnswer answer, MapAccess access) noexcept;
    [[nodiscard]] DaxAnswer set_up_new(const DaxWanted& wanted, std::uint64_t file_offset, DaxAnswer answer) noexcept;
    void make_idle(DaxRange& range) noexcept;
    void make_free(DaxRange& range) noexcept;
    void make_unwanted(DaxRange& range) noexcept;
    void quarantine(DaxRange& range) noexcept;
    [[nodiscard]] bool take(List& from, DaxRemoval& removal, std::span<wire::RemovemappingOne> room) noexcept;

    std::span<DaxRange> ranges_{};
    std::span<DaxRange*> buckets_{};
    std::uint64_t range_bytes_ = DaxGeometry::kRangeBytes;
    unsigned range_shift_ = 21; // log2 of it
    List free_;
    List idle_;     // mapped and unused; acquire() finds them
    List unwanted_; // mapped and unused; no longer found, to be removed
    DaxCut* cuts_ = nullptr;
    std::size_t quarantined_ = 0;
    std::size_t removing_ = 0;
    bool refused_ = false;
    DaxCounters counters_{};
};

} // namespace vfsproto::client
