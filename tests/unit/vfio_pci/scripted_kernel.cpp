// SPDX-License-Identifier: BSD-2-Clause
#include "unit/vfio_pci/scripted_kernel.hpp"

#include "vfsproto/backends/file_descriptor.hpp"

#include <linux/vfio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vfsproto::test {

namespace abi = backends::vfio_pci::abi;

namespace {

constexpr unsigned kRegionShift = 40; // where region i begins in the device's file
constexpr std::uint64_t kBar = 4;     // where the structures are
constexpr std::uint64_t kBarSize = 0x4000;

template <class T> T& at(std::uintptr_t argument) { return *reinterpret_cast<T*>(argument); }

void add_capability(ByteWindow& config, std::uint8_t place, std::uint8_t next, std::uint8_t type, std::uint32_t offset,
                    std::uint32_t length) {
    config.put(place, 8, 9);
    config.put(place + 1u, 8, next);
    config.put(place + 2u, 8, type == 2 ? 20 : 16);
    config.put(place + 3u, 8, type);
    config.put(place + 4u, 8, kBar);
    config.put(place + 8u, 32, offset);
    config.put(place + 12u, 32, length);
    if (type == 2) config.put(place + 16u, 32, 4);
}

} // namespace

ScriptedKernel::ScriptedKernel() : config_(model.bus, "config", std::vector<std::uint8_t>(256)) {
    config_.put(0x00, 16, 0x1af4);
    config_.put(0x02, 16, 0x105a);
    config_.put(0x06, 16, 0x10);
    config_.put(0x34, 8, 0x40);
    add_capability(config_, 0x40, 0x50, 1, 0x0000, 0x40);
    add_capability(config_, 0x50, 0x60, 3, 0x1000, 1);
    add_capability(config_, 0x60, 0x70, 4, 0x2000, 44);
    add_capability(config_, 0x70, 0x00, 2, 0x3000, 0x100);
    model.offered = FeatureSet::of(Feature::version_1, Feature::event_idx, Feature::access_platform);
    for (std::uint64_t i = 0; i < 16; ++i) frames.push_back((std::uint64_t{1} << 30) + i * kHuge);
}

ScriptedKernel::~ScriptedKernel() {
    for (const auto& [fd, first] : huge_files_) ::close(fd);
}

std::uint16_t ScriptedKernel::command() const {
    return static_cast<std::uint16_t>(config_.bytes[4] | config_.bytes[5] << 8);
}

bool ScriptedKernel::logged(const std::string& what) const { return place(what) != log.size(); }
std::size_t ScriptedKernel::place(const std::string& what) const {
    return static_cast<std::size_t>(std::find(log.begin(), log.end(), what) - log.begin());
}

std::string ScriptedKernel::leaks() const {
    std::string found;
    for (const auto& entry : open_) found += entry.second + " open; ";
    if (!mapped.empty()) found += "mappings for the device; ";
    if (!memory_.empty() || !huge_mappings_.empty()) found += "memory; ";
    if (!wired.empty()) found += "interrupts; ";
    return found;
}

void ScriptedKernel::raise(std::uint32_t kind, std::uint32_t number) {
    const std::lock_guard lock(mutex_);
    backends::signal_event(wired.at({kind, number}));
}

bool ScriptedKernel::unmasks(std::size_t times) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(5), [&] { return unmasked >= times; });
}

bool ScriptedKernel::fails(const std::string& what) {
    log.push_back(what);
    return calls++ == fails_at;
}

int ScriptedKernel::open(const std::string& path) noexcept {
    const std::lock_guard lock(mutex_);
    if (fails("open " + path)) return -EIO;
    const bool is_iommufd = path == "/dev/iommu" || path == "/dev/vfio/devices/vfio0";
    if (is_iommufd && !has_iommufd) return -ENOENT;
    if (path == "/dev/vfio/vfio" && !has_vfio) return -ENOENT;
    if (path == "/dev/vfio/7" && group_is_busy) return -EBUSY;
    open_[next_fd_] = path;
    return next_fd_++;
}

void ScriptedKernel::close(int fd) noexcept {
    const std::lock_guard lock(mutex_);
    if (open_[fd] == "device") wired.clear();
    if (open_[fd] == "/dev/vfio/vfio" || open_[fd] == "/dev/iommu") mapped.clear();
    log.push_back("close " + open_[fd]);
    open_.erase(fd);
}

int ScriptedKernel::ioctl(int fd, unsigned long request, std::uintptr_t argument) noexcept {
    const std::lock_guard lock(mutex_);
    const std::string what = open_.count(fd) != 0 ? open_[fd] : "nothing";
    if (what == "/dev/vfio/vfio") return ioctl_on_container(request, argument);
    if (what == "/dev/iommu") return ioctl_on_iommufd(request, argument);
    if (what.rfind("/dev/vfio/devices/", 0) == 0 || what == "device") return ioctl_on_device(request, argument);
    return ioctl_on_group(request, argument);
}

