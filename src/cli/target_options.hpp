// SPDX-License-Identifier: BSD-2-Clause
// Says what a copy may do to a file that has its name already.
#pragma once

#include "vfsproto/posix/failure.hpp"

#include <cstdint>

namespace vfsproto::cli {

// follow: symbolic links at the end of the path are followed; a hard-linked file, a device or a FIFO is written in place.
// replace: such a file is replaced or refused (EEXIST, EISDIR), so that nothing outside a tree is written.
enum class Existing : std::uint8_t { follow, replace };

// forced: a file that can neither be written nor be replaced by one of the same owner gives its name to a new file, as "cp -f"
// has it. never: the name is taken only if nothing has it when the copy is whole; else EEXIST.
enum class Clobber : std::uint8_t { allowed, forced, never };

struct TargetOptions {
    Existing existing = Existing::follow;
    Clobber clobber = Clobber::allowed;
};

// True if a directory takes no new files: it may still hold one that can be written.
[[nodiscard]] inline bool directory_refuses(const posix::Failure& failure) noexcept {
    using abi::Errno;
    return failure.error == Errno::eacces || failure.error == Errno::eperm || failure.error == Errno::erofs;
}
// True if a file cannot be opened for writing, though another one may take its place.
[[nodiscard]] inline bool cannot_be_written(const posix::Failure& failure) noexcept {
    return directory_refuses(failure) || failure.error == abi::Errno::etxtbsy;
}

} // namespace vfsproto::cli
