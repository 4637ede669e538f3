// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/abandoned_call.hpp"

#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/fuse/client/undo_grants.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace vfsproto::posix {

namespace {

// Collects the nodes that the records of a READDIRPLUS name.
struct Collect {
    std::vector<std::uint64_t>& nodeids;
    void release(wire::Opcode, std::uint64_t, std::uint64_t) const {}
    void forget(std::uint64_t nodeid) const { nodeids.push_back(nodeid); }
};

struct GiveBack {
    Channel& channel;
    void release(wire::Opcode by, std::uint64_t nodeid, std::uint64_t fh) const {
        by == wire::Opcode::releasedir ? release<client::ReleaseDirectory>(nodeid, fh)
                                       : release<client::Release>(nodeid, fh);
    }
    void forget(std::uint64_t nodeid) const {
        if (nodeid != wire::kRootNodeId) channel.give_back(nodeid); // the root has no count
    }

private:
    template <class Op> void release(std::uint64_t nodeid, std::uint64_t fh) const {
        Op release;
        release.call.args.fh = fh;
        channel.run(release, channel.own_caller(), nodeid);
    }
};

} // namespace

AbandonedCall::AbandonedCall(Channel& channel, SideLane* side) noexcept : channel_(channel), side_(side) {
    for (client::LateReply& reply : replies_) {
        reply.owner = this;
        reply.memory = client::HeldMemory::until_late; // by keep(), where it is registered
        reply.on_late = [](client::LateReply& late) noexcept {
            auto& call = *static_cast<AbandonedCall*>(late.owner);
            call.channel_.handle_late(call, late);
        };
    }
}

void AbandonedCall::count_in_flight() noexcept {
    const auto is_taken = [](const client::LateReply& reply) { return reply.op != nullptr; };
    in_flight_ = static_cast<std::size_t>(std::count_if(replies_.begin(), replies_.end(), is_taken));
    was_in_flight_ = in_flight_ != 0;
}

void AbandonedCall::keep(const Region& payload) noexcept {
    channel_.keep(payload);
    payload_ = &payload;
}

bool AbandonedCall::take(client::LateReply& reply) noexcept {
    reply.unique = 0;
    if (reply.verdict.succeeded()) outcome_ = LateOutcome::done;
    client::Granted granted = reply.granted;
    if (!granted.records.empty()) {
        client::Granted records{};
        records.records = std::exchange(granted.records, {});
        try {
            client::undo_grants(records, Collect{listed_});
        } catch (const std::bad_alloc&) {} // they end with the session
    }
    if (granted.nodeid != 0 || granted.gives_back != wire::Opcode{}) granted_ = granted;
    return --in_flight_ == 0;
}

std::uint64_t AbandonedCall::next_to_interrupt() const noexcept {
    for (std::size_t i = 0; i < kReplies; ++i) {
        if (replies_[i].unique != 0 && !interrupted_[i]) return replies_[i].unique;
    }
    return 0;
}

void AbandonedCall::note_interrupted(std::uint64_t unique) noexcept {
    for (std::size_t i = 0; i < kReplies; ++i) {
        if (replies_[i].unique == unique) interrupted_[i] = true;
    }
}

void AbandonedCall::leave(Held&& held, AfterLate&& after) noexcept {
    held_ = std::move(held);
    after_ = std::move(after);
    left_ = true;
}

// The cache's lock is taken under the lane's here, and nowhere the other way round.
void AbandonedCall::note_over() noexcept {
    if (payload_ != nullptr && channel_.release_unless_last(*payload_)) payload_ = nullptr;
    if (was_in_flight_ && held_.cache != nullptr) held_.cache->invalidate_all();
}

void AbandonedCall::finish() {
    // Goes first, because what follows may wait for the server.
    if (payload_ != nullptr) channel_.release(*std::exchange(payload_, nullptr));
    const GiveBack give_back{channel_};
    client::undo_grants(granted_, give_back);
    for (const std::uint64_t nodeid : listed_) give_back.forget(nodeid);
    if (after_) after_(channel_, outcome_);
}

} // namespace vfsproto::posix
