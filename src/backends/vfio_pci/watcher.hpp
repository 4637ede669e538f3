// SPDX-License-Identifier: BSD-2-Clause
// A thread that sleeps on eventfds nobody else waits for: errors, the kernel's wish to have the device back, shared
// interrupts.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"

#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace vfsproto::backends::vfio_pci {

class Watcher {
public:
    // `every_second` is called by the watcher's thread, too. Throws std::system_error when the system has no thread or no
    // descriptor.
    explicit Watcher(std::function<void()> every_second);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    // `happened` is called by the watcher's thread each time the eventfd, which is not owned, was signalled. Any thread.
    void watch(int event, std::function<void()> happened);
    // Called by the watcher's thread, once.
    void call(std::function<void()> once);
    // When this returns, nothing is called any more. Not from the watcher's thread.
    void stop();

private:
    struct Watched {
        int event;
        std::function<void()> happened;
    };

    void run();
    void run_calls();

    std::function<void()> every_second_;
    FileDescriptor wake_;
    std::mutex mutex_;
    std::vector<Watched> watched_; // only grows
    std::vector<std::function<void()>> calls_;
    bool stopping_ = false;
    std::thread thread_;
};

} // namespace vfsproto::backends::vfio_pci
