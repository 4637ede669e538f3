// SPDX-License-Identifier: BSD-2-Clause
// Runs in a guest: drives virtio devices that QEMU itself implements through VFIO and our rings, with no vhost-user in
// between. One line for each result; leaves with 1 when something is wrong.
//
//   emulated_devices entropy ADDRESS split|packed events|no-events
//   emulated_devices blocks ADDRESS split|packed events|no-events
//   emulated_devices stray ADDRESS
//   emulated_devices bring-ups ADDRESS COUNT        (a virtio-fs device: opened so often, with something done each time)
#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/backends/vfio_pci.hpp"
#include "vfsproto/posix/detail/driver_queue.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/mount_options.hpp"
#include "vfsproto/transport/bring_up.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <thread>

using namespace vfsproto;

namespace {

[[noreturn]] void fail(const std::string& why) { throw std::runtime_error(why); }
void check(Errc why, const char* what) {
    if (why != Errc::ok) fail(fmt::format("{}: {}", what, to_string(why)));
}

Token token(std::size_t number) {
    Token token{};
    token.slot = static_cast<std::uint16_t>(number);
    return token;
}

// A device with its first queue up.
class Device {
public:
    Device(const std::string& address, FeatureSet wanted, std::uint16_t most) {
        backends::VfioPciOptions options;
        options.device = address;
        options.run_size = std::size_t{2} << 20;
        auto opened = backends::VfioPci::open(options);
        if (!opened) fail(opened.message);
        device_ = std::move(opened.device);
        device_->on_gone([this] { gone_ = true; });
        Transport& transport = device_->transport();
        bring_up_ = std::make_unique<BringUp>(transport);
        const auto features = bring_up_->negotiate(wanted | transport.supported_features());
        if (!features) fail(fmt::format("negotiation: {}", to_string(features.error())));
        features_ = *features;
        const auto offered = transport.max_queue_size(QueueIndex{0});
        if (!offered) fail("no queue");
        const auto kind = posix::ring_kind(features_);
        posix::DriverQueue::Options ring;
        ring.size = posix::ring_size_within(kind, std::min(*offered, most));
        ring.direct_segments = ring.max_segments;
        ring_memory_ = memory(posix::ring_bytes(kind, ring.size));
        check(ring_.set_up(features_, ring_memory_, Region{}, ring), "ring");
        check(bring_up_->enable_queue(QueueIndex{0}, ring_.addresses()), "queue");
        ring_.set_doorbell(transport.doorbell(QueueIndex{0}));
        event_ = transport.wait_handle(QueueIndex{0}).fd;
        check(bring_up_->go_live(), "DRIVER_OK");
    }
    ~Device() { static_cast<void>(bring_up_->tear_down()); }
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    [[nodiscard]] Region memory(std::size_t bytes) {
        const auto region = device_->allocate(bytes);
        if (!region) fail("no memory for the device");
        return *region;
    }
    [[nodiscard]] FeatureSet features() const { return features_; }
    [[nodiscard]] posix::AnyRing& queue() { return ring_.queue(); }
    [[nodiscard]] std::uint16_t size() const { return ring_.size(); }
    [[nodiscard]] bool gone() const { return gone_; }
    [[nodiscard]] std::string gone_reason() const { return device_->gone_reason(); }
    [[nodiscard]] const QueueAddresses& addresses() const { return ring_.addresses(); }
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> describe() const { return device_->describe(); }

