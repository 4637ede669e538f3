// SPDX-License-Identifier: BSD-2-Clause
#include "command_line.hpp"

#include "complaint.hpp"
#include "completion_script.hpp"
#include "help_formatter.hpp"
#include "manual_page.hpp"
#include "protected_word.hpp"
#include "size.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>
#include <utility>

namespace vfsproto::cli {
namespace {

template <class Number> std::from_chars_result read_number(std::string_view word, Number& value) {
    const char* const end = word.data() + word.size();
    std::from_chars_result result = std::from_chars(word.data(), end, value);
    if (result.ec == std::errc() && result.ptr != end) result.ec = std::errc::invalid_argument;
    return result;
}

// Returns what is wrong with a number, or nothing, as the parser's checks do.
template <class Number> std::string check_number(const std::string& word) {
    Number value{};
    const std::errc failed = read_number(as_typed(word), value).ec;
    if (failed == std::errc()) return {};
    if (failed == std::errc::result_out_of_range) return fmt::format("'{}' is too large", as_typed(word));
    return fmt::format("'{}' is no {}number", as_typed(word), std::is_integral_v<Number> ? "whole " : "");
}

bool has_name(std::string_view names, std::string_view name) {
    while (!names.empty()) {
        const std::size_t comma = names.find(',');
        if (names.substr(0, comma) == name) return true;
        names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
    }
    return false;
}

// Adds the names of all commands below `app`.
void add_names(const CLI::App& app, std::vector<std::string>& names) {
    for (const CLI::App* command : commands_of(app)) {
        names.push_back(command->get_name());
        add_names(*command, names);
    }
}

// Returns the command of one level that is called so, or nullptr.
const CLI::App* find_command(const CLI::App& level, const std::string& name) {
    const auto found = level.get_subcommands([&name](const CLI::App* command) { return command->get_name() == name; });
    return found.empty() ? nullptr : found.front();
}

// True if a word is an option of a command, or the last of several letters behind one dash, that takes the next word.
bool takes_value(const CLI::App& command, const std::string& word) {
    if (!looks_like_option(word)) return false;
    const bool is_long = word.starts_with("--");
    const CLI::Option* const option = command.get_option_no_throw(is_long ? word : std::string{'-', word.back()});
    return option != nullptr && cli::takes_value(*option);
}

// Makes an option take one word, the last one where it is given again.
CLI::Option& take_one(CLI::Option& option) {
    option.expected(1)->allow_extra_args(false);
    option.multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    return option;
}

constexpr const char* kHelp = "show this help";

} // namespace

Argument& Argument::required() {
    option_->required();
    return *this;
}

Argument& Argument::between(double least, double most) {
    option_->check([least, most](const std::string& word) {
        double value = 0;
        const bool read = read_number(as_typed(word), value).ec == std::errc();
        if (read && value >= least && value <= most) return std::string();
        return fmt::format("'{}' is not from {} to {}", as_typed(word), least, most);
    });
    return *this;
}

Argument& Argument::excludes(const Argument& other) {
    option_->excludes(other.option_);
    return *this;
}

Argument& Argument::taken_in_order() {
    option_->trigger_on_parse();
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

Argument& Argument::written_as(const char* usage) {
    option_->option_text(usage);
    return *this;
}

Argument& Argument::without_it(const char* default_value) {
    option_->default_str(default_value);
    return *this;
}

Argument& Argument::in_group(const char* heading) {
    option_->group(heading);
    return *this;
}

CLI::Option& Arguments::add_words(const char* name, std::function<void(std::string)> take, const char* help) {
    const bool positional = name[0] != '-';
    const auto take_all = [positional, take = std::move(take)](const std::vector<std::string>& words) {
        for (const std::string& word : words) {
            if (positional && looks_like_option(word)) throw UnknownOption{word};
            take(std::string(as_typed(word)));
        }
    };
    CLI::Option* const option = command_->add_option_function<std::vector<std::string>>(name, take_all, help);
    return *option;
}

Argument Arguments::add_option(const char* name, std::string& value, const char* help) {
    CLI::Option& option = add_words(name, [&value](std::string word) { value = std::move(word); }, help);
    take_one(option).type_name("TEXT")->default_str(value);
    return Argument(option);
}

Argument Arguments::add_option(const char* name, std::vector<std::string>& values, const char* help) {
    const auto defaults = std::make_shared<bool>(true);
    const auto take = [&values, defaults](std::string word) {
        if (std::exchange(*defaults, false)) values.clear();
        values.push_back(std::move(word));
    };
    std::string text;
    for (const std::string& value : values) text.append(text.empty() ? "" : " ").append(value);
    CLI::Option& option = add_words(name, take, help);
    option.default_str(text);
    if (name[0] == '-') option.allow_extra_args(false); // one word each time it is given
    return Argument(option);
}

template <class Number> Argument Arguments::add_number(const char* name, Number& value, const char* help) {
    const auto take = [&value](const std::string& word) { static_cast<void>(read_number(word, value)); };
    CLI::Option& option = add_words(name, take, help);
    take_one(option).type_name("N")->check(check_number<Number>);
    if (value != Number{}) option.default_str(fmt::format("{}", value));
    return Argument(option);
}

Argument Arguments::add_option(const char* name, std::uint16_t& value, const char* help) {
    return add_number(name, value, help);
}

Argument Arguments::add_option(const char* name, unsigned& value, const char* help) {
    return add_number(name, value, help);
}

Argument Arguments::add_option(const char* name, std::uint64_t& value, const char* help) {
    return add_number(name, value, help);
}

Argument Arguments::add_option(const char* name, double& value, const char* help) {
    return add_number(name, value, help);
}

Argument Arguments::add_size(const char* name, std::uint64_t& value, std::uint64_t most, const char* help) {
    const auto take = [&value](const std::string& word) { value = parse_size(word).value_or(value); };
    CLI::Option& option = add_words(name, take, help);
    option.check([most](const std::string& word) {
        const std::uint64_t size = parse_size(as_typed(word)).value_or(0);
        if (size >= 1 && size <= most) return std::string();
        return fmt::format("'{}' is no size from 1 to {}, such as 512, 4K or 1M", as_typed(word), most);
    });
    take_one(option).type_name("SIZE");
    return Argument(option);
}

Argument Arguments::add_text(const char* name, std::optional<std::string>& value, const char* help) {
    CLI::Option& option = add_words(name, [&value](std::string word) { value = std::move(word); }, help);
    take_one(option).type_name("TEXT");
    return Argument(option);
}

Argument Arguments::add_word(const char* name, std::function<bool(const std::string&)> take, const char* help) {
    CLI::Option& option = add_words(name, [](const std::string&) {}, help);
    option.check([take = std::move(take)](const std::string& word) {
        const std::string as_written(as_typed(word));
        return take(as_written) ? std::string() : fmt::format("'{}' is not one of its values", as_written);
    });
    take_one(option).type_name("WORD");
    return Argument(option);
}

Argument Arguments::add_flag(const char* name, bool& value, const char* help) {
    return add_flag(name, [&value] { value = true; }, help);
}

Argument Arguments::add_flag(const char* name, std::function<void()> set, const char* help) {
    if (has_name(name, "-h")) command_->set_help_flag("--help", kHelp);
    CLI::Option* const option = command_->add_flag_callback(name, std::move(set), help);
    option->trigger_on_parse()->disable_flag_override();
    return Argument(*option);
}

void Arguments::rewrite(Rewrite rewritten) { rewrites_->emplace(command_, std::move(rewritten)); }

void Arguments::take_dashed(std::function<bool(std::string_view)> is_argument) {
    rewrite([is_argument = std::move(is_argument)](std::string_view word) {
        return is_argument(word) ? protect(word) : std::string(word);
    });
}

void CommandLevel::add(const char* name, const char* help, std::function<void(const std::string&)> chosen,
                       Describe describe) {
    CLI::App* const command = app_->add_subcommand(name, help);
    const std::string called = app_->get_parent() == nullptr ? name : app_->get_name() + ' ' + name;
    command->callback([called, chosen = std::move(chosen)] { chosen(called); });
    if (describe) descriptions_->emplace(command, std::move(describe));
}

CommandLevel CommandLevel::add_family(const char* name, const char* help) {
    CLI::App* const family = app_->add_subcommand(name, help);
    family->require_subcommand(1);
    return {*family, *descriptions_};
}

CommandLine::CommandLine(const char* about, const char* footer, const char* version)
    : app_(std::make_unique<CLI::App>(about, "vfsproto")), program_footer_(footer) {
    app_->formatter(std::make_shared<HelpFormatter>());
    app_->set_help_flag("-h,--help", kHelp);
    // Commands that are added later inherit the formatter, -h and this footer. The program's own footer is set after
    // them.
    app_->footer("'vfsproto --help' tells of --device, --json and the other options that every command has.");
    app_->fallthrough();
    app_->require_subcommand(1);
    if (version != nullptr) app_->set_version_flag("--version", version, "show the version");
}

CommandLine::~CommandLine() = default;

Arguments CommandLine::arguments() noexcept { return {*app_, rewrites_}; }
CommandLevel CommandLine::commands() noexcept { return {*app_, descriptions_}; }

std::vector<std::string> CommandLine::command_names() const {
    std::vector<std::string> names;
    for (const CLI::App* command : commands_of(*app_)) names.push_back(command->get_name());
    return names;
}

void CommandLine::describe(const std::function<bool(std::string_view)>& is_wanted) {
    for (auto each = descriptions_.begin(); each != descriptions_.end();) {
        CLI::App& command = *each->first;
        if (!is_wanted(command.get_name())) {
            ++each;
            continue;
        }
        each->second(Arguments(command, rewrites_));
        each = descriptions_.erase(each);
    }
}

std::string CommandLine::manual() {
    describe([](std::string_view) { return true; });
    return manual_page(*app_);
}

std::optional<std::string> CommandLine::completion(std::string_view shell) {
    describe([](std::string_view) { return true; });
    return completion_script(*app_, shell);
}

std::vector<std::string> CommandLine::words_of(int argc, char** argv) const {
    std::vector<std::string> commands;
    add_names(*app_, commands);
    std::vector<std::string> words;
    bool options_end = false;
    const CLI::App* current = app_.get();
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const bool is_value =
            !words.empty() && (takes_value(*app_, words.back()) || takes_value(*current, words.back()));
        if (const CLI::App* named = is_value ? nullptr : find_command(*current, argv[i])) current = named;
        const bool is_command = std::find(commands.begin(), commands.end(), word) != commands.end();
        if (!options_end && word == "--") {
            options_end = true;
        } else if (is_command) {
            words.emplace_back(word);
        } else if (options_end || !looks_like_option(word)) {
            words.push_back(protect(word));
        } else if (word.starts_with("--") && word.find('=') == word.size() - 1) {
            words.push_back(std::string(word) + protect("")); // an empty value is a value
        } else {
            const auto rewrite = is_value ? rewrites_.end() : rewrites_.find(current);
            words.push_back(rewrite == rewrites_.end() ? std::string(word) : rewrite->second(word));
        }
    }
    std::reverse(words.begin(), words.end());
    return words;
}

CommandLine::Parsed CommandLine::parse(int argc, char** argv) {
    describe([argc, argv](std::string_view name) { return std::find(argv, argv + argc, name) != argv + argc; });
    std::vector<std::string> words = words_of(argc, argv);
    app_->footer(program_footer_);
    const auto refuse = [this](Complaint complaint) {
        command_ = std::move(complaint.command);
        text_ = std::move(complaint.text);
        return Parsed::wrong;
    };
    try {
        app_->parse(words);
        return Parsed::command;
    } catch (const CLI::Success& wanted) {
        std::ostringstream text;
        app_->exit(wanted, text, text);
        text_ = text.str();
        return Parsed::told;
    } catch (const UnknownOption& unknown) {
        return refuse(complaint(*app_, unknown));
    } catch (const CLI::ParseError& wrong) {
        return refuse(complaint(*app_, wrong));
    }
}

} // namespace vfsproto::cli
