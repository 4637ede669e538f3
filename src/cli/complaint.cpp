// SPDX-License-Identifier: BSD-2-Clause
#include "complaint.hpp"

#include "help_formatter.hpp"
#include "nearest.hpp"
#include "protected_word.hpp"

#include <fmt/format.h>

#include <string_view>
#include <vector>

namespace vfsproto::cli {
namespace {

// The commands that the line names, from the program on.
using Named = std::vector<const CLI::App*>;

Named named_commands(const CLI::App& program) {
    Named named{&program};
    while (!named.back()->get_subcommands().empty()) named.push_back(named.back()->get_subcommands().front());
    return named;
}

// Returns the words of a command, "xattr get"; nothing for the program itself.
std::string name_of(const Named& named) {
    std::string name;
    for (std::size_t i = 1; i < named.size(); ++i) name.append(i == 1 ? "" : " ").append(named[i]->get_name());
    return name;
}

// Puts how to get the command's help behind what is wrong.
std::string with_help(const Named& named, std::string_view what) {
    const std::string name = name_of(named);
    return fmt::format("{} ('vfsproto{}{} --help' says more)", what, name.empty() ? "" : " ", name);
}

std::string suggestion(const std::string& word) {
    return word.empty() ? std::string() : fmt::format(", did you mean {}?", word);
}

std::string unknown_option(const Named& named, std::string_view word) {
    std::vector<std::string> known;
    for (const CLI::App* command : named) {
        for (const CLI::Option* option : command->get_options()) {
            for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
        }
    }
    // The first letter behind one dash is not known: those before it were taken.
    word = word.starts_with("--") ? word.substr(0, word.find('=')) : word.substr(0, 2);
    const std::string near = word.starts_with("--") ? nearest(word, known) : std::string();
    return with_help(named, fmt::format("unknown option {}{}", word, suggestion(near)));
}

// Says which command is not known, or that none is named.
std::string no_command(const Named& named, const std::vector<std::string>& left) {
    if (left.empty()) return with_help(named, "which command?");
    const std::string word(as_typed(left.front()));
    if (left.front().starts_with('-')) return unknown_option(named, word);
    std::vector<std::string> known;
    for (const CLI::App* command : named.back()->get_subcommands({})) known.push_back(command->get_name());
    return with_help(named, fmt::format("unknown command '{}'{}", word, suggestion(nearest(word, known))));
}

std::string left_over(const Named& named, const std::vector<std::string>& left) {
    for (const std::string& word : left) {
        if (word.starts_with('-')) return unknown_option(named, word);
    }
    return with_help(named, fmt::format("unexpected argument '{}'", left.empty() ? "" : as_typed(left.front())));
}

std::string missing(const Named& named) {
    for (const CLI::Option* option : named.back()->get_options()) {
        if (option->get_required() && option->empty()) {
            return with_help(named, fmt::format("{} is missing", shown_name(*option)));
        }
    }
    return with_help(named, "an argument is missing");
}

std::string excluded(const Named& named) {
    for (const CLI::App* command : named) {
        for (const CLI::Option* option : command->get_options()) {
            for (const CLI::Option* other : option->get_excludes()) {
                if (option->empty() || other->empty()) continue;
                return with_help(named,
                                 fmt::format("{} and {} exclude each other", option->get_name(), other->get_name()));
            }
        }
    }
    return with_help(named, "options exclude each other");
}

// The parser says "NAME: …" of an option without a value, and "NAME was given …" of a flag with one.
std::string mismatch(const Named& named, const std::string& text) {
    const std::size_t colon = text.find(':');
    if (colon != std::string::npos) return with_help(named, text.substr(0, colon) + " wants a value");
    return with_help(named, "--" + text.substr(0, text.find(' ')) + " takes no value");
}

std::string text_of(const CLI::App& program, const Named& named, const CLI::ParseError& error) {
    const bool is_extra = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
    const bool is_missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
    if ((is_extra || is_missing) && named.back()->get_require_subcommand_min() > 0) {
        return no_command(named, program.remaining());
    }
    // An option that is not known may be why something is missing.
    if (is_extra || (is_missing && program.remaining_size() != 0)) return left_over(named, program.remaining());
    if (is_missing) return missing(named);
    if (dynamic_cast<const CLI::ExcludesError*>(&error) != nullptr) return excluded(named);
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) return mismatch(named, error.what());
    return with_help(named, error.what());
}

} // namespace

Complaint complaint(const CLI::App& program, const UnknownOption& unknown) {
    const Named named = named_commands(program);
    return {name_of(named), unknown_option(named, unknown.word)};
}

Complaint complaint(const CLI::App& program, const CLI::ParseError& error) {
    const Named named = named_commands(program);
    return {name_of(named), text_of(program, named, error)};
}

} // namespace vfsproto::cli
