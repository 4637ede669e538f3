// SPDX-License-Identifier: BSD-2-Clause
// The command sync-tree makes a tree of the device like one of this host, or the other way round, and moves only what differs.
#include "commands.hpp"
#include "copy.hpp"
#include "local_names.hpp"
#include "local_side.hpp"
#include "remote_side.hpp"
#include "surplus.hpp"

#include <fcntl.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

namespace vfsproto::cli {

using abi::Errno;

namespace {

struct SyncOptions {
    CopyOptions copy;
    bool removes = false;
};

bool is_remote(const std::string& path) { return path.starts_with(':'); }
// Returns a path that means what is in a directory, whatever its own name is, and wherever a link at its end leads.
std::string as_directory(const std::string& path) { return path.ends_with('/') ? path : path + '/'; }
backends::FileDescriptor open_directory(const std::string& path) {
    return backends::FileDescriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

class Syncing {
public:
    Syncing(Program& program, const SyncOptions& options)
        : program_(program), options_(options), run_(program, options_.copy) {}

    void run() {
        const std::string& source = options_.copy.operands.paths[0];
        const std::string& target = options_.copy.operands.paths[1];
        is_remote(source) ? fetch(remote_path(source), target) : send(source, remote_path(target));
        run_.finish();
    }

private:
    [[nodiscard]] std::string remote_path(const std::string& path) const {
        return path.size() == 1 ? program_.here() : path.substr(1);
    }

    void fetch(const std::string& source, const std::string& target) {
        const auto there = program_.mount().stat(source, posix::LastLink::keep);
        if (!run_.note(source, there)) return;
        if (!posix::is_directory(there->mode)) return run_.fail(source, Errno::enotdir);
        const std::string local = real_path(target).value_or(target);
        // It is opened before the copy: what gets the path later is another directory, and in a new one nothing is surplus.
        backends::FileDescriptor top = open_directory(local);
        if (!top && errno != ENOENT) return run_.fail(local, local_failure(errno));
        get_tree(run_, as_directory(source), local);
        if (!options_.removes || !top || !went_well(target)) return;
        RemoteSide source_side(run_.mount, source);
        LocalSide target_side(std::move(top), local);
        Surplus(run_, source_side, target_side).remove();
    }

    void send(const std::string& source, const std::string& target) {
        backends::FileDescriptor top = open_directory(source);
        if (!top) return run_.fail(source, local_failure(errno));
        const auto there = program_.mount().stat(target);
        if (!there && there.failure().error == Errno::enametoolong) return run_.fail(target, there.failure());
        put_tree(run_, as_directory(source), target);
        if (!options_.removes || !went_well(target)) return;
        LocalSide source_side(std::move(top), source);
        RemoteSide target_side(run_.mount, target);
        Surplus(run_, source_side, target_side).remove();
    }

    // False if anything failed; then nothing is removed, which is said.
    bool went_well(const std::string& target) {
        if (program_.stopping()) return false;
        if (run_.tally.failed == 0) return true;
        program_.warn(target, "nothing is removed there: not all was copied");
        return false;
    }

    Program& program_;
    const SyncOptions& options_;
    CopyRun run_;
};

void describe(Arguments& sub, SyncOptions& options) {
    CopyOptions& copy = options.copy;
    copy.preserve = true;
    copy.by_time = true;
    sub.add_option("path", copy.operands.paths,
                   "the directory to copy, and the one that is made like it; one of them is of the device, and has a\n"
                   "colon before it: sync-tree photos :/backup/photos")
        .required()
        .written_as("SOURCE TARGET");
    sub.add_flag("--checksum", copy.checksum, "let the bytes decide what is there already, not size and time");
    describe_choice(sub, copy);
    describe_resume(sub, copy);
    sub.add_flag("--delete", options.removes,
                 "when all was copied, remove what the source does not have; what --exclude names stays");
}

void run(Program& program, const SyncOptions& options) {
    const std::vector<std::string>& paths = options.copy.operands.paths;
    if (paths.size() < 2) program.refuse(paths.front(), "a target is missing behind it");
    if (paths.size() > 2) program.refuse(paths[2], "this is one too many: there is one source and one target");
    if (is_remote(paths[0]) == is_remote(paths[1])) {
        program.refuse(paths[0], "one of the two is a directory of the device, and begins with a colon");
    }
    Syncing(program, options).run();
}

} // namespace

void add_sync_tree(Commands& commands) {
    commands.add<SyncOptions>(
        {"sync-tree", "Make a directory here or there like one of the other side", Effect::changes}, describe, run);
}

} // namespace vfsproto::cli
