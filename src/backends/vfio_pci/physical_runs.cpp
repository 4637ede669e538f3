// SPDX-License-Identifier: BSD-2-Clause
#include "explain.hpp"
#include "memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace vfsproto::backends::vfio_pci {
namespace {

constexpr std::size_t kHuge = std::size_t{2} << 20;
constexpr std::uint64_t kSmallPage = 4096;

struct HugePage {
    std::uint64_t physical = 0;
    std::size_t place = 0; // in the file, in pages
};

// /proc/self/pagemap: a word for each page of 4 KiB.
class PageMap {
public:
    explicit PageMap(Calls& calls) : calls_(calls), file_(calls, calls.open_to_read("/proc/self/pagemap")) {}

    // Returns the physical address of the page there; 0 when the kernel does not tell.
    [[nodiscard]] std::uint64_t physical(const std::byte* at) const noexcept {
        constexpr std::uint64_t kPresent = std::uint64_t{1} << 63;
        constexpr std::uint64_t kFrame = (std::uint64_t{1} << 55) - 1;
        if (!file_) return 0;
        std::uint64_t word = 0;
        const std::uint64_t place = reinterpret_cast<std::uintptr_t>(at) / kSmallPage * sizeof word;
        if (calls_.read_at(file_.get(), &word, sizeof word, place) != static_cast<ssize_t>(sizeof word)) return 0;
        return (word & kPresent) == 0 ? 0 : (word & kFrame) * kSmallPage;
    }

private:
    Calls& calls_;
    Handle file_;
};

class PhysicalRuns final : public RunSource {
public:
    PhysicalRuns(Calls& calls, DmaSpace& space, std::size_t run_size)
        : calls_(calls), space_(space), pages_(calls), run_size_(run_size) {}

    Refusal find_runs(std::size_t bytes, std::vector<Region>& out) override;
    void drop(const Region& run) noexcept override {
        dismiss(run);
        calls_.unmap(run.host(), run.size());
    }
    std::string describe() const override {
        return space_.guard() == Guard::iommu
                   ? "physical: the device does not offer ACCESS_PLATFORM and goes past the IOMMU, so it is given "
                     "huge pages at their physical addresses"
                   : "physical: there is no IOMMU, so the device could reach all memory; it is given huge pages at "
                     "their physical addresses";
    }

private:
    // Returns runs of `count` huge pages in all, or none; then `why` says what went wrong.
    [[nodiscard]] std::vector<Region> grab(std::size_t count, Refusal& why);
    [[nodiscard]] std::vector<HugePage> sorted_pages(std::byte* at, std::size_t count) const;
    [[nodiscard]] std::byte* map_sorted(const Handle& file, const std::vector<HugePage>& pages);
    [[nodiscard]] static std::vector<Region> runs_of(std::byte* at, const std::vector<HugePage>& pages);
    [[nodiscard]] Refusal admit(const Region& run);
    [[nodiscard]] Refusal admit_all(const std::vector<Region>& runs);
    void dismiss(const Region& run) noexcept {
        space_.unmap(run.size(), to_number(run.device()));
        --mappings_;
    }
    [[nodiscard]] bool is_usable(const Region& run) const noexcept;
    [[nodiscard]] bool lies_as_said(const Region& run) const noexcept;

