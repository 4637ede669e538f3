// SPDX-License-Identifier: BSD-2-Clause
// Two kinds of trouble, never mixed: what the server says of one operation, and what ends the device (here: a crash that
// is ordered).
#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/backends/memfs.hpp"
#include "vfsproto/posix/mount.hpp"

#include <cstdio>

int main() {
    using namespace vfsproto;
    backends::Memfs files;
    auto device = backends::make_loopback(files);
    backends::Loopback& crash = *device;
    auto opened = posix::Mount::open(std::move(device));
    if (!opened) return std::fprintf(stderr, "%s\n", opened.failure().text().c_str()), 1;
    posix::Mount& mount = **opened;

    // The server said no: an errno, and everything goes on.
    const auto missing = mount.stat("/missing");
    if (missing) return 1;
    std::printf("stat: %s\n", missing.failure().text().c_str());
    if (missing.failure().error != abi::Errno::enoent || missing.failure().is_fatal()) return 1;
    if (mount.mkdir("/there", 0755).happened()) return 1;

    // The device has gone: every call, waiting or to come, fails at once with ENOTCONN.
    crash.fail("an example of a crash");
    const auto gone = mount.stat("/there");
    if (gone) return 1;
    std::printf("stat: %s\n", gone.failure().text().c_str());
    return gone.failure().is_fatal() && gone.failure().as_errno() == abi::Errno::enotconn ? 0 : 1;
}
