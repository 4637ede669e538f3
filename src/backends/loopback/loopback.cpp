// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/backends/loopback.hpp"

#include "vfsproto/backends/detail/arena.hpp"
#include "vfsproto/backends/shared_window.hpp"
#include "vfsproto/backends/signal_free_thread.hpp"
#include "vfsproto/fuse/server/detail/notification_message.hpp"
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

class Device final : public Loopback,
                     private Transport,
                     private Port::Owner,
                     private server::ChangeSink,
                     private server::AnswerSink {
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
    bool server_has_ended() const noexcept override { return ended_.load(std::memory_order_acquire); }
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
    void tell(const server::Change& change) noexcept override { notifications_->tell(change); }
    void can_answer(std::uint16_t lane) noexcept override { ports_[lane].answer_parked(); }
    void silence_file_system() noexcept;

    // The port of a queue, by the numbers that hold with the features that were accepted; nullptr: there is none.
    [[nodiscard]] const Port* port(QueueIndex index) const noexcept;
    [[nodiscard]] Port* port(QueueIndex index) noexcept { return const_cast<Port*>(std::as_const(*this).port(index)); }
    [[nodiscard]] bool notifies() const noexcept { return notifies_.load(std::memory_order_relaxed); }
    template <class Call> void for_each_port(Call&& call) {
        for (Port& port : ports_) call(port);
        if (notifications_) call(*notifications_);
    }
    [[nodiscard]] bool gone() const noexcept { return gone_.load(std::memory_order_acquire); }
    [[nodiscard]] Errc add_memory(const Arena& arena) noexcept;
    [[nodiscard]] Region area(const Segment& segment) const noexcept;
    void tell_gone() noexcept;

    std::unique_ptr<Served> served_;
    LoopbackOptions options_;
    ArenaPool pool_{ArenaPool::kArenaSize, Reach::process};
    std::deque<Port> ports_;              // never moved: hiprio, then the request queues
    std::unique_ptr<Port> notifications_; // where the file system tells of changes
    FeatureSet offered_;
    FeatureSet accepted_;
    std::atomic<bool> notifies_{false}; // VIRTIO_FS_F_NOTIFICATION was accepted
    std::uint8_t status_ = 0;

    std::atomic<bool> gone_{false};
    std::atomic<bool> ended_{false}; // gone, and no handler of the file system runs any more
    mutable std::mutex mutex_;       // what follows
    std::string reason_;
    bool failing_ = false; // a thread is within fail(), which ends with a last look at the ports
    std::condition_variable failed_;
    std::function<void()> handler_;
    std::thread teller_; // on_gone's handler may take locks that whoever found the end holds
};

Device::Device(std::unique_ptr<Served> served, LoopbackOptions options)
    : served_(std::move(served)), options_(std::move(options)), offered_(options_.offered) {
    const std::uint16_t queues = static_cast<std::uint16_t>(options_.num_request_queues + 1);
    auto& owner = static_cast<Port::Owner&>(*this);
    for (std::uint16_t i = 0; i < queues; ++i) {
        const auto kind = QueueIndex{i} == kHiprioQueue ? wire::QueueKind::hiprio : wire::QueueKind::request;
        ports_.emplace_back(owner, served_->make_queue({kind, i}, options_.queue_size));
    }
    offered_.remove(Feature::fs_notification);
    if (auto side = served_->make_notification_queue(options_.queue_size)) {
        notifications_ = std::make_unique<Port>(owner, std::move(side));
        offered_.add(Feature::fs_notification);
    }
    if (options_.service == LoopbackService::inline_in_doorbell || !usable()) return;
    for_each_port([](Port& port) { port.start_thread(); });
}

Device::~Device() {
    silence_file_system();
    for_each_port([](Port& port) { port.end_thread(); });
    for_each_port([](Port& port) { port.stop(); });
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
    if (notifications_ && !notifications_->usable()) return false;
    return std::all_of(ports_.begin(), ports_.end(), [](const Port& port) { return port.usable(); });
}

// The notification queue comes second, and only with its feature (virtio 1.2 §5.11.2).
const Port* Device::port(QueueIndex index) const noexcept {
    auto number = static_cast<std::size_t>(index);
    if (notifies()) {
        if (index == kNotificationQueue) return notifications_.get();
        if (number > static_cast<std::size_t>(kNotificationQueue)) --number;
    }
    return number < ports_.size() ? &ports_[number] : nullptr;
}

void Device::silence_file_system() noexcept {
    served_->tell_changes_to(nullptr);
    served_->tell_answers_to(nullptr);
}

Result<Region> Device::allocate(std::size_t bytes) noexcept {
    if (gone()) return Errc::device_gone;
    return pool_.allocate(bytes, [this](const Arena& arena) { return add_memory(arena); });
}

