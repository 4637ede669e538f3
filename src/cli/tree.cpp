// SPDX-License-Identifier: BSD-2-Clause
// tree.
#include "commands.hpp"
#include "json.hpp"
#include "listed.hpp"
#include "mode.hpp"
#include "paths.hpp"

namespace vfsproto::cli {

using namespace abi;

namespace {

struct TreeOptions {
    std::optional<std::string> path;
    bool all = false;
    unsigned depth = 0; // 0 = no limit
};

class Tree {
public:
    Tree(Program& program, const TreeOptions& options)
        : program_(program), options_(options), top_(options.path.value_or(program.here())) {}

    void run() {
        const auto root = program_.mount().stat(top_);
        if (!program_.succeeded(top_, root)) return;
        if (!posix::is_directory(root->mode)) {
            program_.report(top_, posix::Failure(abi::Errno::enotdir));
            return;
        }
        if (program_.wants_json()) {
            Listed top;
            top.name = top_;
            top.type = kSIfdir;
            print_line(top, top_, 0);
            return walk();
        }
        program_.out().print("{}\n", program_.out().name(top_));
        walk();
        program_.out().print("\n{} director{}, {} file{}\n", directories_, directories_ == 1 ? "y" : "ies", files_,
                             files_ == 1 ? "" : "s");
    }

private:
    // A directory that the walk is in. What is in front of its lines, and its path, are the beginnings of those of the walk.
    struct Level {
        HeldListing entries;
        std::size_t next; // the entry to be shown
        std::size_t path_length;
        std::size_t prefix_length;
    };

    // The walk has a stack of its own, because a server's directories may have no end.
    void walk() {
        path_ = top_;
        enter();
        while (!levels_.empty()) {
            Level& level = levels_.back();
            path_.resize(level.path_length);
            prefix_.resize(level.prefix_length);
            if (level.next == level.entries.size()) {
                levels_.pop_back();
                continue;
            }
            const Listed entry = level.entries[level.next++];
            const bool last = level.next == level.entries.size();
            append_name(path_, entry.name);
            show(entry, last);
            if (count(entry) && goes_below(static_cast<unsigned>(levels_.size()))) {
                prefix_ += last ? "    " : "|   ";
                enter();
            }
        }
    }

    void enter() {
        if (auto entries = entries_of(path_)) levels_.push_back({std::move(*entries), 0, path_.size(), prefix_.size()});
    }

    void show(const Listed& entry, bool last) {
        if (program_.wants_json()) return print_line(entry, path_, static_cast<unsigned>(levels_.size()));
        program_.out().print("{}{}{}", prefix_, last ? "`-- " : "|-- ", program_.out().name(entry.name));
        if (entry.has_target()) program_.out().print(" -> {}", program_.out().name(*entry.details->target));
        program_.out().write("\n");
    }

    void print_line(const Listed& entry, const std::string& path, unsigned level) {
        Json object;
        add_text(object, "path", path);
        add_text(object, "name", entry.name);
        object.set("level", level);
        object.set("type", type_name(entry.type));
        if (entry.has_target()) add_text(object, "target", *entry.details->target);
        print_json(program_, object);
    }

    std::optional<HeldListing> entries_of(const std::string& path) {
        auto entries = list_directory(program_, path, Detail::attributes, options_.all ? Hidden::show : Hidden::skip);
        if (entries) entries->sort_by_name();
        return entries;
    }
    [[nodiscard]] bool goes_below(unsigned level) const { return options_.depth == 0 || level < options_.depth; }
    // Counts the entry. True if it is a directory.
    bool count(const Listed& entry) {
        const bool directory = entry.type == kSIfdir;
        ++(directory ? directories_ : files_);
        return directory;
    }

    Program& program_;
    const TreeOptions& options_;
    std::string top_;
    std::string path_;   // of what is shown
    std::string prefix_; // of its line
    std::vector<Level> levels_;
    std::uint64_t directories_ = 0;
    std::uint64_t files_ = 0;
};

void describe(Arguments& sub, TreeOptions& options) {
    sub.add_text("path", options.path, "the directory to begin with").without_it("/");
    sub.add_flag("-a,--all", options.all, "names that begin with a dot too");
    sub.add_option("-L,--level", options.depth, "so many levels at most").between(1, 1e9);
}

} // namespace

void add_tree(Commands& commands) {
    commands.add<TreeOptions>({"tree", "Show a directory and all below it"}, describe,
                              [](Program& program, const TreeOptions& options) { Tree(program, options).run(); });
}

} // namespace vfsproto::cli
