// SPDX-License-Identifier: BSD-2-Clause
#include "held_nodes.hpp"

#include <algorithm>

namespace vfsproto::kernel_mount {

client::Node* node_of(std::uint64_t nodeid, std::uint64_t lookups) {
    client::Node* const node = posix::Channel::new_node();
    node->forget.nodeid = nodeid;
    node->forget.nlookup = lookups;
    return node;
}

void HeldNodes::hold(const Named& named) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < named.nodes.size(); ++i) {
        if (named.nodes[i] == 0) continue;
        Held& held = held_[named.nodes[i]];
        ++held.requests;
        if (named.handles[i]) held.handles.push_back(*named.handles[i]);
    }
}

void HeldNodes::release(posix::Channel& channel, const Named& named) {
    std::vector<client::Node*> now;
    {
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < named.nodes.size(); ++i) {
            const auto at = held_.find(named.nodes[i]);
            if (at == held_.end()) continue;
            Held& held = at->second;
            if (named.handles[i]) {
                const auto handle = std::find(held.handles.begin(), held.handles.end(), *named.handles[i]);
                if (handle != held.handles.end()) held.handles.erase(handle);
            }
            if (--held.requests != 0) continue;
            if (held.lookups != 0) now.push_back(node_of(at->first, held.lookups));
            held_.erase(at);
        }
    }
    changed_.notify_all();
    channel.forget(now);
}

void HeldNodes::give_back(std::uint64_t nodeid, std::uint64_t lookups, std::vector<client::Node*>& now) {
    const std::lock_guard lock(mutex_);
    const auto at = held_.find(nodeid);
    if (at != held_.end()) {
        at->second.lookups += lookups;
    } else {
        now.push_back(node_of(nodeid, lookups));
    }
}

bool HeldNodes::names_locked(std::uint64_t nodeid, std::uint64_t handle) const noexcept {
    const auto at = held_.find(nodeid);
    if (at == held_.end()) return false;
    const std::vector<std::uint64_t>& handles = at->second.handles;
    return std::find(handles.begin(), handles.end(), handle) != handles.end();
}

bool HeldNodes::names(std::uint64_t nodeid, std::uint64_t handle) {
    const std::lock_guard lock(mutex_);
    return names_locked(nodeid, handle);
}

void HeldNodes::wait_for(std::uint64_t nodeid, std::uint64_t handle) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waits_no_more_ || !names_locked(nodeid, handle); });
}

void HeldNodes::stop_waiting() noexcept {
    {
        const std::lock_guard lock(mutex_);
        waits_no_more_ = true;
    }
    changed_.notify_all();
}

} // namespace vfsproto::kernel_mount
