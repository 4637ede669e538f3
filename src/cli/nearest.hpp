// SPDX-License-Identifier: BSD-2-Clause
// This function guesses what a user meant who wrote a word that is not known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

// Returns the known word that is nearest to `word`: one that it begins, or one from which few letters differ. Empty where none
// is near.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& known);

} // namespace vfsproto::cli
