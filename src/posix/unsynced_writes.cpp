// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/unsynced_writes.hpp"

#include <algorithm>

namespace vfsproto::posix {

namespace {

constexpr std::size_t kFewUnsynced = 16; // that may have ended

} // namespace

void UnsyncedWrites::move_to(std::uint32_t session) {
    if (session <= session_) return;
    if (written_ != synced_) ++losses_;
    written_ = synced_ = 0;
    session_ = session;
}

// An answer may be noted after another thread has gone on with the next session: what it wrote is gone as well.
void UnsyncedWrites::note_written(std::uint32_t session) {
    const MutexLock lock(mutex_);
    move_to(session);
    if (session == session_) {
        ++written_;
    } else {
        ++losses_;
    }
}

UnsyncedWrites::Count UnsyncedWrites::written(std::uint32_t session) {
    const MutexLock lock(mutex_);
    move_to(session);
    return session == session_ ? written_ : 0;
}

void UnsyncedWrites::note_synced(std::uint32_t session, Count written) {
    const MutexLock lock(mutex_);
    move_to(session);
    if (session == session_) synced_ = std::max(synced_, written);
}

bool UnsyncedWrites::owes_sync(std::uint32_t session) {
    const MutexLock lock(mutex_);
    move_to(session);
    return session == session_ && written_ != synced_;
}

std::uint32_t UnsyncedWrites::losses(std::uint32_t session) {
    const MutexLock lock(mutex_);
    move_to(session);
    return losses_;
}

std::shared_ptr<UnsyncedWrites> UnsyncedFiles::find_or_make(std::uint64_t ino) {
    const MutexLock lock(mutex_);
    if (files_.size() >= most_files_) {
        std::erase_if(files_, [](const auto& each) { return each.second.expired(); });
        most_files_ = 2 * files_.size() + kFewUnsynced;
    }
    std::weak_ptr<UnsyncedWrites>& place = files_[ino];
    std::shared_ptr<UnsyncedWrites> file = place.lock();
    if (file == nullptr) {
        file = std::make_shared<UnsyncedWrites>();
        place = file;
    }
    return file;
}

} // namespace vfsproto::posix
