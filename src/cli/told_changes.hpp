// SPDX-License-Identifier: BSD-2-Clause
// Changes that the server has told of, in a line between the thread that hears of them and the command that prints them.
#pragma once

#include "vfsproto/posix/server_change.hpp"
#include "vfsproto/posix/stop_source.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace vfsproto::cli {

class ToldChanges final : private posix::StopSource::Stoppable {
public:
    struct Change {
        posix::ServerChange::What what{};
        std::uint64_t nodeid = 0;
        std::string name{};
    };

    ToldChanges();
    ~ToldChanges();
    ToldChanges(const ToldChanges&) = delete;
    ToldChanges& operator=(const ToldChanges&) = delete;

    // Puts a change at the end. When the line is too long, all in it are dropped, and anything may have changed. Any thread.
    void add(const posix::ServerChange& change);
    // Returns all there are. Waits for the first for a while, or until the program is to end.
    [[nodiscard]] std::vector<Change> take(std::chrono::milliseconds patience);

private:
    static constexpr std::size_t kMost = 65'536;

    void look_again() noexcept override;

    std::mutex mutex_;
    std::condition_variable came_;
    std::vector<Change> line_;
    bool stopped_ = false;
};

} // namespace vfsproto::cli
