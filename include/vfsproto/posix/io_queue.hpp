// SPDX-License-Identifier: BSD-2-Clause
// Many operations on their way from one thread, without a thread or a handler for each: start them, go on, take what is
// done. One system call can serve a whole burst.
//
//   queue.start(a, …); queue.start(b, …);
//   while (Operation* done = queue.next()) …        (publishes, and sleeps only when nothing is done)
#pragma once

#include "vfsproto/posix/channel.hpp"

#include <cstddef>
#include <utility>

namespace vfsproto::posix {

// One thread. Operations stay in place until next() has returned them; the queue must be empty when it ends.
class IoQueue {
public:
    explicit IoQueue(Channel& channel) noexcept : channel_(channel) {}
    ~IoQueue() { VFSPROTO_ASSERT(in_flight_ == 0); }
    IoQueue(const IoQueue&) = delete;
    IoQueue& operator=(const IoQueue&) = delete;

    // Any client::Operation, with the arguments of its start() after client and caller. What it says of an orphan is
    // the caller's to give back (Channel::give_back).
    template <class Op, class... Args> void start(Op& op, Args&&... args) {
        op.user = this;
        op.on_finish = [](client::Operation& finished) noexcept {
            static_cast<IoQueue*>(finished.user)->take(finished);
        };
        ++in_flight_;
        channel_.share().start(op, std::forward<Args>(args)...);
    }
    // Publishes what was started; next() does so too.
    void flush() noexcept { channel_.share().flush(); }

    [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }

    // The next finished operation, in the order they finished; nullptr when none is in flight.
    [[nodiscard]] client::Operation* next() {
        if (mine_ == nullptr) {
            if (in_flight_ == 0) return nullptr;
            // Sleeps until the first is done, then takes all that are.
            channel_.share().wait(
                waiter_, [this]() noexcept { return done_ != nullptr; },
                [this]() noexcept {
                    mine_ = std::exchange(done_, nullptr);
                    last_ = nullptr;
                });
        }
        client::Operation* operation = mine_;
        mine_ = operation->link;
        operation->link = nullptr;
        --in_flight_;
        return operation;
    }

private:
    // Under the lock.
    void take(client::Operation& finished) noexcept {
        finished.link = nullptr;
        (done_ == nullptr ? done_ : last_->link) = &finished;
        last_ = &finished;
        channel_.share().satisfy(waiter_);
    }

    Channel& channel_;
    Waiter waiter_;
    std::size_t in_flight_ = 0;
    client::Operation* mine_ = nullptr; // taken from done_, handed out one by one
    client::Operation* done_ = nullptr; // under the lock
    client::Operation* last_ = nullptr; // "
};

} // namespace vfsproto::posix
