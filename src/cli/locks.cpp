// SPDX-License-Identifier: BSD-2-Clause
// The commands lock and flock take locks.
#include "child_process.hpp"
#include "commands.hpp"
#include "interrupt.hpp"
#include "json.hpp"

#include <chrono>

namespace vfsproto::cli {

using abi::Errno;
using posix::Failure;
using posix::LockType;
using posix::WhenLocked;

namespace {

struct LockOptions {
    std::string path;
    std::vector<std::string> command;
    LockType type = LockType::exclusive;
    bool at_once = false;
    double seconds = kForEver;
    posix::LockRange range{};
    bool test = false;

    static constexpr double kForEver = -1;
};

const char* name_of(LockType type) noexcept { return type == LockType::shared ? "shared" : "exclusive"; }

posix::CallLimits limits_of(const LockOptions& options) {
    posix::CallLimits limits{.stop = &interrupt_stop()};
    if (options.seconds != LockOptions::kForEver) {
        const std::chrono::duration<double> time(options.seconds);
        limits.deadline = std::chrono::steady_clock::now() + std::chrono::round<std::chrono::nanoseconds>(time);
    }
    return limits;
}

// Opens the file, and makes it if it is not there. What a lock of a range needs, one of the whole file does not.
posix::File open_to_lock(Program& program, const LockOptions& options, std::uint32_t access) {
    auto file = program.mount().open_file(options.path, access | (options.test ? 0 : abi::kOCreat), 0666);
    if (!program.succeeded(options.path, file)) throw Leave{ExitCode::failed};
    return *std::move(file);
}

void report_not_locked(Program& program, const LockOptions& options, const Failure& failure) {
    if ((failure.errc == Errc::timed_out && !options.at_once) ||
        (failure.errc == Errc::ok && failure.error == Errno::eagain)) {
        program.report(options.path, failure, "somebody else has the lock");
    } else if (failure.errc == Errc::not_negotiated) {
        program.report(options.path, failure, "the server keeps no such locks");
    } else {
        program.report(options.path, failure);
    }
    program.check();
    throw Leave{ExitCode::failed};
}

// Runs the command while the lock is held, then gives the lock up. Leaves with the status of the command.
void run_locked(Program& program, const LockOptions& options, posix::File file) {
    program.check();
    int status = 0;
    if (!options.command.empty()) {
        ChildProcess child;
        if (const int error = child.start(options.command); error != 0) {
            program.report(Subject::other(options.command.front()), local_failure(error));
            throw Leave{ExitCode::failed};
        }
        status = child.wait();
    }
    if (const Failure failure = program.mount().close(std::move(file))) program.report(options.path, failure);
    if (program.wants_json()) {
        Json line;
        add_text(line, "path", options.path);
        line.set("type", name_of(options.type));
        line.set("status", status);
        print_json(program, line);
    }
    program.check();
    if (status != 0) throw Leave{static_cast<ExitCode>(status)};
}

void run_flock(Program& program, const LockOptions& options) {
    posix::File file = open_to_lock(program, options, abi::kORdonly);
    const WhenLocked when = options.at_once ? WhenLocked::fail : WhenLocked::wait;
    const Failure failure = program.mount().flock(file, options.type, when, limits_of(options));
    if (failure) report_not_locked(program, options, failure);
    run_locked(program, options, std::move(file));
}

void print_held(Program& program, const LockOptions& options, const std::optional<posix::HeldLock>& held) {
    Json line;
    add_text(line, "path", options.path);
    line.set("free", !held.has_value());
    std::string text = options.path + ": free\n";
    if (held) {
        const char* const type = name_of(held->type);
        line.set("type", type);
        line.set("start", held->range.start);
        if (held->range.length != 0) line.set("length", held->range.length);
        line.set("pid", held->pid);
        const std::string length =
            held->range.length == 0 ? "to the end" : std::to_string(held->range.length) + " bytes";
        text = options.path + ": " + type + ", from " + std::to_string(held->range.start) + ", " + length + ", pid " +
               std::to_string(held->pid) + "\n";
    }
    program.wants_json() ? print_json(program, line) : program.out().write(text);
}

void run_lock(Program& program, const LockOptions& options) {
    const posix::WantedLock wanted{options.type, options.range, 0};
    if (options.test && !options.command.empty()) program.refuse("", "--test runs no command");
    const std::uint32_t access = options.test                       ? abi::kORdonly
                                 : options.type == LockType::shared ? abi::kORdonly
                                                                    : abi::kORdwr;
    posix::File file = open_to_lock(program, options, access);
    if (options.test) {
        const auto held = program.mount().test_lock(file, wanted);
        if (!held) report_not_locked(program, options, held.failure());
        print_held(program, options, *held);
        return;
    }
    const WhenLocked when = options.at_once ? WhenLocked::fail : WhenLocked::wait;
    const Failure failure = program.mount().lock(file, wanted, when, limits_of(options));
    if (failure) report_not_locked(program, options, failure);
    run_locked(program, options, std::move(file));
}

void describe_both(Arguments& sub, LockOptions& options) {
    sub.add_option("path", options.path, "the file; it is made if it is not there").required();
    sub.add_option("command", options.command, "what to run on this host while the lock is held")
        .written_as("-- COMMAND...");
    sub.add_flag("-s,--shared", [&options] { options.type = LockType::shared; }, "a lock that others may share");
    sub.add_flag(
        "-x,--exclusive", [&options] { options.type = LockType::exclusive; }, "a lock that nobody shares (default)");
    sub.add_flag("-n,--nonblock", options.at_once, "fail at once if somebody else has the lock");
    sub.add_option("-w,--timeout", options.seconds, "fail if it takes longer than this")
        .shown_as("SECONDS")
        .without_it("wait for ever")
        .between(0, 1e6);
}

void describe_lock(Arguments& sub, LockOptions& options) {
    describe_both(sub, options);
    sub.add_option("--start", options.range.start, "the first byte").shown_as("BYTE");
    sub.add_option("--length", options.range.length, "how many bytes")
        .shown_as("BYTES")
        .without_it("to the end of the file");
    sub.add_flag("--test", options.test, "say who stands in the way, and take no lock");
}

} // namespace

void add_locks(Commands& commands) {
    commands.add<LockOptions>({"flock", "Run a command while a whole file is locked", Effect::changes}, describe_both,
                              run_flock);
    commands.add<LockOptions>(
        {"lock", "Run a command while bytes of a file are locked, or say who has them", Effect::changes}, describe_lock,
        run_lock);
}

} // namespace vfsproto::cli
