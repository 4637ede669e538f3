// SPDX-License-Identifier: BSD-2-Clause
// watch: what others change, as the server tells it.
#include "commands.hpp"
#include "json.hpp"
#include "paths.hpp"
#include "told_changes.hpp"
#include "watched_paths.hpp"

#include "vfsproto/posix/detail/channel.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace vfsproto::cli {
namespace {

using What = posix::ServerChange::What;

struct WatchOptions {
    std::string path = "/";
    std::uint64_t count = 0; // lines; 0: without end
};

const char* word_of(What what) noexcept {
    switch (what) {
    case What::file: return "file";
    case What::name: return "name";
    case What::removal: return "removal";
    case What::everything: break;
    }
    return "everything";
}

class ChangePrinter {
public:
    ChangePrinter(Program& program, const WatchOptions& options)
        : program_(program), options_(options), paths_(program, options.path) {}

    // Prints what comes, until there are enough lines. Throws as Program::check().
    void run(ToldChanges& changes) {
        constexpr std::chrono::milliseconds kLookForDeviceEvery{200}; // at a device that may have gone
        program_.note(fmt::format("watching {}: {} files and directories", paths_.top(), paths_.size()));
        while (!is_done()) {
            const auto told = changes.take(kLookForDeviceEvery);
            for (auto at = told.begin(); at != told.end() && !is_done(); ++at) take(*at);
            program_.out().flush();
            program_.check();
            look_anew();
            if (const Errc why = program_.mount().channel().failure(); why != Errc::ok) program_.report("", why);
            program_.check();
        }
    }

private:
    [[nodiscard]] bool is_done() const noexcept { return options_.count != 0 && printed_ >= options_.count; }

    void take(const ToldChanges::Change& change) {
        if (change.what == What::everything) {
            is_all_in_doubt_ = true;
            return print(change, paths_.top());
        }
        const auto known = paths_.path_of(change.nodeid);
        if (change.what == What::file) {
            if (!known || paths_.is_watched(*known)) print(change, known);
            return;
        }
        if (!known) return print(change, std::nullopt);
        const std::string path = join(*known, change.name);
        if (!paths_.is_watched(path)) return;
        print(change, path);
        in_doubt_.insert(path);
    }

    // Names may lead to other files now, which are to be told of as well.
    void look_anew() {
        if (std::exchange(is_all_in_doubt_, false)) {
            paths_.refresh_all();
        } else {
            for (const std::string& path : in_doubt_) paths_.refresh(path);
        }
        in_doubt_.clear();
    }

    void print(const ToldChanges::Change& change, const std::optional<std::string>& path) {
        ++printed_;
        const bool has_name = change.what == What::name || change.what == What::removal;
        if (program_.wants_json()) {
            Json line;
            line.set("what", word_of(change.what));
            if (path) add_text(line, "path", *path);
            if (has_name) add_text(line, "name", change.name);
            return print_json(program_, line);
        }
        const std::string unknown = has_name ? "(unknown)/" + change.name : "(unknown)";
        program_.out().print("{} {}\n", word_of(change.what), program_.out().name(path ? *path : unknown));
    }

    Program& program_;
    const WatchOptions& options_;
    WatchedPaths paths_;
    std::uint64_t printed_ = 0;
    bool is_all_in_doubt_ = false;
    std::set<std::string> in_doubt_;
};

void run_watch(Program& program, const WatchOptions& options) {
    // The mount may hear of changes for longer than this command runs.
    const auto changes = std::make_shared<ToldChanges>();
    if (!program.hear_changes([changes](const posix::ServerChange& change) { changes->add(change); })) {
        program.report("", "this device is open already, and was not asked to tell of changes: call watch by itself");
        throw Leave{ExitCode::failed};
    }
    if (!program.mount().channel().hears_notifications()) {
        program.report(Subject::other(program.options().device), "this device tells of no changes");
        throw Leave{ExitCode::failed};
    }
    ChangePrinter(program, options).run(*changes);
}

void describe(Arguments& sub, WatchOptions& options) {
    sub.add_option("path", options.path, "a file, or a directory with all below it");
    sub.add_option("-n,--count", options.count, "end after so many lines").shown_as("LINES").without_it("for ever");
}

} // namespace

void add_watch(Commands& commands) {
    commands.add<WatchOptions>({"watch", "Print what others change, as the server tells it"}, describe, run_watch);
}

} // namespace vfsproto::cli
