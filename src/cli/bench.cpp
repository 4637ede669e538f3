// SPDX-License-Identifier: BSD-2-Clause
#include "bench.hpp"

#include "bench_job.hpp"
#include "cleaning_up.hpp"
#include "interrupt.hpp"

#include <fmt/format.h>

#include <chrono>
#include <deque>
#include <exception>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include <unistd.h>

namespace vfsproto::cli {

using namespace abi;

namespace {

constexpr unsigned kListedFiles = 1000; // in the directory a readdir bench makes

bool needs_directory(BenchOp op) { return op == BenchOp::create || op == BenchOp::readdir; }

// Makes the file or directory a bench works on, and removes it at the end.
class Scratch {
public:
    Scratch(posix::Mount& mount, const BenchOptions& options) : mount_(mount), options_(options) {}
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() {
        try {
            remove();
        } catch (const std::exception&) {
            made_ = false; // without memory or a thread it stays
        }
    }

    [[nodiscard]] posix::Failure make() {
        path_ = fmt::format("/.vfsproto-bench.{}", ::getpid());
        made_ = true;
        if (!needs_directory(options_.op)) return make_file();
        if (auto failure = mount_.mkdir(path_, 0755)) return failure;
        if (options_.op != BenchOp::readdir) return {};
        for (unsigned i = 0; i < kListedFiles; ++i) {
            if (interrupted()) return abi::Errno::eintr;
            auto file = mount_.open_file(fmt::format("{}/f{}", path_, i), kOCreat | kOWronly, 0644);
            if (!file) return file.failure();
        }
        return {};
    }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    posix::Failure make_file() {
        constexpr std::size_t kChunk = 1u << 20;
        auto buffer = mount_.allocate(kChunk);
        if (!buffer) return buffer.failure();
        const std::span<std::byte> pattern = buffer->bytes();
        for (std::size_t i = 0; i < kChunk; ++i) pattern[i] = static_cast<std::byte>(i * 131 >> 3);
        auto file = mount_.open_file(path_, kOCreat | kOTrunc | kORdwr, 0644);
        if (!file) return file.failure();
        if (options_.op == BenchOp::null || options_.op == BenchOp::stat) return {};
        for (std::uint64_t at = 0; at < options_.size; at += kChunk) {
            if (interrupted()) return abi::Errno::eintr;
            const std::uint64_t len = std::min<std::uint64_t>(kChunk, options_.size - at);
            const auto count = mount_.write(*file, buffer->bytes().first(len), at);
            if (!count) return count.failure();
        }
        return {};
    }
    void remove() {
        if (!made_) return;
        const CleaningUp cleaning(mount_);
        posix::Mount& mount = cleaning.mount();
        if (!needs_directory(options_.op)) {
            [[maybe_unused]] const auto failure = mount.unlink(path_);
            return;
        }
        if (const auto entries = mount.list(path_, client::DirectoryFormat::dirents)) {
            for (const auto& entry : *entries) {
                [[maybe_unused]] const auto failure = mount.unlink(path_ + '/' + entry.name);
            }
        }
        [[maybe_unused]] const auto failure = mount.rmdir(path_);
    }

    posix::Mount& mount_;
    const BenchOptions& options_;
    std::string path_;
    bool made_ = false;
};

// A file whose bytes are in the window.
class WarmFile {
public:
    [[nodiscard]] posix::Failure warm(posix::Mount& mount, posix::MappedFiles& window, const BenchTarget& target,
                                      std::uint64_t size) {
        auto file = mount.open_file(target.path, kORdonly);
        if (!file) return file.failure();
        file_ = *std::move(file);
        auto mapped = window.map(file_);
        if (!mapped) return mapped.failure();
        mapped_ = *std::move(mapped);
        std::vector<std::byte> bytes(std::size_t{1} << 20);
        for (std::uint64_t at = 0; at < size; at += bytes.size()) {
            if (interrupted()) return abi::Errno::eintr;
            if (const auto count = mapped_->read(bytes, at); !count) return count.failure();
        }
        return {};
    }
    [[nodiscard]] posix::MappedFile* mapped() const noexcept { return mapped_.get(); }

private:
    posix::File file_;
    std::unique_ptr<posix::MappedFile> mapped_;
};

posix::MappedFiles::Counters counted_since(const posix::MappedFiles& window,
                                           const posix::MappedFiles::Counters& before) {
    const posix::MappedFiles::Counters now = window.counters();
    return {now.hits - before.hits,       now.set_ups - before.set_ups,
            now.removed - before.removed, now.fallen_back - before.fallen_back,
            now.faults - before.faults,   now.quarantined - before.quarantined};
}

void run_jobs(std::deque<BenchJob>& jobs) {
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < jobs.size(); ++i) threads.emplace_back([&jobs, i] { jobs[i].run(); });
    jobs.front().run();
    for (std::thread& thread : threads) thread.join();
}

} // namespace

BenchResult run_bench(posix::Mount& mount, const BenchOptions& given, posix::MappedFiles* window) {
    BenchResult result;
    BenchOptions options = given;
    Scratch scratch(mount, options);
    BenchTarget target;
    if (options.path.empty()) {
        result.failure = scratch.make();
        target.path = result.failed_at = scratch.path();
        if (result.failure.happened()) return result;
    } else {
        target.path = options.path;
        const auto attributes = mount.stat(target.path);
        result.failed_at = target.path;
        if (!attributes) return result.failure = attributes.failure(), result;
        if (attributes->size < options.size) options.size = attributes->size;
    }
    const std::size_t slash = target.path.rfind('/');
    target.directory = slash == std::string::npos || slash == 0 ? "/" : target.path.substr(0, slash);
    target.name = slash == std::string::npos ? target.path : target.path.substr(slash + 1);
    result.failed_at = target.path;
    const bool moves_data = options.op <= BenchOp::randwrite;
    if (moves_data && (options.block_size == 0 || options.size < options.block_size)) {
        return result.failure = Errc::bad_argument, result;
    }

    WarmFile warm;
    posix::MappedFiles::Counters mapped_before;
    if (window != nullptr) {
        result.failure = warm.warm(mount, *window, target, options.size);
        if (result.failure.happened()) return result;
        target.mapped = warm.mapped();
        mapped_before = window->counters();
    }
    std::deque<BenchJob> jobs;
    for (unsigned i = 0; i < options.jobs; ++i) jobs.emplace_back(mount, options, target, i);
    const posix::ChannelStats before = mount.stats();
    const auto begin = std::chrono::steady_clock::now();
    run_jobs(jobs);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    result.used = mount.stats().since(before);
    if (window != nullptr) result.mapped = counted_since(*window, mapped_before);
    LatencyHistogram latencies;
    for (const BenchJob& job : jobs) {
        if (job.failure().happened()) result.failure = job.failure();
        result.operations += job.operations();
        result.bytes += job.bytes();
        latencies.add(job.latencies());
    }
    result.p50_us = latencies.percentile(0.5) / 1000;
    result.p99_us = latencies.percentile(0.99) / 1000;
    result.p999_us = latencies.percentile(0.999) / 1000;
    return result;
}

} // namespace vfsproto::cli