    Calls& calls_;
    DmaSpace& space_;
    PageMap pages_;
    std::size_t run_size_;
    std::size_t mappings_ = 0;
};

Refusal no_pages(std::size_t count, int error) {
    return {
        Errc::no_memory,
        fmt::format("the device uses physical addresses, for which {} huge pages of 2 MiB are needed, and there are "
                    "too few ({}): run 'echo 64 > /proc/sys/vm/nr_hugepages', best soon after booting",
                    count, explain("reserving them", error))};
}

std::vector<HugePage> PhysicalRuns::sorted_pages(std::byte* at, std::size_t count) const {
    std::vector<HugePage> pages;
    for (std::size_t i = 0; i < count; ++i) {
        std::byte* const page = at + i * kHuge;
        *static_cast<volatile std::byte*>(page) = std::byte{0}; // now it is there
        const std::uint64_t physical = pages_.physical(page);
        if (physical == 0 || physical % kHuge != 0) return {};
        pages.push_back({physical, i});
    }
    std::sort(pages.begin(), pages.end(), [](const HugePage& a, const HugePage& b) { return a.physical < b.physical; });
    return pages;
}

// Maps the pages again in the order of their physical addresses: physical neighbours become neighbours here.
std::byte* PhysicalRuns::map_sorted(const Handle& file, const std::vector<HugePage>& pages) {
    std::byte* const at = calls_.map_memory(pages.size() * kHuge, kHuge);
    if (at == nullptr) return nullptr;
    for (std::size_t i = 0; i < pages.size(); ++i) {
        if (calls_.map_file(file.get(), kHuge, pages[i].place * kHuge, at + i * kHuge) != nullptr) continue;
        calls_.unmap(at, pages.size() * kHuge);
        return nullptr;
    }
    return at;
}

std::vector<Region> PhysicalRuns::runs_of(std::byte* at, const std::vector<HugePage>& pages) {
    std::vector<Region> runs;
    for (std::size_t first = 0, next = 0; first < pages.size(); first = next) {
        do {
            ++next;
        } while (next < pages.size() && pages[next].physical == pages[next - 1].physical + kHuge);
        runs.emplace_back(at + first * kHuge, DeviceAddr{pages[first].physical}, (next - first) * kHuge);
    }
    return runs;
}

std::vector<Region> PhysicalRuns::grab(std::size_t count, Refusal& why) {
    const std::size_t bytes = count * kHuge;
    const Handle file(calls_, calls_.huge_file(bytes));
    std::byte* const unsorted = file ? calls_.map_file(file.get(), bytes, 0, nullptr) : nullptr;
    if (unsorted == nullptr) {
        why = no_pages(count, file ? -ENOMEM : file.get());
        return {};
    }
    const std::vector<HugePage> pages = sorted_pages(unsorted, count);
    std::byte* const at = pages.empty() ? nullptr : map_sorted(file, pages);
    calls_.unmap(unsorted, bytes);
    if (pages.empty()) {
        why = {Errc::transport_failed, "the device uses physical addresses, and the kernel does not tell them to this "
                                       "process (/proc/self/pagemap): become root"};
    } else if (at == nullptr) {
        why = no_pages(count, -ENOMEM);
    }
    return at == nullptr ? std::vector<Region>() : runs_of(at, pages);
}

bool PhysicalRuns::is_usable(const Region& run) const noexcept {
    const std::uint64_t start = to_number(run.device());
    const auto& usable = space_.usable();
    return std::any_of(usable.begin(), usable.end(), [&](const AddressRange& range) {
        return start >= range.start && start <= range.last && run.size() - 1 <= range.last - start;
    });
}

bool PhysicalRuns::lies_as_said(const Region& run) const noexcept {
    for (std::size_t offset = 0; offset < run.size(); offset += kHuge) {
        if (pages_.physical(run.host() + offset) != to_number(run.device()) + offset) return false;
    }
    return true;
}

// Pins the run, and checks its addresses again: the kernel could move the pages before.
Refusal PhysicalRuns::admit(const Region& run) {
    if (mappings_ >= space_.most_mappings()) return {Errc::no_memory, "the IOMMU takes no more mappings"};
    if (!is_usable(run)) return {Errc::no_memory, "huge pages lie at addresses that the IOMMU keeps for itself"};
    if (const int error = space_.map(run.host(), run.size(), to_number(run.device())); error < 0) {
        return {Errc::no_memory, explain("cannot map huge pages at their physical addresses", error)};
    }
    ++mappings_;
    if (lies_as_said(run)) return {};
    dismiss(run);
    return {Errc::transport_failed, "huge pages moved while they were given to the device: try again"};
}

// Admits all of these runs or none.
Refusal PhysicalRuns::admit_all(const std::vector<Region>& runs) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
        Refusal why = admit(runs[i]);
        if (!why) continue;
        for (std::size_t j = 0; j < i; ++j) dismiss(runs[j]);
        return why;
    }
    return {};
}

Refusal PhysicalRuns::find_runs(std::size_t bytes, std::vector<Region>& out) {
    const std::size_t needed = (bytes + kHuge - 1) / kHuge;
    const std::size_t usual = std::max(needed, run_size_ / kHuge);
    Refusal first;
    std::size_t longest = 0;
    // Among more pages there are more likely neighbours; fewer pages are more likely to be had.
    for (const std::size_t count : {usual, usual * 2, usual * 4, needed}) {
        Refusal why;
        std::vector<Region> runs = grab(count, why);
        std::size_t most = 0;
        for (const Region& run : runs) most = std::max(most, run.size());
        longest = std::max(longest, most);
        if (most >= bytes) {
            why = admit_all(runs);
            if (!why) {
                out.insert(out.end(), runs.begin(), runs.end());
                return {};
            }
        }
        for (const Region& run : runs) calls_.unmap(run.host(), run.size());
        if (why.error == Errc::transport_failed || (why && most >= bytes)) return why;
        if (why && !first) first = why;
    }
    if (longest == 0) return first;
    return {Errc::no_memory,
            fmt::format("the device uses physical addresses and needs {} MiB of huge pages side by "
                        "side, of which {} MiB were found: reserve more of them, best soon after booting",
                        needed * kHuge >> 20, longest >> 20)};
}

} // namespace

std::unique_ptr<RunSource> make_physical_runs(Calls& calls, DmaSpace& space, std::size_t run_size) {
    return std::make_unique<PhysicalRuns>(calls, space, run_size);
}

} // namespace vfsproto::backends::vfio_pci
