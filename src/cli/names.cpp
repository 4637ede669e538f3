// SPDX-License-Identifier: BSD-2-Clause
// The commands mkdir, rmdir, mv and ln are here; rm is in remove.cpp.
#include "commands.hpp"
#include "mode.hpp"
#include "paths.hpp"

namespace vfsproto::cli {

using posix::Failure;
using wire::Errno;
namespace abi = wire::linux_abi;

namespace {

struct MakeOptions {
    std::vector<std::string> paths;
    bool parents = false;
    std::string mode;
};

// Makes a path as "mkdir -p" does: a directory that is there already is no failure.
Failure make_with_parents(posix::Mount& mount, const std::string& path) {
    const std::string clean(without_slashes(path));
    // The common case, that only the last is missing, asks nothing in vain.
    Failure failure = mount.mkdir(clean);
    if (failure.error == Errno::eexist) {
        const auto there = mount.stat(clean);
        if (!there) return there.failure();
        return posix::is_directory(there->mode) ? Failure() : Failure(Errno::eexist);
    }
    if (failure.error != Errno::enoent) return failure;
    for (std::size_t at = clean.find_first_not_of('/'); at != std::string::npos;) {
        const std::size_t slash = clean.find('/', at);
        failure = mount.mkdir(clean.substr(0, slash));
        if (failure.happened() && failure.error != Errno::eexist) return failure;
        at = clean.find_first_not_of('/', slash == std::string::npos ? clean.size() : slash);
    }
    return {};
}

void run_mkdir(Program& program, const MakeOptions& options) {
    const auto change = options.mode.empty() ? std::nullopt : ModeChange::parse(options.mode, 022);
    if (!options.mode.empty() && !change) {
        program.refuse(options.mode, "this is no mode: say 755 or u=rwx,go=rx");
    }
    posix::Mount& mount = program.mount();
    for (const std::string& path : options.paths) {
        if (!program.succeeded(path, options.parents ? make_with_parents(mount, path) : mount.mkdir(path))) continue;
        if (change) static_cast<void>(program.succeeded(path, mount.chmod(path, change->apply(abi::kSIfdir | 0777))));
    }
}

struct PathsOptions {
    std::vector<std::string> paths;
};

void run_rmdir(Program& program, const PathsOptions& options) {
    for (const std::string& path : options.paths) {
        static_cast<void>(program.succeeded(path, program.mount().rmdir(path)));
    }
}

struct MoveOptions {
    std::vector<std::string> paths; // the last is the target
    bool no_clobber = false;
    bool exchange = false;
    bool symbolic = false;
};

// The target of mv or ln: sources go into it if it is a directory.
class Target {
public:
    Target(Program& program, const MoveOptions& options) : path_(options.paths.back()) {
        if (options.paths.size() < 2) program.refuse(path_, "a target is missing behind it");
        const auto there = program.mount().stat(path_);
        into_ = there && posix::is_directory(there->mode) && !options.exchange;
        if (options.paths.size() == 2 || into_) return;
        program.report(path_, there ? Failure(Errno::enotdir) : there.failure());
        program.check();
        throw Leave{ExitCode::failed};
    }
    [[nodiscard]] std::string of(const std::string& source) const {
        return into_ ? join(path_, base_name(source)) : path_;
    }

private:
    std::string path_;
    bool into_ = false;
};

// Renames without replacing anything. A file system that cannot do that in one step (EINVAL, ENOSYS) is asked first whether the
// name is free, as mv(1) does it.
Failure rename_no_clobber(posix::Mount& mount, const std::string& from, const std::string& to) {
    const Failure failure = mount.rename(from, to, abi::kRenameNoreplace);
    const bool cannot =
        failure.error == Errno::einval || failure.error == Errno::enosys || failure.error == Errno::eopnotsupp;
    if (!cannot) return failure;
    const auto there = mount.stat(to, posix::LastLink::keep);
    if (there) return Errno::eexist;
    if (there.failure().error != Errno::enoent) return there.failure();
    return mount.rename(from, to);
}

void run_mv(Program& program, const MoveOptions& options) {
    const Target target(program, options);
    posix::Mount& mount = program.mount();
    const std::uint32_t flags = options.exchange ? abi::kRenameExchange : 0;
    for (std::size_t i = 0; i + 1 < options.paths.size(); ++i) {
        const std::string& source = options.paths[i];
        const std::string to = target.of(source);
        // The message names both paths: only the error tells which of the two is missing or in the way.
        const Failure failure =
            options.no_clobber ? rename_no_clobber(mount, source, to) : mount.rename(source, to, flags);
        static_cast<void>(program.succeeded(source + " to " + to, failure));
    }
}

void run_ln(Program& program, const MoveOptions& options) {
    const Target target(program, options);
    posix::Mount& mount = program.mount();
    for (std::size_t i = 0; i + 1 < options.paths.size(); ++i) {
        const std::string& source = options.paths[i];
        const std::string to = target.of(source);
        static_cast<void>(program.succeeded(to, options.symbolic ? mount.symlink(source, to) : mount.link(source, to)));
    }
}

} // namespace

void add_names(Commands& commands) {
    commands.add<MakeOptions>(
        {"mkdir", "Make directories", Effect::changes},
        [](Arguments& sub, MakeOptions& options) {
            sub.add_option("path", options.paths, "what to make").required();
            sub.add_flag("-p,--parents", options.parents, "those above too; what is there already will do");
            sub.add_option("-m,--mode", options.mode, "their mode, as chmod takes it").shown_as("MODE");
        },
        run_mkdir);
    commands.add<PathsOptions>(
        {"rmdir", "Remove empty directories", Effect::changes},
        [](Arguments& sub, PathsOptions& options) {
            sub.add_option("path", options.paths, "what to remove").required();
        },
        run_rmdir);
    commands.add<MoveOptions>(
        {"mv", "Rename files, or move them into a directory", Effect::changes},
        [](Arguments& sub, MoveOptions& options) {
            sub.add_option("path", options.paths, "what to move, then where to").required();
            const Argument keep =
                sub.add_flag("-n,--no-clobber", options.no_clobber, "fail rather than replace a file");
            sub.add_flag("--exchange", options.exchange, "let the two change places").excludes(keep);
        },
        run_mv);
    commands.add<MoveOptions>(
        {"ln", "Give files another name", Effect::changes},
        [](Arguments& sub, MoveOptions& options) {
            sub.add_option("path", options.paths, "what to link to, then the new name or a directory for it")
                .required();
            sub.add_flag("-s,--symbolic", options.symbolic, "symbolic links");
        },
        run_ln);
}

} // namespace vfsproto::cli
