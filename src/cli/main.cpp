// SPDX-License-Identifier: BSD-2-Clause
// vfsproto: the files of a virtio-fs device from the command line.
#include "commands.hpp"
#include "interrupt.hpp"
#include "standard_descriptors.hpp"
#include "watch.hpp"

#include "vfsproto/posix/open_device.hpp"

#include <cerrno>
#include <cstdio>
#include <exception>

namespace vfsproto::cli {
namespace {

constexpr const char* kFooter =
    "DEVICE is dir:PATH, a directory served in this process (commands that only read take dir:. by default),\n"
    "memfs:, an empty file system in its memory, vhost-user:SOCKET, where a virtiofsd listens,\n"
    "fuse-stream:SOCKET, where a FUSE server does, or\n"
    "vfio:ADDRESS, a PCI device of this machine ('device list' shows them; vfio:auto is the only one).\n"
    "The variable VFSPROTO_DEVICE sets the default.\n"
    "Exit: 0 done, 1 an operation failed, 2 wrong usage, 3 the device or the protocol failed.";

void add_trace_options(Arguments app, TraceOptions& options) {
    const char* const group = "Tracing";
    app.add_option("--trace", options.file, "write what goes to the server and comes back; '-' is standard error")
        .shown_as("FILE")
        .in_group(group);
    app.add_word(
           "--trace-format", [&options](const std::string& word) { return options.set_format(word); },
           "text, json (an object a line) or chrome (for Perfetto)")
        .shown_as("FORMAT")
        .without_it("text")
        .in_group(group);
    app.add_word(
           "--trace-only", [&options](const std::string& word) { return options.only.add(word); },
           "show some requests: LOOKUP,READ (any operations), node=N,\n"
           "error (those that failed), error=ENOENT; what is given\n"
           "together and in several options has to hold, kind by kind")
        .shown_as("WHAT,...")
        .without_it("all")
        .in_group(group);
    app.add_flag("--trace-summary", options.summary, "count calls, errors and time by operation, to standard error")
        .in_group(group);
}

bool parse_cache_mode(const std::string& word, posix::CacheMode& mode) {
    using posix::CacheMode;
    if (word != "none" && word != "auto" && word != "always") return false;
    mode = word == "none" ? CacheMode::none : word == "auto" ? CacheMode::automatic : CacheMode::always;
    return true;
}

bool parse_permissions(const std::string& word, posix::Permissions& permissions) {
    using posix::Permissions;
    if (word != "server" && word != "here") return false;
    permissions = word == "here" ? Permissions::judged_here : Permissions::judged_by_server;
    return true;
}

void add_caller_options(Arguments app, GlobalOptions& options) {
    const char* const group = "Users";
    app.add_word(
           "--permissions",
           [&options](const std::string& word) { return parse_permissions(word, options.permissions); },
           "who judges what this user may do: server (which may judge nobody) or here (by mode, owner and access list)")
        .shown_as("WHO")
        .without_it("server")
        .in_group(group);
    app.add_option(
           "--map-users", options.user_ranges,
           "users from HERE on are those from SERVER on at the server; other users are nobody there; up to 16 times")
        .shown_as("HERE:SERVER:COUNT")
        .in_group(group);
    app.add_option("--map-groups", options.group_ranges, "the same for groups")
        .shown_as("HERE:SERVER:COUNT")
        .in_group(group);
}

void add_global_options(Arguments app, GlobalOptions& options) {
    app.add_option("--device", options.device, "where the files are (see below)")
        .from_variable("VFSPROTO_DEVICE")
        .shown_as("URI");
    app.add_flag("--json", [&options] { options.style = Style::json; }, "machine-readable output");
    app.add_word(
           "--log", [&options](const std::string& word) { return backends::parse_log_level(word, options.log); },
           "what to log to stderr: trace, debug, info, warn, error or off")
        .shown_as("LEVEL")
        .without_it("warn");
    add_trace_options(app, options.trace);
    add_caller_options(app, options);
    const char* const group = "Tuning";
    app.add_word(
           "--cache", [&options](const std::string& word) { return parse_cache_mode(word, options.cache); },
           "keep names and attributes: none, auto (for as long as the server allows) or always (nobody else changes "
           "them)")
        .shown_as("MODE")
        .without_it("none")
        .in_group(group);
    app.add_option("--silence", options.silence, "give up a device that answers nothing for so long")
        .shown_as("SECONDS")
        .without_it("120 for vfio, else never")
        .between(0.1, 1e6)
        .in_group(group);
    app.add_option("--timeout", options.timeout, "fail an operation whose answer takes longer than this")
        .shown_as("SECONDS")
        .without_it("never")
        .between(0.001, 1e6)
        .in_group(group);
    app.add_option("--queue-size", options.queue_size, "entries a queue may have at most")
        .between(1, 32768)
        .in_group(group);
    app.add_option("--queues", options.queues,
                   "request queues to use, each for some of the threads; a device may offer fewer")
        .between(1, posix::kMostRequestQueues)
        .in_group(group);
    app.add_size("--window", options.window, posix::kMostWindow,
                 "give a device that is served here (dir:, memfs:) a shared memory window, for bench --mapped")
        .without_it("none")
        .in_group(group);
    const auto wait_by = [&](const char* name, posix::Waiting waiting, const char* help) {
        app.add_flag(name, [&options, waiting] { options.waiting = waiting; }, help).in_group(group);
    };
    wait_by("--poll", posix::Waiting::poll, "wait for answers by spinning");
    wait_by("--event", posix::Waiting::event, "wait for answers asleep");
    wait_by("--adaptive", posix::Waiting::adaptive, "whichever is faster (default); of the three the last one holds");
}

// Says what is wrong while no command runs.
void complain(const Message& message, Style style) { std::fputs(line_of(message, style).c_str(), stderr); }

// Returns how a command line wants its errors that could not be understood.
Style wanted_style(int argc, char** argv) {
    for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
        if (std::string_view(argv[i]) == "--json") return Style::json;
    }
    return Style::human;
}

// True if the reader of standard output has gone, and whoever started the program wants it to end of that as others do.
bool ends_of_pipe(const OutputFailed& failed) noexcept { return failed.error == EPIPE && !sigpipe_was_ignored; }

// Prints the help or the version.
ExitCode tell(const std::string& text, Style style) {
    try {
        Output out;
        out.write(text);
        out.flush();
        return ExitCode::done;
    } catch (const OutputFailed& failed) {
        if (ends_of_pipe(failed)) return ExitCode::reader_gone;
        const std::string why = local_failure(failed.error).text();
        complain({Message::Kind::error, {}, Subject::other("standard output"), {}, why}, style);
        return ExitCode::failed;
    }
}

// Runs the command; what went wrong has been said when it returns.
ExitCode run(Program& program, const Chosen& chosen) {
    ExitCode left = ExitCode::done;
    try {
        chosen(program);
        program.out().flush();
    } catch (const Leave& leave) {
        left = leave.code;
    } catch (const OutputFailed& failed) {
        if (ends_of_pipe(failed)) {
            left = ExitCode::reader_gone;
        } else if (!interrupted()) {
            program.report(Subject::other("standard output"), local_failure(failed.error));
        }
    }
    if (left != ExitCode::done && left != ExitCode::reader_gone) {
        try {
            program.out().flush();
        } catch (const OutputFailed&) {}
    }
    const ExitCode found = program.finish();
    return left != ExitCode::done ? left : found;
}

ExitCode parse_and_run(int argc, char** argv, Watch& watch) {
    GlobalOptions options;
    Chosen chosen;
    CommandLine line("Files of a virtio-fs device, without a mount, a virtual machine or a kernel module.", kFooter,
                     "vfsproto " VFSPROTO_PROGRAM_VERSION);
    add_global_options(line.arguments(), options);
    Commands commands(line.commands(), chosen);
    add_single_commands(commands);
    add_mount(commands);
    add_serve(commands);
    add_run(commands);
    add_shell(commands);
    add_self_description(commands, line);
    switch (line.parse(argc, argv)) {
    case CommandLine::Parsed::command: break;
    case CommandLine::Parsed::told: return tell(line.text(), wanted_style(argc, argv));
    case CommandLine::Parsed::wrong:
        complain({Message::Kind::error, line.command(), "", {}, line.text()}, wanted_style(argc, argv));
        return ExitCode::usage;
    }
    if (const std::string_view why = options.trace.contradiction(); !why.empty()) {
        complain({Message::Kind::error, line.command(), "", {}, why}, options.style);
        return ExitCode::usage;
    }
    try {
        Program program(options);
        const Watch::Attention attention(watch, program);
        return run(program, chosen);
    } catch (const Leave& leave) {
        return leave.code;
    }
}

} // namespace
} // namespace vfsproto::cli

int main(int argc, char** argv) {
    using namespace vfsproto::cli;
    fill_standard_descriptors();
    block_interrupts();
    ExitCode code = ExitCode::failed;
    try {
        Watch watch;
        code = parse_and_run(argc, argv, watch);
    } catch (const std::exception& error) {
        complain({Message::Kind::error, {}, "", {}, error.what()}, wanted_style(argc, argv));
    }
    if (const int signal = latest_interrupt(); signal != 0) die_of(signal);
    if (code == ExitCode::reader_gone) die_of(SIGPIPE);
    return static_cast<int>(code);
}
