// SPDX-License-Identifier: BSD-2-Clause
#include "lock_steps.hpp"

#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/open_handle.hpp"

#include <algorithm>
#include <utility>

namespace vfsproto::posix {

using abi::Errno;
using namespace abi;

namespace {

std::uint32_t wire_type(LockType type) noexcept {
    switch (type) {
    case LockType::shared: return kLockRead;
    case LockType::exclusive: return kLockWrite;
    case LockType::unlock: break;
    }
    return kLockUnlock;
}

} // namespace

std::chrono::milliseconds LockPauses::next() noexcept { return std::exchange(next_, std::min(next_ * 2, kLongest)); }

Errno check_lock(const File& file, const WantedLock& wanted) noexcept {
    if (!file) return Errno::ebadf;
    const std::uint32_t access = file.flags() & kOAccmode;
    if (wanted.type == LockType::shared && access == kOWronly) return Errno::ebadf;
    if (wanted.type == LockType::exclusive && access == kORdonly) return Errno::ebadf;
    const auto [start, length] = wanted.range;
    if (start > kLockToEof || (length != 0 && length - 1 > kLockToEof - start)) return Errno::eoverflow;
    return Errno::none;
}

wire::LkIn record_lock(const File& file, const WantedLock& wanted, std::uint32_t pid) noexcept {
    const auto [start, length] = wanted.range;
    wire::LkIn in{};
    in.fh = file.fh();
    in.owner = wanted.owner != 0 ? wanted.owner : file.lock_owner();
    in.lk = {start, length == 0 ? kLockToEof : start + (length - 1), wire_type(wanted.type), pid};
    return in;
}

wire::LkIn whole_lock(const File& file, LockType type, std::uint32_t pid) noexcept {
    wire::LkIn in = record_lock(file, {type, {}, 0}, pid);
    in.lk_flags = wire::kLkFlock;
    return in;
}

Errno check_test(const File& file, const WantedLock& wanted) noexcept {
    const Errno error = check_lock(file, wanted);
    return !file || error == Errno::eoverflow ? error : Errno::none;
}

wire::LkIn tested_lock(const File& file, const WantedLock& wanted) noexcept {
    constexpr std::uint32_t kNobody = 0; // as Linux asks; virtiofsd in C answers EINVAL to any other number
    return record_lock(file, wanted, kNobody);
}

void note_lock(const File& file, const WantedLock& wanted) noexcept {
    if (wanted.type == LockType::unlock) return;
    file.handle()->keeps(wanted.owner == 0 ? OpenHandle::Locks::records : OpenHandle::Locks::of_others);
}

void note_whole_lock(const File& file, LockType type) noexcept {
    if (type != LockType::unlock) file.handle()->keeps(OpenHandle::Locks::whole);
}

Expected<std::optional<HeldLock>> TestLockSteps::result() {
    const auto& [start, end, type, pid] = request_.call.reply.lk;
    if (type == kLockUnlock) return std::optional<HeldLock>();
    HeldLock held;
    held.type = type == kLockRead ? LockType::shared : LockType::exclusive;
    held.range = {start, end == kLockToEof ? 0 : end - start + 1};
    held.pid = pid;
    return std::optional<HeldLock>(held);
}

AfterLate unlock_later(const client::Caller& caller, std::uint64_t nodeid, const wire::LkIn& wanted) {
    return [caller, nodeid, unlock = wanted](Channel& channel, LateOutcome outcome) mutable {
        if (outcome == LateOutcome::not_done) return;
        unlock.lk.type = kLockUnlock;
        client::SetLock undo;
        channel.run(undo, caller, nodeid, unlock, client::LockWait::none);
    };
}

} // namespace vfsproto::posix