    // The next that is done, by interrupt.
    [[nodiscard]] Completion next() {
        Completion done{};
        for (;;) {
            if (queue().poll({&done, 1}) == 1) return done;
            if (queue().error() != Errc::ok) fail(to_string(queue().error()));
            if (queue().arm(1)) continue;
            pollfd interest{event_, POLLIN, 0};
            if (::poll(&interest, 1, 10'000) != 1) fail("no interrupt within ten seconds");
            backends::wait_event(event_);
            ++interrupts;
        }
    }

    std::size_t interrupts = 0;

private:
    std::unique_ptr<backends::VfioPci> device_;
    std::unique_ptr<BringUp> bring_up_;
    FeatureSet features_;
    Region ring_memory_;
    posix::DriverQueue ring_;
    int event_ = -1;
    std::atomic<bool> gone_{false};
};

FeatureSet wanted(const std::string& kind, const std::string& events) {
    FeatureSet features;
    if (kind == "packed") features.add(Feature::ring_packed);
    if (events == "events") features.add(Feature::event_idx);
    return features;
}

// QEMU 7.2 sets no WRITE flag in the used descriptors of a packed ring, so that no length counts there (virtio 1.2 §2.8.5).
bool is_right(const Device& device, std::uint32_t written, std::size_t expected) {
    return written == expected || (written == 0 && device.features().has(Feature::ring_packed));
}

void check_taken(const Device& device, FeatureSet features) {
    if (!device.features().has(Feature::access_platform)) fail("ACCESS_PLATFORM was not taken");
    if ((device.features() & features) != features) fail("the ring is not of the kind that was wanted");
    if (device.features().has(Feature::ring_packed) != features.has(Feature::ring_packed))
        fail("the wrong kind of ring");
}

// Makes more requests than the ring has places, many at a time, so that it wraps.
void read_entropy(const std::string& address, FeatureSet features) {
    constexpr std::size_t kPiece = 64;
    constexpr std::size_t kPieces = 600;
    Device device(address, features, 64);
    check_taken(device, features);
    const Region memory = device.memory(kPieces * kPiece);
    std::size_t started = 0;
    std::size_t bytes = 0;
    std::set<std::string> pieces;
    for (std::size_t done = 0; done < kPieces;) {
        while (started < kPieces && started - done < 16) {
            const Segment piece = memory.segment(memory.host() + started * kPiece, kPiece);
            if (device.queue().submit({}, {&piece, 1}, token(started)) != Errc::ok) break;
            ++started;
        }
        device.queue().kick();
        const Completion completion = device.next();
        const auto which = std::size_t{completion.token.slot};
        if (!is_right(device, completion.written, kPiece)) fail("a wrong length");
        bytes += kPiece;
        const char* const text = reinterpret_cast<const char*>(memory.host() + which * kPiece);
        pieces.emplace(text + kPiece - 16, 16); // its end
        ++done;
    }
    if (pieces.size() < kPieces - 1) fail("the same bytes again and again");
    fmt::print("entropy: {} bytes in {} pieces, {} interrupts\n", bytes, kPieces, device.interrupts);
}

// virtio 1.2 §5.2.6.
struct BlockHead {
    std::uint32_t type;
    std::uint32_t reserved;
    std::uint64_t sector;
};
constexpr std::size_t kSector = 512;

// Each sector begins with its own number, as the test wrote it; afterwards each has it twice.
void use_blocks(const std::string& address, FeatureSet features) {
    constexpr std::size_t kSectors = 256;
    constexpr std::size_t kRoom = 1024;
    constexpr std::size_t kStatus = kSector + sizeof(BlockHead);
    Device device(address, features, 64);
    check_taken(device, features);
    const Region memory = device.memory(kSectors * kRoom);
    const auto transfer = [&](std::size_t sector, std::uint32_t type) {
        std::byte* const at = memory.host() + sector * kRoom;
        const BlockHead head{type, 0, sector};
        std::memcpy(at + kSector, &head, sizeof head);
        at[kStatus] = std::byte{0xff};
        const Segment data = memory.segment(at, kSector);
        const Segment readable[2] = {memory.segment(at + kSector, sizeof head), data};
        const Segment writable[2] = {data, memory.segment(at + kStatus, 1)};
        const bool writes = type == 1;
        const std::span<const Segment> out(readable, writes ? 2 : 1);
        const std::span<const Segment> in(writes ? writable + 1 : writable, writes ? 1 : 2);
        return device.queue().submit(out, in, token(sector));
    };
    const auto all = [&](std::uint32_t type) {
        std::size_t started = 0;
        for (std::size_t done = 0; done < kSectors; ++done) {
            while (started < kSectors && transfer(started, type) == Errc::ok) ++started;
            device.queue().kick();
            const Completion completion = device.next();
            const auto sector = std::size_t{completion.token.slot};
            if (memory.host()[sector * kRoom + kStatus] != std::byte{0}) fail("the disk says that it failed");
            if (!is_right(device, completion.written, type == 1 ? 1 : kSector + 1)) fail("a wrong length");
        }
    };
    const auto number = [&](std::size_t sector, std::size_t offset) {
        std::uint64_t value = 0;
        std::memcpy(&value, memory.host() + sector * kRoom + offset, sizeof value);
        return value;
    };
    all(0);
    for (std::size_t sector = 0; sector < kSectors; ++sector) {
        if (number(sector, 0) != sector) fail("another sector's contents");
        const std::uint64_t own = sector;
        std::memcpy(memory.host() + sector * kRoom + 256, &own, sizeof own);
    }
    all(1);
    std::memset(memory.host(), 0, memory.size());
    all(0);
    for (std::size_t sector = 0; sector < kSectors; ++sector) {
        if (number(sector, 0) != sector || number(sector, 256) != sector) fail("not what was written");
    }
    fmt::print("blocks: {} read, written and read again, {} interrupts\n", kSectors, device.interrupts);
}

std::uint64_t physical_address(const std::byte* at) {
    const int fd = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    std::uint64_t word = 0;
    const auto offset = static_cast<off_t>(reinterpret_cast<std::uintptr_t>(at) / 4096 * 8);
    if (fd < 0 || ::pread(fd, &word, sizeof word, offset) != sizeof word) fail("no pagemap");
    ::close(fd);
    return (word & ((std::uint64_t{1} << 55) - 1)) * 4096;
}

// Sends the device where the memory really lies, which is an address it was never given: an IOMMU has to stop it.
void stray(const std::string& address) {
    Device device(address, FeatureSet{}, 64);
    if (!device.features().has(Feature::access_platform)) fail("ACCESS_PLATFORM was not taken");
    const Region memory = device.memory(4096);
    const std::uint64_t physical = physical_address(memory.host());
    std::memset(memory.host(), 0x5a, memory.size());
    if (physical == 0 || physical == to_number(memory.device())) fail("the addresses are the same");
    const Segment wrong{DeviceAddr{physical}, 64};
    if (device.queue().submit({}, {&wrong, 1}, token(1)) != Errc::ok) fail("submit");
    device.queue().kick();
    // The device either says that it needs a reset, or drops it.
    for (unsigned i = 0; i < 300 && !device.gone(); ++i) ::usleep(10'000);
    Completion completion{};
    const bool used = device.queue().poll({&completion, 1}) != 0 && completion.written != 0;
    const bool kept = std::all_of(memory.host(), memory.host() + memory.size(),
                                  [](std::byte byte) { return byte == std::byte{0x5a}; });
    if (!kept) fail("the device wrote to memory that was not mapped for it");
    fmt::print("stray: kept, {}, {}\n", used ? "said to be done" : "not done",
               device.gone() ? device.gone_reason() : "the device goes on");
}

// Counts the descriptors and mappings that this process holds.
std::pair<std::size_t, std::size_t> holdings() {
    const auto entries = [](const char* folder) {
        const std::filesystem::directory_iterator all(folder);
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    };
    return {entries("/proc/self/fd"), entries("/proc/self/map_files")};
}

void bring_up_often(const std::string& address, int count) {
    std::pair<std::size_t, std::size_t> first;
    for (int i = 0; i < count; ++i) {
        {
            backends::VfioPciOptions options;
            options.device = address;
            auto opened = backends::VfioPci::open(options);
            if (!opened) fail(fmt::format("{}: {}", i, opened.message));
            auto mount = posix::Mount::open(std::move(opened.device), {});
            if (!mount) fail(fmt::format("{}: {}", i, mount.failure().text()));
            if (!(*mount)->stat("/")) fail(fmt::format("{}: stat", i));
        }
        if (i == 4) first = holdings(); // what the C library keeps it has by now
    }
    const auto last = holdings();
    if (last.first != first.first) fail(fmt::format("{} descriptors became {}", first.first, last.first));
    if (last.second > first.second + 8) fail(fmt::format("{} mappings became {}", first.second, last.second));
    fmt::print("bring-ups: {}\n", count);
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    try {
        if (words.size() == 4 && words[0] == "entropy") {
            read_entropy(words[1], wanted(words[2], words[3]));
        } else if (words.size() == 4 && words[0] == "blocks") {
            use_blocks(words[1], wanted(words[2], words[3]));
        } else if (words.size() == 2 && words[0] == "stray") {
            stray(words[1]);
        } else if (words.size() == 3 && words[0] == "bring-ups") {
            bring_up_often(words[1], std::atoi(words[2].c_str()));
        } else {
            fail("entropy, blocks, stray or bring-ups, with an address");
        }
    } catch (const std::exception& error) {
        fmt::print(stderr, "emulated_devices: {}\n", error.what());
        return 1;
    }
    return 0;
}
