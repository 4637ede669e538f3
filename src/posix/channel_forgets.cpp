// SPDX-License-Identifier: BSD-2-Clause
// Channel: nodes go back to the server and are freed.
#include "channel_waits.hpp"

namespace vfsproto::posix {

void Channel::forget(const std::vector<client::Node*>& nodes) {
    if (nodes.empty() || forget_now(nodes)) return;
    await_forgets();
}

bool Channel::forget_now(const std::vector<client::Node*>& nodes) {
    const SharedLane::Lock lock(shared_lane_);
    for (client::Node* node : nodes) connection_.forget(node->forget);
    if (queues_ != nullptr) pump(); // the thread that watches limits may come after the end of the device
    return !connection_.session().has_waiting_forgets();
}

// Waits for a server that is behind with FORGETs: if no other call follows for a while, no other thread sends the rest.
void Channel::await_forgets() {
    const std::unique_lock waits_for_all(forgets_mutex_, std::try_to_lock); // one reader of the eventfd
    if (!waits_for_all) return;
    const bool sent = pump_until([this] {
        shared_lane_.mutex().assert_held();
        return !connection_.session().has_waiting_forgets() ||
               hiprio_used_when_stuck_ == connection_.counters().hiprio_used;
    });
    if (sent) return;
    // The FORGETs stay queued. No thread waits for this server again before it has used one of them.
    const SharedLane::Lock lock(shared_lane_);
    hiprio_used_when_stuck_ = connection_.counters().hiprio_used;
}

void Channel::give_back(std::uint64_t nodeid) {
    client::Node* node = new_node();
    node->forget.nodeid = nodeid;
    node->forget.nlookup = 1;
    forget({node});
}

void Channel::free_forgotten() noexcept {
    static_assert(offsetof(client::Node, forget) == 0);
    while (client::ForgetLink* link = connection_.take_forgotten()) delete_node(reinterpret_cast<client::Node*>(link));
}

} // namespace vfsproto::posix
