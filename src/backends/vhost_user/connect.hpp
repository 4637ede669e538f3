// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/base/errc.hpp"

#include <chrono>
#include <string>

namespace vfsproto::backends::vhost_user {

struct Connected {
    FileDescriptor socket;
    Errc error = Errc::ok;
    std::string message; // for people, one line
};

// A path that is not there fails at once; a refused connection is tried again for as long as `patience`, because a
// back end that is starting has bound its socket before it listens. `server` is who should listen, for people. Blocks.
[[nodiscard]] Connected connect(const std::string& path, const std::string& server, std::chrono::milliseconds patience);

} // namespace vfsproto::backends::vhost_user
