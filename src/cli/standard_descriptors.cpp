// SPDX-License-Identifier: BSD-2-Clause
#include "standard_descriptors.hpp"

#include "program.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace vfsproto::cli {

void fill_standard_descriptors() noexcept {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0) continue;
        // The lowest free descriptor is `fd`: those below it are taken.
        const int flags = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
        if (::open("/dev/null", flags) != fd)
            ::_exit(static_cast<int>(ExitCode::device)); // NOLINT(android-cloexec-open)
    }
}

} // namespace vfsproto::cli
