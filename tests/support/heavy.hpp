// SPDX-License-Identifier: BSD-2-Clause
// Leaves out what is tagged [heavy] of the test cases that are asked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::test {

// Changes Catch2's filters, each of which may be a list with commas. Without one, all cases but the heavy ones are asked for. Catch2
// takes back in what is hidden when anything is left out; filters of ctest therefore say that it stays out (~[.]), and lose the heavy
// cases. One that does not say so is by somebody who wants these cases.
inline void leave_out_heavy(std::vector<std::string>& filters) {
    constexpr std::string_view kNoHidden = "~[.]";
    constexpr std::string_view kNoHeavy = "~[heavy]";
    if (filters.empty()) filters.emplace_back(kNoHidden);
    for (std::string& filter : filters) {
        for (std::size_t at = filter.find(kNoHidden); at != std::string::npos; at = filter.find(kNoHidden, at)) {
            filter.insert(at, kNoHeavy);
            at += kNoHeavy.size() + kNoHidden.size();
        }
    }
}

} // namespace vfsproto::test
