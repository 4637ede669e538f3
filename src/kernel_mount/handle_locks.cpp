// SPDX-License-Identifier: BSD-2-Clause
#include "handle_locks.hpp"

#include <iterator>
#include <new>

namespace vfsproto::kernel_mount {

bool HandleLocks::begin(const Handle& handle, std::uint64_t owner) noexcept {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return !ending_.contains({handle.nodeid, owner}); });
    try {
        owners_[handle].insert(owner);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void HandleLocks::note_given_up(std::uint64_t nodeid, std::uint64_t owner) noexcept {
    const std::lock_guard lock(mutex_);
    for (auto at = owners_.lower_bound({nodeid, 0}); at != owners_.end() && at->first.nodeid == nodeid;) {
        at->second.erase(owner);
        at = at->second.empty() ? owners_.erase(at) : std::next(at);
    }
}

bool HandleLocks::has_handle(std::uint64_t nodeid, std::uint64_t owner) const noexcept {
    for (auto at = owners_.lower_bound({nodeid, 0}); at != owners_.end() && at->first.nodeid == nodeid; ++at) {
        if (at->second.contains(owner)) return true;
    }
    return false;
}

std::vector<std::uint64_t> HandleLocks::end(const Handle& handle) {
    const std::lock_guard lock(mutex_);
    const auto at = owners_.find(handle);
    if (at == owners_.end()) return {};
    const std::set<std::uint64_t> had = std::move(at->second);
    owners_.erase(at);
    std::vector<std::uint64_t> owners;
    for (const std::uint64_t owner : had) {
        if (has_handle(handle.nodeid, owner)) continue;
        owners.push_back(owner);
        ending_.insert({handle.nodeid, owner});
    }
    return owners;
}

void HandleLocks::note_ended(std::uint64_t nodeid, std::uint64_t owner) noexcept {
    {
        const std::lock_guard lock(mutex_);
        ending_.erase({nodeid, owner});
    }
    ended_.notify_all();
}

} // namespace vfsproto::kernel_mount
