// SPDX-License-Identifier: BSD-2-Clause
#include "wiring.hpp"

#include "explain.hpp"

#include <algorithm>
#include <cerrno>

namespace vfsproto::backends::vfio_pci {

// Gives how many vectors there are now, or a negated errno.
int Wiring::connect_vectors(const Function& function, std::uint16_t wanted) {
    std::uint32_t count = std::min<std::uint32_t>(function.interrupts(InterruptKind::msix), wanted);
    while (count != 0) {
        events_.clear();
        std::vector<int> numbers;
        for (std::uint32_t i = 0; i < count; ++i) {
            events_.push_back(FileDescriptor::blocking_event());
            if (!events_.back()) return -EMFILE;
            numbers.push_back(events_.back().get());
        }
        const int result = function.wire(InterruptKind::msix, 0, numbers);
        if (result == 0) return static_cast<int>(count);
        // The kernel returns how many vectors it has, or only an error.
        const std::uint32_t offered = result > 0 ? static_cast<std::uint32_t>(result) : count / 2;
        count = std::min(offered, count - 1);
    }
    return 0;
}

Refusal Wiring::connect(const Function& function, std::uint16_t wanted) {
    const int count = connect_vectors(function, wanted);
    if (count < 0) return {Errc::no_memory, explain("no eventfd for an interrupt", count)};
    vectors_ = static_cast<std::uint16_t>(count);
    if (count != 0) return {};
    events_.clear();
    events_.push_back(FileDescriptor::blocking_event());
    if (!events_.back()) return {Errc::no_memory, explain("no eventfd for an interrupt", -EMFILE)};
    const int line = events_.back().get();
    if (function.interrupts(InterruptKind::line) == 0) {
        return {Errc::transport_failed, "the device has no interrupt: neither MSI-X nor a line"};
    }
    const int result = function.wire(InterruptKind::line, 0, {&line, 1});
    return result == 0 ? Refusal{} : Refusal{Errc::transport_failed, explain("VFIO gives no interrupt", result)};
}

void Wiring::disconnect(const Function& function) noexcept {
    if (events_.empty()) return;
    function.unwire(vectors_ != 0 ? InterruptKind::msix : InterruptKind::line);
    events_.clear();
    vectors_ = 0;
}

bool Wiring::reroute(const Function& function, std::uint16_t vector, int event) const noexcept {
    return vector < vectors_ && function.wire(InterruptKind::msix, vector, {&event, 1}) == 0;
}

} // namespace vfsproto::backends::vfio_pci
