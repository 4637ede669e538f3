// SPDX-License-Identifier: BSD-2-Clause
#include "watcher.hpp"

#include "vfsproto/backends/signal_free_thread.hpp"

#include <poll.h>

#include <cerrno>

#include <system_error>
#include <utility>

namespace vfsproto::backends::vfio_pci {

Watcher::Watcher(std::function<void()> every_second)
    : every_second_(std::move(every_second)), wake_(FileDescriptor::event()) {
    if (!wake_) throw std::system_error(EMFILE, std::generic_category());
    thread_ = start_signal_free_thread([this] { run(); });
}

Watcher::~Watcher() { stop(); }

void Watcher::stop() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    signal_event(wake_.get());
    thread_.join();
}

void Watcher::watch(int event, std::function<void()> happened) {
    {
        const std::lock_guard lock(mutex_);
        watched_.push_back({event, std::move(happened)});
    }
    signal_event(wake_.get());
}

void Watcher::call(std::function<void()> once) {
    {
        const std::lock_guard lock(mutex_);
        calls_.push_back(std::move(once));
    }
    signal_event(wake_.get());
}

void Watcher::run_calls() {
    std::vector<std::function<void()>> calls;
    {
        const std::lock_guard lock(mutex_);
        calls.swap(calls_);
    }
    for (const auto& once : calls) once();
}

void Watcher::run() {
    std::vector<pollfd> interests;
    std::vector<std::function<void()>> handlers;
    for (;;) {
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) return;
            for (std::size_t i = handlers.size(); i < watched_.size(); ++i) handlers.push_back(watched_[i].happened);
            interests.assign(1, {wake_.get(), POLLIN, 0});
            for (const Watched& watched : watched_) interests.push_back({watched.event, POLLIN, 0});
        }
        constexpr int kSecond = 1000; // ms
        const int ready = ::poll(interests.data(), interests.size(), kSecond);
        if (ready == 0) every_second_(); // what comes more often looks itself
        if (ready <= 0) continue;
        if ((interests[0].revents & POLLIN) != 0) {
            take_event(wake_.get());
            run_calls();
        }
        for (std::size_t i = 1; i < interests.size(); ++i) {
            if ((interests[i].revents & POLLIN) == 0) continue;
            take_event(interests[i].fd);
            handlers[i - 1]();
        }
    }
}

} // namespace vfsproto::backends::vfio_pci
