// SPDX-License-Identifier: BSD-2-Clause
// One device: the rooms beside this one, brought up in order and taken down again.
#pragma once

#include "memory.hpp"
#include "user_memory.hpp"
#include "watcher.hpp"
#include "windows.hpp"
#include "wiring.hpp"

#include "vfsproto/backends/vfio_pci.hpp"
#include "vfsproto/backends/vfio_pci/pci_devices.hpp"

#include <array>
#include <optional>

namespace vfsproto::backends::vfio_pci {

// Sleeps between two looks at a register.
class SleepingPatience final : public Patience {
public:
    explicit SleepingPatience(std::chrono::milliseconds most) noexcept : most_(most) {}
    bool wait(std::uint32_t looks) noexcept override;

private:
    std::chrono::milliseconds most_;
};

class Backend final : public VfioPci, private Transport {
public:
    Backend(Calls& calls, PciDevice device, VfioPciOptions options);
    ~Backend() override;

    // Everything that is done once. The device is named by what went wrong.
    [[nodiscard]] Refusal open();

    Transport& transport() noexcept override { return *this; }
    Result<Region> allocate(std::size_t bytes) noexcept override;
    void release(const Region& region) noexcept override { memory_->release(region); }
    void on_gone(std::function<void()> handler) override;
    client::Quirks quirks() const noexcept override { return options_.quirks; }
    std::uint64_t system_calls() const noexcept override;
    std::vector<std::pair<std::string, std::string>> describe() const override;

    Result<Region> map(std::span<std::byte> memory) noexcept override;
    void unmap(const Region& region) noexcept override;
    std::string gone_reason() const override;
    End end() const noexcept override { return End::may_be_silent; }

private:
    // Addresses are the IOMMU's, or physical ones.
    enum class Addresses : std::uint8_t { translated, physical };

    Result<FeatureSet> device_features() noexcept override;
    Errc accept_features(FeatureSet features) noexcept override;
    FeatureSet supported_features() const noexcept override { return pci_->supported_features(); }
    FeatureSet required_features() const noexcept override { return pci_->required_features(); }
    Errc read_config(std::uint32_t offset, std::span<std::byte> out) noexcept override;
    Result<std::uint16_t> queue_count() noexcept override;
    Result<std::uint16_t> max_queue_size(QueueIndex index) noexcept override;
    Errc enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept override;
    Errc reset_queue(QueueIndex index) noexcept override;
    Result<std::uint8_t> status() noexcept override;
    Errc set_status(std::uint8_t value) noexcept override;
    Errc reset() noexcept override;
    Doorbell doorbell(QueueIndex index) noexcept override;
    WaitHandle wait_handle(QueueIndex index) noexcept override;
    Result<SharedMemory> shared_memory(std::uint8_t id) noexcept override;

    static constexpr std::uint64_t kDeviceStatus = 0x14; // in the common structure, virtio 1.2 §4.1.4.3

    // The steps of open().
    [[nodiscard]] Refusal attach();
    [[nodiscard]] Refusal find_structures();
    [[nodiscard]] Refusal choose_addresses();
    [[nodiscard]] Refusal connect_interrupts();
    void watch();

    // Interrupts that queues share are handed on by the watcher's thread.
    [[nodiscard]] Errc hand_on(QueueIndex index);
    void hand_out_shared() noexcept;
    void take_line() noexcept;
    void check_health() noexcept;

    // Both run on the watcher's thread.
    void leave(const std::string& why);
    void tell();
    // True if the device touches no memory any more.
    [[nodiscard]] bool stop() noexcept;

    // Does `call`, unless the device has gone.
    template <class Call> auto unless_gone(Call&& call) noexcept -> decltype(call());

    Calls& calls_;
    PciDevice device_;
    VfioPciOptions options_;
    SleepingPatience patience_;
    std::unique_ptr<DmaSpace> space_;
    std::optional<IovaSpace> iovas_; // only with translated addresses
    std::unique_ptr<Memory> memory_;
    std::unique_ptr<UserMemory> user_memory_; // only with translated addresses
    Function function_;
    std::unique_ptr<Windows> windows_;
    Wiring wiring_;
    VirtioPciWindows registers_{};
    std::optional<VirtioPci> pci_;
    Addresses addresses_ = Addresses::physical;
    std::uint16_t queues_ = 0;
    FileDescriptor error_event_;
    FileDescriptor request_event_;

    // Queues that share an interrupt wait for these, one each. The events stay until the end.
    std::array<FileDescriptor, config::kMaxQueues> own_events_{};
    FileDescriptor shared_event_; // of vector 1, when queues share that
    std::mutex shared_mutex_;
    std::vector<int> sharers_; // eventfds to be signalled

    mutable std::mutex mutex_; // held by each call of the transport's, and while the device is stopped
    std::atomic<bool> gone_{false};
    std::uint8_t status_ = 0; // as we set it
    std::string why_gone_;
    std::atomic<std::uint64_t> unmasked_{0};
    std::function<void()> handler_; // the watcher's thread's own
    std::optional<Watcher> watcher_;
};

} // namespace vfsproto::backends::vfio_pci
