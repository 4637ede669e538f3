// SPDX-License-Identifier: BSD-2-Clause
// mv.
#include "commands.hpp"
#include "json.hpp"
#include "operands.hpp"
#include "rename_no_clobber.hpp"

namespace vfsproto::cli {

using posix::Failure;
namespace abi = wire::linux_abi;

namespace {

struct MoveOptions {
    Operands operands;
    bool no_clobber = false;
    bool exchange = false;
};

// True if a rename that succeeded did nothing, as it does between two names of one file.
bool is_still_there(posix::Mount& mount, const std::string& from, const std::string& to) {
    const auto old = mount.stat(from, posix::LastLink::keep);
    if (!old) return false;
    const auto now = mount.stat(to, posix::LastLink::keep);
    return now && now->ino == old->ino;
}

void move(Program& program, const MoveOptions& options, const std::string& from, const std::string& to) {
    posix::Mount& mount = program.mount();
    const std::uint32_t flags = options.exchange ? abi::kRenameExchange : 0;
    const Failure failure = options.no_clobber ? rename_no_clobber(mount, from, to) : mount.rename(from, to, flags);
    // The message names both paths: only the error tells which of the two is missing or in the way.
    if (!program.succeeded(Subject::pair(from, to), failure)) return;
    if (!options.exchange && is_still_there(mount, from, to)) {
        return program.report(from, "is the same file as " + to + ": both names stay");
    }
    print_done(program, from, to);
}

void run(Program& program, const MoveOptions& options) {
    Operands operands = options.operands;
    operands.exactly = operands.exactly || options.exchange;
    operands.check(program);
    Destination destination(program, operands, is_remote_directory(program.mount(), operands.target()));
    for (const std::string& source : operands.sources()) {
        if (destination.is_free(source)) move(program, options, source, destination.of(source));
    }
}

void describe(Arguments& sub, MoveOptions& options) {
    sub.add_option("path", options.operands.paths, "what to move, then where to; into it, if it is a directory")
        .required()
        .written_as("SOURCE... TARGET");
    options.operands.describe(sub);
    sub.add_flag("-f,--force", [&options] { options.no_clobber = false; }, "replace files (default)");
    const Argument keep =
        sub.add_flag("-n,--no-clobber", [&options] { options.no_clobber = true; }, "fail rather than replace a file");
    sub.add_flag("--exchange", options.exchange, "let the two change places").excludes(keep);
}

} // namespace

void add_mv(Commands& commands) {
    commands.add<MoveOptions>({"mv", "Rename files, or move them into a directory", Effect::changes}, describe, run);
}

} // namespace vfsproto::cli