Errc Device::add_memory(const Arena& arena) noexcept {
    Errc why = Errc::ok;
    std::size_t done = 0; // of the ports, in their order
    for_each_port([&](Port& port) {
        if (why == Errc::ok) why = port.add_memory(arena.region());
        if (why == Errc::ok) ++done;
    });
    if (why == Errc::ok) return why;
    for_each_port([&](Port& port) {
        if (done == 0) return;
        --done;
        port.remove_memory(arena.region());
    });
    return why;
}

void Device::release(const Region& region) noexcept {
    pool_.release(
        region, [this](const Arena& arena) { for_each_port([&](Port& port) { port.remove_memory(arena.region()); }); });
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
    return offered_;
}

Errc Device::accept_features(FeatureSet features) noexcept {
    if (gone()) return Errc::device_gone;
    if ((features & offered_) != features) return Errc::bad_argument;
    accepted_ = features;
    notifies_.store(features.has(Feature::fs_notification), std::memory_order_relaxed);
    return Errc::ok;
}

Errc Device::read_config(std::uint32_t offset, std::span<std::byte> out) noexcept {
    if (gone()) return Errc::device_gone;
    FsConfig config;
    config.tag_length = static_cast<std::uint8_t>(std::min(options_.tag.size(), FsConfig::kTagSize));
    std::memcpy(config.tag, options_.tag.data(), config.tag_length);
    config.num_request_queues = options_.num_request_queues;
    // The size of notification buffers is not there where notifications are not offered.
    if (notifications_) config.notify_buf_size = server::NotificationMessage::kLongest;
    const std::size_t size = notifications_ ? sizeof(FsConfigLayout) : offsetof(FsConfigLayout, notify_buf_size);
    if (offset > size || out.size() > size - offset) return Errc::config_invalid;
    return write_fs_config(config, offset, out) == out.size() ? Errc::ok : Errc::config_invalid;
}

Result<std::uint16_t> Device::queue_count() noexcept {
    if (gone()) return Errc::device_gone;
    return static_cast<std::uint16_t>(ports_.size() + (notifies() ? 1 : 0));
}

Result<std::uint16_t> Device::max_queue_size(QueueIndex index) noexcept {
    if (gone()) return Errc::device_gone;
    if (port(index) == nullptr) return Errc::queue_absent;
    return options_.queue_size;
}

Errc Device::enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept {
    if (gone()) return Errc::device_gone;
    Port* const queue = port(index);
    if (queue == nullptr) return Errc::queue_absent;
    if (queue->is_set_up() || (status_ & status::kDriverOk) != 0) return Errc::wrong_state;
    if (addresses.size > options_.queue_size) return Errc::bad_argument;
    const Region descriptors = area(addresses.descriptors);
    const Region driver = area(addresses.driver);
    const Region device = area(addresses.device);
    if (descriptors.host() == nullptr || driver.host() == nullptr || device.host() == nullptr) {
        return Errc::bad_argument;
    }
    const RingPlace place{addresses.size, descriptors, driver, device};
    return queue->set_up(place, accepted_) == Errc::ok ? Errc::ok : Errc::bad_argument;
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
    // A request that is parked holds up all behind it on a queue in order.
    if (!accepted_.has(Feature::in_order)) served_->tell_answers_to(this);
    for_each_port([](Port& port) { port.go_live(); });
    if (notifies() && notifications_->is_set_up()) served_->tell_changes_to(this);
    return Errc::ok;
}

Errc Device::reset() noexcept {
    if (gone()) return Errc::device_gone;
    silence_file_system();
    for_each_port([](Port& port) { port.stop(); });
    served_->end_session();
    status_ = 0;
    accepted_ = FeatureSet{};
    notifies_.store(false, std::memory_order_relaxed);
    return Errc::ok;
}

Doorbell Device::doorbell(QueueIndex index) noexcept {
    Port* const queue = port(index);
    if (queue == nullptr) return {};
    return {[](void* port, std::uint16_t) noexcept { static_cast<Port*>(port)->ring_doorbell(); }, queue};
}

WaitHandle Device::wait_handle(QueueIndex index) noexcept {
    const Port* const queue = port(index);
    return queue == nullptr ? WaitHandle{} : WaitHandle{queue->call()};
}

Loopback::QueueCounters Device::counters(QueueIndex index) const noexcept {
    const Port* const queue = port(index);
    return queue == nullptr ? QueueCounters{} : QueueCounters{queue->doorbells(), queue->interrupts()};
}

std::uint64_t Device::system_calls() const noexcept {
    std::uint64_t calls = notifications_ ? notifications_->system_calls() : 0;
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
    auto index = static_cast<std::size_t>(kNotificationQueue);
    if (&port != notifications_.get()) {
        index = 0;
        while (&ports_[index] != &port) ++index;
        if (index != 0 && notifies()) ++index;
    }
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
    for_each_port([](Port& port) { port.stop(); });
    ended_.store(true, std::memory_order_release);
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
            {"queues", std::to_string(ports_.size() + (notifications_ ? 1 : 0))}};
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
