// SPDX-License-Identifier: BSD-2-Clause
// Names that requests of the client change. The host tells of these changes as of any other, and the client knows them already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace vfsproto::backends {

// One owner at a time. An event of the host is there when the system call that caused it returns; so what was done before the
// events are read, and found none of them, will find none any more.
class OwnNames {
public:
    struct Change {
        std::uint64_t directory = 0;
        std::string name{};
        std::uint32_t left = 0;  // kinds of events that are still to come
        std::uint32_t taken = 0; // kinds of which one was taken for its own
        enum class Step : std::uint8_t { under_way, done, due } step = Step::under_way;
    };

    // Begins a change that is going to cause one event of each of these kinds (IN_CREATE, IN_MOVED_TO …). Returns nullptr if there is
    // no memory, or too much is under way: then its events are not known.
    [[nodiscard]] Change* begin(std::uint64_t directory, std::string_view name, std::uint32_t events) noexcept {
        if (changes_.size() >= kMost) return nullptr;
        try {
            Change change{directory, std::string(name), events};
            return &changes_.emplace(key_of(directory, name), std::move(change))->second;
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
    }
    // Ends it. Returns it if it did not happen, although an event was taken for its own: that one was somebody else's.
    [[nodiscard]] std::optional<Change> end(Change& change, bool happened) noexcept {
        if (happened && change.left != 0) {
            change.step = Change::Step::done;
            return std::nullopt;
        }
        auto at = changes_.equal_range(key_of(change.directory, change.name)).first;
        while (&at->second != &change) ++at;
        Change gone = std::move(at->second);
        changes_.erase(at);
        if (happened || gone.taken == 0) return std::nullopt;
        return gone;
    }
    // True if an event of this kind is one that a change of ours causes.
    [[nodiscard]] bool take(std::uint64_t directory, std::string_view name, std::uint32_t kind) noexcept {
        auto [at, end] = changes_.equal_range(key_of(directory, name));
        for (; at != end; ++at) {
            Change& change = at->second;
            if ((change.left & kind) == 0 || change.directory != directory || change.name != name) continue;
            change.left &= ~kind;
            change.taken |= kind;
            return true;
        }
        return false;
    }
    // These go around reading all events there are.
    void begin_reading() noexcept {
        for (auto& [key, change] : changes_) {
            if (change.step == Change::Step::done) change.step = Change::Step::due;
        }
    }
    void end_reading() noexcept {
        std::erase_if(changes_, [](const auto& entry) { return entry.second.step == Change::Step::due; });
    }
    // Events were lost, or nobody reads them any more.
    void lose_events() noexcept {
        std::erase_if(changes_, [](const auto& entry) { return entry.second.step != Change::Step::under_way; });
        for (auto& [key, change] : changes_) change.left = 0;
    }
    [[nodiscard]] std::size_t size() const noexcept { return changes_.size(); }

private:
    static constexpr std::size_t kMost = 4096;

    static std::uint64_t key_of(std::uint64_t directory, std::string_view name) noexcept {
        return std::hash<std::string_view>()(name) ^ directory * 0x9e37'79b9'7f4a'7c15;
    }

    std::unordered_multimap<std::uint64_t, Change> changes_; // its elements stay where they are
};

} // namespace vfsproto::backends
