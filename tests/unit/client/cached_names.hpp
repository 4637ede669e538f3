// SPDX-License-Identifier: BSD-2-Clause
// A cache of names with memory of its own.
#pragma once

#include "vfsproto/fuse/client/lookup_cache.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace vfsproto::test {

constexpr client::CacheTime kNow = 1000;
constexpr client::CacheTime kExpiry = 2000;

[[nodiscard]] inline client::LookupCache::Name text(std::string_view name) { return {name.data(), name.size()}; }

struct NameSizes {
    std::size_t names = 16;
    std::size_t chunks = names;
    std::size_t buckets = names;
};

struct CachedNames {
    explicit CachedNames(const NameSizes& sizes, client::NameCase name_case = client::NameCase::matters)
        : entries(sizes.names),
          chunks(sizes.chunks),
          buckets(sizes.buckets),
          cache(changes, {entries, chunks, buckets}, name_case) {}

    client::ChangeCount changes;
    std::vector<client::CachedName> entries;
    std::vector<client::NameChunk> chunks;
    std::vector<std::uint32_t> buckets;
    client::LookupCache cache;
};

} // namespace vfsproto::test