int ScriptedKernel::ioctl_on_container(unsigned long request, std::uintptr_t argument) {
    switch (request) {
    case VFIO_GET_API_VERSION: return fails("version") ? -EIO : VFIO_API_VERSION;
    case VFIO_CHECK_EXTENSION:
        if (fails("extension")) return -EIO;
        return argument == (has_iommu ? VFIO_TYPE1v2_IOMMU : VFIO_NOIOMMU_IOMMU) ? 1 : 0;
    case VFIO_SET_IOMMU: return fails("set iommu") ? -EIO : set_iommu;
    case VFIO_IOMMU_GET_INFO: return fails("iommu info") ? -EIO : type1_info(argument);
    case VFIO_IOMMU_MAP_DMA: {
        const auto& wish = at<vfio_iommu_type1_dma_map>(argument);
        return map_dma(wish.vaddr, wish.size, wish.iova);
    }
    case VFIO_IOMMU_UNMAP_DMA: {
        const auto& wish = at<vfio_iommu_type1_dma_unmap>(argument);
        return unmap_dma(wish.size, wish.iova);
    }
    default: return -ENOTTY;
    }
}

int ScriptedKernel::type1_info(std::uintptr_t argument) {
    std::vector<std::byte> answer(sizeof(vfio_iommu_type1_info));
    const auto add = [&](const void* data, std::size_t bytes) {
        const auto* first = static_cast<const std::byte*>(data);
        answer.insert(answer.end(), first, first + bytes);
    };
    vfio_iommu_type1_info info{};
    info.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
    info.iova_pgsizes = 0x40201000;
    info.cap_offset = sizeof info;
    vfio_iommu_type1_info_dma_avail available{};
    available.header.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL;
    available.header.next = tells_ranges ? static_cast<std::uint32_t>(sizeof info + sizeof available) : 0;
    available.avail = mappings_left;
    add(&available, sizeof available);
    if (tells_ranges) {
        vfio_iommu_type1_info_cap_iova_range head{};
        head.header.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;
        head.nr_iovas = static_cast<std::uint32_t>(ranges.size());
        add(&head, sizeof head);
        for (const auto& range : ranges) add(&range, sizeof range);
    }
    const std::uint32_t room = at<vfio_iommu_type1_info>(argument).argsz;
    info.argsz = static_cast<std::uint32_t>(answer.size());
    if (room < answer.size()) info.cap_offset = 0;
    std::memcpy(answer.data(), &info, sizeof info);
    std::memcpy(reinterpret_cast<void*>(argument), answer.data(), std::min<std::size_t>(room, answer.size()));
    return 0;
}

int ScriptedKernel::ioctl_on_group(unsigned long request, std::uintptr_t argument) {
    switch (request) {
    case VFIO_GROUP_GET_STATUS:
        if (fails("group status")) return -EIO;
        at<vfio_group_status>(argument).flags = is_viable ? VFIO_GROUP_FLAGS_VIABLE : 0;
        return 0;
    case VFIO_GROUP_SET_CONTAINER: return fails("set container") ? -EIO : 0;
    case VFIO_GROUP_GET_DEVICE_FD:
        if (fails("device " + std::string(reinterpret_cast<const char*>(argument)))) return -EIO;
        open_[next_fd_] = "device";
        return next_fd_++;
    default: return -ENOTTY;
    }
}

int ScriptedKernel::ioctl_on_iommufd(unsigned long request, std::uintptr_t argument) {
    switch (request) {
    case abi::kAllocateSpace:
        if (fails("allocate space")) return -EIO;
        at<abi::AllocateSpace>(argument).space = 5;
        return 0;
    case abi::kIovaRanges: {
        if (fails("iova ranges")) return -EIO;
        auto& wish = at<abi::IovaRanges>(argument);
        const std::uint32_t room = wish.count;
        wish.count = static_cast<std::uint32_t>(ranges.size());
        wish.alignment = 4096;
        if (room < wish.count) return -EMSGSIZE;
        for (std::uint32_t i = 0; i < wish.count; ++i) {
            (&at<abi::IovaRange>(wish.ranges))[i] = {ranges[i].start, ranges[i].last};
        }
        return 0;
    }
    case abi::kMapSpace: {
        const auto& wish = at<abi::MapSpace>(argument);
        if (wish.space != 5 || wish.flags != 7) return -EINVAL;
        return map_dma(wish.memory, wish.length, wish.iova);
    }
    case abi::kUnmapSpace: {
        const auto& wish = at<abi::UnmapSpace>(argument);
        return unmap_dma(wish.length, wish.iova);
    }
    default: return -ENOTTY;
    }
}

