// SPDX-License-Identifier: BSD-2-Clause
#include "arguments.hpp"

#include <CLI/CLI.hpp>

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

Argument Arguments::add_option(const char* name, std::string& value, const char* help) {
    return Argument(*command_->add_option(name, value, help));
}

Argument Arguments::add_option(const char* name, std::vector<std::string>& values, const char* help) {
    return Argument(*command_->add_option(name, values, help));
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

} // namespace vfsproto::cli
