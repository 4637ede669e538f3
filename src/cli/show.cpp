// SPDX-License-Identifier: BSD-2-Clause
// The commands stat, readlink and df are here; cat is in cat.cpp.
#include "commands.hpp"
#include "json.hpp"
#include "mode.hpp"
#include "owner.hpp"
#include "readable.hpp"
#include "stat_format.hpp"

#include "vfsproto/posix/detail/channel.hpp"

namespace vfsproto::cli {

using namespace abi;

namespace {

struct StatOptions {
    std::vector<std::string> paths;
    bool follow = false;
    std::string format;
};

std::optional<Status> status_of(Program& program, const std::string& path, posix::LastLink last) {
    Status status;
    const auto attributes = program.mount().stat(path, last);
    if (!program.succeeded(path, attributes)) return std::nullopt;
    status.attributes = *attributes;
    const auto more = program.mount().statx(path, last);
    if (more && (more->mask & kStatxBtime) != 0) status.born = Moment{more->btime.tv_sec, more->btime.tv_nsec};
    if (posix::is_symlink(attributes->mode)) {
        auto target = program.mount().readlink(path);
        if (program.succeeded(path, target)) status.target = std::move(*target);
    }
    return status;
}

void print_status(Program& program, const std::string& path, const Status& status) {
    Output& out = program.out();
    const posix::Attributes& a = status.attributes;
    out.print("  File: {}{}{}\n", out.name(path), status.target.empty() ? "" : " -> ", out.name(status.target));
    out.print("  Size: {:<15} Blocks: {:<10} IO Block: {:<6} {}\n", a.size, a.blocks, a.blksize, type_name(a.mode));
    out.print(" Inode: {:<15} Links: {}", a.ino, a.nlink);
    const std::uint32_t type = file_type(a.mode);
    if (type == kSIfblk || type == kSIfchr) {
        out.print("     Device type: {},{}", device_major(a.rdev), device_minor(a.rdev));
    }
    out.print("\nAccess: ({:04o}/{})  Uid: ({:>5}/{:>8})   Gid: ({:>5}/{:>8})\n", a.mode & kSIallugo,
              mode_string(a.mode), a.uid, user_name(a.uid), a.gid, group_name(a.gid));
    out.print("Access: {}\n", full_time(static_cast<std::int64_t>(a.atime), a.atimensec));
    out.print("Modify: {}\n", full_time(static_cast<std::int64_t>(a.mtime), a.mtimensec));
    out.print("Change: {}\n", full_time(static_cast<std::int64_t>(a.ctime), a.ctimensec));
    out.print(" Birth: {}\n", status.born ? full_time(status.born->seconds, status.born->nanoseconds) : "-");
}

void run_stat(Program& program, const StatOptions& options) {
    if (!options.format.empty() && program.wants_json()) program.refuse("-c", "it is no JSON: leave out --json");
    for (const std::string& path : options.paths) {
        const auto last = options.follow ? posix::LastLink::follow : posix::LastLink::keep;
        const auto status = status_of(program, path, last);
        if (!status) continue;
        if (!options.format.empty()) {
            Output& out = program.out();
            const Status shown{status->attributes, status->born, out.name(status->target)};
            out.write(format_status(options.format, out.name(path), shown) + "\n");
            continue;
        }
        if (!program.wants_json()) {
            print_status(program, path, *status);
            continue;
        }
        Json object;
        add_text(object, "path", path);
        add_attributes(object, status->attributes);
        if (status->born) {
            object.set("btime", status->born->seconds);
            object.set("btime_nsec", status->born->nanoseconds);
        }
        if (!status->target.empty()) add_text(object, "target", status->target);
        print_json(program, object);
    }
}

struct PathsOptions {
    std::vector<std::string> paths;
};

void run_readlink(Program& program, const PathsOptions& options) {
    for (const std::string& path : options.paths) {
        const auto target = program.mount().readlink(path);
        if (!program.succeeded(path, target)) continue;
        if (program.wants_json()) {
            Json object;
            add_text(object, "path", path);
            add_text(object, "target", *target);
            print_json(program, object);
        } else {
            program.out().print("{}\n", program.out().name(*target));
        }
    }
}

struct SpaceOptions {
    std::vector<std::string> paths;
    enum class Unit : std::uint8_t { kibibyte, readable, readable_decimal } unit = Unit::kibibyte;
};

struct Space {
    std::uint64_t total, used, available; // bytes
    unsigned percent;
};

// Counts as df(1) does: blocks that only root may use are neither available nor part of the percentage.
Space space_of(const wire::Kstatfs& status) {
    const std::uint64_t unit = status.frsize != 0 ? status.frsize : status.bsize;
    const std::uint64_t used = status.blocks > status.bfree ? status.blocks - status.bfree : 0;
    const double seen = static_cast<double>(used) + static_cast<double>(status.bavail);
    const unsigned percent = seen == 0 ? 0 : static_cast<unsigned>(static_cast<double>(used) * 100 / seen + 0.999);
    return {status.blocks * unit, used * unit, status.bavail * unit, percent};
}

Json json_of(const std::string& path, const wire::Kstatfs& status, const std::string& tag) {
    const Space space = space_of(status);
    Json object;
    add_text(object, "filesystem", tag);
    add_text(object, "path", path);
    object.set("size", space.total);
    object.set("used", space.used);
    object.set("available", space.available);
    object.set("block_size", status.bsize);
    object.set("fragment_size", status.frsize);
    object.set("files", status.files);
    object.set("files_free", status.ffree);
    object.set("name_max", status.namelen);
    return object;
}

void run_df(Program& program, const SpaceOptions& options) {
    bool heading = true;
    for (const std::string& path : program.or_here(options.paths)) {
        const auto status = program.mount().statfs(path);
        if (!program.succeeded(path, status)) continue;
        const std::string tag = program.mount().channel().queues().config().tag;
        if (program.wants_json()) {
            print_json(program, json_of(path, *status, tag));
            continue;
        }
        const char* const format = "{:<20} {:>12} {:>12} {:>12} {:>5} {:>10} {:>10} {}\n";
        Output& out = program.out();
        if (heading) {
            out.write(fmt::format(fmt::runtime(format), "Filesystem",
                                  options.unit == SpaceOptions::Unit::kibibyte ? "1K-blocks" : "Size", "Used",
                                  "Available", "Use%", "Inodes", "IFree", "Path"));
        }
        heading = false;
        const Space space = space_of(*status);
        const auto amount = [&](std::uint64_t bytes) {
            if (options.unit == SpaceOptions::Unit::kibibyte) return std::to_string(bytes / 1024);
            return short_size(bytes,
                              options.unit == SpaceOptions::Unit::readable ? Thousand::binary : Thousand::decimal);
        };
        out.write(fmt::format(fmt::runtime(format), out.name(tag), amount(space.total), amount(space.used),
                              amount(space.available), fmt::format("{}%", space.percent), status->files, status->ffree,
                              out.name(path)));
    }
}

} // namespace

void add_showing(Commands& commands) {
    commands.add<StatOptions>(
        {"stat", "Show what is known of files"},
        [](Arguments& sub, StatOptions& options) {
            sub.add_option("path", options.paths, "files").required();
            sub.add_flag("-L,--dereference,--follow", options.follow, "follow symbolic links");
            sub.add_option("-c,--format", options.format, "a line of your own: %n name, %s size, %a mode … as stat(1)")
                .shown_as("FORMAT");
        },
        run_stat);
    commands.add<PathsOptions>(
        {"readlink", "Show where symbolic links point"},
        [](Arguments& sub, PathsOptions& options) {
            sub.add_option("path", options.paths, "symbolic links").required();
        },
        run_readlink);
    commands.add<SpaceOptions>(
        {"df", "Show how much space there is"},
        [](Arguments& sub, SpaceOptions& options) {
            sub.add_option("path", options.paths, "files on the file systems in question").without_it("/");
            const auto use = [&options](SpaceOptions::Unit unit) { return [&options, unit] { options.unit = unit; }; };
            sub.add_flag("-h,--human-readable", use(SpaceOptions::Unit::readable), "sizes in powers of 1024 (23M)");
            sub.add_flag("-H,--si", use(SpaceOptions::Unit::readable_decimal), "sizes in powers of 1000 (24M)");
            sub.add_flag("-k", use(SpaceOptions::Unit::kibibyte), "sizes in units of 1024 bytes");
        },
        run_df);
}

} // namespace vfsproto::cli
