// SPDX-License-Identifier: BSD-2-Clause
// The command line: what a command says of its options and arguments, and the parser. The parser's library is large; only
// command_line.cpp, complaint.cpp, help_formatter.cpp, manual_page.cpp and completion_script.cpp include it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace vfsproto::cli {

// One argument or option that was added. A view of what the parser owns.
class Argument {
public:
    explicit Argument(CLI::Option& option) noexcept : option_(&option) {}

    Argument& required();
    // Wants a number from `least` to `most`.
    Argument& between(double least, double most);
    Argument& excludes(const Argument& other);
    // Takes its value as soon as it is met: of several options that set the same thing the last one holds.
    Argument& taken_in_order();
    // Takes its value from a variable of the environment if the line has none.
    Argument& from_variable(const char* name);
    // Names the value in the help.
    Argument& shown_as(const char* value);
    // Shows an argument in the help by these words: "SOURCE... TARGET".
    Argument& written_as(const char* usage);
    // Says in the help what holds without the option. Numbers other than 0 and texts say it themselves.
    Argument& without_it(const char* default_value);
    // Lists it under another heading of the help.
    Argument& in_group(const char* heading);

private:
    CLI::Option* option_;
};

// Returns the word that the parser is to see in the place of one that begins with a dash.
using Rewrite = std::function<std::string(std::string_view)>;
using Rewrites = std::map<const CLI::App*, Rewrite>; // of each command that has one

class Arguments;
// Adds the options and arguments of a command.
using Describe = std::function<void(Arguments)>;
// The commands whose options and arguments were not added yet: only a line that names a command needs them.
using Descriptions = std::map<CLI::App*, Describe>;

// The options and arguments of one command, or those of all. "path" is an argument, "-a,--all" an option. Words are taken as
// they are. Of an option that is given twice the last one holds. A command that has an option -h has --help alone for its
// help. The variables outlive the parsing.
class Arguments {
public:
    Arguments(CLI::App& command, Rewrites& rewrites) noexcept : command_(&command), rewrites_(&rewrites) {}

    Argument add_option(const char* name, std::string& value, const char* help);
    Argument add_option(const char* name, std::vector<std::string>& values, const char* help);
    Argument add_option(const char* name, std::uint16_t& value, const char* help);
    Argument add_option(const char* name, unsigned& value, const char* help);
    Argument add_option(const char* name, std::uint64_t& value, const char* help);
    Argument add_option(const char* name, double& value, const char* help);
    // Takes a number of bytes from 1 to `most`, also with K, M, G behind it.
    Argument add_size(const char* name, std::uint64_t& value, std::uint64_t most, const char* help);
    // Takes a text that may be empty, which is not the same as none.
    Argument add_text(const char* name, std::optional<std::string>& value, const char* help);
    // Passes the word to `take`, which returns false to refuse it.
    Argument add_word(const char* name, std::function<bool(const std::string&)> take, const char* help);
    Argument add_flag(const char* name, bool& value, const char* help);
    // Calls `set` when the flag is met, in the order of the line.
    Argument add_flag(const char* name, std::function<void()> set, const char* help);

    // Lets a command take words with a dash that are no options, as "-5" of head for "-n5".
    void rewrite(Rewrite rewritten);
    // Says which words are arguments of this command though they begin with a dash, as the mode "-x" of chmod.
    void take_dashed(std::function<bool(std::string_view)> is_argument);

private:
    template <class Number> Argument add_number(const char* name, Number& value, const char* help);
    // Takes each word in the order of the line; `take` throws what the parser catches.
    CLI::Option& add_words(const char* name, std::function<void(std::string)> take, const char* help);

    CLI::App* command_;
    Rewrites* rewrites_;
};

// A level of commands. A view of what the parser owns.
class CommandLevel {
public:
    CommandLevel(CLI::App& app, Descriptions& descriptions) noexcept : app_(&app), descriptions_(&descriptions) {}

    // Adds a command. `chosen` is called with its name ("xattr get") when the line names it. `describe` is called when its options
    // are needed, and may be empty.
    void add(const char* name, const char* help, std::function<void(const std::string&)> chosen, Describe describe);
    // Adds a command that needs one of its own commands after it.
    [[nodiscard]] CommandLevel add_family(const char* name, const char* help);

private:
    CLI::App* app_;
    Descriptions* descriptions_;
};

class CommandLine {
public:
    // `version` is what --version prints, nullptr: there is no such option. `footer` stands below the program's help.
    CommandLine(const char* about, const char* footer, const char* version);
    ~CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    // The options that every command has.
    [[nodiscard]] Arguments arguments() noexcept;
    [[nodiscard]] CommandLevel commands() noexcept;

    // Returns the names of the first level, in the order of the help.
    [[nodiscard]] std::vector<std::string> command_names() const;

    // Return what the program says of itself: its page for man(1), and what a shell completes lines by; see completion_script.hpp.
    [[nodiscard]] std::string manual();
    [[nodiscard]] std::optional<std::string> completion(std::string_view shell);

    enum class Parsed : std::uint8_t { command, told, wrong };
    // Fills the variables and calls what was chosen. text() is the help or the version that was asked for, or what is wrong with
    // command().
    [[nodiscard]] Parsed parse(int argc, char** argv);
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    // Returns the command whose line is wrong; empty where none is named.
    [[nodiscard]] const std::string& command() const noexcept { return command_; }

private:
    // Adds the options of those commands that `is_wanted` returns true for, and that have none yet.
    void describe(const std::function<bool(std::string_view)>& is_wanted);
    // Returns the words of the line, the last one first, protected from the parser.
    [[nodiscard]] std::vector<std::string> words_of(int argc, char** argv) const;

    std::unique_ptr<CLI::App> app_;
    Rewrites rewrites_;
    Descriptions descriptions_;
    const char* program_footer_;
    std::string command_;
    std::string text_;
};

} // namespace vfsproto::cli
