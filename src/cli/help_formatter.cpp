// SPDX-License-Identifier: BSD-2-Clause
#include "help_formatter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace vfsproto::cli {
namespace {

constexpr std::size_t kWidth = 28; // columns of the names, with the space before and behind them

std::string upper(std::string text) {
    for (char& letter : text) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    return text;
}

// Returns an argument as the usage line shows it: "[PATH]...", "SOURCE".
std::string usage_of(const CLI::Option& option) {
    if (!option.get_option_text().empty()) return option.get_option_text();
    std::string usage = upper(option.get_name());
    if (!option.get_required()) usage = "[" + usage + "]";
    const bool many = option.get_expected_max() >= CLI::detail::expected_max_vector_size;
    return many ? usage + "..." : usage;
}

} // namespace

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() != 0; }

std::string usage_line(const CLI::App& app, const std::string& name) {
    std::string usage = name + " [OPTION]...";
    for (const CLI::Option* argument : arguments_of(app)) usage += ' ' + usage_of(*argument);
    return usage;
}

std::string names_of(const CLI::Option& option) {
    if (is_positional(option)) {
        return option.get_option_text().empty() ? upper(option.get_name()) : option.get_option_text();
    }
    std::string names;
    for (const std::string& name : option.get_snames()) names.append(names.empty() ? "-" : ", -").append(name);
    if (names.empty()) names = "  ";
    const char* before = names == "  " ? "  --" : ", --";
    for (const std::string& name : option.get_lnames()) names.append(std::exchange(before, ", --")).append(name);
    const std::string value = option.get_type_name();
    return takes_value(option) ? names + ' ' + value : names;
}

std::string description_of(const CLI::Option& option) {
    std::string text = option.get_description();
    if (!option.get_envname().empty()) text += fmt::format(" (default: the variable {})", option.get_envname());
    if (!option.get_default_str().empty()) text += fmt::format(" (default: {})", option.get_default_str());
    return text;
}

Options arguments_of(const CLI::App& app) {
    return app.get_options([](const CLI::Option* option) { return is_positional(*option); });
}

Options options_of(const CLI::App& app, const std::string& heading) {
    Options options = app.get_options(
        [&heading](const CLI::Option* option) { return !is_positional(*option) && option->get_group() == heading; });
    std::stable_partition(options.begin(), options.end(), [&app](const CLI::Option* option) {
        return option != app.get_help_ptr() && option != app.get_version_ptr();
    });
    return options;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

namespace {

std::string line(const std::string& name, std::string description) {
    const std::string margin(kWidth, ' ');
    for (std::size_t at = 0; (at = description.find('\n', at)) != std::string::npos; ++at) {
        description.insert(at + 1, margin);
    }
    if (name.size() + 4 <= kWidth) return fmt::format("  {:<{}}{}\n", name, kWidth - 2, description);
    return fmt::format("  {}\n{}{}\n", name, margin, description);
}

std::string lines_of(const std::string& title, const Options& options) {
    if (options.empty()) return {};
    std::string text = "\n" + title + ":\n";
    for (const CLI::Option* option : options) text += line(names_of(*option), description_of(*option));
    return text;
}

} // namespace

bool is_positional(const CLI::Option& option) { return option.get_lnames().empty() && option.get_snames().empty(); }

std::string shown_name(const CLI::Option& option) {
    return is_positional(option) ? upper(option.get_name()) : option.get_name();
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode /*mode*/) const {
    const auto commands = commands_of(*app);
    const auto arguments = arguments_of(*app);
    std::string text = fmt::format("{}\nUsage: {}", app->get_description(), usage_line(*app, name));
    if (!commands.empty()) text += " COMMAND [ARGUMENT]...";
    text += '\n';
    if (!commands.empty()) text += "\nCommands:\n";
    for (const CLI::App* command : commands) text += line(command->get_name(), command->get_description());
    text += lines_of("Arguments", arguments);
    for (const std::string& group : app->get_groups()) text += lines_of(group, options_of(*app, group));
    return text + "\n" + app->get_footer() + "\n";
}

} // namespace vfsproto::cli
