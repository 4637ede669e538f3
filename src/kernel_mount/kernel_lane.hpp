// SPDX-License-Identifier: BSD-2-Clause
// A file system behind /dev/fuse, whatever its type: a lane of the server for each descriptor.
#pragma once

#include "kernel_queue.hpp"

#include "vfsproto/fuse/server/answer_sink.hpp"
#include "vfsproto/fuse/server/change_sink.hpp"
#include "vfsproto/fuse/server/server_lane.hpp"
#include "vfsproto/serving/device_side.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

namespace vfsproto::kernel_mount {

// Serves the requests of one descriptor. One thread calls wait() and serve(), any thread the rest.
class KernelLane {
public:
    virtual ~KernelLane() = default;
    // Does as KernelQueue::wait().
    [[nodiscard]] virtual KernelQueue::Took wait() noexcept = 0;
    // Serves the request that wait() took.
    virtual void serve() noexcept = 0;
    // Answers the parked requests that can be answered now. Costs one load when nothing is parked.
    virtual void answer_parked() noexcept = 0;
    // Is told that nobody serves any more. Parked requests are forgotten.
    virtual void abandon() noexcept = 0;
    // Does as KernelQueue::ask_elsewhere().
    virtual void ask_elsewhere(std::function<void(std::span<const std::byte> reply)> elsewhere) = 0;
    [[nodiscard]] virtual int fd() const noexcept = 0;
};

// A file system and its session. It outlives its lanes.
class KernelServed {
public:
    virtual ~KernelServed() = default;
    // Throws std::bad_alloc.
    [[nodiscard]] virtual std::unique_ptr<KernelLane> make_lane(std::uint16_t id, backends::FileDescriptor device) = 0;
    virtual void tell_changes_to(server::ChangeSink* /*sink*/) noexcept {}
    virtual void tell_answers_to(server::AnswerSink* /*sink*/) noexcept {}
    // No lane serves any more.
    virtual void end_session() noexcept = 0;
};

template <server::FileSystem Fs> class KernelLaneOver final : public KernelLane {
public:
    KernelLaneOver(Fs& fs, server::ServerSession& session, std::uint16_t id, backends::FileDescriptor device)
        : inner_(std::move(device), most_data(fs.options())),
          queue_(inner_),
          scratch_(std::make_unique<server::RequestScratch>()),
          lane_(queue_, fs, session, {segments_, *scratch_}, {.id = id, .carries_both_kinds = true}) {
        queue_.use_lock(mutex_);
    }

    KernelQueue::Took wait() noexcept override { return inner_.wait(); }
    void serve() noexcept override {
        const std::lock_guard lock(mutex_);
        lane_.serve(1);
    }
    void answer_parked() noexcept override {
        if (inner_.waiting() == 0) return;
        const std::lock_guard lock(mutex_);
        lane_.answer_parked();
    }
    void abandon() noexcept override {
        const std::lock_guard lock(mutex_);
        lane_.abandon();
    }
    void ask_elsewhere(std::function<void(std::span<const std::byte>)> elsewhere) override {
        inner_.ask_elsewhere(std::move(elsewhere));
    }
    int fd() const noexcept override { return inner_.fd(); }

private:
    // The bytes of data that the kernel puts into one request, or asks for.
    [[nodiscard]] static std::size_t most_data(const server::ServerOptions& options) noexcept {
        constexpr std::size_t kPage = 4096;
        return std::max<std::size_t>(options.max_write, options.max_pages * kPage);
    }

    KernelQueue inner_;
    serving::SharedQueue<KernelQueue> queue_;
    std::mutex mutex_;
    std::array<HostSegment, 2> segments_{};
    std::unique_ptr<server::RequestScratch> scratch_;
    server::ServerLane<serving::SharedQueue<KernelQueue>, Fs> lane_;
};

template <server::FileSystem Fs> class KernelServedBy final : public KernelServed {
public:
    explicit KernelServedBy(std::unique_ptr<Fs> fs) : fs_(std::move(fs)) {}

    std::unique_ptr<KernelLane> make_lane(std::uint16_t id, backends::FileDescriptor device) override {
        return std::make_unique<KernelLaneOver<Fs>>(*fs_, session_, id, std::move(device));
    }
    void tell_changes_to(server::ChangeSink* sink) noexcept override {
        if constexpr (server::TellsChanges<Fs>) {
            if (fs_->can_tell_changes()) fs_->tell_changes_to(sink);
        }
    }
    void tell_answers_to(server::AnswerSink* sink) noexcept override {
        if constexpr (server::AnswersUnasked<Fs>) fs_->tell_answers_to(sink);
    }
    void end_session() noexcept override {
        if (!session_.ready()) return;
        session_.end();
        fs_->on_destroy();
    }

private:
    std::unique_ptr<Fs> fs_;
    server::ServerSession session_;
};

} // namespace vfsproto::kernel_mount
