// SPDX-License-Identifier: BSD-2-Clause
#include "change_teller.hpp"

#include "vfsproto/backends/signal_free_thread.hpp"
#include "vfsproto/fuse/server/detail/notification_message.hpp"

#include <unistd.h>

#include <exception>
#include <utility>

namespace vfsproto::kernel_mount {

ChangeTeller::ChangeTeller(int device) : device_(device) {
    thread_ = backends::start_signal_free_thread([this] { run(); });
}

ChangeTeller::~ChangeTeller() {
    {
        const std::lock_guard lock(mutex_);
        is_ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

ChangeTeller::Message ChangeTeller::message_of(const server::Change& change) {
    const server::NotificationMessage told(change);
    Message message(told.size());
    const HostSegment room{message.data(), told.size()};
    message.resize(told.write_to({&room, 1}));
    return message;
}

void ChangeTeller::tell(const server::Change& change) noexcept {
    {
        const std::lock_guard lock(mutex_);
        try {
            if (messages_.size() < kMostMessages) {
                messages_.push_back(message_of(change));
            } else {
                has_lost_some_ = true;
            }
        } catch (const std::exception&) { // no memory
            has_lost_some_ = true;
        }
    }
    changed_.notify_one();
}

// The kernel says ENOENT of what it does not know, and EINVAL of a code that it does not know: nothing can be done about either.
void ChangeTeller::run() noexcept {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return is_ending_ || has_lost_some_ || !messages_.empty(); });
        if (is_ending_) return;
        if (messages_.empty()) {
            has_lost_some_ = false;
            try {
                messages_.push_back(message_of({}));
            } catch (const std::exception&) { // no memory: it expires by itself
                continue;
            }
        }
        const Message message = std::move(messages_.front());
        messages_.pop_front();
        lock.unlock();
        static_cast<void>(!::write(device_, message.data(), message.size()));
        lock.lock();
    }
}

} // namespace vfsproto::kernel_mount
