// SPDX-License-Identifier: BSD-2-Clause
#include "remote_walk.hpp"

#include "paths.hpp"
#include "program.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace vfsproto::cli {
namespace {

class Walk {
public:
    Walk(Program& program, const Visitor& visitor) : program_(program), visitor_(visitor) {}

    void from(const std::string& path, posix::LastLink last) {
        const auto there = program_.mount().stat(path, last);
        if (!program_.succeeded(path, there)) return;
        visit(path, *there);
        while (!levels_.empty()) {
            if (levels_.back().next == levels_.back().entries.size()) {
                leave();
            } else {
                step();
            }
        }
    }

private:
    // A directory that the walk is in.
    struct Level {
        std::string path;
        posix::Attributes attributes;
        std::vector<posix::DirectoryEntry> entries;
        std::size_t next = 0; // the entry to be visited
    };

    void visit(const std::string& path, const posix::Attributes& attributes) {
        const auto level = static_cast<unsigned>(levels_.size());
        if (visitor_.before({path, attributes, level}) == Descend::no || !posix::is_directory(attributes.mode)) return;
        auto entries = program_.mount().list(path);
        if (!program_.succeeded(path, entries)) entries = std::vector<posix::DirectoryEntry>();
        std::sort(entries->begin(), entries->end(), [](const auto& a, const auto& b) { return a.name < b.name; });
        levels_.push_back({path, attributes, std::move(*entries)});
    }

    void step() {
        Level& level = levels_.back();
        const posix::DirectoryEntry entry = std::move(level.entries[level.next++]);
        const std::string path = join(level.path, entry.name);
        if (entry.has_attributes) return visit(path, entry.attributes);
        const auto there = program_.mount().stat(path, posix::LastLink::keep);
        if (program_.succeeded(path, there)) visit(path, *there);
    }

    void leave() {
        const Level level = std::move(levels_.back());
        levels_.pop_back();
        if (visitor_.after) visitor_.after({level.path, level.attributes, static_cast<unsigned>(levels_.size())});
    }

    Program& program_;
    const Visitor& visitor_;
    std::vector<Level> levels_;
};

} // namespace

void walk_remote(Program& program, const std::string& path, posix::LastLink last, const Visitor& visitor) {
    Walk(program, visitor).from(path, last);
}

} // namespace vfsproto::cli
