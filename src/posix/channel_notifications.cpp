// SPDX-License-Identifier: BSD-2-Clause
// Channel: what the server tells unasked.
#include "vfsproto/fuse/wire/notifications.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/notification_watch.hpp"

#include <system_error>

namespace vfsproto::posix {

namespace {

// No server needs longer ones; one that says so is not given that much memory.
constexpr std::uint32_t kLargestNotification = 16u << 20;
// NOTIFY_REPLYs under way at once. A server that asks for more than that at a time is not answered.
constexpr std::uint32_t kMostAnswers = 16;

} // namespace

// Answers one RETRIEVE. Frees itself when it was sent.
struct Channel::RetrieveAnswer {
    explicit RetrieveAnswer(Channel& asked) noexcept : channel(asked) {}

    Channel& channel;
    client::Single<wire::Opcode::notify_reply> operation;
};

// Buffers are there before INIT is sent (virtio 1.2 §5.11.6).
Errc Channel::post_notification_buffers() {
    if (options_.notifications == Notifications::ignored) return Errc::ok;
    const backends::SetQueue queue = queues_->notifications();
    const std::uint32_t size = queues_->config().notify_buf_size;
    if (!queue.queue || size < client::NotificationLane::kSmallestBuffer) return Errc::ok;
    if (size > kLargestNotification) return Errc::config_invalid;
    const auto memory = attachment_->allocate(NotificationWatch::memory_bytes(size));
    if (!memory) return memory.error();
    notification_memory_ = *memory;
    notifications_ = std::make_unique<NotificationWatch>();
    return notifications_->init(queue, *memory, size);
}

void Channel::take_notifications(std::function<void(const wire::Notification&)> told) {
    if (!notifications_) return;
    notifications_->start({std::move(told), [this](Errc why) { notifications_broke(why); }});
}

void Channel::end_notifications() noexcept {
    if (notifications_) notifications_->stop();
}

// A device that broke the rules on one queue is trusted on no other.
void Channel::notifications_broke(Errc why) noexcept {
    if (why == Errc::device_gone) return; // it is told otherwise
    const SharedLane::Lock lock(shared_lane_);
    if (queues_ == nullptr) return;
    fail(why);
}

void Channel::end_answer() noexcept {
    --answers_;
    futex_wake_one(answers_);
    detached_.finished();
}

void Channel::answer_retrieve(const wire::NotifyRetrieveOut& asked) noexcept {
    if (asked.notify_unique == 0) return; // names no question
    {
        const SharedLane::Lock lock(shared_lane_);
        if (failed_ != Errc::ok || answers_ >= kMostAnswers) return;
        ++answers_;
    }
    auto answer = std::make_unique<RetrieveAnswer>(*this);
    auto& operation = answer->operation;
    operation.call.given_unique = asked.notify_unique;
    operation.call.args.offset = asked.offset; // with no data: nothing of a file's contents is kept here
    operation.user = answer.get();
    operation.on_finish = [](client::Operation& sent) noexcept {
        const std::unique_ptr<RetrieveAnswer> done(static_cast<RetrieveAnswer*>(sent.user));
        Channel& channel = done->channel;
        channel.shared_lane_.mutex().assert_held();
        channel.end_answer();
    };
    try {
        detached_.start(operation, own_caller(), asked.nodeid);
        static_cast<void>(answer.release());
    } catch (const std::system_error&) { // no thread that would wait for it
        const SharedLane::Lock lock(shared_lane_);
        --answers_;
    }
}

} // namespace vfsproto::posix
