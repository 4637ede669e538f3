// SPDX-License-Identifier: BSD-2-Clause
#include "rename_no_clobber.hpp"

namespace vfsproto::cli {

using abi::Errno;
using posix::Failure;

bool cannot_keep_from_replacing(const Failure& failure) noexcept {
    return failure.error == Errno::einval || failure.error == Errno::enosys || failure.error == Errno::eopnotsupp;
}

Failure rename_no_clobber(posix::Mount& mount, const std::string& from, const std::string& to) {
    const Failure failure = mount.rename(from, to, abi::kRenameNoreplace);
    if (!cannot_keep_from_replacing(failure)) return failure;
    const auto there = mount.stat(to, posix::LastLink::keep);
    if (there) return Errno::eexist;
    if (there.failure().error != Errno::enoent) return there.failure();
    return mount.rename(from, to);
}

} // namespace vfsproto::cli
