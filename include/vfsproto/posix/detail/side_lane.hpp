// SPDX-License-Identifier: BSD-2-Clause
// The request queues of a channel beside its first one. Each has a lane and a lock of its own; its threads share nothing with
// those of another one but the session, which the first lane's lock covers. Who holds that lock may take the one of a side lane, and
// nobody the other way round (docs/threads.md).
#pragma once

#include "vfsproto/posix/detail/detached_poller.hpp"
#include "vfsproto/posix/detail/shared_lane.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace vfsproto::posix {

class AbandonedCall;
class Channel;

// Holds what the silence watch saw of a lane at its last look. Its thread alone uses it.
struct SeenLane {
    std::uintptr_t finished = 0; // requests that ended
    // Looks, one after the other, at which an answer was due and none had come since the look before.
    std::size_t silent = 0;
};

// One request queue beside the first.
struct SideLane {
    // `after_drain` is called with this object.
    SideLane(Channel& of, void (*after_drain)(void*) noexcept, Waiting waiting) noexcept
        : channel(of), shared({after_drain, this}, waiting) {}
    SideLane(const SideLane&) = delete;
    SideLane& operator=(const SideLane&) = delete;

    Channel& channel;
    std::size_t queue = 0; // its number among the request queues: 1 or more
    Region memory{};
    std::vector<Lane::Entry> slots{};
    Lane lane{};                   // under the lock of `shared`
    AbandonedCall* late = nullptr; // those that late replies came for, until the session is told. Under the same lock
    SeenLane seen{};
    SharedLane shared;
    DetachedPoller detached{shared};
};

// All of a channel. The lanes stay in place from the first open session to the end.
class SideLanes {
public:
    SideLanes() noexcept : id_(next_id()) {}
    SideLanes(const SideLanes&) = delete;
    SideLanes& operator=(const SideLanes&) = delete;

    // Called before any thread asks for a lane.
    void add(std::unique_ptr<SideLane> lane) { lanes_.push_back(std::move(lane)); }
    [[nodiscard]] bool empty() const noexcept { return lanes_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return lanes_.size(); }
    [[nodiscard]] std::span<const std::unique_ptr<SideLane>> all() const noexcept { return lanes_; }

    // Returns the lane the calling thread goes by, always the same one; nullptr: the first. A thread takes its lane in turn when it
    // asks for the first time, or after it has asked another channel. Any thread.
    [[nodiscard]] SideLane* of_this_thread() noexcept { return lanes_.empty() ? nullptr : chosen_by_this_thread(); }
    // Returns the next lane in turn, for what belongs to no thread; nullptr: the first. Any thread.
    [[nodiscard]] SideLane* in_turn() noexcept;

private:
    [[nodiscard]] SideLane* chosen_by_this_thread() noexcept;
    [[nodiscard]] static std::uint64_t next_id() noexcept;

    std::vector<std::unique_ptr<SideLane>> lanes_{};
    std::uint64_t id_; // tells this channel from every other one of the process, ended ones too
    std::atomic<std::size_t> turn_{0};
};

} // namespace vfsproto::posix
