// SPDX-License-Identifier: BSD-2-Clause
#include "content.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>

namespace vfsproto::backends {

const Content::Block* Content::block(std::uint64_t index) const {
    const auto found = blocks_.find(index);
    return found == blocks_.end() ? nullptr : found->second.get();
}

Content::Block* Content::block_to_write(std::uint64_t index) {
    const auto found = blocks_.find(index);
    if (found == blocks_.end() && space_.used >= space_.limit) return nullptr;
    if (found == blocks_.end()) ++space_.used;
    std::unique_ptr<Block>& at = blocks_[index];
    if (!at) at = std::make_unique<Block>();
    return at.get();
}

void Content::zero_within(std::uint64_t index, std::uint64_t from, std::uint64_t to) {
    const auto found = blocks_.find(index);
    if (found == blocks_.end() || !found->second) return;
    std::memset(found->second->data() + from, 0, to - from);
}

void Content::read(std::uint64_t offset, std::byte* to, std::size_t count) const {
    while (count > 0) {
        const std::uint64_t within = offset % kBlock;
        const std::size_t now = std::min<std::uint64_t>(count, kBlock - within);
        if (const Block* from = block(offset / kBlock))
            std::memcpy(to, from->data() + within, now);
        else
            std::memset(to, 0, now);
        to += now, offset += now, count -= now;
    }
}

std::size_t Content::write(std::uint64_t offset, const std::byte* from, std::size_t count) {
    std::size_t done = 0;
    while (done < count) {
        const std::uint64_t within = (offset + done) % kBlock;
        const std::size_t now = std::min<std::uint64_t>(count - done, kBlock - within);
        Block* to = block_to_write((offset + done) / kBlock);
        if (to == nullptr) break;
        std::memcpy(to->data() + within, from + done, now);
        done += now;
    }
    if (done > 0) size_ = std::max(size_, offset + done);
    return done;
}

void Content::resize(std::uint64_t size) {
    if (size < size_) punch(size, std::numeric_limits<std::uint64_t>::max());
    size_ = size;
}

void Content::punch(std::uint64_t from, std::uint64_t to) {
    if (from >= to) return;
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

bool Content::reserve(std::uint64_t from, std::uint64_t to) {
    const std::uint64_t first = from / kBlock;
    const std::uint64_t end = (to - 1) / kBlock + 1;
    const auto present = std::distance(blocks_.lower_bound(first), blocks_.lower_bound(end));
    const std::uint64_t wanted = end - first - static_cast<std::uint64_t>(present);
    if (wanted > space_.limit - std::min(space_.used, space_.limit)) return false;
    for (std::uint64_t index = first; index < end; ++index) blocks_.try_emplace(index);
    space_.used += wanted;
    return true;
}

std::uint64_t Content::next_data(std::uint64_t from) const {
    for (auto at = blocks_.lower_bound(from / kBlock); at != blocks_.end(); ++at) {
        if (at->second) return std::min(std::max(from, at->first * kBlock), size_);
    }
    return size_;
}

std::uint64_t Content::next_hole(std::uint64_t from) const {
    std::uint64_t index = from / kBlock;
    while (index * kBlock < size_ && block(index) != nullptr) ++index;
    return std::min(std::max(from, index * kBlock), size_);
}

} // namespace vfsproto::backends
