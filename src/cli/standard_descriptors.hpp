// SPDX-License-Identifier: BSD-2-Clause
// Keeps the descriptors 0, 1 and 2 taken.
#pragma once

namespace vfsproto::cli {

// Opens /dev/null where standard input, output or error is closed, the wrong way round: using it fails with EBADF. Without
// that the next descriptor opened, a server's socket, would be taken for it. Called first of all; exits with 3 on failure.
void fill_standard_descriptors() noexcept;

} // namespace vfsproto::cli
