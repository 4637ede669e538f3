// SPDX-License-Identifier: BSD-2-Clause
// The command mv renames files at the server.
#include "cleaning_up.hpp"
#include "commands.hpp"
#include "json.hpp"
#include "local_target.hpp"
#include "operands.hpp"
#include "paths.hpp"
#include "remote_temporaries.hpp"
#include "rename_no_clobber.hpp"
#include "same_place.hpp"

#include <algorithm>

namespace vfsproto::cli {

using posix::Failure;

namespace {

struct MoveOptions {
    Operands operands;
    bool no_clobber = false;
    bool exchange = false;
};

// True if `from` is a symbolic link that leads to `to`, which has no other name: a rename would leave nothing of the file.
bool leads_to(posix::Mount& mount, const std::string& from, const std::string& to) {
    const auto link = mount.stat(from, posix::LastLink::keep);
    if (!link || !posix::is_symlink(link->mode)) return is_unanswered(link);
    const auto there = mount.stat(to, posix::LastLink::keep);
    if (is_unanswered(there)) return true;
    return there && there->nlink < 2 &&
           lead_to_one_file([&] { return mount.stat(from, posix::LastLink::follow); },
                            [&] { return mount.stat(to, posix::LastLink::keep); });
}

// Returns how many names the file has, if a rename that succeeded did nothing, as it does between two names of one file; 0 if it
// was renamed.
posix::Expected<std::uint32_t> names_still_there(posix::Mount& mount, const std::string& from, const std::string& to) {
    const auto old = mount.stat(from, posix::LastLink::keep);
    if (!old && is_unanswered(old)) return old.failure();
    if (!old) return std::uint32_t{0};
    const auto now = mount.stat(to, posix::LastLink::keep);
    if (!now && is_unanswered(now)) return now.failure();
    return now && now->ino == old->ino ? std::max(old->nlink, std::uint32_t{1}) : std::uint32_t{0};
}

// Removes `from` and leaves `to`, which is another name of the same file: mv(1) does so. Both paths may lead to one name, by
// different ways or in different letters. So `from` is put aside first; if `to` is gone then, it comes back. True if `to` alone
// is left.
bool remove_other_name(Program& program, const std::string& from, const std::string& to) {
    const std::string aside = join(directory_name(from), temporary_name());
    const CleaningUp cleaning(program.mount());
    posix::Mount& mount = cleaning.mount();
    note_remote_temporary(aside);
    if (const Failure failure = mount.rename(from, aside)) {
        if (!may_be_done(failure)) forget_remote_temporary(aside); // else it may be the file itself
        return program.succeeded(Subject::pair(from, to), failure);
    }
    const auto put_aside = mount.stat(aside, posix::LastLink::keep);
    const auto left = mount.stat(to, posix::LastLink::keep);
    if (put_aside && left && put_aside->ino == left->ino) {
        remove_remote_temporary(mount, aside);
        return true;
    }
    const Failure failure = rename_no_clobber(mount, aside, from);
    forget_remote_temporary(aside); // it is a file with a name of its own, whatever that is
    if (failure.happened()) {
        program.report(from, failure, "it is called " + aside + " now");
    } else {
        program.report(from, "is the same file as " + to);
    }
    return false;
}

void move(Program& program, const MoveOptions& options, const std::string& from, const std::string& to) {
    posix::Mount& mount = program.mount();
    const std::uint32_t flags = options.exchange ? abi::kRenameExchange : 0;
    if (!options.exchange && leads_to(mount, from, to)) {
        program.check(); // nobody may know
        return program.report(from, "is the same file as " + to);
    }
    const Failure failure = options.no_clobber ? rename_no_clobber(mount, from, to) : mount.rename(from, to, flags);
    // The message names both paths: only the error tells which of the two is missing or in the way.
    if (!program.succeeded(Subject::pair(from, to), failure)) return;
    if (!options.exchange) {
        const auto names = names_still_there(mount, from, to);
        if (!program.succeeded(Subject::pair(from, to), names)) return;
        if (*names == 1) return program.report(from, "is the same file as " + to);
        if (*names > 1 && !remove_other_name(program, from, to)) return;
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
