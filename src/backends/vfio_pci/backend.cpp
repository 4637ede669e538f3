// SPDX-License-Identifier: BSD-2-Clause
#include "backend.hpp"

#include "cdev.hpp"
#include "explain.hpp"
#include "group.hpp"

#include <fmt/format.h>

#include <chrono>
#include <thread>

namespace vfsproto::backends::vfio_pci {

bool SleepingPatience::wait(std::uint32_t looks) noexcept {
    constexpr std::uint32_t kQuickLooks = 20;
    constexpr std::chrono::microseconds kQuick{50};
    constexpr std::chrono::milliseconds kSlow{1};
    if (looks < kQuickLooks) {
        std::this_thread::sleep_for(kQuick);
        return true;
    }
    std::this_thread::sleep_for(kSlow);
    return std::chrono::milliseconds(looks - kQuickLooks) < most_;
}

Backend::Backend(Calls& calls, PciDevice device, VfioPciOptions options)
    : calls_(calls), device_(std::move(device)), options_(std::move(options)), patience_(options_.reset_patience) {}

Backend::~Backend() {
    if (watcher_) watcher_->stop();
    const bool stopped = gone_ || stop();
    if (function_.device()) {
        function_.disable(Function::kMaster);
        wiring_.disconnect(function_);
        if (error_event_) function_.unwire(InterruptKind::error);
        if (request_event_) function_.unwire(InterruptKind::request);
    }
    const bool reset = function_.device() && function_.reset() == 0;
    windows_.reset();
    function_.close();
    // Only behind an IOMMU can memory be taken from a device that will not stop. Else it is left where it is, and goes
    // with the process, after the kernel has had its own try at the device.
    if (!stopped && !reset && addresses_ == Addresses::physical) {
        static_cast<void>(memory_.release());
        static_cast<void>(space_.release());
    }
}

Refusal Backend::open() {
    if (Refusal why = attach()) return why;
    if (Refusal why = function_.look()) return why;
    function_.reset(); // not every function can; the virtio device's own follows
    if (!function_.enable(Function::kMemory)) {
        return {Errc::transport_failed, "the kernel does not let its configuration space be written"};
    }
    if (Refusal why = find_structures()) return why;
    // The reset ends what the device was doing before it may reach memory again.
    if (const Errc why = pci_->reset(); why != Errc::ok) return {why, to_string(why)};
    if (Refusal why = choose_addresses()) return why;
    if (Refusal why = connect_interrupts()) return why;
    if (!function_.enable(Function::kMaster)) {
        return {Errc::transport_failed, "the kernel does not let it become a bus master"};
    }
    watch();
    return {};
}

Refusal Backend::attach() {
    const bool unguarded = device_.is_unguarded;
    if (unguarded && options_.unguarded != Unguarded::allowed) return {Errc::transport_failed, device_.obstacle};
    Attached attached;
    attached.refusal.error = Errc::not_negotiated;
    if (!unguarded) attached = attach_by_node(calls_, device_);
    if (attached.refusal.error == Errc::not_negotiated) {
        attached = attach_by_group(calls_, device_, unguarded ? Guard::none : Guard::iommu);
    }
    if (attached.refusal) return std::move(attached.refusal);
    space_ = std::move(attached.space);
    function_ = Function(calls_, std::move(attached.device));
    return {};
}

Refusal Backend::find_structures() {
    FileRegisters config(calls_, function_.device().get(), function_.config().offset, function_.config().size);
    const auto layout = find_virtio_structures(config, function_.bar_sizes());
    if (!layout) {
        return {layout.error(), layout.error() == Errc::device_gone ? "the device does not answer"
                                                                    : "it is no virtio 1.x device on PCI"};
    }
    windows_ = std::make_unique<Windows>();
    registers_ = windows_->open(function_, *layout);
    pci_.emplace(registers_, wiring_, patience_);
    return {};
}

// Asked the way a driver asks: the device has to be told that there is one.
Refusal Backend::choose_addresses() {
    const auto say = [](Errc why) { return Refusal{why, to_string(why)}; };
    if (const Errc why = pci_->set_status(status::kAcknowledge); why != Errc::ok) return say(why);
    if (const Errc why = pci_->set_status(status::kAcknowledge | status::kDriver); why != Errc::ok) return say(why);
    const auto offered = pci_->device_features();
    if (!offered) return say(offered.error());
    const auto count = pci_->queue_count();
    if (!count) return say(count.error());
    queues_ = *count;
    if (const Errc why = pci_->reset(); why != Errc::ok) return say(why);

    const bool translated = offered->has(Feature::access_platform) && space_->guard() == Guard::iommu;
    addresses_ = translated ? Addresses::translated : Addresses::physical;
    std::unique_ptr<RunSource> source;
    if (translated) {
        // It must be taken: without it the same numbers would be physical addresses.
        pci_->require(FeatureSet::of(Feature::access_platform));
        iovas_.emplace(space_->usable());
        source = make_mapped_runs(calls_, *space_, *iovas_, options_.run_size);
        user_memory_ = std::make_unique<UserMemory>(*space_, *iovas_);
    } else {
        source = make_physical_runs(calls_, *space_, options_.run_size);
    }
    memory_ = std::make_unique<Memory>(std::move(source));
    return memory_->prepare(options_.run_size);
}

Refusal Backend::connect_interrupts() {
    const std::size_t used = std::min<std::size_t>(queues_, config::kMaxQueues);
    if (Refusal why = wiring_.connect(function_, static_cast<std::uint16_t>(used + 1))) return why;
    // A device may lack either of these two interrupts.
    const auto connect = [this](InterruptKind kind, FileDescriptor& event) {
        if (function_.interrupts(kind) == 0) return;
        event = FileDescriptor::event();
        const int fd = event.get();
        if (!event || function_.wire(kind, 0, {&fd, 1}) < 0) event.close();
    };
    connect(InterruptKind::error, error_event_);
    connect(InterruptKind::request, request_event_);
    return {};
}

void Backend::watch() {
    watcher_.emplace([this] { check_health(); });
    if (error_event_) {
        watcher_->watch(error_event_.get(), [this] { leave("the device or its bus reported an error"); });
    }
    if (request_event_) {
        watcher_->watch(request_event_.get(), [this] { leave("the kernel wants the device back"); });
    }
    if (wiring_.vectors() == 0) {
        watcher_->watch(wiring_.wait_handle(0), [this] { take_line(); });
    } else {
        watcher_->watch(wiring_.wait_handle(0), [this] {
            hand_out_shared();
            check_health();
        });
    }
}

void Backend::hand_out_shared() noexcept {
    const std::lock_guard lock(shared_mutex_);
    for (const int event : sharers_) signal_event(event);
}

void Backend::take_line() noexcept {
    // All ones say that it has gone; whoever waits will ask.
    const auto cause = pci_->acknowledge_interrupt();
    if (!cause || cause->queues) hand_out_shared();
    if (!cause || cause->configuration) check_health();
    if (cause && function_.unmask_line()) unmasked_.fetch_add(1, std::memory_order_relaxed);
}

void Backend::check_health() noexcept {
    const char* why = nullptr;
    {
        const std::lock_guard lock(mutex_);
        if (gone_) return;
        const std::uint8_t now = registers_.common->read8(kDeviceStatus);
        if (now == 0xff) {
            why = "the device does not answer any more";
        } else if ((now & status::kNeedsReset) != 0) {
            why = "the device says that it needs a reset";
        } else if ((status_ & ~now & status::kDriverOk) != 0) {
            why = "somebody else has reset the device";
        }
    }
    if (why != nullptr) leave(why);
}

// By its registers alone, which any thread may use: doorbells point into pci_.
bool Backend::stop() noexcept {
    if (registers_.common == nullptr) return true;
    registers_.common->write8(kDeviceStatus, 0);
    for (std::uint32_t looks = 0;; ++looks) {
        const std::uint8_t now = registers_.common->read8(kDeviceStatus);
        if (now == 0 || now == 0xff) return true;
        if (!patience_.wait(looks)) return false;
    }
}

void Backend::leave(const std::string& why) {
    {
        const std::lock_guard lock(mutex_);
        if (gone_) return;
        // Nobody may be told that memory is free before the device has left it alone. A device that does not stop by
        // itself is cut off from memory.
        if (!stop()) function_.reset();
        function_.disable(Function::kMaster);
        why_gone_ = why;
        gone_ = true;
    }
    tell();
}

void Backend::tell() {
    const std::function<void()> handler = std::exchange(handler_, nullptr);
    if (handler) handler();
}

void Backend::on_gone(std::function<void()> handler) {
    watcher_->call([this, handler = std::move(handler)]() mutable {
        handler_ = std::move(handler);
        if (gone_) tell();
    });
}

std::string Backend::gone_reason() const {
    const std::lock_guard lock(mutex_);
    return why_gone_;
}

Result<Region> Backend::allocate(std::size_t bytes) noexcept {
    if (gone_) return Errc::device_gone;
    return memory_->allocate(bytes);
}

Result<Region> Backend::map(std::span<std::byte> memory) noexcept {
    if (gone_) return Errc::device_gone;
    if (user_memory_ == nullptr) return Errc::not_negotiated;
    return user_memory_->map(memory);
}

void Backend::unmap(const Region& region) noexcept {
    if (user_memory_ != nullptr) user_memory_->unmap(region);
}

std::uint64_t Backend::system_calls() const noexcept {
    return windows_->writes() + unmasked_.load(std::memory_order_relaxed);
}

std::vector<std::pair<std::string, std::string>> Backend::describe() const {
    const std::string interrupts =
        wiring_.vectors() == 0 ? "line (INTx)" : fmt::format("MSI-X, {} vectors", wiring_.vectors());
    return {{"transport", "virtio-pci through VFIO"},
            {"device address", device_.address},
            {"vfio", space_->name()},
            {"interrupts", interrupts},
            {"registers", windows_->describe()},
            {"addresses", memory_->describe()},
            {"pinned memory", fmt::format("{} MiB", memory_->bytes() >> 20)},
            {"queues", std::to_string(queues_)}};
}

} // namespace vfsproto::backends::vfio_pci
