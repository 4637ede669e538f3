// SPDX-License-Identifier: BSD-2-Clause
// The chains of all queues of a stream, in flight and free; one in flight is found by its `unique`.
#pragma once

#include "chain.hpp"

#include <vector>

namespace vfsproto::backends::fuse_stream {

// All memory is taken at the start. One owner at a time.
class ChainTable {
public:
    explicit ChainTable(std::size_t capacity) : chains_(capacity) {
        std::size_t buckets = 1;
        while (buckets < 2 * capacity) buckets *= 2;
        buckets_.resize(buckets);
        for (Chain& chain : chains_) free_.push(chain);
    }

    // Returns a free chain, or nullptr when all are in use. It stays free until add().
    [[nodiscard]] Chain* first_free() noexcept { return free_.first(); }
    // Puts the first free chain, whose `unique` is set, among those in flight.
    void add(Chain& chain) noexcept {
        free_.pop();
        Chain*& bucket = buckets_[bucket_of(chain.unique)];
        chain.next_of_bucket = bucket;
        bucket = &chain;
        chain.stage = Chain::Stage::submitted;
    }
    [[nodiscard]] Chain* find(std::uint64_t unique) noexcept {
        Chain* chain = buckets_[bucket_of(unique)];
        while (chain != nullptr && chain->unique != unique) chain = chain->next_of_bucket;
        return chain;
    }
    // Frees a chain in flight, which is in no list.
    void remove(Chain& chain) noexcept {
        Chain** at = &buckets_[bucket_of(chain.unique)];
        while (*at != &chain) at = &(*at)->next_of_bucket;
        *at = chain.next_of_bucket;
        chain.stage = Chain::Stage::free;
        free_.push(chain);
    }
    [[nodiscard]] std::span<Chain> chains() noexcept { return chains_; }

private:
    // The uniques of a lane differ in their sequence and their slot.
    [[nodiscard]] std::size_t bucket_of(std::uint64_t unique) const noexcept {
        constexpr std::uint64_t kGolden = 0x9e37'79b9'7f4a'7c15;
        return static_cast<std::size_t>(unique * kGolden >> 32) & (buckets_.size() - 1);
    }

    std::vector<Chain> chains_;
    std::vector<Chain*> buckets_; // a power of two of them
    ChainList free_;
};

} // namespace vfsproto::backends::fuse_stream
