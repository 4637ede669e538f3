// SPDX-License-Identifier: BSD-2-Clause
#include "remote_side.hpp"

#include "paths.hpp"

namespace vfsproto::cli {

using abi::Errno;
using posix::Expected;
using posix::Failure;
using posix::LastLink;

Failure RemoteSide::look(const std::string& path) {
    const auto there = mount_.stat(shown(path), LastLink::keep);
    return there ? Failure() : there.failure();
}

Expected<std::vector<TreeSide::Entry>> RemoteSide::list(const std::string& path) {
    const std::string directory = shown(path);
    const auto listed = mount_.list(directory);
    if (!listed) return listed.failure();
    std::vector<Entry> entries;
    for (const posix::DirectoryEntry& entry : *listed) {
        if (!is_single_component(entry.name)) return Errc::protocol_violation;
        std::uint32_t mode = entry.attributes.mode;
        if (!entry.has_attributes) {
            const auto there = mount_.stat(join(directory, entry.name), LastLink::keep);
            if (!there && there.failure().error == Errno::enoent) continue;
            if (!there) return there.failure();
            mode = there->mode;
        }
        entries.push_back({entry.name, posix::is_directory(mode) ? Type::directory : Type::other});
    }
    return entries;
}

Failure RemoteSide::remove(const std::string& path, Type type) {
    return type == Type::directory ? mount_.rmdir(shown(path)) : mount_.unlink(shown(path));
}

Expected<abi::Attributes> RemoteSide::attributes(const std::string& directory) {
    return mount_.stat(shown(directory), LastLink::keep);
}

Failure RemoteSide::set_times(const std::string& directory, const abi::Attributes& had) {
    using posix::SetTime;
    const auto at = [](std::uint64_t seconds, std::uint32_t nanoseconds) {
        return SetTime{SetTime::Kind::at, static_cast<std::int64_t>(seconds), nanoseconds};
    };
    return mount_.set_times(shown(directory), at(had.atime, had.atimensec), at(had.mtime, had.mtimensec),
                            LastLink::keep);
}

std::string RemoteSide::shown(const std::string& path) const { return path.empty() ? path_ : join(path_, path); }

} // namespace vfsproto::cli
