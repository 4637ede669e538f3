// SPDX-License-Identifier: BSD-2-Clause
// Finds the names of a tree that are one file: the first name met is copied, the others become links to the copy.
#pragma once

#include "vfsproto/abi/attributes.hpp"

#include <compare>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace vfsproto::cli {

// `space` is st_dev where it is known, and keeps apart files of equal inode number. A server tells none: two files of two
// file systems below one share may then be equal in all of this.
struct FileIdentity {
    std::uint64_t ino = 0;
    std::uint64_t space = 0;
    std::uint64_t size = 0;
    std::uint64_t ctime = 0;
    std::uint32_t ctime_nsec = 0;
    friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default; // NOLINT(modernize-use-nullptr)
};

[[nodiscard]] inline FileIdentity identity_of(const abi::Attributes& attributes, std::uint64_t space) noexcept {
    return {attributes.ino, space, attributes.size, attributes.ctime, attributes.ctimensec};
}

class HardLinks {
public:
    // Says where the first name was found, and where its copy is.
    struct First {
        std::string source;
        std::string copy;
    };
    enum class Copied : std::uint8_t { yes, failed };

    enum class State : std::uint8_t { under_way, done, failed };
    struct Known {
        First first;
        std::uint32_t names_left;
        State state;
    };
    // A file that the caller is to copy and then to give to copied(), or the first name of a file that has been copied.
    struct Found {
        Known* to_copy = nullptr;
        std::optional<First> first{};
    };

    // Returns a file to copy for the first name, and for the next one after a copy that failed. Otherwise waits for the copy and
    // returns it. `is_one_file` is asked whether an equal file whose first name was found there is this one; where the
    // identity leaves no doubt it says true. One thread asks, any may answer.
    template <class IsOneFile>
    [[nodiscard]] Found find(const FileIdentity& file, std::uint32_t nlink, First first, IsOneFile&& is_one_file) {
        std::unique_lock lock(mutex_);
        std::list<Known>& equal = known_[file];
        for (auto known = equal.begin(); known != equal.end(); ++known) {
            copied_.wait(lock, [&known] { return known->state != State::under_way; });
            const std::string source = known->first.source;
            lock.unlock(); // nobody else changes what is not under way
            const bool is_it = is_one_file(source);
            lock.lock();
            if (!is_it) continue;
            const bool last = --known->names_left == 0;
            if (known->state == State::failed) {
                known->first = std::move(first);
                known->state = State::under_way;
                return {&*known};
            }
            Found found{nullptr, known->first};
            if (last) equal.erase(known);
            return found;
        }
        equal.push_back({std::move(first), nlink - 1, State::under_way});
        return {&equal.back()};
    }
    void copied(Known& file, Copied outcome) {
        const std::lock_guard lock(mutex_);
        file.state = outcome == Copied::yes ? State::done : State::failed;
        copied_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable copied_;
    std::map<FileIdentity, std::list<Known>> known_;
};

} // namespace vfsproto::cli
