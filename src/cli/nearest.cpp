// SPDX-License-Identifier: BSD-2-Clause
#include "nearest.hpp"

#include <algorithm>

namespace vfsproto::cli {
namespace {

// Returns how many letters are to be inserted, removed, replaced, or exchanged with the next one, to make one word of the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
    for (std::size_t k = 0; k <= b.size(); ++k) cost[0][k] = k;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t k = 1; k <= b.size(); ++k) {
            const std::size_t replaced = cost[i - 1][k - 1] + (a[i - 1] == b[k - 1] ? 0 : 1);
            cost[i][k] = std::min({replaced, cost[i - 1][k] + 1, cost[i][k - 1] + 1});
            if (i < 2 || k < 2 || a[i - 1] != b[k - 2] || a[i - 2] != b[k - 1]) continue;
            cost[i][k] = std::min(cost[i][k], cost[i - 2][k - 2] + 1);
        }
    }
    return cost[a.size()][b.size()];
}

} // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
    constexpr std::size_t kLongest = 64; // nothing that is known is longer
    if (word.empty() || word.size() > kLongest) return {};
    std::string found;
    std::size_t least = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string& candidate : known) {
        const bool begun = word.size() > 2 && candidate.starts_with(word);
        const std::size_t distance = begun ? 0 : edit_distance(word, candidate);
        // A word that shares no letter is not near.
        if (distance >= least || distance >= std::max(word.size(), candidate.size())) continue;
        least = distance;
        found = candidate;
    }
    return found;
}

} // namespace vfsproto::cli
