// SPDX-License-Identifier: BSD-2-Clause
#include "command_line.hpp"

#include <CLI/CLI.hpp>

#include <utility>

namespace vfsproto::cli {

Argument& Argument::required() {
    option_->required();
    return *this;
}

Argument& Argument::two_or_more() {
    constexpr int kUnlimited = 1 << 20;
    option_->expected(2, kUnlimited);
    return *this;
}

Argument& Argument::between(double least, double most) {
    option_->check(CLI::Range(least, most));
    return *this;
}

Argument& Argument::excludes(const Argument& other) {
    option_->excludes(other.option_);
    return *this;
}

Argument& Argument::from_variable(const char* name) {
    option_->envname(name);
    return *this;
}

Argument& Argument::shown_as(const char* value) {
    option_->type_name(value);
    return *this;
}

Argument& Argument::in_group(const char* heading) {
    option_->group(heading);
    return *this;
}

Argument Arguments::add_option(const char* name, std::string& value, const char* help) {
    return Argument(*command_->add_option(name, value, help));
}

Argument Arguments::add_option(const char* name, std::vector<std::string>& values, const char* help) {
    return Argument(*command_->add_option(name, values, help));
}

Argument Arguments::add_option(const char* name, std::uint16_t& value, const char* help) {
    return Argument(*command_->add_option(name, value, help));
}

Argument Arguments::add_option(const char* name, unsigned& value, const char* help) {
    return Argument(*command_->add_option(name, value, help));
}

Argument Arguments::add_option(const char* name, std::uint64_t& value, const char* help) {
    return Argument(*command_->add_option(name, value, help));
}

Argument Arguments::add_option(const char* name, double& value, const char* help) {
    return Argument(*command_->add_option(name, value, help));
}

Argument Arguments::add_size(const char* name, std::uint64_t& value, std::uint64_t most, const char* help) {
    return Argument(*command_->add_option(name, value, help)
                         ->transform(CLI::AsSizeValue(false))
                         ->check(CLI::Range(std::uint64_t{1}, most)));
}

Argument Arguments::add_word(const char* name, std::function<bool(const std::string&)> take, const char* help) {
    const auto refuse_or_take = [name, take = std::move(take)](const std::string& word) {
        if (!take(word)) throw CLI::ValidationError(name, word + " is none of the words it knows");
    };
    return Argument(*command_->add_option_function<std::string>(name, refuse_or_take, help));
}

Argument Arguments::add_flag(const char* name, bool& value, const char* help) {
    return Argument(*command_->add_flag(name, value, help));
}

Argument Arguments::add_flag(const char* name, std::function<void()> set, const char* help) {
    return Argument(*command_->add_flag_callback(name, std::move(set), help));
}

Arguments CommandLevel::add(const char* name, const char* help, std::function<void(const std::string&)> chosen) {
    CLI::App* const command = app_->add_subcommand(name, help);
    const std::string called = app_->get_parent() == nullptr ? name : app_->get_name() + ' ' + name;
    command->callback([called, chosen = std::move(chosen)] { chosen(called); });
    return Arguments(*command);
}

CommandLevel CommandLevel::add_family(const char* name, const char* help) {
    CLI::App* const family = app_->add_subcommand(name, help);
    family->require_subcommand(1);
    return CommandLevel(*family);
}

CommandLine::CommandLine(const char* about, const char* footer) : app_(std::make_unique<CLI::App>(about, "vfsproto")) {
    app_->footer(footer);
    app_->fallthrough();
    app_->require_subcommand(1);
}

CommandLine::~CommandLine() = default;

Arguments CommandLine::arguments() noexcept { return Arguments(*app_); }
CommandLevel CommandLine::commands() noexcept { return CommandLevel(*app_); }

CommandLine::Parsed CommandLine::parse(int argc, char** argv) {
    try {
        app_->parse(argc, argv);
        return Parsed::command;
    } catch (const CLI::Success& wanted) {
        app_->exit(wanted); // prints the help
        return Parsed::help;
    } catch (const CLI::ParseError& wrong) {
        complaint_ = std::string(wrong.what()) + " (vfsproto --help says more)";
        return Parsed::wrong;
    }
}

} // namespace vfsproto::cli