int ScriptedKernel::map_dma(std::uint64_t memory, std::uint64_t size, std::uint64_t iova) {
    if (fails("map")) return -EIO;
    if (map_answer != 0) return map_answer;
    const bool whole = (memory | size | iova) % 4096 == 0 && size != 0;
    const bool allowed = std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
        return iova >= range.start && iova + (size - 1) <= range.last;
    });
    if (!whole || !allowed) return -EINVAL;
    for (const auto& [start, piece] : mapped) {
        if (iova < start + piece.second && start < iova + size) return -EEXIST;
    }
    if (mapped.size() >= mappings_left) return -ENOSPC;
    mapped[iova] = {reinterpret_cast<std::byte*>(memory), size};
    if (frames_move) std::rotate(frames.begin(), frames.begin() + 1, frames.end());
    return 0;
}

int ScriptedKernel::unmap_dma(std::uint64_t size, std::uint64_t iova) {
    log.push_back("unmap");
    const auto piece = mapped.find(iova);
    if (piece == mapped.end() || piece->second.second != size) return -EINVAL;
    mapped.erase(piece);
    return 0;
}

int ScriptedKernel::ioctl_on_device(unsigned long request, std::uintptr_t argument) {
    switch (request) {
    case abi::kBindIommufd: return fails("bind iommufd") ? -EIO : 0;
    case abi::kAttachTable: return fails("attach") || at<abi::AttachTable>(argument).table != 5 ? -EIO : 0;
    case VFIO_DEVICE_GET_INFO: {
        if (fails("device info")) return -EIO;
        auto& info = at<vfio_device_info>(argument);
        info.flags = VFIO_DEVICE_FLAGS_PCI | (resettable ? VFIO_DEVICE_FLAGS_RESET : 0);
        info.num_regions = 9;
        info.num_irqs = 5;
        return 0;
    }
    case VFIO_DEVICE_GET_REGION_INFO: return fails("region info") ? -EIO : region_info(argument);
    case VFIO_DEVICE_GET_IRQ_INFO: return fails("interrupt info") ? -EIO : interrupt_info(argument);
    case VFIO_DEVICE_SET_IRQS: return set_interrupts(argument);
    case VFIO_DEVICE_RESET: return fails("reset") ? -EIO : 0;
    default: return -ENOTTY;
    }
}

int ScriptedKernel::region_info(std::uintptr_t argument) const {
    auto& info = at<vfio_region_info>(argument);
    info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    info.size = info.index == VFIO_PCI_CONFIG_REGION_INDEX ? 256 : info.index == kBar ? kBarSize : 0;
    info.offset = std::uint64_t{info.index} << kRegionShift;
    return 0;
}

int ScriptedKernel::interrupt_info(std::uintptr_t argument) const {
    auto& info = at<vfio_irq_info>(argument);
    const std::uint32_t counts[] = {lines, 0, msix, error_interrupts, request_interrupts};
    if (info.index >= 5) return -EINVAL;
    info.flags = VFIO_IRQ_INFO_EVENTFD;
    info.count = counts[info.index];
    return 0;
}

int ScriptedKernel::set_interrupts(std::uintptr_t argument) {
    const auto& wish = at<vfio_irq_set>(argument);
    static const char* const kNames[] = {"line", "msi", "msix", "error", "request"};
    const std::string name = kNames[wish.index % 5];
    if ((wish.flags & VFIO_IRQ_SET_ACTION_UNMASK) != 0) {
        ++unmasked;
        changed_.notify_all();
        return 0;
    }
    if ((wish.flags & VFIO_IRQ_SET_DATA_NONE) != 0) {
        log.push_back("unwire " + name);
        std::erase_if(wired, [&](const auto& entry) { return entry.first.first == wish.index; });
        return 0;
    }
    if (fails("wire " + name)) return -EIO;
    if (wish.argsz != sizeof wish + wish.count * sizeof(int)) return -EINVAL;
    if (wish.index == VFIO_PCI_MSIX_IRQ_INDEX && wish.count > msix_left) return static_cast<int>(msix_left);
    for (std::uint32_t i = 0; i < wish.count; ++i) {
        int event = -1;
        std::memcpy(&event, wish.data + i * sizeof event, sizeof event);
        wired[{wish.index, wish.start + i}] = event;
    }
    return 0;
}

RegisterWindow* ScriptedKernel::window(std::uint64_t& offset) {
    const std::uint64_t region = offset >> kRegionShift;
    offset &= (std::uint64_t{1} << kRegionShift) - 1;
    if (region == VFIO_PCI_CONFIG_REGION_INDEX) return &config_;
    if (region != kBar) return nullptr;
    RegisterWindow* const windows[] = {&model.common, &model.isr, &model.device, &model.notify};
    RegisterWindow* const which = windows[offset / 0x1000 % 4];
    offset %= 0x1000;
    return which;
}

