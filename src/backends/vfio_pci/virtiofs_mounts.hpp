// SPDX-License-Identifier: BSD-2-Clause
// The virtio-fs file systems that this machine's kernel has mounted.
#pragma once

#include <string>
#include <vector>

namespace vfsproto::backends::vfio_pci {

struct VirtiofsMount {
    std::string tag;
    std::string place; // where it is mounted
};

// Reads a file in the form of /proc/self/mountinfo. A tag that is mounted at several places is listed once. Nothing when the
// file cannot be read.
[[nodiscard]] std::vector<VirtiofsMount> virtiofs_mounts(const std::string& mountinfo);

} // namespace vfsproto::backends::vfio_pci
