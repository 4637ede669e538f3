// SPDX-License-Identifier: BSD-2-Clause
// Directories that others have changed, until what they are like counts as known to the client.
//
// The client is told of a directory name by name. So what a directory is like is known to it only when all events were taken that
// had come by then: each may be about another name.
#pragma once

#include "known_version.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vfsproto::backends {

class InodeTable;

// One thread, which reads the events.
class ChangedDirectories {
public:
    explicit ChangedDirectories(InodeTable& inodes) noexcept : inodes_(inodes) {}

    // Notes a directory. One that is not noted, for want of memory or because there are too many, goes on to count as
    // not known.
    void note(std::uint64_t nodeid) noexcept;
    // Looks at every noted directory. Is called before events are read.
    void look() noexcept;
    // Counts the noted directories as known. Is called when no events were left after that look. Those that requests of
    // the client have changed since, and those of which `is_in_question(nodeid)` is true, are left for later.
    template <class Question> void settle(const Question& is_in_question) noexcept {
        std::erase_if(noted_, [&](const Noted& one) { return !is_in_question(one.nodeid) && has_settled(one); });
    }
    void clear() noexcept { noted_.clear(); }

private:
    static constexpr std::size_t kMost = 256;

    struct Noted {
        std::uint64_t nodeid = 0;
        std::uint64_t known = 0; // the version, at the last look
        std::uint64_t now = 0;
        KnownVersion::Requests requests{};
    };

    [[nodiscard]] bool has_settled(const Noted& one) const noexcept;

    InodeTable& inodes_;
    std::vector<Noted> noted_;
};

} // namespace vfsproto::backends
