// SPDX-License-Identifier: BSD-2-Clause
#include "completion_script.hpp"

#include "help_formatter.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace vfsproto::cli {
namespace {

// A command with its own name and that of its family: "get", "xattr get".
struct Command {
    std::string name;
    const CLI::App* app;
};

std::vector<Command> all_commands(const CLI::App& program) {
    std::vector<Command> all;
    for (const CLI::App* command : commands_of(program)) {
        all.push_back({command->get_name(), command});
        for (const CLI::App* below : commands_of(*command)) {
            all.push_back({command->get_name() + ' ' + below->get_name(), below});
        }
    }
    return all;
}

Options all_options(const CLI::App& app) {
    Options all;
    for (const std::string& group : app.get_groups()) {
        const Options some = options_of(app, group);
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// Returns each name with its dashes.
std::vector<std::string> dashed_names(const CLI::Option& option) {
    std::vector<std::string> names;
    for (const std::string& name : option.get_snames()) names.push_back('-' + name);
    for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
    return names;
}

// Returns the names of options, or of those that take the next word alone, with a blank between two.
enum class Which : std::uint8_t { all, with_value };
std::string names_in_line(const Options& options, Which which) {
    std::string line;
    for (const CLI::Option* option : options) {
        if (which == Which::with_value && !takes_value(*option)) continue;
        for (const std::string& name : dashed_names(*option)) line.append(line.empty() ? "" : " ").append(name);
    }
    return line;
}

// Returns the names of the commands of one level.
std::string commands_in_line(const CLI::App& level) {
    std::string line;
    for (const CLI::App* command : commands_of(level)) {
        line.append(line.empty() ? "" : " ").append(command->get_name());
    }
    return line;
}

// Returns a word between single quotes, for any of the three shells.
std::string in_quotes(std::string_view text) {
    std::string out = "'";
    for (const char letter : text) {
        if (letter == '\'') {
            out += "'\\''";
        } else {
            out += letter;
        }
    }
    return out + "'";
}

// The function below finds the command in the line first, by stepping over the values of options. It splits the line itself: bash
// takes the colon of "dir:." for a word.
constexpr const char* kBashBody = R"(_vfsproto() {
    local line=${COMP_LINE:0:COMP_POINT} command= i=1 options values commands
    local -a words
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    local last=$((${#words[@]} - 1)) current=${words[-1]}
    COMPREPLY=()
    _vfsproto_options
    while ((i < last)); do
        local word=${words[i]}
        if [[ " $values " == *" $word "* ]]; then
            ((++i))
        elif [[ $word != -* && -n $commands ]]; then
            command=${command:+$command }$word
            _vfsproto_options
        fi
        ((++i))
    done
    if ((i > last)); then
        return # the value of an option: files
    elif [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    elif [[ -n $commands ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
    fi
}
complete -o bashdefault -o default -F _vfsproto vfsproto
)";

std::string bash_script(const CLI::App& program) {
    const Options common = all_options(program);
    const std::string options = names_in_line(common, Which::all);
    const std::string values = names_in_line(common, Which::with_value);
    std::string script = "# bash completion of vfsproto\n_vfsproto_options() {\n    commands=\n    case $command in\n";
    const auto add = [&](const std::string& name, const CLI::App& app, const Options& own) {
        const char* const gap = own.empty() ? "" : " ";
        script += fmt::format("        {}) options={} values={} commands={} ;;\n", in_quotes(name),
                              in_quotes(names_in_line(own, Which::all) + gap + options),
                              in_quotes(names_in_line(own, Which::with_value) + gap + values),
                              in_quotes(commands_in_line(app)));
    };
    add("", program, {});
    for (const Command& command : all_commands(program)) add(command.name, *command.app, all_options(*command.app));
    return script + "    esac\n}\n" + kBashBody;
}

// Returns a text between the marks of _arguments.
std::string zsh_escaped(std::string_view text) {
    std::string out;
    for (const char letter : text) {
        if (letter == '[' || letter == ']' || letter == ':' || letter == '\\') out += '\\';
        out += letter;
    }
    return out;
}

// Returns an option as _arguments of zsh wants it: '*'{-a,--all}'[show all]'. The star lets it be given again.
std::string zsh_option(const CLI::Option& option) {
    const std::vector<std::string> names = dashed_names(option);
    std::string all;
    for (const std::string& name : names) all.append(all.empty() ? "" : ",").append(name);
    const std::string value = takes_value(option) ? ":" + zsh_escaped(option.get_type_name()) + ":_files" : "";
    const std::string text = "[" + zsh_escaped(first_line(option.get_description())) + "]" + value;
    return "'*'" + (names.size() > 1 ? '{' + all + '}' : all) + in_quotes(text);
}

// `common`: the options of the program, which each command below it has too.
std::string zsh_level(const CLI::App& app, const Options& common, const std::string& margin) {
    std::string script = margin + "_arguments -S -C";
    for (const Options& some : {all_options(app), common}) {
        for (const CLI::Option* option : some) script += " \\\n" + margin + "    " + zsh_option(*option);
    }
    if (commands_of(app).empty()) return script + " \\\n" + margin + "    '*:file:_files'\n";
    const Options below = common.empty() ? all_options(app) : common;
    script += " \\\n" + margin + "    '(-)1:command:->command' '(-)*::argument:->argument'\n";
    script += margin + "case $state in\n" + margin + "    command)\n" + margin + "        local -a commands=(\n";
    for (const CLI::App* command : commands_of(app)) {
        script += margin + "            " + in_quotes(command->get_name() + ':' + command->get_description()) + "\n";
    }
    script += margin + "        )\n" + margin + "        _describe command commands ;;\n";
    script += margin + "    argument)\n" + margin + "        case $words[1] in\n";
    for (const CLI::App* command : commands_of(app)) {
        script += margin + "            " + command->get_name() + ")\n";
        script += zsh_level(*command, below, margin + "                ");
        script += margin + "                ;;\n";
    }
    return script + margin + "        esac ;;\n" + margin + "esac\n";
}

std::string zsh_script(const CLI::App& program) {
    return "#compdef vfsproto\n_vfsproto() {\n    local curcontext=\"$curcontext\" state line\n    typeset -A "
           "opt_args\n" +
           zsh_level(program, {}, "    ") + "}\n_vfsproto \"$@\"\n";
}

// Finds the command as the function for bash does.
constexpr const char* kFishBody = R"(function __vfsproto_at
    set -l found
    set -l is_value 0
    for word in (commandline -opc)[2..-1]
        if test $is_value = 1
            set is_value 0
        else if contains -- $word (__vfsproto_values $found)
            set is_value 1
        else if not string match -q -- '-*' $word
            if test (count $found) = 0
                set -a found $word
            else if test (count $found) = 1; and contains -- $found[1] $__vfsproto_families
                set -a found $word
            end
        end
    end
    test "$found" = "$argv"
end
)";

std::string fish_options(const CLI::App& app, const std::string& when) {
    std::string script;
    for (const CLI::Option* option : all_options(app)) {
        std::string names;
        for (const std::string& name : option->get_snames()) names += " -s " + name;
        for (const std::string& name : option->get_lnames()) names += " -l " + name;
        const char* const value = takes_value(*option) ? " -r" : "";
        script += fmt::format("complete -c vfsproto{}{}{} -d {}\n", when, names, value,
                              in_quotes(first_line(option->get_description())));
    }
    return script;
}

// Returns a function that prints the options of a command that the next word belongs to, one a line.
std::string fish_values(const CLI::App& program) {
    const std::string common = names_in_line(all_options(program), Which::with_value);
    std::string script = "function __vfsproto_values\n    printf '%s\\n' " + common + "\n    switch \"$argv\"\n";
    for (const Command& command : all_commands(program)) {
        const std::string own = names_in_line(all_options(*command.app), Which::with_value);
        if (own.empty()) continue;
        script += fmt::format("        case {}\n            printf '%s\\n' {}\n", in_quotes(command.name), own);
    }
    return script + "    end\nend\n";
}

std::string fish_script(const CLI::App& program) {
    std::string families;
    for (const CLI::App* command : commands_of(program)) {
        if (!commands_of(*command).empty()) families += ' ' + command->get_name();
    }
    std::string script = "# fish completion of vfsproto\nset -g __vfsproto_families" + families + "\n" +
                         fish_values(program) + kFishBody + fish_options(program, "");
    const auto when = [](const std::string& name) {
        return " -n " + in_quotes(name.empty() ? "__vfsproto_at" : "__vfsproto_at " + name);
    };
    const auto add_commands = [&script](const CLI::App& level, const std::string& condition) {
        for (const CLI::App* command : commands_of(level)) {
            script += fmt::format("complete -c vfsproto{} -f -a {} -d {}\n", condition, command->get_name(),
                                  in_quotes(command->get_description()));
        }
    };
    add_commands(program, when(""));
    for (const Command& command : all_commands(program)) {
        script += fish_options(*command.app, when(command.name));
        add_commands(*command.app, when(command.name));
    }
    return script;
}

} // namespace

std::optional<std::string> completion_script(const CLI::App& program, std::string_view shell) {
    if (shell == "bash") return bash_script(program);
    if (shell == "zsh") return zsh_script(program);
    if (shell == "fish") return fish_script(program);
    return std::nullopt;
}

} // namespace vfsproto::cli
