// SPDX-License-Identifier: BSD-2-Clause
// Result of opening a device: the device, or why there is none.
#pragma once

#include "vfsproto/base/errc.hpp"

#include <memory>
#include <string>

namespace vfsproto::backends {

template <class Device> struct Opened {
    std::unique_ptr<Device> device; // nullptr when it failed
    Errc error = Errc::ok;
    std::string message; // for people, one line; empty when it did not fail

    [[nodiscard]] explicit operator bool() const noexcept { return device != nullptr; }
};

} // namespace vfsproto::backends
