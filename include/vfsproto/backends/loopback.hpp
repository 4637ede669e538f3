// SPDX-License-Identifier: BSD-2-Clause
// A device in the same process: rings in shared memory, and on their other side a file system of ours. What a driver
// sees is a virtio device like any other; only the doorbell leads nowhere far.
#pragma once

#include "vfsproto/backends/attachment.hpp"
#include "vfsproto/backends/loopback/detail/faulty_side.hpp"

#include <memory>
#include <string>

namespace vfsproto::backends {

class SharedWindow;

enum class LoopbackService : std::uint8_t {
    // The doorbell serves the queue on the caller's thread until it is empty. What a file system cannot answer at once
    // it parks, so that this never waits for another request.
    inline_in_doorbell,
    // A thread for every queue sleeps on an eventfd.
    threads,
};

struct LoopbackOptions {
    std::string tag = "vfsproto"; // cut at 36 bytes
    std::uint16_t num_request_queues = 1;
    std::uint16_t queue_size = 256; // the most entries a queue is offered: 1 to 32768
    // The features it offers, beside VIRTIO_FS_F_NOTIFICATION, which it offers if the file system tells of changes
    // (server::TellsChanges). RING_PACKED can be added, and IN_ORDER for file systems that park no request, as all
    // behind a parked one would wait for it.
    FeatureSet offered = FeatureSet::of(Feature::version_1, Feature::event_idx, Feature::indirect_desc);
    LoopbackService service = LoopbackService::inline_in_doorbell;
    // Shared memory region 0, which the file system maps files into. Absent: the device has none.
    std::shared_ptr<SharedWindow> window{};
    std::string description = "in this process"; // of what is served, for people
    client::Quirks quirks = {"vfsproto",
                             0,
                             client::InterruptUse::allowed,
                             client::DestroyReply::always,
                             client::CreateExisting::allowed,
                             client::LockWaits::by_server};
};

class Loopback : public Attachment {
public:
    // Answers what was parked and can be answered now, on every queue, and lets go what a plan of faults holds back. For
    // a file system whose parked requests become answerable by something else than a request, a timer or a thread, and
    // that does not say so itself (server::AnswersUnasked). Any thread, but not from inside a handler of the file system.
    virtual void complete() noexcept = 0;

    // The device goes away as if it had crashed: its queues stop at once, on_gone's handler is called. Any thread. An
    // owner who notices the end may destroy the device at once: the destructor waits until this call has ended.
    virtual void fail(std::string why) noexcept = 0;

    struct QueueCounters {
        std::uint64_t doorbells = 0;
        std::uint64_t interrupts = 0; // eventfd writes the driver asked for
    };
    // Any thread.
    [[nodiscard]] virtual QueueCounters counters(QueueIndex index) const noexcept = 0;
};

// The templates below call this. Returns nullptr when the options make no sense or no descriptors are left.
[[nodiscard]] std::unique_ptr<Loopback> make_loopback_over(std::unique_ptr<serving::Served> served,
                                                           LoopbackOptions options);

// The file system outlives the loopback.
template <server::FileSystem Fs>
[[nodiscard]] std::unique_ptr<Loopback> make_loopback(Fs& fs, LoopbackOptions options = {}) {
    return make_loopback_over(std::make_unique<serving::ServedBy<Fs, Fs*>>(&fs), std::move(options));
}
// The loopback owns the file system.
template <server::FileSystem Fs>
[[nodiscard]] std::unique_ptr<Loopback> make_loopback(std::unique_ptr<Fs> fs, LoopbackOptions options = {}) {
    using Served = serving::ServedBy<Fs, std::unique_ptr<Fs>>;
    return make_loopback_over(std::make_unique<Served>(std::move(fs)), std::move(options));
}
// Makes a device with faults. The file system outlives the loopback.
template <server::FileSystem Fs> [[nodiscard]] std::unique_ptr<Loopback>
make_faulty_loopback(Fs& fs, loopback::FaultPlan plan, LoopbackOptions options = {}) {
    using Served = loopback::BadlyServedBy<Fs, Fs*>;
    return make_loopback_over(std::make_unique<Served>(&fs, std::move(plan)), std::move(options));
}

} // namespace vfsproto::backends
