// SPDX-License-Identifier: BSD-2-Clause
// tree.
#include "commands.hpp"
#include "json.hpp"
#include "listed.hpp"
#include "mode.hpp"
#include "paths.hpp"

#include <algorithm>

namespace vfsproto::cli {

using namespace wire::linux_abi;

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
            program_.report(top_, posix::Failure(wire::Errno::enotdir));
            return;
        }
        if (program_.wants_json()) {
            Listed top;
            top.name = top_;
            top.type = kSIfdir;
            print_line(top, top_, 0);
            return walk_json(top_, 1);
        }
        program_.out().print("{}\n", program_.out().name(top_));
        walk(top_, "", 1);
        program_.out().print("\n{} director{}, {} file{}\n", directories_, directories_ == 1 ? "y" : "ies", files_,
                             files_ == 1 ? "" : "s");
    }

private:
    // Goes as deep as a path may be long, because a server's directories may have no end.
    void walk(const std::string& path, const std::string& prefix, unsigned level) {
        auto entries = entries_of(path);
        if (!entries) return;
        for (std::size_t i = 0; i < entries->size(); ++i) {
            const Listed& entry = (*entries)[i];
            const bool last = i + 1 == entries->size();
            program_.out().print("{}{}{}", prefix, last ? "`-- " : "|-- ", program_.out().name(entry.name));
            if (entry.has_target()) program_.out().print(" -> {}", program_.out().name(*entry.details->target));
            program_.out().write("\n");
            if (count(entry) && goes_below(level))
                walk(join(path, entry.name), prefix + (last ? "    " : "|   "), level + 1);
        }
    }

    void walk_json(const std::string& path, unsigned level) {
        const auto entries = entries_of(path);
        if (!entries) return;
        for (const Listed& entry : *entries) {
            const std::string inner = join(path, entry.name);
            print_line(entry, inner, level);
            if (entry.type == kSIfdir && goes_below(level)) walk_json(inner, level + 1);
        }
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

    std::optional<std::vector<Listed>> entries_of(const std::string& path) {
        auto entries = list_directory(program_, path, Detail::attributes, options_.all ? Hidden::show : Hidden::skip);
        const auto precedes = [](const Listed& a, const Listed& b) { return a.name < b.name; };
        if (entries) std::sort(entries->begin(), entries->end(), precedes);
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
