// SPDX-License-Identifier: BSD-2-Clause
#include "workers.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

namespace vfsproto::cli {

namespace {

// A thread that copies a file has so many descriptors open at a time, those of a server in this process included.
constexpr std::size_t kDescriptorsEach = 12;
constexpr std::size_t kDescriptorsOfOthers = 40;

std::size_t threads_by_descriptors() noexcept {
    struct rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= kDescriptorsOfOthers) return 1;
    return std::max<std::size_t>((limit.rlim_cur - kDescriptorsOfOthers) / kDescriptorsEach, 1);
}

// The memory of one thread, which the device can reach if there is enough of that.
class JobMemory {
public:
    explicit JobMemory(posix::Mount& mount) noexcept : mount_(mount) {}

    // Returns memory that nobody uses. A READ that a job gave up may still write to what it had: the next job gets other memory.
    [[nodiscard]] std::span<std::byte> take(std::size_t size) {
        if (!ordinary_.empty()) return ordinary_;
        if (!registered_.bytes().empty() && registered_.is_free()) return registered_.bytes();
        registered_ = posix::Buffer();
        if (auto allocated = mount_.allocate(size)) {
            registered_ = std::move(*allocated);
            return registered_.bytes();
        }
        ordinary_.resize(size);
        return ordinary_;
    }

private:
    posix::Mount& mount_;
    posix::Buffer registered_;
    std::vector<std::byte> ordinary_;
};

} // namespace

Workers::Workers(posix::Mount& mount)
    : mount_(mount), most_threads_(std::min(kMostThreads, threads_by_descriptors())) {}

void Workers::give(Job job) {
    std::unique_lock lock(mutex_);
    not_full_.wait(lock, [this] { return jobs_.size() < kBacklog; });
    jobs_.push_back(std::move(job));
    // One thread is enough for one file.
    if (jobs_.size() > idle_ && threads_.size() < most_threads_) threads_.emplace_back([this] { work(); });
    not_empty_.notify_one();
}

void Workers::finish() {
    {
        const std::lock_guard lock(mutex_);
        finishing_ = true;
        not_empty_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    finishing_ = false;
}

void Workers::work() {
    JobMemory memory(mount_);
    std::unique_lock lock(mutex_);
    for (;;) {
        ++idle_;
        not_empty_.wait(lock, [this] { return finishing_ || !jobs_.empty(); });
        --idle_;
        if (jobs_.empty()) return;
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        not_full_.notify_one();
        lock.unlock();
        job(memory.take(kBufferSize));
        job = nullptr; // what it holds ends here, not under the lock
        lock.lock();
    }
}

} // namespace vfsproto::cli
