// SPDX-License-Identifier: BSD-2-Clause
#include "remote_walk.hpp"

#include "each_entry.hpp"
#include "packed_entries.hpp"
#include "paths.hpp"
#include "program.hpp"

#include <utility>
#include <vector>

namespace vfsproto::cli {
namespace {

class Walk {
public:
    Walk(Program& program, const Visitor& visitor)
        : program_(program), visitor_(visitor), deep_(program.deep_mount()) {}

    void from(const std::string& path, posix::LastLink last) {
        const auto there = program_.mount().stat(path, last);
        if (!program_.succeeded(path, there)) return;
        path_ = path;
        visit(*there);
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
        std::size_t path_length; // of the path of the walk
        posix::Attributes attributes;
        PackedEntries entries;
        std::size_t next = 0; // the entry to be visited
    };

    // Visits what the walk has the path of.
    void visit(const posix::Attributes& attributes) {
        const auto level = static_cast<unsigned>(levels_.size());
        if (visitor_.before({path_, attributes, level}) == Descend::no || !posix::is_directory(attributes.mode)) return;
        PackedEntries entries;
        const auto keep = [&entries](const std::vector<posix::DirectoryEntry>& some) {
            for (const posix::DirectoryEntry& entry : some) {
                entries.add({entry.name, 0, entry.has_attributes ? &entry.attributes : nullptr});
            }
        };
        const auto listed = each_entry(deep_, path_, client::DirectoryFormat::direntpluses, keep);
        if (!program_.succeeded(path_, listed)) entries = PackedEntries();
        entries.sort_by_name();
        levels_.push_back({path_.size(), attributes, std::move(entries)});
    }

    void step() {
        Level& level = levels_.back();
        const PackedEntries::Entry entry = level.entries[level.next++];
        path_.resize(level.path_length);
        append_name(path_, entry.name);
        if (entry.attributes != nullptr) return visit(*entry.attributes);
        const auto there = deep_.stat(path_, posix::LastLink::keep);
        if (program_.succeeded(path_, there)) visit(*there);
    }

    void leave() {
        const Level level = std::move(levels_.back());
        levels_.pop_back();
        path_.resize(level.path_length);
        if (visitor_.after) visitor_.after({path_, level.attributes, static_cast<unsigned>(levels_.size())});
    }

    Program& program_;
    const Visitor& visitor_;
    posix::Mount& deep_; // for what is below the path that the user said
    std::string path_;   // of what is visited; those of the levels are its beginnings
    std::vector<Level> levels_;
};

} // namespace

void walk_remote(Program& program, const std::string& path, posix::LastLink last, const Visitor& visitor) {
    Walk(program, visitor).from(path, last);
}

} // namespace vfsproto::cli
