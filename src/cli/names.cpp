// SPDX-License-Identifier: BSD-2-Clause
// The commands mkdir and rmdir are here; mv is in move.cpp, ln in link.cpp, rm in remove.cpp.
#include "commands.hpp"
#include "json.hpp"
#include "mode.hpp"
#include "paths.hpp"

namespace vfsproto::cli {

using abi::Errno;
using posix::Failure;

namespace {

struct MakeOptions {
    std::vector<std::string> paths;
    bool parents = false;
    std::optional<std::string> mode;
};

enum class Directory : std::uint8_t { made, was_there };

constexpr std::uint32_t kDefaultMode = 0777; // what the umask leaves of it

// Makes a path as "mkdir -p" does: a directory that is there already is no failure. `mode` is that of the last one.
posix::Expected<Directory> make_with_parents(posix::Mount& mount, const std::string& path, std::uint32_t mode) {
    if (path.empty()) return Failure(Errno::enoent);
    const std::string clean(without_slashes(path));
    // Tries the whole path first: in the common case only its last name is missing.
    Failure failure = mount.mkdir(clean, mode);
    if (failure.error == Errno::eexist) {
        const auto there = mount.stat(clean);
        if (!there) return there.failure();
        if (!posix::is_directory(there->mode)) return Failure(Errno::eexist);
        return Directory::was_there;
    }
    if (!failure.happened()) return Directory::made;
    if (failure.error != Errno::enoent) return failure;
    for (std::size_t at = clean.find_first_not_of('/'); at != std::string::npos;) {
        const std::size_t slash = clean.find('/', at);
        failure = mount.mkdir(clean.substr(0, slash), slash == std::string::npos ? mode : kDefaultMode);
        if (failure.happened() && failure.error != Errno::eexist) return failure;
        at = clean.find_first_not_of('/', slash == std::string::npos ? clean.size() : slash);
    }
    return failure.happened() ? Directory::was_there : Directory::made;
}

posix::Expected<Directory> make(posix::Mount& mount, const std::string& path, const MakeOptions& options,
                                std::uint32_t mode) {
    if (options.parents) return make_with_parents(mount, path, mode);
    if (const Failure failure = mount.mkdir(path, mode)) return failure;
    return Directory::made;
}

void run_mkdir(Program& program, const MakeOptions& options) {
    const auto change = options.mode ? ModeChange::parse(*options.mode, 022) : std::nullopt;
    if (options.mode && !change) {
        program.refuse(*options.mode, "this is no mode: say 755 or u=rwx,go=rx");
    }
    posix::Mount& mount = program.mount();
    // It is never open to more than it is to be, not even for the moment before its mode is set.
    const std::uint32_t first_mode = change ? change->apply(abi::kSIfdir | 0777) & 0777 : kDefaultMode;
    for (const std::string& path : options.paths) {
        const auto directory = make(mount, path, options, first_mode);
        if (!program.succeeded(path, directory)) continue;
        // One that was there keeps its mode, as with mkdir(1).
        if (change && *directory == Directory::made) {
            const auto there = mount.stat(path);
            if (!program.succeeded(path, there)) continue;
            // A directory in one that gives its group has the set-group-ID bit, which octal digits leave alone.
            const std::uint32_t inherited = there->mode & (abi::kSIsuid | abi::kSIsgid);
            const std::uint32_t mode = change->apply(abi::kSIfdir | inherited | 0777);
            if (!program.succeeded(path, mount.chmod(path, mode))) continue;
        }
        print_done(program, path);
    }
}

struct PathsOptions {
    std::vector<std::string> paths;
};

void run_rmdir(Program& program, const PathsOptions& options) {
    for (const std::string& path : options.paths) {
        if (program.succeeded(path, program.mount().rmdir(path))) print_done(program, path);
    }
}

} // namespace

void add_names(Commands& commands) {
    commands.add<MakeOptions>(
        {"mkdir", "Make directories", Effect::changes},
        [](Arguments& sub, MakeOptions& options) {
            sub.add_option("path", options.paths, "what to make").required();
            sub.add_flag("-p,--parents", options.parents, "those above too; what is there already will do");
            sub.add_text("-m,--mode", options.mode, "their mode, as chmod takes it").shown_as("MODE");
        },
        run_mkdir);
    commands.add<PathsOptions>(
        {"rmdir", "Remove empty directories", Effect::changes},
        [](Arguments& sub, PathsOptions& options) {
            sub.add_option("path", options.paths, "what to remove").required();
        },
        run_rmdir);
}

} // namespace vfsproto::cli
