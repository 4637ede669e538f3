// SPDX-License-Identifier: BSD-2-Clause
// Memory from Mount::allocate() is shared with the device: what it carries is not copied on the way. Writes and reads the
// same data through such a buffer and through ordinary memory, and shows what was copied.
#include "vfsproto/posix/channel_stats.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/open_device.hpp"

#include <cstdio>
#include <cstring>
#include <vector>

int main() {
    using namespace vfsproto;
    using namespace vfsproto::abi;
    posix::OpenedDevice device = posix::open_device("dir:.");
    auto opened = posix::Mount::open(std::move(device.attachment));
    if (!opened) return std::fprintf(stderr, "%s\n", opened.failure().text().c_str()), 1;
    posix::Mount& mount = **opened;

    auto file = mount.open_file("/data", kOCreat | kORdwr, 0644);
    auto buffer = mount.allocate(1u << 20);
    if (!file || !buffer) return std::fprintf(stderr, "no file or no memory\n"), 1;
    std::memset(buffer->bytes().data(), 'z', buffer->bytes().size());

    const auto copies = [&mount] { return static_cast<unsigned long long>(mount.stats().copies); };
    const auto written = mount.write(*file, buffer->bytes(), 0);
    if (!written) return std::fprintf(stderr, "%s\n", written.failure().text().c_str()), 1;
    std::printf("shared memory:   %llu bytes written, %llu payloads copied\n",
                static_cast<unsigned long long>(*written), copies());

    std::vector<std::byte> ordinary(1u << 20);
    const auto read = mount.read(*file, ordinary, 0);
    if (!read) return std::fprintf(stderr, "%s\n", read.failure().text().c_str()), 1;
    std::printf("ordinary memory: %llu bytes read, %llu payloads copied\n", static_cast<unsigned long long>(*read),
                copies());
    return std::memcmp(ordinary.data(), buffer->bytes().data(), ordinary.size()) == 0 ? 0 : 1;
}
