// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>

namespace vfsproto::client {

// Says which names are the same to the server. With ascii_ignored, A to Z are a to z. Such a server also folds letters beyond
// ASCII, by rules of its own: names that have a byte above 127 are not kept then.
enum class NameCase : std::uint8_t { matters, ascii_ignored };

} // namespace vfsproto::client
