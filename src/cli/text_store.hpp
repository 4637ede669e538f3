// SPDX-License-Identifier: BSD-2-Clause
// Keeps many short texts one behind the other. A text costs four bytes beside its own, and four where somebody keeps its place.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

class TextStore {
public:
    // Says where a text is: the block, and the bytes before it there.
    using Place = std::uint32_t;

    // Throws std::bad_alloc where there is no memory, or no place that 32 bits tell: there is one for some 4 GB.
    [[nodiscard]] Place add(std::string_view text) {
        const std::size_t size = sizeof(std::uint32_t) + text.size();
        if (blocks_.empty() || size > room_ - used_) begin_block(size);
        char* const at = blocks_.back().get() + used_;
        const auto length = static_cast<std::uint32_t>(text.size());
        std::memcpy(at, &length, sizeof length);
        if (!text.empty()) std::memcpy(at + sizeof length, text.data(), text.size());
        const auto place = static_cast<Place>((blocks_.size() - 1) << kOffsetBits | used_);
        used_ += size;
        return place;
    }
    // Returns a text that was added. It stays where it is for as long as the store.
    [[nodiscard]] std::string_view at(Place place) const noexcept {
        const char* const at = blocks_[place >> kOffsetBits].get() + (place & (kLargestBlock - 1));
        std::uint32_t length = 0;
        std::memcpy(&length, at, sizeof length);
        return {at + sizeof length, length};
    }

private:
    static constexpr unsigned kOffsetBits = 20;
    static constexpr std::size_t kLargestBlock = std::size_t{1} << kOffsetBits; // a longer text has a block of its own
    static constexpr std::size_t kMostBlocks = std::size_t{1} << (32 - kOffsetBits);
    static constexpr unsigned kSmallestBits = 8; // the first block has 256 bytes, each further one twice as many

    void begin_block(std::size_t least) {
        if (blocks_.size() == kMostBlocks || least > UINT32_MAX) throw std::bad_alloc();
        const std::size_t doublings = std::min<std::size_t>(blocks_.size(), kOffsetBits - kSmallestBits);
        const std::size_t room = std::max(least, std::size_t{1} << (kSmallestBits + doublings));
        blocks_.push_back(std::make_unique_for_overwrite<char[]>(room));
        room_ = room;
        used_ = 0;
    }

    std::vector<std::unique_ptr<char[]>> blocks_;
    std::size_t room_ = 0; // of the last block
    std::size_t used_ = 0; // bytes of it
};

} // namespace vfsproto::cli
