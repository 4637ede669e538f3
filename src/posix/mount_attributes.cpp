// SPDX-License-Identifier: BSD-2-Clause
// Mount: attributes, extended attributes, and the file system as a whole.
#include "file_steps.hpp"
#include "mount_steps.hpp"

namespace vfsproto::posix {

Expected<Attributes> Mount::set_attributes(std::string_view path, const wire::SetattrIn& what, LastLink last) {
    return ask<SetAttributesSteps>(path, what, last);
}

Expected<Attributes> Mount::set_attributes(const File& file, const wire::SetattrIn& what) {
    return ask<SetFileAttributesSteps>(file, what);
}

Failure Mount::chmod(std::string_view path, std::uint32_t mode) { return perform<ChangeModeSteps>(path, mode); }

Failure Mount::chown(std::string_view path, std::optional<std::uint32_t> uid, std::optional<std::uint32_t> gid,
                     LastLink last) {
    return perform<SetAttributesSteps>(path, owner_in(uid, gid), last);
}

Failure Mount::truncate(std::string_view path, std::uint64_t size) {
    return perform<SetAttributesSteps>(path, size_in(size), LastLink::follow);
}

Failure Mount::truncate(const File& file, std::uint64_t size) {
    return perform<SetFileAttributesSteps>(file, size_in(size));
}

Failure Mount::set_times(std::string_view path, const SetTime& atime, const SetTime& mtime, LastLink last) {
    return perform<SetAttributesSteps>(path, times_in(atime, mtime), last);
}

Failure Mount::set_times(const File& file, const SetTime& atime, const SetTime& mtime) {
    return perform<SetFileAttributesSteps>(file, times_in(atime, mtime));
}

Expected<Attributes> Mount::stat(const File& file) { return ask<FileStatSteps>(file); }

Expected<wire::Kstatfs> Mount::statfs(std::string_view path) { return ask<StatfsSteps>(path); }

Failure Mount::sync() { return perform<SyncSteps>(); }

Expected<std::vector<std::byte>> Mount::get_xattr(std::string_view path, std::string_view name, LastLink last) {
    return ask<GetXattrSteps>(path, name, last);
}

Failure Mount::set_xattr(std::string_view path, std::string_view name, std::span<const std::byte> value,
                         XattrSpace space, LastLink last) {
    return perform<SetXattrSteps>(path, SetXattrSteps::Value{name, value, space}, last);
}

Expected<std::vector<std::string>> Mount::list_xattrs(std::string_view path, LastLink last) {
    return ask<ListXattrsSteps>(path, last);
}

Failure Mount::remove_xattr(std::string_view path, std::string_view name, LastLink last) {
    return perform<RemoveXattrSteps>(path, name, last);
}

} // namespace vfsproto::posix
