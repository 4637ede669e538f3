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
    const CommandLine* line = nullptr;
    std::string shell;
};

} // namespace

void add_self_description(Commands& commands, const CommandLine& line) {
    commands.add({"manual", "Write the manual page, for 'man -l -'"},
                 [&line](Program& program) { print_text(program, line.manual()); });
    commands.add<CompletionOptions>(
        {"completion", "Write what a shell completes lines by"},
        [&line](Arguments& sub, CompletionOptions& options) {
            options.line = &line;
            const auto knows = [&line](const std::string& shell) { return line.completion(shell).has_value(); };
            sub.add_word(
                   "shell",
                   [&options, knows](const std::string& shell) {
                       options.shell = shell;
                       return knows(shell);
                   },
                   "bash, zsh or fish")
                .required();
        },
        [](Program& program, const CompletionOptions& options) {
            print_text(program, *options.line->completion(options.shell));
        });
}

} // namespace vfsproto::cli
