// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/backends/loopback.hpp"

#include "vfsproto/backends/arena.hpp"
#include "vfsproto/backends/shared_window.hpp"
#include "vfsproto/backends/signal_free_thread.hpp"
#include "vfsproto/serving/port.hpp"
#include "vfsproto/transport/fs_config.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <system_error>

namespace vfsproto::backends {
namespace loopback {
namespace {

using serving::Port;
using serving::RingPlace;
using serving::Served;

class Device final : public Loopback, private Transport, private Port::Owner {
public:
    Device(std::unique_ptr<Served> served, LoopbackOptions options);
    ~Device() override;

    [[nodiscard]] bool usable() const noexcept;

    Transport& transport() noexcept override { return *this; }
    Result<Region> allocate(std::size_t bytes) noexcept override;
    void release(const Region& region) noexcept override;
    Region window(std::uint8_t id) const noexcept override;
    void on_gone(std::function<void()> handler) override;
    client::Quirks quirks() const noexcept override { return options_.quirks; }
    std::vector<std::pair<std::string, std::string>> describe() const override;
    std::uint64_t system_calls() const noexcept override;

    void complete() noexcept override;
    void fail(std::string why) noexcept override;
    std::string gone_reason() const override;
    QueueCounters counters(QueueIndex index) const noexcept override;

private:
    Result<FeatureSet> device_features() noexcept override;
    Errc accept_features(FeatureSet features) noexcept override;
    Errc read_config(std::uint32_t offset, std::span<std::byte> out) noexcept override;
    Result<std::uint16_t> queue_count() noexcept override;
    Result<std::uint16_t> max_queue_size(QueueIndex index) noexcept override;
    Errc enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept override;
    Result<std::uint8_t> status() noexcept override;
    Errc set_status(std::uint8_t value) noexcept override;
    Errc reset() noexcept override;
    Result<SharedMemory> shared_memory(std::uint8_t id) noexcept override;
    Doorbell doorbell(QueueIndex index) noexcept override;
    WaitHandle wait_handle(QueueIndex index) noexcept override;

    void served(Port& port) noexcept override;
    void broke(Port& port, Errc why) noexcept override;

    [[nodiscard]] bool gone() const noexcept { return gone_.load(std::memory_order_acquire); }
    [[nodiscard]] Errc add_memory(const Arena& arena) noexcept;
    [[nodiscard]] Region area(const Segment& segment) const noexcept;
    void tell_gone() noexcept;

    std::unique_ptr<Served> served_;
    LoopbackOptions options_;
    ArenaPool pool_;
    std::deque<Port> ports_; // never moved
    FeatureSet accepted_;
    std::uint8_t status_ = 0;

