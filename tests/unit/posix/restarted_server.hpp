// SPDX-License-Identifier: BSD-2-Clause
// A directory that is served in this process, by a server that ends when the test says so. Another one takes its place when it is
// asked for: it knows nothing of what the one before has given.
#pragma once

#include "support/devices.hpp"
#include "support/scratch_directory.hpp"

#include "vfsproto/posix/reconnect_options.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace vfsproto::test {

class RestartedServer {
public:
    explicit RestartedServer(backends::LoopbackOptions options = {})
        : device(std::move(options)), served_(directory.path()) {}

    // Returns options of a mount that goes on with the next server at once.
    [[nodiscard]] posix::ReconnectOptions mount_options() {
        posix::ReconnectOptions options;
        options.open_device = [this] { return start(); };
        options.on_reconnect = [this](const posix::Reconnection& reconnection) {
            const std::lock_guard lock(mutex_);
            told = reconnection;
            lost += reconnection.lost.size();
        };
        options.attempts = 2;
        options.pause = std::chrono::milliseconds(0);
        return options;
    }
    // Returns nullptr while it is said to be away.
    [[nodiscard]] std::unique_ptr<backends::Attachment> start() {
        const std::lock_guard lock(mutex_);
        ++starts;
        if (is_away) return nullptr;
        backends::Passthrough& fs = servers_.emplace_back(backends::PassthroughOptions{served_.string()});
        auto started =
            backends::make_faulty_loopback(fs, plan_of ? plan_of(starts) : backends::loopback::FaultPlan{}, device);
        last_ = started.get();
        return started;
    }
    // Kills the server that was started last. Is called once for each.
    void end() {
        backends::Loopback* last = nullptr;
        {
            const std::lock_guard lock(mutex_);
            last = last_;
        }
        last->fail("killed");
    }
    // The next one serves this directory.
    void serve(const std::filesystem::path& other) { served_ = other; }

    [[nodiscard]] std::filesystem::path on_host(std::string_view name) const { return directory.path() / name; }
    void put(std::string_view name, std::string_view text) const { std::ofstream(on_host(name)) << text; }
    [[nodiscard]] std::string content(std::string_view name) const {
        std::ostringstream text;
        text << std::ifstream(on_host(name)).rdbuf();
        return text.str();
    }

    ScratchDirectory directory;
    backends::LoopbackOptions device; // of those that are started from now on
    std::atomic<unsigned> starts{0};  // that were asked for
    bool is_away = false;
    std::function<backends::loopback::FaultPlan(unsigned start)> plan_of{}; // absent: no faults
    posix::Reconnection told{};                                             // the last one
    std::size_t lost = 0;                                                   // files, in all

private:
    std::filesystem::path served_;
    std::mutex mutex_;
    std::deque<backends::Passthrough> servers_; // never moved; each outlives its device
    backends::Loopback* last_ = nullptr;
};

} // namespace vfsproto::test
