// SPDX-License-Identifier: BSD-2-Clause
#include "content.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <limits>
#include <utility>

namespace vfsproto::backends {

const Content::Block* Content::block(std::uint64_t index) const {
    const auto found = blocks_.find(index);
    return found == blocks_.end() ? nullptr : found->second.get();
}

std::unique_ptr<Content::Block>* Content::take(std::uint64_t index) {
    const auto found = blocks_.find(index);
    if (found != blocks_.end()) return &found->second;
    if (space_.used >= space_.limit) return nullptr;
    ++space_.used;
    return &blocks_[index];
}

void Content::zero_within(std::uint64_t index, std::uint64_t from, std::uint64_t to) {
    const auto found = blocks_.find(index);
    if (found == blocks_.end() || !found->second) return;
    std::memset(found->second->data() + from, 0, to - from);
}

bool Content::read(std::uint64_t offset, std::byte* to, std::size_t count) const {
    if (file_) return file_.read(offset, to, count);
    while (count > 0) {
        const std::uint64_t within = offset % kBlock;
        const std::size_t now = std::min<std::uint64_t>(count, kBlock - within);
        if (const Block* from = block(offset / kBlock))
            std::memcpy(to, from->data() + within, now);
        else
            std::memset(to, 0, now);
        to += now, offset += now, count -= now;
    }
    return true;
}

std::size_t Content::write(std::uint64_t offset, const std::byte* from, std::size_t count) {
    if (file_) return write_to_file(offset, from, count);
    std::size_t done = 0;
    while (done < count) {
        const std::uint64_t within = (offset + done) % kBlock;
        const std::size_t now = std::min<std::uint64_t>(count - done, kBlock - within);
        std::unique_ptr<Block>* const to = take((offset + done) / kBlock);
        if (to == nullptr) break;
        if (!*to) *to = std::make_unique<Block>();
        std::memcpy((*to)->data() + within, from + done, now);
        done += now;
    }
    if (done > 0) size_ = std::max(size_, offset + done);
    return done;
}

std::size_t Content::write_to_file(std::uint64_t offset, const std::byte* from, std::size_t count) {
    Indices taken;
    std::size_t room = 0;
    while (room < count && reserve(offset + room, offset + room + 1, &taken)) {
        room += std::min<std::uint64_t>(count - room, kBlock - (offset + room) % kBlock);
    }
    if (room == 0) return 0;
    std::size_t done = 0;
    if (offset + room <= size_ || prepare_growth(offset + room, taken)) done = file_.write(offset, from, room);
    if (done == 0) give_back(taken);
    if (done > 0) size_ = std::max(size_, offset + done);
    return done;
}

bool Content::resize(std::uint64_t size) {
    if (file_) {
        Indices taken;
        if ((size > size_ && !prepare_growth(size, taken)) || !file_.resize(size)) {
            give_back(taken);
            return false;
        }
    }
    if (size < size_) drop_blocks(size, std::numeric_limits<std::uint64_t>::max());
    size_ = size;
    return true;
}

// Clears what lies behind the old end, and takes the blocks of mapped places: a client must find no stale bytes there,
// and none without a block.
bool Content::prepare_growth(std::uint64_t size, Indices& taken) {
    return take_reached({size_, size}, size, &taken) && file_.clear_behind(size_);
}

void Content::give_back(const Indices& taken) {
    for (const std::uint64_t index : taken) blocks_.erase(index);
    space_.used -= taken.size();
}

bool Content::punch(std::uint64_t from, std::uint64_t to) {
    if (from >= to) return true;
    if (file_ && !file_.punch(from, to)) return false;
    drop_blocks(from, to);
    return take_reached({from, to}, size_);
}

void Content::drop_blocks(std::uint64_t from, std::uint64_t to) {
    const std::uint64_t first = from / kBlock;
    const std::uint64_t last = (to - 1) / kBlock;
    const bool whole_first = from % kBlock == 0 && to >= (first + 1) * kBlock;
    const bool whole_last = to % kBlock == 0 || last == std::numeric_limits<std::uint64_t>::max() / kBlock;
    if (first == last && !(whole_first && whole_last)) return zero_within(first, from % kBlock, to - first * kBlock);
    if (!whole_first) zero_within(first, from % kBlock, kBlock);
    if (!whole_last) zero_within(last, 0, to % kBlock);
    const auto begin = blocks_.lower_bound(whole_first ? first : first + 1);
    const auto end = whole_last ? blocks_.upper_bound(last) : blocks_.lower_bound(last);
    space_.used -= static_cast<std::uint64_t>(std::distance(begin, end));
    blocks_.erase(begin, end);
}

bool Content::reserve(std::uint64_t from, std::uint64_t to, Indices* taken) {
    const std::uint64_t first = from / kBlock;
    const std::uint64_t end = (to - 1) / kBlock + 1;
    const auto present = std::distance(blocks_.lower_bound(first), blocks_.lower_bound(end));
    const std::uint64_t wanted = end - first - static_cast<std::uint64_t>(present);
    if (wanted > space_.limit - std::min(space_.used, space_.limit)) return false;
    for (std::uint64_t index = first; index < end; ++index) {
        if (blocks_.try_emplace(index).second && taken != nullptr) taken->push_back(index);
    }
    space_.used += wanted;
    return true;
}

std::uint64_t Content::next_data(std::uint64_t from) const {
    for (auto at = blocks_.lower_bound(from / kBlock); at != blocks_.end(); ++at) {
        if (is_data(*at)) return std::min(std::max(from, at->first * kBlock), size_);
    }
    return size_;
}

std::uint64_t Content::next_hole(std::uint64_t from) const {
    std::uint64_t index = from / kBlock;
    for (auto at = blocks_.find(index); at != blocks_.end() && at->first == index && is_data(*at); ++at) ++index;
    return std::min(std::max(from, index * kBlock), size_);
}

int Content::move_to_file() {
    if (file_) return 0;
    ContentFile file;
    if (const int error = file.create(); error != 0) return error;
    for (const auto& [index, bytes] : blocks_) {
        const std::uint64_t at = index * kBlock;
        if (!bytes || at >= size_) continue;
        const std::size_t count = std::min(kBlock, size_ - at);
        if (file.write(at, bytes->data(), count) != count) return ENOSPC;
    }
    if (!file.resize(size_)) return errno;
    for (auto& [index, bytes] : blocks_) bytes.reset();
    file_ = std::move(file);
    return 0;
}

bool Content::move_to_heap() {
    for (auto& [index, bytes] : blocks_) {
        const std::uint64_t at = index * kBlock;
        if (at >= size_) break;
        auto copy = std::make_unique<Block>();
        if (!file_.read(at, copy->data(), std::min(kBlock, size_ - at))) return false;
        const bool is_hole = *copy == Block{};
        bytes = is_hole ? nullptr : std::move(copy);
    }
    file_.close();
    return true;
}

bool Content::take_reach(const Reach& reach) {
    const std::uint64_t to = std::min(reach.to, size_);
    return reach.from >= to || reserve(reach.from, to);
}

bool Content::take_reached(const Reach& within, std::uint64_t size, Indices* taken) {
    for (const Reach& reach : mapped_) {
        const std::uint64_t from = std::max(reach.from, within.from);
        const std::uint64_t to = std::min({reach.to, within.to, size});
        if (from < to && !reserve(from, to, taken)) return false;
    }
    return true;
}

void Content::remove_mapping(const Reach& reach) {
    const auto found = std::find(mapped_.begin(), mapped_.end(), reach);
    if (found != mapped_.end()) mapped_.erase(found);
}

} // namespace vfsproto::backends
