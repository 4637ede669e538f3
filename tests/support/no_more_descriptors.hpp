// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <stdexcept>

namespace vfsproto::test {

// While it lives, this process can open nothing more.
class NoMoreDescriptors {
public:
    NoMoreDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int lowest_free = ::dup(STDIN_FILENO);
        ::close(lowest_free);
        struct rlimit limit = before_;
        limit.rlim_cur = static_cast<rlim_t>(lowest_free);
        if (lowest_free < 0 || ::setrlimit(RLIMIT_NOFILE, &limit) != 0) throw std::runtime_error("no limit can be set");
    }
    NoMoreDescriptors(const NoMoreDescriptors&) = delete;
    NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;
    ~NoMoreDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    struct rlimit before_{};
};

} // namespace vfsproto::test
