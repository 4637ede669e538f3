// SPDX-License-Identifier: BSD-2-Clause
#include "late_locks.hpp"

namespace vfsproto::kernel_mount {

void LateLocks::begin(const LockOwner& owner) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
        const auto at = states_.find(owner);
        return at == states_.end() || !at->second.is_given_back;
    });
    ++states_[owner].asking;
}

LateLocks::Owed LateLocks::end(const LockOwner& owner, Asked how) noexcept {
    const std::lock_guard lock(mutex_);
    const auto at = states_.find(owner);
    if (at == states_.end()) return {};
    --at->second.asking;
    if (how == Asked::granted) at->second.is_held = true;
    if (how == Asked::let_go) ++at->second.late;
    return settle(at);
}

LateLocks::Owed LateLocks::end_late(const LockOwner& owner, Asked how, const wire::LkIn& lock) {
    const std::lock_guard guard(mutex_);
    const auto at = states_.find(owner);
    if (at == states_.end()) return {};
    if (how == Asked::granted) at->second.owed.push_back(lock);
    --at->second.late;
    return settle(at);
}

// While the owner asks for another lock nobody knows yet if it is to have one.
LateLocks::Owed LateLocks::settle(States::iterator at) noexcept {
    State& state = at->second;
    if (state.is_held) state.owed.clear();
    if (state.asking != 0 || state.is_given_back) return {};
    if (!state.owed.empty()) {
        const wire::LkIn owed = state.owed.back();
        state.owed.pop_back();
        state.is_given_back = true;
        return owed;
    }
    if (state.late == 0) states_.erase(at);
    return {};
}

LateLocks::Owed LateLocks::note_given_back(const LockOwner& owner) noexcept {
    Owed next;
    {
        const std::lock_guard lock(mutex_);
        const auto at = states_.find(owner);
        if (at == states_.end()) return {};
        at->second.is_given_back = false;
        next = settle(at);
    }
    changed_.notify_all();
    return next;
}

void LateLocks::note_unlock(const LockOwner& owner) noexcept {
    const std::lock_guard lock(mutex_);
    if (const auto at = states_.find(owner); at != states_.end()) at->second.is_held = false;
}

} // namespace vfsproto::kernel_mount