std::uint64_t ScriptedKernel::frame_of(const std::byte* at) const {
    for (const auto& [start, mapping] : huge_mappings_) {
        if (at < start || at >= start + mapping.bytes) continue;
        const std::size_t offset = mapping.offset + static_cast<std::size_t>(at - start);
        return frames.at(huge_files_.at(mapping.fd) + offset / kHuge) + offset % kHuge;
    }
    return 0;
}

ssize_t ScriptedKernel::read_at(int fd, void* out, std::size_t bytes, std::uint64_t offset) noexcept {
    const std::lock_guard lock(mutex_);
    if (open_[fd] == "/proc/self/pagemap") {
        const std::uint64_t frame = frame_of(reinterpret_cast<std::byte*>(offset / 8 * 4096));
        const std::uint64_t word = (std::uint64_t{1} << 63) | (tells_frames ? frame / 4096 : 0);
        std::memcpy(out, &word, sizeof word);
        return sizeof word;
    }
    if (fails("read")) return -EIO;
    RegisterWindow* const from = window(offset);
    if (from == nullptr) return -EINVAL;
    const std::uint32_t value = bytes == 1   ? from->read8(offset)
                                : bytes == 2 ? from->read16(offset)
                                             : from->read32(offset);
    std::memcpy(out, &value, bytes);
    return static_cast<ssize_t>(bytes);
}

ssize_t ScriptedKernel::write_at(int, const void* data, std::size_t bytes, std::uint64_t offset) noexcept {
    const std::lock_guard lock(mutex_);
    RegisterWindow* const to = window(offset);
    std::uint32_t value = 0;
    std::memcpy(&value, data, bytes);
    std::string what = "write";
    if (to == &config_ && offset == 4) what = (value & 4) != 0 ? "master on" : "master off";
    if (to == &model.common && offset == 0x14) what = "status " + std::to_string(value);
    if (to == &model.common && offset == 0x1a) what = "queue vector";
    if (fails(what)) return -EIO;
    if (to == nullptr) return -EINVAL;
    if (bytes == 1) to->write8(offset, static_cast<std::uint8_t>(value));
    if (bytes == 2) to->write16(offset, static_cast<std::uint16_t>(value));
    if (bytes == 4) to->write32(offset, value);
    return static_cast<ssize_t>(bytes);
}

int ScriptedKernel::huge_file(std::size_t bytes) noexcept {
    const std::lock_guard lock(mutex_);
    if (fails("huge file")) return -EIO;
    if (bytes / kHuge > frames.size() - frames_taken_) return -ENOSPC;
    const int fd = ::memfd_create("scripted", MFD_CLOEXEC);
    if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(bytes)) != 0) return -ENOMEM;
    huge_files_[fd] = frames_taken_;
    frames_taken_ += bytes / kHuge;
    const int alias = next_fd_++;
    open_[alias] = "huge " + std::to_string(fd);
    return alias;
}

std::byte* ScriptedKernel::map_file(int fd, std::size_t bytes, std::uint64_t offset, std::byte* place) noexcept {
    const std::lock_guard lock(mutex_);
    if (fails("map file")) return nullptr;
    if (open_[fd].rfind("huge ", 0) != 0) return nullptr; // its BARs are reached by calls
    const int real = std::stoi(open_[fd].substr(5));
    void* const at = ::mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | (place != nullptr ? MAP_FIXED : 0), real,
                            static_cast<off_t>(offset));
    if (at == MAP_FAILED) return nullptr;
    huge_mappings_[static_cast<std::byte*>(at)] = {bytes, real, offset};
    return static_cast<std::byte*>(at);
}

std::byte* ScriptedKernel::map_memory(std::size_t bytes, std::size_t alignment) noexcept {
    const std::lock_guard lock(mutex_);
    if (fails("memory")) return nullptr;
    void* const at = ::mmap(nullptr, bytes + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return nullptr;
    const auto start = (reinterpret_cast<std::uintptr_t>(at) + alignment - 1) / alignment * alignment;
    auto* const place = reinterpret_cast<std::byte*>(start);
    memory_[place] = {bytes, bytes};
    return place;
}

// Pieces of what was mapped may be unmapped one by one.
void ScriptedKernel::unmap(std::byte* at, std::size_t bytes) noexcept {
    const std::lock_guard lock(mutex_);
    ::munmap(at, bytes);
    std::erase_if(huge_mappings_, [&](const auto& entry) { return entry.first >= at && entry.first < at + bytes; });
    for (auto piece = memory_.begin(); piece != memory_.end(); ++piece) {
        auto& [size, left] = piece->second;
        if (at < piece->first || at >= piece->first + size) continue;
        left -= bytes;
        if (left == 0) memory_.erase(piece);
        return;
    }
}

} // namespace vfsproto::test
