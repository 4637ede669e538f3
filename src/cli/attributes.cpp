// SPDX-License-Identifier: BSD-2-Clause
// The commands chmod, chown, touch, truncate and sync are here.
#include "commands.hpp"
#include "mode.hpp"
#include "owner.hpp"
#include "size.hpp"

#include <sys/stat.h>

namespace vfsproto::cli {

using posix::Failure;
using wire::Errno;
namespace abi = wire::linux_abi;

namespace {

struct ModeOptions {
    std::string mode;
    std::vector<std::string> paths;
};

void run_chmod(Program& program, const ModeOptions& options) {
    const mode_t umask = ::umask(022);
    ::umask(umask);
    const auto change = ModeChange::parse(options.mode, umask);
    if (!change) program.refuse(options.mode, "this is no mode: say 644, u+x or go-w,a+r");
    for (const std::string& path : options.paths) {
        const auto there = program.mount().stat(path);
        if (!program.succeeded(path, there)) continue;
        static_cast<void>(program.succeeded(path, program.mount().chmod(path, change->apply(there->mode))));
    }
}

struct OwnerOptions {
    std::string owner;
    std::vector<std::string> paths;
    bool no_follow = false;
};

void run_chown(Program& program, const OwnerOptions& options) {
    const auto owner = parse_owner(options.owner);
    if (!owner) program.refuse(options.owner, "no such owner: say USER, USER:GROUP or :GROUP, by name or number");
    const auto last = options.no_follow ? posix::LastLink::keep : posix::LastLink::follow;
    for (const std::string& path : options.paths) {
        static_cast<void>(program.succeeded(path, program.mount().chown(path, owner->uid, owner->gid, last)));
    }
}

struct TouchOptions {
    std::vector<std::string> paths;
    bool no_create = false;
};

Failure touch(posix::Mount& mount, const std::string& path, const TouchOptions& options) {
    posix::SetTime now;
    now.kind = posix::SetTime::Kind::now;
    const Failure failure = mount.set_times(path, now, now);
    if (failure.error != Errno::enoent) return failure;
    if (options.no_create) return {};
    auto made = mount.open_file(path, abi::kOWronly | abi::kOCreat, 0666);
    return made ? mount.close(std::move(*made)) : made.failure();
}

void run_touch(Program& program, const TouchOptions& options) {
    for (const std::string& path : options.paths) {
        static_cast<void>(program.succeeded(path, touch(program.mount(), path, options)));
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
        static_cast<void>(program.succeeded(path, truncate(program.mount(), path, *size, options.no_create)));
    }
}

void run_sync(Program& program) { static_cast<void>(program.succeeded("/", program.mount().sync())); }

} // namespace

void add_attributes(Commands& commands) {
    commands.add<ModeOptions>(
        {"chmod", "Change modes", Effect::changes},
        [](Arguments& sub, ModeOptions& options) {
            sub.add_option("mode", options.mode, "644, u+x, go-w,a+r … (one that begins with - stands behind --)")
                .required();
            sub.add_option("path", options.paths, "files").required();
        },
        run_chmod);
    commands.add<OwnerOptions>(
        {"chown", "Change owners", Effect::changes},
        [](Arguments& sub, OwnerOptions& options) {
            sub.add_option("owner", options.owner, "USER, USER:GROUP, :GROUP or USER:, by name or number").required();
            sub.add_option("path", options.paths, "files").required();
            sub.add_flag("-h,--no-dereference,-P,--no-follow", options.no_follow,
                         "a symbolic link itself, not what it points to");
        },
        run_chown);
    commands.add<TouchOptions>(
        {"touch", "Set times to now; make files that are not there", Effect::changes},
        [](Arguments& sub, TouchOptions& options) {
            sub.add_option("path", options.paths, "files").required();
            sub.add_flag("-c,--no-create", options.no_create, "make none");
        },
        run_touch);
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
