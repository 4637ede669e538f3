// SPDX-License-Identifier: BSD-2-Clause
// The device's structures in its BARs: mapped where the kernel lets us, else read and written by it.
#pragma once

#include "function.hpp"
#include "registers.hpp"

#include "vfsproto/transport/virtio_pci.hpp"

#include <deque>

namespace vfsproto::backends::vfio_pci {

class Windows {
public:
    Windows() = default;
    ~Windows();
    Windows(const Windows&) = delete;
    Windows& operator=(const Windows&) = delete;

    // `function` outlives this.
    [[nodiscard]] VirtioPciWindows open(const Function& function, const VirtioPciLayout& layout);

    // System calls made to write registers. Any thread, once opened.
    [[nodiscard]] std::uint64_t writes() const noexcept;
    // "mapped", "by system calls", or some of each.
    [[nodiscard]] std::string describe() const;

private:
    struct Mapping {
        std::byte* at;
        std::size_t bytes;
    };

    [[nodiscard]] Registers* window(const Function& function, const BarWindow& where);
    [[nodiscard]] std::byte* map(const Function& function, const BarWindow& where);

    Calls* calls_ = nullptr;
    std::vector<Mapping> mappings_;
    std::deque<MappedRegisters> mapped_; // none of these moves
    std::deque<FileRegisters> by_calls_;
};

} // namespace vfsproto::backends::vfio_pci
