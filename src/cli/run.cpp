// SPDX-License-Identifier: BSD-2-Clause
// The command run takes the commands of a script on one connection.
#include "commands.hpp"
#include "interpreter.hpp"
#include "line_source.hpp"

namespace vfsproto::cli {
namespace {

struct RunOptions {
    std::string script;
    bool keep_going = false;
};

void describe(Arguments& command, RunOptions& options) {
    command.add_option("script", options.script, "a command a line, '#' begins a comment; '-' is standard input")
        .required()
        .shown_as("FILE");
    command.add_flag("-k,--keep-going", options.keep_going,
                     "go on when a line fails; leave with the status of the first that did");
}

void run_script(Program& program, const RunOptions& options) {
    LineSource lines(options.script);
    if (!lines) {
        program.report(lines.subject(), local_failure(lines.error()));
        throw Leave{ExitCode::failed};
    }
    Interpreter interpreter(program);
    ExitCode first = ExitCode::done;
    while (const auto line = lines.next()) {
        const std::string place = lines.place();
        const ExitCode code = interpreter.run(*line, Subject::other(place));
        if (code == ExitCode::done) continue;
        if (first == ExitCode::done) first = code;
        program.set_command("run");
        program.report(Subject::other(place), options.keep_going
                                                  ? "this line failed"
                                                  : "this line failed, and no later one was run (-k goes on)");
        if (!options.keep_going) break;
    }
    program.set_command("run");
    program.check();
    if (const int error = lines.error(); error != 0) {
        program.report(lines.subject(), local_failure(error));
        throw Leave{ExitCode::failed};
    }
    if (first != ExitCode::done) throw Leave{first};
}

} // namespace

void add_run(Commands& commands) {
    commands.add({"run", "run the commands of a file on one connection"}, describe, run_script);
}

} // namespace vfsproto::cli
