// SPDX-License-Identifier: BSD-2-Clause
#include "caller.hpp"

#include "vfsproto/fuse/wire/extensions.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace vfsproto::backends {

namespace {

constexpr std::size_t kMaxGroups = 256; // of one request
constexpr wire::u32 kNobody = ~wire::u32{0};

int set_fs_id(long call, wire::u32 id) noexcept {
    ::syscall(call, id);
    // The call reports no error, only what was set before.
    return static_cast<wire::u32>(::syscall(call, kNobody)) == id ? 0 : EPERM;
}

// umask(2) can only be read by changing it, for every thread; /proc tells it without.
mode_t read_umask() {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> status(std::fopen("/proc/self/status", "re"), std::fclose);
    unsigned mask = 0777; // unknown: no bit is sure to come through
    std::array<char, 256> line{};
    while (status && std::fgets(line.data(), line.size(), status.get()) != nullptr) {
        if (std::sscanf(line.data(), "Umask: %o", &mask) == 1) break;
    }
    return static_cast<mode_t>(mask);
}

} // namespace

ProcessIdentity ProcessIdentity::current() {
    ProcessIdentity identity;
    identity.uid = ::geteuid();
    identity.gid = ::getegid();
    identity.may_act_as_others = identity.uid == 0;
    identity.umask = read_umask();
    if (const int count = ::getgroups(0, nullptr); count > 0) {
        identity.groups.resize(static_cast<std::size_t>(count));
        if (::getgroups(count, identity.groups.data()) < 0) identity.groups.clear();
    }
    return identity;
}

ActingAs::ActingAs(const ProcessIdentity& process, const wire::InHeader& caller,
                   std::span<const std::byte> extensions) noexcept
    : process_(process) {
    if (!process.may_act_as_others || (caller.uid == process.uid && caller.gid == process.gid)) return;
    if (caller.uid == kNobody || caller.gid == kNobody) {
        error_ = EINVAL;
        return;
    }
    if (error_ = set_groups(extensions); error_ != 0) return;
    ids_changed_ = true;
    if (error_ = set_fs_id(SYS_setfsgid, caller.gid); error_ != 0) return;
    error_ = set_fs_id(SYS_setfsuid, caller.uid);
}

int ActingAs::set_groups(std::span<const std::byte> extensions) noexcept {
    std::array<gid_t, kMaxGroups> groups{};
    std::size_t count = 0;
    wire::ExtensionReader reader(extensions);
    while (reader.next()) {
        const wire::Extension& extension = reader.extension();
        if (extension.kind != wire::ExtensionKind::groups) continue;
        if (extension.count > kMaxGroups) return EINVAL;
        for (count = 0; count < extension.count; ++count) groups[count] = wire::group_at(extension, count);
    }
    if (reader.error() != Errc::ok) return EINVAL;
    if (count == 0 && process_.groups.empty()) return 0;
    groups_changed_ = true;
    return ::syscall(SYS_setgroups, count, groups.data()) == 0 ? 0 : errno;
}

ActingAs::~ActingAs() {
    if (ids_changed_) {
        // Becomes root first: only root may put the rest back. Going on as somebody else would be worse than ending.
        if (set_fs_id(SYS_setfsuid, process_.uid) != 0 || set_fs_id(SYS_setfsgid, process_.gid) != 0) std::abort();
    }
    if (groups_changed_ && ::syscall(SYS_setgroups, process_.groups.size(), process_.groups.data()) != 0) std::abort();
}

} // namespace vfsproto::backends
