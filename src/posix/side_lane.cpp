// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/side_lane.hpp"

namespace vfsproto::posix {

namespace {

struct OfThread {
    std::uint64_t channel = 0; // 0: it has no lane yet
    SideLane* lane = nullptr;
};
thread_local OfThread of_thread;

} // namespace

std::uint64_t SideLanes::next_id() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

SideLane* SideLanes::in_turn() noexcept {
    const std::size_t turn = turn_.fetch_add(1, std::memory_order_relaxed) % (lanes_.size() + 1);
    return turn == 0 ? nullptr : lanes_[turn - 1].get();
}

SideLane* SideLanes::chosen_by_this_thread() noexcept {
    if (of_thread.channel != id_) of_thread = {id_, in_turn()};
    return of_thread.lane;
}

} // namespace vfsproto::posix
