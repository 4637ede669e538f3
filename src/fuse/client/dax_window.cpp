// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/dax_window.hpp"

#include "vfsproto/base/smaller.hpp"
#include "vfsproto/config.hpp"

namespace vfsproto::client {

using State = DaxRange::State;
using Kind = DaxAnswer::Kind;
using Why = DaxAnswer::Why;

namespace {

constexpr std::uint64_t kNoHandle = ~std::uint64_t{0};
constexpr std::uint64_t kLeastRangeBytes = 4096;

bool is_power_of_two(std::uint64_t value) noexcept { return value != 0 && (value & (value - 1)) == 0; }

bool is_under_way(const DaxRange& range) noexcept {
    return range.state == State::setting_up || range.state == State::upgrading || range.state == State::removing;
}

DaxAnswer fall_back(Why why) noexcept { return {.kind = Kind::fall_back, .why = why}; }

} // namespace

void DaxWindow::List::push(DaxRange& range) noexcept {
    range.previous = newest;
    range.next = nullptr;
    (newest == nullptr ? oldest : newest->next) = &range;
    newest = &range;
    ++count;
}

void DaxWindow::List::take_out(DaxRange& range) noexcept {
    (range.previous == nullptr ? oldest : range.previous->next) = range.next;
    (range.next == nullptr ? newest : range.next->previous) = range.previous;
    range.previous = range.next = nullptr;
    --count;
}

Errc DaxWindow::init(const DaxGeometry& geometry, std::span<DaxRange> ranges, std::span<DaxRange*> buckets) noexcept {
    if (is_busy()) return Errc::wrong_state;
    if (!is_power_of_two(geometry.range_bytes) || geometry.range_bytes < kLeastRangeBytes) return Errc::bad_argument;
    if (geometry.map_alignment > kMostAlignment) return Errc::bad_argument;
    if (std::uint64_t{1} << geometry.map_alignment > geometry.range_bytes) return Errc::bad_argument;
    unsigned shift = 0; // no builtin: machines without an instruction for it call a function that nobody links
    while (std::uint64_t{1} << shift != geometry.range_bytes) ++shift;
    const std::uint64_t usable = smaller<std::uint64_t>(geometry.window_bytes >> shift, ranges.size());
    if (usable != 0 && buckets.empty()) return Errc::bad_argument;
    range_bytes_ = geometry.range_bytes;
    range_shift_ = shift;
    ranges_ = ranges.first(static_cast<std::size_t>(usable));
    buckets_ = buckets;
    start();
    return Errc::ok;
}

Errc DaxWindow::reset() noexcept {
    if (is_busy()) return Errc::wrong_state;
    start();
    return Errc::ok;
}

void DaxWindow::start() noexcept {
    free_ = idle_ = unwanted_ = List{};
    quarantined_ = 0;
    refused_ = false;
    for (DaxRange*& bucket : buckets_) bucket = nullptr;
    std::uint64_t at = 0;
    for (DaxRange& range : ranges_) {
        range = {};
        range.window_offset = at;
        at += range_bytes_;
        free_.push(range);
    }
}

bool DaxWindow::is_busy() const noexcept {
    if (cuts_ != nullptr) return true;
    for (const DaxRange& range : ranges_) {
        if (range.uses != 0 || is_under_way(range)) return true;
    }
    return false;
}

DaxRange*& DaxWindow::bucket_of(std::uint64_t nodeid, std::uint64_t file_offset) const noexcept {
    // Two multiplications spread what counts up in steps of any size, and the top bits choose the bucket, as in NodeTable.
    std::uint64_t hash = (nodeid ^ file_offset >> range_shift_ << 32) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    return buckets_[static_cast<std::size_t>(((hash >> 32) * buckets_.size()) >> 32)];
}

DaxRange* DaxWindow::find(std::uint64_t nodeid, std::uint64_t file_offset) const noexcept {
    for (DaxRange* range = bucket_of(nodeid, file_offset); range != nullptr; range = range->hash_next) {
        if (range->nodeid == nodeid && range->file_offset == file_offset) return range;
    }
    return nullptr;
}

void DaxWindow::leave_hash(DaxRange& range) noexcept {
    DaxRange** at = &bucket_of(range.nodeid, range.file_offset);
    while (*at != &range) at = &(*at)->hash_next;
    *at = range.hash_next;
    range.hash_next = nullptr;
}

bool DaxWindow::overlaps(const DaxCut& cut, std::uint64_t nodeid, std::uint64_t file_offset) const noexcept {
    return cut.nodeid == nodeid && file_offset < cut.to && cut.from < file_offset + range_bytes_;
}

bool DaxWindow::is_cut(std::uint64_t nodeid, std::uint64_t file_offset) const noexcept {
    for (const DaxCut* cut = cuts_; cut != nullptr; cut = cut->next) {
        if (overlaps(*cut, nodeid, file_offset)) return true;
    }
    return false;
}

DaxAnswer DaxWindow::acquire(const DaxWanted& wanted) noexcept {
    if (ranges_.empty()) return fall_back(Why::no_window);
    // No file is longer than INT64_MAX, so that nothing below wraps.
    const std::uint64_t size = smaller<std::uint64_t>(wanted.size, INT64_MAX);
    if (wanted.offset >= size || wanted.length == 0) return fall_back(Why::beyond_end);
    const std::uint64_t file_offset = wanted.offset & ~(range_bytes_ - 1);
    const std::uint64_t within = wanted.offset - file_offset;
    DaxAnswer answer;
    answer.length = smaller(wanted.length, smaller(size - wanted.offset, range_bytes_ - within));
    answer.window_offset = within;
    if (is_cut(wanted.nodeid, file_offset)) return {.kind = Kind::wait};
    DaxRange* const range = find(wanted.nodeid, file_offset);
    return range == nullptr ? set_up_new(wanted, file_offset, answer) : use(*range, answer, wanted.access);
}

DaxAnswer DaxWindow::use(DaxRange& range, DaxAnswer answer, MapAccess access) noexcept {
    if (range.state != State::mapped) return {.kind = Kind::wait};
    const bool upgrade = access == MapAccess::write && range.access == MapAccess::read;
    if (upgrade) {
        if (refused_) return fall_back(Why::refused);
        // A server that fails half-way may leave nothing mapped, which a user that reads now must not meet.
        if (range.uses != 0) return {.kind = Kind::wait};
        range.access = MapAccess::write;
        range.state = State::upgrading;
        ++counters_.upgrades;
    } else {
        ++counters_.hits;
    }
    if (range.uses++ == 0) idle_.take_out(range);
    answer.kind = upgrade ? Kind::set_up : Kind::ready;
    answer.range = &range;
    answer.window_offset += range.window_offset;
    return answer;
}

DaxAnswer DaxWindow::set_up_new(const DaxWanted& wanted, std::uint64_t file_offset, DaxAnswer answer) noexcept {
    if (refused_) return fall_back(Why::refused);
    if (free_.count == 0) {
        if (idle_count() != 0) return {.kind = Kind::reclaim};
        return removing_ != 0 ? DaxAnswer{.kind = Kind::wait} : fall_back(Why::all_in_use);
    }
    DaxRange& range = *free_.oldest;
    free_.take_out(range);
    range.nodeid = wanted.nodeid;
    range.file_offset = file_offset;
    range.access = wanted.access;
    range.state = State::setting_up;
    range.uses = 1;
    DaxRange*& bucket = bucket_of(range.nodeid, range.file_offset);
    range.hash_next = bucket;
    bucket = &range;
    ++counters_.set_ups;
    answer.kind = Kind::set_up;
    answer.range = &range;
    answer.window_offset += range.window_offset;
    return answer;
}

void DaxWindow::release(DaxRange& range) noexcept {
    VFSPROTO_ASSERT(range.state == State::mapped && range.uses != 0);
    if (--range.uses == 0) make_idle(range);
}

wire::SetupmappingIn DaxWindow::setup_args(const DaxRange& range) const noexcept {
    const std::uint64_t flags =
        wire::kSetupmappingRead | (range.access == MapAccess::write ? wire::kSetupmappingWrite : 0);
    return {kNoHandle, range.file_offset, range_bytes_, flags, range.window_offset};
}

bool DaxWindow::handle_set_up(DaxRange& range, Errc errc, abi::Errno error) noexcept {
    VFSPROTO_ASSERT((range.state == State::setting_up || range.state == State::upgrading) && range.uses == 1);
    const bool is_new = range.state == State::setting_up;
    if (errc == Errc::ok && error == abi::Errno::none) {
        range.state = State::mapped;
        return true;
    }
    ++counters_.failed;
    range.uses = 0;
    if (!range.unwanted) leave_hash(range);
    if (errc != Errc::ok) {
        quarantine(range);
        return false;
    }
    if (error == abi::Errno::enosys || error == abi::Errno::eopnotsupp) refused_ = true;
    // A server that refuses has mapped nothing in an empty range. An older mapping may be gone or not, so it is removed before the
    // range is used again.
    if (is_new) {
        make_free(range);
    } else {
        range.state = State::mapped;
        range.unwanted = true;
        unwanted_.push(range);
    }
    return false;
}

void DaxWindow::make_idle(DaxRange& range) noexcept { (range.unwanted ? unwanted_ : idle_).push(range); }

void DaxWindow::make_free(DaxRange& range) noexcept {
    range.state = State::free;
    range.unwanted = false;
    range.nodeid = range.file_offset = 0;
    free_.push(range);
}

void DaxWindow::quarantine(DaxRange& range) noexcept {
    range.state = State::quarantined;
    ++quarantined_;
}

// The range is not found any more. If it is in use, it is removed when the last use ends.
void DaxWindow::make_unwanted(DaxRange& range) noexcept {
    leave_hash(range);
    range.unwanted = true;
    if (range.uses != 0) return;
    idle_.take_out(range);
    unwanted_.push(range);
}

bool DaxWindow::take_removal(DaxRemoval& removal, std::span<wire::RemovemappingOne> room) noexcept {
    return take(unwanted_, removal, room) || take(idle_, removal, room);
}

bool DaxWindow::take_unwanted(DaxRemoval& removal, std::span<wire::RemovemappingOne> room) noexcept {
    return take(unwanted_, removal, room);
}

bool DaxWindow::take(List& from, DaxRemoval& removal, std::span<wire::RemovemappingOne> room) noexcept {
    removal = {};
    if (from.oldest == nullptr || room.empty()) return false;
    removal.nodeid = from.oldest->nodeid;
    DaxRange* last = nullptr;
    DaxRange* at = from.oldest;
    while (at != nullptr && removal.count < room.size() && removal.count < kMostRemoved) {
        DaxRange& range = *at;
        at = range.next;
        if (range.nodeid != removal.nodeid) continue;
        from.take_out(range);
        if (!range.unwanted) leave_hash(range);
        range.state = State::removing;
        room[removal.count] = {range.window_offset, range_bytes_};
        (last == nullptr ? removal.first : last->next) = &range;
        last = &range;
        ++removal.count;
    }
    removing_ += removal.count;
    ++counters_.removals;
    return true;
}

void DaxWindow::handle_removed(const DaxRemoval& removal, Errc errc, abi::Errno error) noexcept {
    const bool done = errc == Errc::ok && error == abi::Errno::none;
    if (!done) ++counters_.failed;
    removing_ -= removal.count;
    for (DaxRange* at = removal.first; at != nullptr;) {
        DaxRange& range = *at;
        at = range.next;
        VFSPROTO_ASSERT(range.state == State::removing && range.uses == 0);
        range.next = nullptr;
        if (!done) {
            quarantine(range);
            continue;
        }
        make_free(range);
        ++counters_.removed;
    }
}

void DaxWindow::drop_node(std::uint64_t nodeid) noexcept {
    DaxCut all{.nodeid = nodeid};
    begin_cut(all);
    end_cut(all);
}

void DaxWindow::begin_cut(DaxCut& cut) noexcept {
    cut.next = cuts_;
    cuts_ = &cut;
}

bool DaxWindow::may_cut(const DaxCut& cut) const noexcept {
    for (const DaxRange& range : ranges_) {
        if (range.uses != 0 && overlaps(cut, range.nodeid, range.file_offset)) return false;
    }
    return true;
}

void DaxWindow::end_cut(DaxCut& cut) noexcept {
    DaxCut** at = &cuts_;
    while (*at != &cut) at = &(*at)->next;
    *at = cut.next;
    cut.next = nullptr;
    for (DaxRange& range : ranges_) {
        if (range.nodeid != cut.nodeid || range.unwanted) continue;
        if (range.state == State::free || range.state == State::removing || range.state == State::quarantined) continue;
        if (cut.from <= range.file_offset && range.file_offset + range_bytes_ - 1 < cut.to) make_unwanted(range);
    }
}

} // namespace vfsproto::client
