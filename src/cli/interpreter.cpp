// SPDX-License-Identifier: BSD-2-Clause
#include "interpreter.hpp"

#include "commands.hpp"
#include "interrupt.hpp"
#include "split_line.hpp"

namespace vfsproto::cli {
namespace {

constexpr const char* kAbout = "Commands on a device that stays open. Words are quoted as in sh(1).";
constexpr const char* kFooter =
    "'help COMMAND' or 'COMMAND --help' says more. --device, --json and the other options of the\n"
    "program stand before 'shell' or 'run', and hold for all lines.";

} // namespace

ExitCode Interpreter::run(std::string_view line, const Subject& place) {
    SplitLine split = split_line(line);
    if (split.wrong != nullptr) {
        program_.set_command({});
        program_.report(place, std::string("this line is not complete: ") + split.wrong);
        static_cast<void>(program_.take_outcome());
        return ExitCode::usage;
    }
    if (split.words.empty()) return ExitCode::done;
    if (split.words.front() == "help") {
        split.words.erase(split.words.begin());
        split.words.emplace_back("--help");
    }
    return run(std::move(split.words));
}

ExitCode Interpreter::run(std::vector<std::string> words) {
    std::string name = "vfsproto";
    std::vector<char*> argv{name.data()};
    for (std::string& word : words) argv.push_back(word.data());
    Chosen chosen;
    CommandLine line(kAbout, kFooter, nullptr);
    Commands commands(line.commands(), chosen);
    add_single_commands(commands);
    add_directory_commands(commands);
    switch (line.parse(static_cast<int>(argv.size()), argv.data())) {
    case CommandLine::Parsed::command: break;
    case CommandLine::Parsed::told:
        program_.out().write(line.text());
        program_.out().flush();
        return ExitCode::done;
    case CommandLine::Parsed::wrong:
        program_.set_command(line.command());
        program_.report("", line.text());
        static_cast<void>(program_.take_outcome());
        return ExitCode::usage;
    }
    ExitCode left = ExitCode::done;
    try {
        try {
            chosen(program_);
        } catch (const Leave& leave) {
            left = leave.code;
        }
        program_.out().flush();
    } catch (const OutputFailed&) {
        if (!interrupted()) throw; // else check() tells why
    }
    program_.say_left_behind();
    const ExitCode found = program_.take_outcome();
    program_.check(); // throws where no command can follow
    return left != ExitCode::done ? left : found;
}

std::vector<std::string> Interpreter::commands() {
    std::vector<std::string> names{"help"};
    Chosen chosen;
    CommandLine line(kAbout, kFooter, nullptr);
    Commands commands(line.commands(), chosen);
    add_single_commands(commands);
    add_directory_commands(commands);
    for (std::string& name : line.command_names()) names.push_back(std::move(name));
    return names;
}

} // namespace vfsproto::cli
