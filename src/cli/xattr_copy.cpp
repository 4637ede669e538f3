// SPDX-License-Identifier: BSD-2-Clause
#include "xattr_copy.hpp"

#include "program.hpp"

#include <fmt/format.h>

#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace vfsproto::cli {

using abi::Errno;
using posix::Expected;
using posix::Failure;

namespace {

bool is_kept(std::string_view name, KeptXattrs kept) noexcept {
    if (kept == KeptXattrs::all) return true;
    return kept == KeptXattrs::acls && (name == "system.posix_acl_access" || name == "system.posix_acl_default");
}

// Returns a path to a name in an open directory. The calls that begin with l do not follow the name itself.
std::string path_at(int parent, const std::string& name) { return fmt::format("/proc/self/fd/{}/{}", parent, name); }

// Calls `list` with a buffer, which returns how much of it is filled, or -1 and errno.
template <class List> Expected<std::vector<std::string>> list_xattrs(List&& call) {
    std::string list(abi::kXattrListMax, '\0');
    const ssize_t size = call(list.data(), list.size());
    if (size < 0) return local_failure(errno);
    list.resize(static_cast<std::size_t>(size));
    std::vector<std::string> names;
    for (std::size_t at = 0; at < list.size(); at += names.back().size() + 1) names.emplace_back(list.c_str() + at);
    return names;
}

template <class Get> Expected<std::vector<std::byte>> get_xattr(Get&& call) {
    std::vector<std::byte> value(abi::kXattrSizeMax);
    const ssize_t size = call(value.data(), value.size());
    if (size < 0) return local_failure(errno);
    value.resize(static_cast<std::size_t>(size));
    return value;
}

template <class Get>
Expected<Xattrs> read_all(const Expected<std::vector<std::string>>& names, KeptXattrs kept, Get&& get) {
    if (!names) {
        const bool has_none = names.failure().error == Errno::eopnotsupp || names.failure().error == Errno::enosys;
        if (has_none && kept == KeptXattrs::acls) return Xattrs{};
        return names.failure();
    }
    Xattrs all;
    for (const std::string& name : *names) {
        if (!is_kept(name, kept)) continue;
        auto value = get(name);
        if (!value && value.failure().error == Errno::enodata) continue; // removed meanwhile
        if (!value) return value.failure();
        all.push_back({name, std::move(*value)});
    }
    std::sort(all.begin(), all.end(), [](const Xattr& a, const Xattr& b) { return a.name < b.name; });
    return all;
}

template <class Set> Failure write_all(const Xattrs& xattrs, XattrStep step, Set&& set) {
    Failure first;
    for (const Xattr& xattr : xattrs) {
        const XattrStep its_step =
            xattr.name.starts_with("security.") ? XattrStep::after_owner : XattrStep::before_owner;
        if (its_step != step) continue;
        const Failure failure = set(xattr);
        if (!first.happened()) first = failure;
    }
    return first;
}

} // namespace

Expected<Xattrs> read_xattrs(int fd, KeptXattrs kept) {
    if (kept == KeptXattrs::none) return Xattrs{};
    const auto names = list_xattrs([fd](char* to, std::size_t size) { return ::flistxattr(fd, to, size); });
    return read_all(names, kept, [fd](const std::string& name) {
        return get_xattr([&](void* to, std::size_t size) { return ::fgetxattr(fd, name.c_str(), to, size); });
    });
}

Expected<Xattrs> read_xattrs_at(int parent, const std::string& name, KeptXattrs kept) {
    if (kept == KeptXattrs::none) return Xattrs{};
    const std::string path = path_at(parent, name);
    const auto names = list_xattrs([&](char* to, std::size_t size) { return ::llistxattr(path.c_str(), to, size); });
    return read_all(names, kept, [&](const std::string& xattr) {
        return get_xattr(
            [&](void* to, std::size_t size) { return ::lgetxattr(path.c_str(), xattr.c_str(), to, size); });
    });
}

Expected<Xattrs> read_xattrs(posix::Mount& mount, const std::string& path, KeptXattrs kept, posix::LastLink last) {
    if (kept == KeptXattrs::none) return Xattrs{};
    return read_all(mount.list_xattrs(path, last), kept,
                    [&](const std::string& name) { return mount.get_xattr(path, name, last); });
}

bool includes(const Xattrs& all, const Xattrs& some) {
    return std::all_of(some.begin(), some.end(),
                       [&](const Xattr& xattr) { return std::find(all.begin(), all.end(), xattr) != all.end(); });
}

Failure write_xattrs(int fd, const Xattrs& xattrs, XattrStep step) {
    return write_all(xattrs, step, [fd](const Xattr& xattr) {
        const int done = ::fsetxattr(fd, xattr.name.c_str(), xattr.value.data(), xattr.value.size(), 0);
        return done == 0 ? Failure() : local_failure(errno);
    });
}

Failure write_xattrs_at(int parent, const std::string& name, const Xattrs& xattrs, XattrStep step) {
    const std::string path = path_at(parent, name);
    return write_all(xattrs, step, [&path](const Xattr& xattr) {
        const int done = ::lsetxattr(path.c_str(), xattr.name.c_str(), xattr.value.data(), xattr.value.size(), 0);
        return done == 0 ? Failure() : local_failure(errno);
    });
}

Failure write_xattrs(posix::Mount& mount, const std::string& path, const Xattrs& xattrs, XattrStep step) {
    return write_all(xattrs, step, [&](const Xattr& xattr) {
        return mount.set_xattr(path, xattr.name, xattr.value, posix::XattrSpace::create_or_replace,
                               posix::LastLink::keep);
    });
}

} // namespace vfsproto::cli
