// SPDX-License-Identifier: BSD-2-Clause
// Fills in lock requests, and says what Mount and AsyncMount do about a lock that is taken. GETLK is made as steps.
#pragma once

#include "file_steps.hpp"

#include "vfsproto/fuse/client/operations/locks.hpp"
#include "vfsproto/posix/lock.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace vfsproto::posix {

// Fills in what the server is asked for. Errors: EBADF (a shared lock needs a file open for reading, an exclusive one one for
// writing), EOVERFLOW (the range ends beyond what a file can have).
[[nodiscard]] abi::Errno check_lock(const File& file, const WantedLock& wanted) noexcept;
[[nodiscard]] wire::LkIn record_lock(const File& file, const WantedLock& wanted, std::uint32_t pid) noexcept;
[[nodiscard]] wire::LkIn whole_lock(const File& file, LockType type, std::uint32_t pid) noexcept;
// Do the same for test_lock(), for which the file may be open in any way.
[[nodiscard]] abi::Errno check_test(const File& file, const WantedLock& wanted) noexcept;
[[nodiscard]] wire::LkIn tested_lock(const File& file, const WantedLock& wanted) noexcept;

// Note that the file has such a lock, so that its end gives the lock up.
void note_lock(const File& file, const WantedLock& wanted) noexcept;
void note_whole_lock(const File& file, LockType type) noexcept;

[[nodiscard]] inline client::LockWait wait_of(WhenLocked when) noexcept {
    return when == WhenLocked::wait ? client::LockWait::at_server : client::LockWait::none;
}
// True if somebody else has the lock.
[[nodiscard]] inline bool is_taken(const Failure& failure) noexcept {
    return failure.errc == Errc::ok && failure.error == abi::Errno::eagain;
}

// A server that cannot wait is asked again after a pause, which doubles up to the longest one.
class LockPauses {
public:
    static constexpr std::chrono::milliseconds kFirst{1};
    static constexpr std::chrono::milliseconds kLongest{100};

    [[nodiscard]] std::chrono::milliseconds next() noexcept;

private:
    std::chrono::milliseconds next_ = kFirst;
};

// Returns what gives a lock up again that the server grants after its call has ended.
[[nodiscard]] AfterLate unlock_later(const client::Caller& caller, std::uint64_t nodeid, const wire::LkIn& wanted);

class TestLockSteps final : public FileSteps<client::TestLock> {
public:
    using Result = std::optional<HeldLock>;
    TestLockSteps(const NameContext& context, const File& file, const wire::LkIn& wanted) : FileSteps(context, file) {
        request_.call.args = wanted;
    }
    [[nodiscard]] Expected<std::optional<HeldLock>> result();
};

} // namespace vfsproto::posix
