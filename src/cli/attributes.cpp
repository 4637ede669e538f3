// SPDX-License-Identifier: BSD-2-Clause
// The commands chmod, chown, truncate and sync are here; touch is in touch.cpp.
#include "commands.hpp"
#include "json.hpp"
#include "mode.hpp"
#include "owner.hpp"
#include "remote_walk.hpp"
#include "size.hpp"

#include "vfsproto/fuse/wire/structs.hpp"

namespace vfsproto::cli {

using abi::Errno;
using posix::Failure;

namespace {

struct ModeOptions {
    std::string mode;
    std::vector<std::string> paths;
    bool recursive = false;
};

// Returns the mount for a file that a walk meets: what is below the path that the user said may have a longer one.
posix::Mount& mount_for(Program& program, const Visited& file) {
    return file.level == 0 ? program.mount() : program.deep_mount();
}

// Links found below a directory are skipped, because their mode has no effect.
void change_mode(Program& program, const Visited& file, const ModeChange& change) {
    if (file.level != 0 && posix::is_symlink(file.attributes.mode)) return;
    wire::SetattrIn in{};
    in.valid = wire::kSetattrMode;
    in.mode = abi::file_type(file.attributes.mode) | change.apply(file.attributes.mode);
    const auto last = file.level == 0 ? posix::LastLink::follow : posix::LastLink::keep;
    if (program.succeeded(file.path, mount_for(program, file).set_attributes(file.path, in, last)))
        print_done(program, file.path);
}

void run_chmod(Program& program, const ModeOptions& options) {
    const auto change = ModeChange::parse(options.mode, program.umask());
    if (!change) program.refuse(options.mode, "this is no mode: say 644, u+x or go-w,a+r");
    const Descend descend = options.recursive ? Descend::yes : Descend::no;
    const Visitor visitor{[&](const Visited& file) {
                              change_mode(program, file, *change);
                              return descend;
                          },
                          {}};
    for (const std::string& path : options.paths) walk_remote(program, path, posix::LastLink::follow, visitor);
}

struct OwnerOptions {
    std::string owner;
    std::vector<std::string> paths;
    bool no_follow = false;
    bool recursive = false;
};

void run_chown(Program& program, const OwnerOptions& options) {
    const auto owner = parse_owner(options.owner);
    if (!owner) program.refuse(options.owner, "no such owner: say USER, USER:GROUP or :GROUP, by name or number");
    // Links are never followed with -R, as chown(1) has it.
    const auto last = options.no_follow || options.recursive ? posix::LastLink::keep : posix::LastLink::follow;
    const auto change = [&](posix::Mount& mount, const std::string& path) {
        const Failure failure = mount.chown(path, owner->uid, owner->gid, last);
        if (program.succeeded(path, failure)) print_done(program, path);
    };
    const Visitor visitor{[&](const Visited& file) {
                              change(mount_for(program, file), file.path);
                              return Descend::yes;
                          },
                          {}};
    for (const std::string& path : options.paths) {
        if (options.recursive) {
            walk_remote(program, path, last, visitor);
        } else {
            change(program.mount(), path);
        }
    }
}

struct TruncateOptions {
    std::string size;
    std::vector<std::string> paths;
    bool no_create = false;
};

Failure truncate(posix::Mount& mount, const std::string& path, std::uint64_t size, bool no_create) {
    const Failure failure = mount.truncate(path, size);
    if (failure.error != Errno::enoent) return failure;
    if (no_create) return {};
    auto made = mount.open_file(path, abi::kOWronly | abi::kOCreat, 0666);
    if (!made) return made.failure();
    const Failure cut = mount.truncate(*made, size);
    return cut.happened() ? cut : mount.close(std::move(*made));
}

void run_truncate(Program& program, const TruncateOptions& options) {
    const auto size = parse_size(options.size);
    if (!size) program.refuse(options.size, "this is no size: say 512, 4K or 1GiB");
    for (const std::string& path : options.paths) {
        const Failure failure = truncate(program.mount(), path, *size, options.no_create);
        if (program.succeeded(path, failure)) print_done(program, path);
    }
}

void run_sync(Program& program) {
    if (program.succeeded("/", program.mount().sync())) print_done(program, "/");
}

} // namespace

void add_attributes(Commands& commands) {
    commands.add<ModeOptions>(
        {"chmod", "Change modes", Effect::changes},
        [](Arguments& sub, ModeOptions& options) {
            sub.take_dashed([](std::string_view word) {
                return word.find_first_not_of("-+=,ugoarwxXst") == std::string_view::npos;
            });
            sub.add_option("mode", options.mode, "644, u+x, go-w,a+r …").required();
            sub.add_option("path", options.paths, "files").required();
            sub.add_flag("-R,--recursive", options.recursive, "directories with all below them");
        },
        run_chmod);
    commands.add<OwnerOptions>(
        {"chown", "Change owners", Effect::changes},
        [](Arguments& sub, OwnerOptions& options) {
            sub.add_option("owner", options.owner, "USER, USER:GROUP, :GROUP or USER:, by name or number").required();
            sub.add_option("path", options.paths, "files").required();
            sub.add_flag("-R,--recursive", options.recursive, "directories with all below them, links themselves");
            sub.add_flag("-h,--no-dereference,-P,--no-follow", options.no_follow,
                         "a symbolic link itself, not what it points to");
        },
        run_chown);
    commands.add<TruncateOptions>(
        {"truncate", "Set sizes; make files that are not there", Effect::changes},
        [](Arguments& sub, TruncateOptions& options) {
            sub.add_option("-s,--size", options.size, "bytes, or with K, M, G … behind it").shown_as("SIZE").required();
            sub.add_option("path", options.paths, "files").required();
            sub.add_flag("-c,--no-create", options.no_create, "make none");
        },
        run_truncate);
    commands.add({"sync", "Make sure that everything is on the server's disk"}, run_sync);
}

} // namespace vfsproto::cli
