// SPDX-License-Identifier: BSD-2-Clause
// The names of one directory. A name keeps its cookie while it lives, and cookies only grow: whoever lists while others
// create and remove sees each lasting name exactly once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace vfsproto::backends {

class Directory {
public:
    static constexpr std::uint64_t kDotCookie = 1;
    static constexpr std::uint64_t kDotDotCookie = 2;

    struct Entry {
        std::uint64_t ino = 0;
        std::uint64_t cookie = 0;
    };
    using Names = std::map<std::string, Entry, std::less<>>;

    [[nodiscard]] bool empty() const noexcept { return names_.empty(); }
    // Returns the node of a name; 0 when there is none.
    [[nodiscard]] std::uint64_t find(std::string_view name) const {
        const auto found = names_.find(name);
        return found == names_.end() ? 0 : found->second.ino;
    }
    // Adds the name or points it somewhere else.
    void put(std::string_view name, std::uint64_t ino) {
        const auto [at, added] = names_.try_emplace(std::string(name));
        at->second.ino = ino;
        if (!added) return;
        at->second.cookie = next_cookie_++;
        by_cookie_.emplace(at->second.cookie, at);
    }
    void erase(std::string_view name) {
        const auto found = names_.find(name);
        by_cookie_.erase(found->second.cookie);
        names_.erase(found);
    }
    // Returns the first name whose cookie is above this one; nullptr at the end.
    [[nodiscard]] const Names::value_type* after(std::uint64_t cookie) const {
        const auto found = by_cookie_.upper_bound(cookie);
        return found == by_cookie_.end() ? nullptr : &*found->second;
    }

private:
    Names names_;
    std::map<std::uint64_t, Names::iterator> by_cookie_;
    std::uint64_t next_cookie_ = kDotDotCookie + 1;
};

} // namespace vfsproto::backends
