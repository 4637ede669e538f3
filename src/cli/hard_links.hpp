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

// `space` keeps apart what only happens to have the same inode number: st_dev where it is known; a server does not tell,
// but two files with the same number, size and time of change are one.
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
    // Nothing: this is the first name, and the caller copies it to `place`, then says copied(). Otherwise the place of the
    // copy, once it is there. One thread asks, any may answer.
    [[nodiscard]] std::optional<std::string> find(const FileIdentity& file, std::uint32_t nlink, std::string place) {
        std::unique_lock lock(mutex_);
        const auto [at, first] = known_.try_emplace(file, Copy{std::move(place), nlink - 1, false});
        if (first) return std::nullopt;
        copied_.wait(lock, [&copy = at->second] { return copy.done; });
        std::string found = at->second.place;
        if (--at->second.names_left == 0) known_.erase(at);
        return found;
    }
    void copied(const FileIdentity& file) {
        const std::lock_guard lock(mutex_);
        const auto at = known_.find(file);
        if (at != known_.end()) at->second.done = true;
        copied_.notify_all();
    }

private:
    struct Copy {
        std::string place;
        std::uint32_t names_left;
        bool done;
    };
    std::mutex mutex_;
    std::condition_variable copied_;
    std::map<FileIdentity, Copy> known_;
};

} // namespace vfsproto::cli
