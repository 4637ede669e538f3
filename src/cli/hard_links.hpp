// SPDX-License-Identifier: BSD-2-Clause
// Finds the names of a tree that are one file: the first name met is copied, the others become links to the copy.
#pragma once

#include <compare>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace vfsproto::cli {

// `space` is st_dev where it is known, and keeps apart files of equal inode number. A server tells none: whoever copies
// from one must compare the files themselves before it links them.
struct FileIdentity {
    std::uint64_t ino = 0;
    std::uint64_t space = 0;
    std::uint64_t size = 0;
    std::uint64_t ctime = 0;
    std::uint32_t ctime_nsec = 0;
    friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default; // NOLINT(modernize-use-nullptr)
};

class HardLinks {
public:
    // Says where the first name was found, and where its copy is.
    struct First {
        std::string source;
        std::string copy;
    };
    enum class Copied : std::uint8_t { yes, failed };

    // Returns nothing for the first name, and for the next one after a copy that failed: the caller copies the file, then
    // calls copied(). Otherwise waits for the copy and returns it. One thread asks, any may answer.
    [[nodiscard]] std::optional<First> find(const FileIdentity& file, std::uint32_t nlink, First first) {
        std::unique_lock lock(mutex_);
        const auto [at, is_new] = known_.try_emplace(file, Known{first, nlink - 1, State::under_way});
        Known& known = at->second;
        if (is_new) return std::nullopt;
        copied_.wait(lock, [&known] { return known.state != State::under_way; });
        const bool last = --known.names_left == 0;
        if (known.state == State::failed) {
            known.first = std::move(first);
            known.state = State::under_way;
            return std::nullopt;
        }
        First found = known.first;
        if (last) known_.erase(at);
        return found;
    }
    void copied(const FileIdentity& file, Copied outcome) {
        const std::lock_guard lock(mutex_);
        const auto at = known_.find(file);
        if (at != known_.end()) at->second.state = outcome == Copied::yes ? State::done : State::failed;
        copied_.notify_all();
    }

private:
    enum class State : std::uint8_t { under_way, done, failed };
    struct Known {
        First first;
        std::uint32_t names_left;
        State state;
    };
    std::mutex mutex_;
    std::condition_variable copied_;
    std::map<FileIdentity, Known> known_;
};

} // namespace vfsproto::cli
