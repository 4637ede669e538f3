// SPDX-License-Identifier: BSD-2-Clause
// The commands manual and completion say of the program what --help says, for man(1) and for shells.
#include "commands.hpp"
#include "json.hpp"

namespace vfsproto::cli {
namespace {

// Prints a text of many lines.
void print_text(Program& program, const std::string& text) {
    if (!program.wants_json()) return program.out().write(text);
    Json object;
    object.set("text", text);
    print_json(program, object);
}

struct CompletionOptions {
    std::string script; // of the shell that was named
};

} // namespace

void add_self_description(Commands& commands, CommandLine& line) {
    commands.add({"manual", "Write the manual page, for 'man -l -'"},
                 [&line](Program& program) { print_text(program, line.manual()); });
    commands.add_described<CompletionOptions>(
        {"completion", "Write what a shell completes lines by"},
        [&line](Arguments& sub, CompletionOptions& options) {
            const auto take = [&line, &options](const std::string& shell) {
                options.script = line.completion(shell).value_or("");
                return !options.script.empty();
            };
            sub.add_word("shell", take, "bash, zsh or fish").required();
        },
        [](Program& program, const CompletionOptions& options) { print_text(program, options.script); });
}

} // namespace vfsproto::cli