    std::atomic<bool> gone_{false};
    mutable std::mutex mutex_; // what follows
    std::string reason_;
    bool failing_ = false; // a thread is within fail(), which ends with a last look at the ports
    std::condition_variable failed_;
    std::function<void()> handler_;
    std::thread teller_; // on_gone's handler may take locks that whoever found the end holds
};

Device::Device(std::unique_ptr<Served> served, LoopbackOptions options)
    : served_(std::move(served)), options_(std::move(options)) {
    const std::uint16_t queues = static_cast<std::uint16_t>(options_.num_request_queues + 1);
    for (std::uint16_t i = 0; i < queues; ++i) {
        const auto kind = QueueIndex{i} == kHiprioQueue ? wire::QueueKind::hiprio : wire::QueueKind::request;
        ports_.emplace_back(static_cast<Port::Owner&>(*this), served_->make_queue({kind, i}, options_.queue_size));
    }
    if (options_.service == LoopbackService::inline_in_doorbell || !usable()) return;
    for (Port& port : ports_) port.start_thread();
}

Device::~Device() {
    for (Port& port : ports_) port.end_thread();
    for (Port& port : ports_) port.stop();
    std::thread teller;
    {
        std::unique_lock lock(mutex_);
        failed_.wait(lock, [this] { return !failing_; });
        handler_ = nullptr;
        teller = std::move(teller_);
    }
    if (teller.joinable()) teller.join();
    served_->end_session();
}

bool Device::usable() const noexcept {
    return std::all_of(ports_.begin(), ports_.end(), [](const Port& port) { return port.usable(); });
}

Result<Region> Device::allocate(std::size_t bytes) noexcept {
    if (gone()) return Errc::device_gone;
    return pool_.allocate(bytes, [this](const Arena& arena) { return add_memory(arena); });
}

Errc Device::add_memory(const Arena& arena) noexcept {
    for (auto port = ports_.begin(); port != ports_.end(); ++port) {
        const Errc why = port->add_memory(arena.region());
        if (why == Errc::ok) continue;
        while (port != ports_.begin()) (--port)->remove_memory(arena.region());
        return why;
    }
    return Errc::ok;
}

void Device::release(const Region& region) noexcept {
    pool_.release(region, [this](const Arena& arena) {
        for (Port& port : ports_) port.remove_memory(arena.region());
    });
}

Region Device::window(std::uint8_t id) const noexcept {
    if (id != 0 || options_.window == nullptr) return {};
    const std::span<std::byte> bytes = options_.window->bytes();
    return {bytes.data(), DeviceAddr{0}, bytes.size()};
}

Result<SharedMemory> Device::shared_memory(std::uint8_t id) noexcept {
    if (gone()) return Errc::device_gone;
    return SharedMemory{.length = window(id).size()};
}

Result<FeatureSet> Device::device_features() noexcept {
    if (gone()) return Errc::device_gone;
    return options_.offered;
}

Errc Device::accept_features(FeatureSet features) noexcept {
    if (gone()) return Errc::device_gone;
    if ((features & options_.offered) != features) return Errc::bad_argument;
    accepted_ = features;
    return Errc::ok;
}

Errc Device::read_config(std::uint32_t offset, std::span<std::byte> out) noexcept {
    if (gone()) return Errc::device_gone;
    FsConfig config;
    config.tag_length = static_cast<std::uint8_t>(std::min(options_.tag.size(), FsConfig::kTagSize));
    std::memcpy(config.tag, options_.tag.data(), config.tag_length);
    config.num_request_queues = options_.num_request_queues;
    // The notification buffer's size is not there without its feature, and that one is not offered.
    constexpr std::size_t kSize = offsetof(FsConfigLayout, notify_buf_size);
    if (offset > kSize || out.size() > kSize - offset) return Errc::config_invalid;
    return write_fs_config(config, offset, out) == out.size() ? Errc::ok : Errc::config_invalid;
}

Result<std::uint16_t> Device::queue_count() noexcept {
    if (gone()) return Errc::device_gone;
    return static_cast<std::uint16_t>(ports_.size());
}

Result<std::uint16_t> Device::max_queue_size(QueueIndex index) noexcept {
    if (gone()) return Errc::device_gone;
    if (static_cast<std::size_t>(index) >= ports_.size()) return Errc::queue_absent;
    return options_.queue_size;
}

Errc Device::enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept {
    if (gone()) return Errc::device_gone;
    if (static_cast<std::size_t>(index) >= ports_.size()) return Errc::queue_absent;
    Port& port = ports_[static_cast<std::size_t>(index)];
    if (port.is_set_up() || (status_ & status::kDriverOk) != 0) return Errc::wrong_state;
    if (addresses.size > options_.queue_size) return Errc::bad_argument;
    const Region descriptors = area(addresses.descriptors);
    const Region driver = area(addresses.driver);
    const Region device = area(addresses.device);
    if (descriptors.host() == nullptr || driver.host() == nullptr || device.host() == nullptr) {
        return Errc::bad_argument;
    }
    const RingPlace place{addresses.size, descriptors, driver, device};
    return port.set_up(place, accepted_) == Errc::ok ? Errc::ok : Errc::bad_argument;
}

Region Device::area(const Segment& segment) const noexcept {
    return {pool_.translate(segment.addr, segment.len), segment.addr, segment.len};
}

Result<std::uint8_t> Device::status() noexcept {
    if (gone()) return Errc::device_gone;
    // Features without VERSION_1 are a legacy driver's: FEATURES_OK does not stick (virtio 1.2 §6.2).
    const bool legacy = !accepted_.has(Feature::version_1);
    return static_cast<std::uint8_t>(legacy ? status_ & ~status::kFeaturesOk : status_);
}

Errc Device::set_status(std::uint8_t value) noexcept {
    if (gone()) return Errc::device_gone;
    const bool starts = (value & ~status_ & status::kDriverOk) != 0;
    status_ = value;
    if (!starts) return Errc::ok;
    for (Port& port : ports_) port.go_live();
    return Errc::ok;
}

Errc Device::reset() noexcept {
    if (gone()) return Errc::device_gone;
    for (Port& port : ports_) port.stop();
    served_->end_session();
    status_ = 0;
    accepted_ = FeatureSet{};
    return Errc::ok;
}

Doorbell Device::doorbell(QueueIndex index) noexcept {
    if (static_cast<std::size_t>(index) >= ports_.size()) return {};
    return {[](void* port, std::uint16_t) noexcept { static_cast<Port*>(port)->ring_doorbell(); },
            &ports_[static_cast<std::size_t>(index)]};
}

WaitHandle Device::wait_handle(QueueIndex index) noexcept {
    if (static_cast<std::size_t>(index) >= ports_.size()) return {};
    return {ports_[static_cast<std::size_t>(index)].call()};
}

Loopback::QueueCounters Device::counters(QueueIndex index) const noexcept {
    if (static_cast<std::size_t>(index) >= ports_.size()) return {};
    const Port& port = ports_[static_cast<std::size_t>(index)];
    return {port.doorbells(), port.interrupts()};
}

std::uint64_t Device::system_calls() const noexcept {
    std::uint64_t calls = 0;
    for (const Port& port : ports_) calls += port.system_calls();
    return calls;
}

// A request on one queue (an unlock, an INTERRUPT) may end the wait of a parked request on another.
void Device::served(Port& port) noexcept {
    for (Port& other : ports_) {
        if (&other != &port) other.answer_parked();
    }
}

void Device::broke(Port& port, Errc why) noexcept {
    std::size_t index = 0;
    while (&ports_[index] != &port) ++index;
    fail("queue " + std::to_string(index) + ": " + to_string(why));
}

void Device::complete() noexcept {
    for (Port& port : ports_) port.complete();
}

void Device::fail(std::string why) noexcept {
    {
        const std::lock_guard lock(mutex_);
        if (gone()) return;
        reason_ = std::move(why);
        failing_ = true;
        gone_.store(true, std::memory_order_release);
    }
    for (Port& port : ports_) port.stop();
    tell_gone();
    const std::lock_guard lock(mutex_);
    failing_ = false;
    failed_.notify_all(); // with the lock held: the destructor waits for this
}

void Device::on_gone(std::function<void()> handler) {
    {
        const std::lock_guard lock(mutex_);
        handler_ = std::move(handler);
    }
    if (gone()) tell_gone();
}

void Device::tell_gone() noexcept {
    const std::lock_guard lock(mutex_);
    if (handler_ == nullptr || teller_.joinable()) return;
    teller_ = start_signal_free_thread([handler = std::exchange(handler_, nullptr)] { handler(); });
}

std::string Device::gone_reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
}

std::vector<std::pair<std::string, std::string>> Device::describe() const {
    const bool is_inline = options_.service == LoopbackService::inline_in_doorbell;
    return {{"transport", "loopback"},
            {"file system", options_.description},
            {"served by", is_inline ? "the caller" : "a thread for each queue"},
            {"queues", std::to_string(ports_.size())}};
}

} // namespace
} // namespace loopback

std::unique_ptr<Loopback> make_loopback_over(std::unique_ptr<serving::Served> served, LoopbackOptions options) {
    const bool sane = options.num_request_queues >= 1 && options.num_request_queues <= FsConfig::kMaxRequestQueues &&
                      options.queue_size >= 1 && options.queue_size <= kSplitMaxSize && !options.tag.empty();
    if (!sane) return nullptr;
    try {
        auto device = std::make_unique<loopback::Device>(std::move(served), std::move(options));
        if (device->usable()) return device;
    } catch (const std::system_error&) { // no thread left
    }
    return nullptr;
}

} // namespace vfsproto::backends
