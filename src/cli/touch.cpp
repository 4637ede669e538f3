// SPDX-License-Identifier: BSD-2-Clause
// touch.
#include "commands.hpp"
#include "json.hpp"
#include "moment.hpp"

namespace vfsproto::cli {

using posix::Failure;
using posix::LastLink;
using posix::SetTime;
using wire::Errno;
namespace abi = wire::linux_abi;

namespace {

struct TouchOptions {
    std::vector<std::string> paths;
    std::optional<std::string> date;
    std::optional<std::string> stamp;
    std::optional<std::string> reference;
    bool no_create = false;
    bool no_dereference = false;
    bool access_only = false;       // -a
    bool modification_only = false; // -m
};

struct Times {
    SetTime access;
    SetTime modification;
};

SetTime at(std::int64_t seconds, std::uint32_t nanoseconds) { return {SetTime::Kind::at, seconds, nanoseconds}; }

std::optional<Moment> named_moment(Program& program, const TouchOptions& options) {
    if (options.date) {
        const auto moment = parse_date(*options.date);
        if (moment) return moment;
        program.refuse(*options.date, "this is no date: say 2024-05-31, '2024-05-31 17:04:09 +0200' or @1717167849");
    }
    if (options.stamp) {
        const auto moment = parse_stamp(*options.stamp);
        if (moment) return moment;
        program.refuse(*options.stamp, "this is no time: say [[CC]YY]MMDDhhmm[.ss]");
    }
    return std::nullopt;
}

// Throws Leave where the line names no time that is one.
Times times_to_set(Program& program, const TouchOptions& options) {
    const int sources = options.date.has_value() + options.stamp.has_value() + options.reference.has_value();
    if (sources > 1) program.refuse("", "-d, -t and -r exclude each other");
    Times times;
    times.access.kind = times.modification.kind = SetTime::Kind::now;
    if (options.reference) {
        const auto there =
            program.mount().stat(*options.reference, options.no_dereference ? LastLink::keep : LastLink::follow);
        if (!program.succeeded(*options.reference, there)) throw Leave{ExitCode::failed};
        times.access = at(static_cast<std::int64_t>(there->atime), there->atimensec);
        times.modification = at(static_cast<std::int64_t>(there->mtime), there->mtimensec);
    } else if (const auto moment = named_moment(program, options)) {
        times.access = times.modification = at(moment->seconds, moment->nanoseconds);
    }
    const bool both = options.access_only == options.modification_only;
    if (!both && options.modification_only) times.access.kind = SetTime::Kind::keep;
    if (!both && options.access_only) times.modification.kind = SetTime::Kind::keep;
    return times;
}

Failure touch(posix::Mount& mount, const std::string& path, const TouchOptions& options, const Times& times) {
    const LastLink last = options.no_dereference ? LastLink::keep : LastLink::follow;
    const Failure failure = mount.set_times(path, times.access, times.modification, last);
    if (failure.error != Errno::enoent) return failure;
    if (options.no_create) return {};
    if (options.no_dereference) return failure;
    auto made = mount.open_file(path, abi::kOWronly | abi::kOCreat, 0666);
    if (!made) return made.failure();
    if (times.access.kind != SetTime::Kind::now || times.modification.kind != SetTime::Kind::now) {
        if (const Failure unset = mount.set_times(*made, times.access, times.modification)) return unset;
    }
    return mount.close(std::move(*made));
}

void run(Program& program, const TouchOptions& options) {
    const Times times = times_to_set(program, options);
    for (const std::string& path : options.paths) {
        if (program.succeeded(path, touch(program.mount(), path, options, times))) print_done(program, path);
    }
}

void describe(Arguments& sub, TouchOptions& options) {
    sub.add_option("path", options.paths, "files").required();
    sub.add_flag("-c,--no-create", options.no_create, "make none");
    sub.add_text("-d,--date", options.date, "2024-05-31, '2024-05-31 17:04:09 +0200' or @1717167849, instead of now")
        .shown_as("DATE");
    sub.add_text("-t", options.stamp, "[[CC]YY]MMDDhhmm[.ss], instead of now").shown_as("STAMP");
    sub.add_text("-r,--reference", options.reference, "the times of this file, instead of now").shown_as("FILE");
    sub.add_flag("-a", options.access_only, "only the access time");
    sub.add_flag("-m", options.modification_only, "only the modification time");
    sub.add_flag("-h,--no-dereference", options.no_dereference, "a symbolic link itself, not what it points to");
}

} // namespace

void add_touch(Commands& commands) {
    commands.add<TouchOptions>({"touch", "Set times; make files that are not there", Effect::changes}, describe, run);
}

} // namespace vfsproto::cli
