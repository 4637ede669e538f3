// SPDX-License-Identifier: BSD-2-Clause
// A device in this process that stops when the test lets it, with the answer the test gives.
#pragma once

#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/transport/fs_config.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace vfsproto::test {

class StubbornDevice final : public backends::Attachment, private Transport {
public:
    explicit StubbornDevice(std::unique_ptr<backends::Loopback> device) : device_(std::move(device)) {}

    // The next reset waits for let_stop().
    void hold_stop() {
        const std::lock_guard lock(mutex_);
        held_ = true;
    }
    // Every reset from now on is answered so. The device itself stops in any case, and may be gone when this returns.
    void let_stop(Errc answer) {
        const std::lock_guard lock(mutex_);
        held_ = false;
        answer_ = answer;
        changed_.notify_all(); // with the lock held: who waits for this may end the device
    }
    // Returns how many resets were under way at once, at most.
    [[nodiscard]] int most_resets_at_once() {
        const std::lock_guard lock(mutex_);
        return most_resets_;
    }
    [[nodiscard]] bool is_stopping() {
        const std::lock_guard lock(mutex_);
        return stopping_;
    }
    // The configuration names so many request queues, from now on.
    void say_request_queues(std::uint32_t count) { said_ = count; }
    // Queues from this one on are not there.
    void hide_queues_from(std::uint16_t index) { hidden_from_ = index; }
    // `count` outlives the device.
    void count_releases(std::size_t& count) noexcept { releases_ = &count; }

    Transport& transport() noexcept override { return *this; }
    Result<Region> allocate(std::size_t bytes) noexcept override { return device_->allocate(bytes); }
    void release(const Region& region) noexcept override {
        if (releases_ != nullptr) ++*releases_;
        device_->release(region);
    }
    void on_gone(std::function<void()> handler) override { device_->on_gone(std::move(handler)); }
    client::Quirks quirks() const noexcept override { return device_->quirks(); }
    std::uint64_t system_calls() const noexcept override { return device_->system_calls(); }
    std::vector<std::pair<std::string, std::string>> describe() const override { return device_->describe(); }

private:
    [[nodiscard]] Transport& inner() noexcept { return device_->transport(); }

    Result<FeatureSet> device_features() noexcept override { return inner().device_features(); }
    Errc accept_features(FeatureSet features) noexcept override { return inner().accept_features(features); }
    Errc read_config(std::uint32_t offset, std::span<std::byte> out) noexcept override {
        if (const Errc errc = inner().read_config(offset, out); errc != Errc::ok) return errc;
        constexpr std::size_t kAt = offsetof(FsConfigLayout, num_request_queues);
        if (said_ && offset == 0 && out.size() >= kAt + sizeof(Le32)) {
            const Le32 said(*said_);
            std::memcpy(out.data() + kAt, &said, sizeof said);
        }
        return Errc::ok;
    }
    Result<std::uint16_t> queue_count() noexcept override { return inner().queue_count(); }
    Result<std::uint16_t> max_queue_size(QueueIndex index) noexcept override {
        if (static_cast<std::uint16_t>(index) >= hidden_from_) return Errc::queue_absent;
        return inner().max_queue_size(index);
    }
    Errc enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept override {
        return inner().enable_queue(index, addresses);
    }
    Result<std::uint8_t> status() noexcept override { return inner().status(); }
    Errc set_status(std::uint8_t value) noexcept override { return inner().set_status(value); }
    Errc reset() noexcept override {
        const Errc done = inner().reset();
        std::unique_lock lock(mutex_);
        if (!held_ && !answer_) return done;
        stopping_ = true;
        most_resets_ = std::max(most_resets_, ++resets_);
        changed_.wait(lock, [this] { return !held_; });
        --resets_;
        return answer_.value_or(done);
    }
    Doorbell doorbell(QueueIndex index) noexcept override { return inner().doorbell(index); }
    WaitHandle wait_handle(QueueIndex index) noexcept override { return inner().wait_handle(index); }

    std::unique_ptr<backends::Loopback> device_;
    std::size_t* releases_ = nullptr;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool held_ = false;
    bool stopping_ = false;
    int resets_ = 0; // under way
    int most_resets_ = 0;
    std::optional<Errc> answer_;
    std::optional<std::uint32_t> said_;
    std::uint16_t hidden_from_ = 0xffff;
};

} // namespace vfsproto::test
