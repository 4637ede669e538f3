// SPDX-License-Identifier: BSD-2-Clause
// vfsproto: the files of a virtio-fs device from the command line.
#include "commands.hpp"
#include "escape.hpp"
#include "interrupt.hpp"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdio>
#include <exception>

namespace vfsproto::cli {
namespace {

constexpr void (*kFamilies[])(Commands&) = {add_info,  add_ls, add_tree,       add_showing, add_cat,   add_copying,
                                            add_names, add_rm, add_attributes, add_xattrs,  add_bench, add_device};

constexpr const char* kFooter =
    "DEVICE is dir:PATH, a directory served in this process (dir:. by default),\n"
    "vhost-user:SOCKET, where a virtiofsd listens, or vfio:ADDRESS, a PCI device of this machine\n"
    "('device list' shows them; vfio:auto is the only one). The variable VFSPROTO_DEVICE sets the default.\n"
    "Exit: 0 done, 1 an operation failed, 2 wrong usage, 3 the device or the protocol failed.";

void add_global_options(CLI::App& app, GlobalOptions& options) {
    app.add_option("--device", options.device, "where the files are (see below)")
        ->envname("VFSPROTO_DEVICE")
        ->type_name("URI");
    app.add_flag_callback("--json", [&options] { options.style = Style::json; }, "machine-readable output");
    app.add_option("--trace", options.trace, "write a line for every request")->type_name("FILE");
    app.add_option_function<std::string>(
           "--log",
           [&options](const std::string& word) {
               if (!backends::parse_log_level(word, options.log))
                   throw CLI::ValidationError("--log", word + ": no level");
           },
           "what to log to stderr: trace, debug, info, warn (default), error, off")
        ->type_name("LEVEL");
    const std::string group = "Tuning";
    app.add_option("--silence", options.silence,
                   "give up a device that answers nothing for so long (default: 120 for vfio, else never)")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.1, 1e6))
        ->group(group);
    app.add_option("--queue-size", options.queue_size, "entries a queue may have at most")
        ->check(CLI::Range(1, 32768))
        ->group(group);
    CLI::Option* const poll = app.add_flag_callback(
        "--poll", [&options] { options.waiting = posix::Waiting::poll; }, "wait for answers by spinning");
    CLI::Option* const event = app.add_flag_callback(
        "--event", [&options] { options.waiting = posix::Waiting::event; }, "wait for answers asleep");
    CLI::Option* const adaptive = app.add_flag_callback(
        "--adaptive", [&options] { options.waiting = posix::Waiting::adaptive; }, "whichever is faster (default)");
    for (CLI::Option* option : {poll, event, adaptive}) option->group(group);
    poll->excludes(event)->excludes(adaptive);
    event->excludes(adaptive);
}

void complain(std::string_view line) {
    const std::string text = "vfsproto: " + printable(line) + "\n";
    std::fputs(text.c_str(), stderr);
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
        // A reader that has seen enough is no failure.
        if (failed.error != EPIPE) program.report("standard output", local_failure(failed.error));
    }
    if (left != ExitCode::done) {
        try {
            program.out().flush();
        } catch (const OutputFailed&) {}
    }
    const ExitCode found = program.finish();
    return left != ExitCode::done ? left : found;
}

ExitCode parse_and_run(int argc, char** argv) {
    GlobalOptions options;
    Chosen chosen;
    CLI::App app{"Files of a virtio-fs device, without a mount, a virtual machine or a kernel module.", "vfsproto"};
    app.footer(kFooter);
    app.fallthrough();
    app.require_subcommand(1);
    add_global_options(app, options);
    Commands commands(app, chosen);
    for (const auto add : kFamilies) add(commands);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& wanted) {
        app.exit(wanted); // --help
        return ExitCode::done;
    } catch (const CLI::ParseError& wrong) {
        complain(std::string(wrong.what()) + " (vfsproto --help says more)");
        return ExitCode::usage;
    }
    try {
        Program program(options);
        return run(program, chosen);
    } catch (const Leave& leave) {
        return leave.code;
    }
}

} // namespace
} // namespace vfsproto::cli

int main(int argc, char** argv) {
    using namespace vfsproto::cli;
    catch_interrupts();
    try {
        return static_cast<int>(parse_and_run(argc, argv));
    } catch (const std::exception& error) {
        complain(error.what());
        return static_cast<int>(ExitCode::failed);
    }
}
