// SPDX-License-Identifier: BSD-2-Clause
// Lock requests are filled in here; GETLK is made as steps.
#pragma once

#include "file_steps.hpp"

#include "vfsproto/fuse/client/operations/locks.hpp"
#include "vfsproto/posix/lock.hpp"

#include <cstdint>
#include <optional>

namespace vfsproto::posix {

// Fills in what the server is asked for. Errors: EBADF (a shared lock needs a file open for reading, an exclusive one one for
// writing), EOVERFLOW (the range ends beyond what a file can have).
[[nodiscard]] wire::Errno check_lock(const File& file, const WantedLock& wanted) noexcept;
[[nodiscard]] wire::LkIn record_lock(const File& file, const WantedLock& wanted, std::uint32_t pid) noexcept;
[[nodiscard]] wire::LkIn whole_lock(const File& file, LockType type, std::uint32_t pid) noexcept;

class TestLockSteps final : public FileSteps<client::TestLock> {
public:
    using Result = std::optional<HeldLock>;
    TestLockSteps(const NameContext& context, const File& file, const wire::LkIn& wanted) : FileSteps(context, file) {
        request_.call.args = wanted;
    }
    [[nodiscard]] Expected<std::optional<HeldLock>> result();
};

} // namespace vfsproto::posix
