// SPDX-License-Identifier: BSD-2-Clause
// The commands chmod, chown, touch, truncate and sync are here.
#include "commands.hpp"
#include "mode.hpp"
#include "owner.hpp"

#include <sys/stat.h>

#include <charconv>

namespace vfsproto::cli {

using posix::Failure;
using wire::Errno;
namespace abi = wire::linux_abi;

namespace {

[[noreturn]] void refuse(Program& program, const std::string& word, std::string_view why) {
    program.report(word, why);
    throw Leave{ExitCode::usage};
}

struct ModeOptions {
    std::string mode;
    std::vector<std::string> paths;
};

void run_chmod(Program& program, const ModeOptions& options) {
    const mode_t umask = ::umask(022);
    ::umask(umask);
    const auto change = ModeChange::parse(options.mode, umask);
    if (!change) refuse(program, options.mode, "this is no mode: say 644, u+x or go-w,a+r");
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
    if (!owner) refuse(program, options.owner, "no such owner: say USER, USER:GROUP or :GROUP, by name or number");
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

// "512", "4K", "1MiB", "2G": in powers of 1024.
std::optional<std::uint64_t> parse_size(std::string_view text) {
    std::uint64_t size = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), size);
    if (parsed.ec != std::errc()) return std::nullopt;
    std::string_view unit = text.substr(static_cast<std::size_t>(parsed.ptr - text.data()));
    if (unit.ends_with("iB")) unit.remove_suffix(2);
    if (unit.empty()) return size;
    constexpr std::string_view kUnits = "KMGTPE";
    const std::size_t power = kUnits.find(unit[0] == 'k' ? 'K' : unit[0]);
    if (unit.size() != 1 || power == std::string_view::npos) return std::nullopt;
    const auto shift = static_cast<unsigned>(10 * (power + 1));
    if (size > ~std::uint64_t{0} >> shift) return std::nullopt;
    return size << shift;
}

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
    if (!size) refuse(program, options.size, "this is no size: say 512, 4K or 1GiB");
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
            sub.add_flag("-P,--no-follow", options.no_follow, "a symbolic link itself, not what it points to");
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
            sub.add_option("-s,--size", options.size, "bytes, or with K, M, G … behind it").required();
            sub.add_option("path", options.paths, "files").required();
            sub.add_flag("-c,--no-create", options.no_create, "make none");
        },
        run_truncate);
    commands.add({"sync", "Make sure that everything is on the server's disk"}, run_sync);
}

} // namespace vfsproto::cli
