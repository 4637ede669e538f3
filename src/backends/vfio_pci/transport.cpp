// SPDX-License-Identifier: BSD-2-Clause
// The device as a transport: virtio-pci's, with an end, and with an eventfd of its own for each queue.
#include "backend.hpp"

namespace vfsproto::backends::vfio_pci {

template <class Call> auto Backend::unless_gone(Call&& call) noexcept -> decltype(call()) {
    const std::lock_guard lock(mutex_);
    if (gone_) return Errc::device_gone;
    return call();
}

Result<FeatureSet> Backend::device_features() noexcept {
    return unless_gone([&] { return pci_->device_features(); });
}
Errc Backend::accept_features(FeatureSet features) noexcept {
    return unless_gone([&] {
        // The device would take addresses of ours for physical ones.
        const bool translates = features.has(Feature::access_platform);
        if (addresses_ == Addresses::translated && !translates) return Errc::features_refused;
        return pci_->accept_features(features);
    });
}
Errc Backend::read_config(std::uint32_t offset, std::span<std::byte> out) noexcept {
    return unless_gone([&] { return pci_->read_config(offset, out); });
}
Result<std::uint16_t> Backend::queue_count() noexcept {
    return unless_gone([&] { return pci_->queue_count(); });
}
Result<std::uint16_t> Backend::max_queue_size(QueueIndex index) noexcept {
    return unless_gone([&] { return pci_->max_queue_size(index); });
}
Errc Backend::enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept {
    return unless_gone([&] {
        if (const Errc why = pci_->enable_queue(index, addresses); why != Errc::ok) return why;
        return hand_on(index);
    });
}
Errc Backend::reset_queue(QueueIndex index) noexcept {
    return unless_gone([&] { return pci_->reset_queue(index); });
}
Result<std::uint8_t> Backend::status() noexcept {
    return unless_gone([&] { return pci_->status(); });
}
Errc Backend::set_status(std::uint8_t value) noexcept {
    return unless_gone([&] {
        const Errc why = pci_->set_status(value);
        if (why == Errc::ok) status_ = value;
        return why;
    });
}
Errc Backend::reset() noexcept {
    return unless_gone([&] {
        status_ = 0;
        return pci_->reset();
    });
}
Doorbell Backend::doorbell(QueueIndex index) noexcept { return pci_->doorbell(index); }
Result<SharedMemory> Backend::shared_memory(std::uint8_t id) noexcept {
    return unless_gone([&] { return pci_->shared_memory(id); });
}

WaitHandle Backend::wait_handle(QueueIndex index) noexcept {
    const auto number = static_cast<std::size_t>(index);
    if (number < own_events_.size() && own_events_[number]) return {own_events_[number].get()};
    return pci_->wait_handle(index);
}

// A queue with a vector of its own is woken by the kernel. Any other has an eventfd of its own, which the watcher signals
// whenever a shared interrupt comes: two sleepers on one eventfd would take each other's wake-ups.
Errc Backend::hand_on(QueueIndex index) {
    const auto number = static_cast<std::size_t>(index);
    const std::uint16_t vector = pci_->queue_vector(index);
    if (vector == number + 1) return Errc::ok;
    if (!own_events_[number]) own_events_[number] = FileDescriptor::blocking_event();
    if (!own_events_[number]) return Errc::no_memory;
    // Vector 0 and the line are watched from the start; another one was the first queue's own until now.
    if (vector != VirtioPci::kNoVector && vector != 0 && !shared_event_) {
        shared_event_ = FileDescriptor::event();
        if (!shared_event_ || !wiring_.reroute(function_, vector, shared_event_.get())) return Errc::transport_failed;
        {
            const std::lock_guard lock(shared_mutex_);
            sharers_.push_back(wiring_.wait_handle(vector));
        }
        watcher_->watch(shared_event_.get(), [this] { hand_out_shared(); });
    }
    const std::lock_guard lock(shared_mutex_);
    const int event = own_events_[number].get();
    if (std::find(sharers_.begin(), sharers_.end(), event) == sharers_.end()) sharers_.push_back(event);
    return Errc::ok;
}

} // namespace vfsproto::backends::vfio_pci
