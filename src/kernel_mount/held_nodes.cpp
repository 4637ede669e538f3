// SPDX-License-Identifier: BSD-2-Clause
#include "held_nodes.hpp"

namespace vfsproto::kernel_mount {

client::Node* node_of(std::uint64_t nodeid, std::uint64_t lookups) {
    client::Node* const node = posix::Channel::new_node();
    node->forget.nodeid = nodeid;
    node->forget.nlookup = lookups;
    return node;
}

void HeldNodes::hold(const NamedNodes& nodes) {
    const std::lock_guard lock(mutex_);
    for (const std::uint64_t nodeid : nodes) {
        if (nodeid != 0) ++held_[nodeid].requests;
    }
}

void HeldNodes::release(posix::Channel& channel, const NamedNodes& nodes) {
    std::vector<client::Node*> now;
    {
        const std::lock_guard lock(mutex_);
        for (const std::uint64_t nodeid : nodes) {
            const auto at = held_.find(nodeid);
            if (at == held_.end() || --at->second.requests != 0) continue;
            if (at->second.lookups != 0) now.push_back(node_of(nodeid, at->second.lookups));
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

void HeldNodes::wait_for(std::uint64_t nodeid) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waits_no_more_ || !held_.contains(nodeid); });
}

void HeldNodes::stop_waiting() noexcept {
    {
        const std::lock_guard lock(mutex_);
        waits_no_more_ = true;
    }
    changed_.notify_all();
}

} // namespace vfsproto::kernel_mount
