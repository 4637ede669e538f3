// SPDX-License-Identifier: BSD-2-Clause
// The device's interrupts as eventfds: one a vector, or one for the line.
#pragma once

#include "function.hpp"

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/transport/registers.hpp"

namespace vfsproto::backends::vfio_pci {

class Wiring final : public Interrupts {
public:
    // MSI-X with up to `wanted` vectors, fewer if that is all there is; else the line. Errors: transport_failed.
    [[nodiscard]] Refusal connect(const Function& function, std::uint16_t wanted);
    void disconnect(const Function& function) noexcept;

    std::uint16_t vectors() const noexcept override { return vectors_; }
    int wait_handle(std::uint16_t vector) const noexcept override {
        return vector < events_.size() ? events_[vector].get() : -1;
    }
    // From now on another eventfd is signalled for this vector. Not owned, and stays until disconnect(). False when the
    // kernel does not want to.
    [[nodiscard]] bool reroute(const Function& function, std::uint16_t vector, int event) const noexcept;

private:
    [[nodiscard]] int connect_vectors(const Function& function, std::uint16_t wanted);

    std::vector<FileDescriptor> events_;
    std::uint16_t vectors_ = 0;
};

} // namespace vfsproto::backends::vfio_pci
