// SPDX-License-Identifier: BSD-2-Clause
// The command touch sets times, and makes the files that are missing.
#include "commands.hpp"
#include "date_text.hpp"
#include "json.hpp"

namespace vfsproto::cli {

using abi::Errno;
using posix::Failure;
using posix::LastLink;
using posix::SetTime;

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

SetTime at(const Moment& moment) { return {SetTime::Kind::at, moment.seconds, moment.nanoseconds}; }

// Returns the date that was said, which may be one that is so far from `now`.
Moment named_date(Program& program, const std::string& date, const Moment& now) {
    const auto moment = parse_date(date, now);
    if (moment) return *moment;
    program.refuse(date, "this is no date: say '2024-05-31 17:04:09 +0200', @1717167849 or '2 days ago'");
}

Moment named_stamp(Program& program, const std::string& stamp) {
    const auto moment = parse_stamp(stamp);
    if (moment) return *moment;
    program.refuse(stamp, "this is no time: say [[CC]YY]MMDDhhmm[.ss]");
}

// Returns the times of another file, or what a date is that is so far from them.
Times times_of_reference(Program& program, const TouchOptions& options) {
    const LastLink last = options.no_dereference ? LastLink::keep : LastLink::follow;
    const auto there = program.mount().stat(*options.reference, last);
    if (!program.succeeded(*options.reference, there)) throw Leave{ExitCode::failed};
    Moment access{static_cast<std::int64_t>(there->atime), there->atimensec};
    Moment modification{static_cast<std::int64_t>(there->mtime), there->mtimensec};
    if (options.date) {
        access = named_date(program, *options.date, access);
        modification = named_date(program, *options.date, modification);
    }
    return {at(access), at(modification)};
}

// Throws Leave where the line names no time that is one.
Times times_to_set(Program& program, const TouchOptions& options) {
    if (options.stamp && (options.date || options.reference)) program.refuse("", "-t excludes -d and -r");
    Times times;
    times.access.kind = times.modification.kind = SetTime::Kind::now;
    if (options.reference) {
        times = times_of_reference(program, options);
    } else if (options.stamp) {
        times.access = times.modification = at(named_stamp(program, *options.stamp));
    } else if (options.date) {
        const Moment now = current_moment();
        const Moment named = named_date(program, *options.date, now);
        if (named != now) times.access = times.modification = at(named); // else it is now at the server
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
    sub.add_text("-d,--date", options.date, "'2024-05-31 17:04:09 +0200', @1717167849 or '2 days ago', instead of now")
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
