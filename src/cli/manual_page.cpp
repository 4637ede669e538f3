// SPDX-License-Identifier: BSD-2-Clause
#include "manual_page.hpp"

#include "help_formatter.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <string_view>

namespace vfsproto::cli {
namespace {

// Returns a text that stands for itself: no letter of it is a command of roff. Its lines become one.
std::string plain_roff(std::string_view text) {
    std::string out;
    for (const char letter : text) {
        switch (letter) {
        case '\\': out += "\\e"; break;
        case '-': out += "\\-"; break;
        case '\n': out += ' '; break;
        default: out += letter;
        }
    }
    const bool is_request = !out.empty() && (out[0] == '.' || out[0] == '\'');
    return is_request ? "\\&" + out : out;
}

// Adds a paragraph for each option or argument.
void add_items(std::string& page, const Options& options) {
    for (const CLI::Option* option : options) {
        std::string names = names_of(*option);
        names.erase(0, names.find_first_not_of(' '));
        page += fmt::format(".TP\n.B {}\n{}\n", plain_roff(names), plain_roff(description_of(*option)));
    }
}

// Adds the options of every heading, the first of them without one.
void add_options(std::string& page, const CLI::App& app) {
    for (const std::string& group : app.get_groups()) add_items(page, options_of(app, group));
}

// Adds a command, or those below it.
void add_command(std::string& page, const CLI::App& command, const std::string& before) {
    const std::string name = before + ' ' + command.get_name();
    for (const CLI::App* below : commands_of(command)) add_command(page, *below, name);
    if (!commands_of(command).empty()) return;
    page += fmt::format(".SS {}\n{}.\n", plain_roff(usage_line(command, name)), plain_roff(command.get_description()));
    add_items(page, arguments_of(command));
    add_options(page, command);
}

} // namespace

std::string manual_page(const CLI::App& program) {
    const std::string name = program.get_name();
    std::string page = fmt::format(".TH VFSPROTO 1 \"\" \"{}\" \"User Commands\"\n.nh\n.ad l\n", program.version());
    page += fmt::format(".SH NAME\n{} \\- {}\n", name, plain_roff(program.get_description()));
    page += fmt::format(".SH SYNOPSIS\n.B {}\n[OPTION]... COMMAND [ARGUMENT]...\n", name);
    page += fmt::format(".SH DESCRIPTION\n{}\n", plain_roff(program.get_footer()));
    page += ".SH OPTIONS\nEvery command has these.\n";
    add_options(page, program);
    page += ".SH COMMANDS\n";
    for (const CLI::App* command : commands_of(program)) add_command(page, *command, name);
    return page;
}

} // namespace vfsproto::cli
