// SPDX-License-Identifier: BSD-2-Clause
#include "known_version.hpp"

#include "attributes.hpp"

#include <fcntl.h>

namespace vfsproto::backends {

std::uint64_t version_of(int fd, int flags) noexcept {
    struct statx status{};
    return ::statx(fd, "", AT_EMPTY_PATH | flags, kStatxMask, &status) == 0 ? version_of(status) : 0;
}

} // namespace vfsproto::backends
