// SPDX-License-Identifier: BSD-2-Clause
// One queue's device side behind a plain interface, so that everything else of a device is compiled once and not for every
// file system.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/fuse/server/answer_sink.hpp"
#include "vfsproto/fuse/server/change_sink.hpp"
#include "vfsproto/fuse/server/server_lane.hpp"
#include "vfsproto/serving/detail/device_side_ring.hpp"

#include <memory>
#include <mutex>
#include <vector>

namespace vfsproto::serving {

// The device side of a queue. All calls need the lock of its Port; serve() lets go of it while a handler runs. Two threads
// are never inside serve(), and none is while start() or stop() runs.
class DeviceSide {
public:
    virtual ~DeviceSide() = default;

    // Starts to serve a ring. The ring and `memory` outlive the next stop(). Errors: what DeviceSideRing::start() says.
    [[nodiscard]] virtual Errc start(const RingPlace& place, FeatureSet features,
                                     const RegionTable& memory) noexcept = 0;
    // Called when the queue was reset. Afterwards nothing of the driver's memory is touched.
    virtual void stop() noexcept = 0;
    // Serves until the ring is empty and armed. Interrupts that the driver asks for go to the eventfd `call`. The caller
    // holds `lock`; handlers of the file system run without it. Returns the number of interrupts.
    virtual std::size_t serve(int call, std::mutex& lock) noexcept = 0;
    // Answers the parked requests that can be answered now; calls no handler. Returns the number of interrupts.
    virtual std::size_t answer_parked(int call) noexcept = 0;
    // Tells the driver of a change, on a notification queue. Returns the number of interrupts.
    virtual std::size_t tell(const server::Change& /*change*/, int /*call*/) noexcept { return 0; }
    // Gives back what a plan of faults holds back, unpublished: the caller calls answer_parked() next.
    virtual void release_held() noexcept = 0;
    // Returns the number of chains taken and not given back.
    [[nodiscard]] virtual std::uint16_t outstanding() const noexcept = 0;
    [[nodiscard]] virtual Errc error() noexcept = 0;
};

// A file system and its session, as the device sees them.
class Served {
public:
    virtual ~Served() = default;
    // Makes the device side of one queue. `size` is the most entries that it may have.
    [[nodiscard]] virtual std::unique_ptr<DeviceSide> make_queue(server::LaneIdentity identity, std::uint16_t size) = 0;
    // Makes the device side of the notification queue. Returns nullptr where the file system tells of no changes.
    [[nodiscard]] virtual std::unique_ptr<DeviceSide> make_notification_queue(std::uint16_t /*size*/) {
        return nullptr;
    }
    // Has the file system tell of changes, or no longer (nullptr): server::TellsChanges.
    virtual void tell_changes_to(server::ChangeSink* /*sink*/) noexcept {}
    // Has the file system tell when it can answer what it parked, or no longer (nullptr): server::AnswersUnasked.
    virtual void tell_answers_to(server::AnswerSink* /*sink*/) noexcept {}
    // Called when the device was reset. No queue runs.
    virtual void end_session() noexcept = 0;
};

// The device side's queue without faults: the ring itself.
class SoundQueue {
public:
    using Queue = DeviceSideRing;
    explicit SoundQueue(std::uint16_t size) : ring_(size) {}
    [[nodiscard]] DeviceSideRing& ring() noexcept { return ring_; }
    [[nodiscard]] const DeviceSideRing& ring() const noexcept { return ring_; }
    [[nodiscard]] Queue& queue() noexcept { return ring_; }
    void release_held() noexcept {}
    void forget() noexcept {}

private:
    DeviceSideRing ring_;
};

// A queue whose lock a lane can let go of. It passes everything on. A model of DeviceQueue and of server::LockableQueue.
template <DeviceQueue Inner> class SharedQueue {
public:
    // The inner queue is not owned.
    explicit SharedQueue(Inner& inner) noexcept : inner_(inner) {}

    // Tells which lock the caller of ServerLane::serve() holds.
    void use_lock(std::mutex& lock) noexcept { lock_ = &lock; }
    void lock() noexcept { lock_->lock(); }
    void unlock() noexcept { lock_->unlock(); }

    [[nodiscard]] bool pop(Chain& chain) noexcept { return inner_.pop(chain); }
    [[nodiscard]] Errc push(const Chain& done, std::uint32_t written) noexcept { return inner_.push(done, written); }
    void publish() noexcept { inner_.publish(); }
    [[nodiscard]] bool wants_notification() noexcept { return inner_.wants_notification(); }
    [[nodiscard]] bool arm() noexcept { return inner_.arm(); }
    void disarm() noexcept { inner_.disarm(); }
    [[nodiscard]] Errc error() noexcept { return inner_.error(); }

private:
    Inner& inner_;
    std::mutex* lock_ = nullptr;
};

// Serves a queue of either form, SoundQueue or one with faults, by a lane for one type of file system.
template <server::FileSystem Fs, class Wrapped> class LaneSide final : public DeviceSide {
public:
    template <class... Plan>
    LaneSide(Fs& fs, server::ServerSession& session, server::LaneIdentity identity, std::uint16_t size, Plan&&... plan)
        : wrapped_(size, std::forward<Plan>(plan)...),
          queue_(wrapped_.queue()),
          segments_(size),
          scratch_(std::make_unique<server::RequestScratch>()),
          lane_(queue_, fs, session, {segments_, *scratch_}, identity) {}

    Errc start(const RingPlace& place, FeatureSet features, const RegionTable& memory) noexcept override {
        return wrapped_.ring().start(place, features, memory);
    }
    void stop() noexcept override {
        lane_.abandon();
        wrapped_.forget();
    }
    std::size_t serve(int call, std::mutex& lock) noexcept override {
        queue_.use_lock(lock);
        std::size_t interrupts = 0;
        do {
            while (lane_.serve(kBudget) != 0) interrupts += notify(call);
        } while (queue_.arm());
        // A queue with faults lets completions go while it is armed.
        return interrupts + notify(call);
    }
    std::size_t answer_parked(int call) noexcept override {
        lane_.answer_parked();
        return notify(call);
    }
    void release_held() noexcept override { wrapped_.release_held(); }
    std::uint16_t outstanding() const noexcept override { return wrapped_.ring().outstanding(); }
    Errc error() noexcept override { return wrapped_.queue().error(); }

private:
    static constexpr std::size_t kBudget = config::kDrainBatch; // requests between two notifications

    std::size_t notify(int call) noexcept {
        if (!queue_.wants_notification()) return 0;
        backends::signal_event(call);
        return 1;
    }

    Wrapped wrapped_;
    SharedQueue<typename Wrapped::Queue> queue_;
    std::vector<HostSegment> segments_;
    std::unique_ptr<server::RequestScratch> scratch_; // too large to lie among the hot members
    server::ServerLane<SharedQueue<typename Wrapped::Queue>, Fs> lane_;
};

// Makes the device side of a notification queue (serving/detail/notification_side.hpp). The session outlives it.
[[nodiscard]] std::unique_ptr<DeviceSide> make_notification_side(const server::ServerSession& session,
                                                                 std::uint16_t size);

// Holds the session and the file system. `Holder` is a pointer to the file system, owning or not.
template <server::FileSystem Fs, class Holder> class ServedBy : public Served {
public:
    explicit ServedBy(Holder fs) : fs_(std::move(fs)) {}

    std::unique_ptr<DeviceSide> make_queue(server::LaneIdentity identity, std::uint16_t size) override {
        return std::make_unique<LaneSide<Fs, SoundQueue>>(*fs_, session_, identity, size);
    }
    std::unique_ptr<DeviceSide> make_notification_queue(std::uint16_t size) override {
        if constexpr (server::TellsChanges<Fs>) {
            if (fs_->can_tell_changes()) return make_notification_side(session_, size);
        }
        return nullptr;
    }
    void tell_changes_to(server::ChangeSink* sink) noexcept override {
        if constexpr (server::TellsChanges<Fs>) fs_->tell_changes_to(sink);
    }
    void tell_answers_to(server::AnswerSink* sink) noexcept override {
        if constexpr (server::AnswersUnasked<Fs>) fs_->tell_answers_to(sink);
    }
    void end_session() noexcept override {
        if (!session_.ready()) return;
        session_.end();
        fs_->on_destroy();
    }

protected:
    Holder fs_;
    server::ServerSession session_;
};

} // namespace vfsproto::serving
