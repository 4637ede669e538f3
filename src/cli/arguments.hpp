// SPDX-License-Identifier: BSD-2-Clause
// The arguments and options of one command, as it describes them to the parser. The parser's own header is large: only
// main.cpp, arguments.cpp and commands.cpp include it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
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
    // Wants two words or more.
    Argument& two_or_more();
    // Wants a number from `least` to `most`.
    Argument& between(double least, double most);
    Argument& excludes(const Argument& other);

private:
    CLI::Option* option_;
};

// Names are the parser's: "path" is an argument, "-a,--all" an option. The variables outlive the parsing.
class Arguments {
public:
    explicit Arguments(CLI::App& command) noexcept : command_(&command) {}

    Argument add_option(const char* name, std::string& value, const char* help);
    Argument add_option(const char* name, std::vector<std::string>& values, const char* help);
    Argument add_option(const char* name, unsigned& value, const char* help);
    Argument add_option(const char* name, std::uint64_t& value, const char* help);
    Argument add_option(const char* name, double& value, const char* help);
    // Takes a number of bytes from 1 to `most`, also with k, m, g behind it.
    Argument add_size(const char* name, std::uint64_t& value, std::uint64_t most, const char* help);
    // Passes the word to `take`, which returns false to refuse it.
    Argument add_word(const char* name, std::function<bool(const std::string&)> take, const char* help);
    Argument add_flag(const char* name, bool& value, const char* help);

private:
    CLI::App* command_;
};

} // namespace vfsproto::cli
