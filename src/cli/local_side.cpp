// SPDX-License-Identifier: BSD-2-Clause
#include "local_side.hpp"

#include "local_names.hpp"
#include "local_tree.hpp"
#include "paths.hpp"
#include "program.hpp"

#include "vfsproto/backends/passthrough.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace vfsproto::cli {

using posix::Expected;
using posix::Failure;

Failure LocalSide::look(const std::string& path) {
    const auto at = find_below(top_.get(), path);
    if (!at) return at.failure();
    struct stat there{};
    const bool found = ::fstatat(at->directory.get(), at->name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0;
    return found ? Failure() : local_failure(errno);
}

Expected<std::vector<TreeSide::Entry>> LocalSide::list(const std::string& path) {
    const auto directory = open_below(top_.get(), path);
    if (!directory) return directory.failure();
    std::vector<std::string> names;
    if (const Failure failure = list_names((*directory).get(), names)) return failure;
    std::vector<Entry> entries;
    for (const std::string& name : names) {
        struct stat there{};
        if (::fstatat((*directory).get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
            entries.push_back({name, S_ISDIR(there.st_mode) ? Type::directory : Type::other});
        } else if (errno != ENOENT) {
            return local_failure(errno);
        }
    }
    return entries;
}

Failure LocalSide::remove(const std::string& path, Type type) {
    const auto at = find_below(top_.get(), path);
    if (!at) return at.failure();
    const int flags = type == Type::directory ? AT_REMOVEDIR : 0;
    return ::unlinkat(at->directory.get(), at->name.c_str(), flags) == 0 ? Failure() : local_failure(errno);
}

Expected<abi::Attributes> LocalSide::attributes(const std::string& directory) {
    const auto fd = open_below(top_.get(), directory);
    if (!fd) return fd.failure();
    struct stat there{};
    if (::fstat((*fd).get(), &there) != 0) return local_failure(errno);
    return backends::attr_of(there);
}

Failure LocalSide::set_times(const std::string& directory, const abi::Attributes& had) {
    const auto fd = open_below(top_.get(), directory);
    if (!fd) return fd.failure();
    // The descriptor is for looking up names alone; its own name "." is set.
    const bool set = ::utimensat((*fd).get(), ".", times_of(had).data(), AT_SYMLINK_NOFOLLOW) == 0;
    return set ? Failure() : local_failure(errno);
}

std::string LocalSide::shown(const std::string& path) const { return path.empty() ? path_ : join(path_, path); }

} // namespace vfsproto::cli
