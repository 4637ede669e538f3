// SPDX-License-Identifier: BSD-2-Clause
// A copy from or to mapped memory that may fault: the file behind it has become shorter, its disk is full, or its device is gone.
#pragma once

#include <cstddef>
#include <span>

namespace vfsproto::posix {

enum class Copied : unsigned char { all, faulted };

// Installs the handlers of SIGBUS and SIGSEGV, once for the process. Faults of others go to the handlers that were there before.
void guard_copies();

// Copies memory that does not overlap. `mapped` is the one of the two that may fault; after that, nobody knows how much was
// copied. Any thread, after guard_copies().
[[nodiscard]] Copied copy_guarded(std::byte* to, const std::byte* from, std::span<const std::byte> mapped) noexcept;

} // namespace vfsproto::posix
