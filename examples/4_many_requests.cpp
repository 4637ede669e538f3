// SPDX-License-Identifier: BSD-2-Clause
// Thirty-two reads on their way at once from one thread: an IoQueue publishes a burst with one doorbell and hands back
// what is done, in the order it was done.
#include "vfsproto/posix/channel_stats.hpp"
#include "vfsproto/posix/io_queue.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/open_device.hpp"

#include <cstdio>
#include <vector>

int main() {
    using namespace vfsproto;
    using namespace vfsproto::abi;
    constexpr std::size_t kBlock = 4096;
    constexpr std::size_t kDepth = 32;
    constexpr std::size_t kBlocks = 1024;

    posix::OpenedDevice device = posix::open_device("dir:.");
    auto opened = posix::Mount::open(std::move(device.attachment));
    if (!opened) return std::fprintf(stderr, "%s\n", opened.failure().text().c_str()), 1;
    posix::Mount& mount = **opened;
    auto file = mount.open_file("/blocks", kOCreat | kORdwr, 0644);
    auto memory = mount.allocate(kDepth * kBlock);
    if (!file || !memory || mount.truncate(*file, kBlocks * kBlock).happened()) return 1;

    posix::IoQueue queue(mount.channel());
    std::vector<posix::QueuedRead> reads(kDepth);
    std::size_t next = 0;
    std::size_t good = 0;
    const auto start = [&](posix::QueuedRead& read) {
        const std::size_t slot = static_cast<std::size_t>(&read - reads.data());
        read.tag = &read;
        return queue.read(read, *file, memory->bytes().subspan(slot * kBlock, kBlock), next++ * kBlock) == Errc::ok;
    };
    for (posix::QueuedRead& read : reads) {
        if (!start(read)) return 1;
    }
    while (client::Operation* done = queue.next()) {
        auto& read = *static_cast<posix::QueuedRead*>(done->tag);
        if (read.succeeded() && read.bytes() == kBlock) ++good;
        if (next < kBlocks && !start(read)) return 1;
    }
    const posix::ChannelStats stats = mount.stats();
    std::printf("%zu of %zu blocks read; %llu requests, %llu doorbells\n", good, kBlocks,
                static_cast<unsigned long long>(stats.requests), static_cast<unsigned long long>(stats.doorbells));
    return good == kBlocks ? 0 : 1;
}
