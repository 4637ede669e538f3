// SPDX-License-Identifier: BSD-2-Clause
// CleaningUp gives the program calls that an interrupt does not stop, to remove what it made and put back what it took away.
#pragma once

#include <atomic>
#include <memory>

namespace vfsproto::posix {
class Mount;
}

namespace vfsproto::cli {

// Lives around such calls. Watch gives the program more time then.
class CleaningUp {
public:
    // A call of mount() takes no longer than one of this mount; after an interrupt, two seconds at most.
    explicit CleaningUp(posix::Mount& mount);
    ~CleaningUp();
    CleaningUp(const CleaningUp&) = delete;
    CleaningUp& operator=(const CleaningUp&) = delete;

    [[nodiscard]] posix::Mount& mount() const noexcept { return *mount_; }

    [[nodiscard]] static bool any() noexcept { return count_ != 0; }

private:
    std::unique_ptr<posix::Mount> mount_;
    static inline std::atomic<int> count_{0};
};

} // namespace vfsproto::cli
