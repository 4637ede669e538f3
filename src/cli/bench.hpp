// SPDX-License-Identifier: BSD-2-Clause
// `vfsproto bench`: how fast is this device through this client, and what does a request cost?
#pragma once

#include "vfsproto/posix/channel_stats.hpp"
#include "vfsproto/posix/mapped_files.hpp"
#include "vfsproto/posix/mount.hpp"

#include <cstdint>
#include <string>

namespace vfsproto::cli {

enum class BenchOp : std::uint8_t { read, write, randread, randwrite, stat, create, readdir, null };

// mapped: reads go through the shared memory window of the device, which is warm before the time begins.
enum class BenchWay : std::uint8_t { requests, mapped };

struct BenchOptions {
    BenchOp op = BenchOp::read;
    BenchWay way = BenchWay::requests;
    std::uint64_t block_size = 4096; // bytes of one transfer
    std::uint64_t size = 0;          // of the file it works on; 0 = 256 MiB, or as much as a window that is used holds
    unsigned iodepth = 1;            // requests of one job on their way
    // Blocks of memory, of block_size, the transfers of one job take turns with; 0 = one for each, of reads as many as 8 MiB
    // hold.
    unsigned buffers = 0;
    unsigned jobs = 1; // threads
    double seconds = 3;
    std::uint64_t count = 0; // operations a job does, instead of a time; 0 = by time
    std::string path;        // an existing file (or directory, for stat, create, readdir); empty = make and remove one
};

struct BenchResult {
    posix::Failure failure;
    std::string failed_at; // what was being done
    std::uint64_t operations = 0;
    std::uint64_t bytes = 0;
    double seconds = 0;
    double p50_us = 0;
    double p99_us = 0;
    double p999_us = 0;
    posix::ChannelStats used{};            // what the operations took
    posix::MappedFiles::Counters mapped{}; // what they found in the window
};

// `options` say a size. `window` is that of the mount for BenchWay::mapped, and holds the whole file; else nullptr.
[[nodiscard]] BenchResult run_bench(posix::Mount& mount, const BenchOptions& options, posix::MappedFiles* window);

} // namespace vfsproto::cli
