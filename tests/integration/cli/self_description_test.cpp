// SPDX-License-Identifier: BSD-2-Clause
// The program says of itself what a manual page shows, and what shells complete lines by.
#include "integration/cli/share.hpp"
#include "support/skip.hpp"

#include <sys/wait.h>

#include <cstdlib>
#include <regex>
#include <set>
#include <sstream>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

// Runs a line of sh.
Ran run_line(const std::string& line) {
    const ScratchDirectory scratch;
    const std::string out = (scratch.path() / "out").string();
    const std::string err = (scratch.path() / "err").string();
    const int status = std::system(("{ " + line + "\n} >" + out + " 2>" + err).c_str());
    return {WEXITSTATUS(status), Share::contents(out), Share::contents(err)};
}
bool is_here(const std::string& program) { return run_line("command -v " + program).status == 0; }

std::string told(std::vector<std::string> words) {
    const Ran ran = run_program(std::move(words));
    CHECK(ran.status == 0);
    CHECK(ran.err == "");
    return ran.out;
}

// Returns what the second column of matches holds.
std::set<std::string> matches_in(const std::string& text, const char* pattern) {
    std::set<std::string> found;
    const std::regex wanted(pattern);
    for (std::sregex_iterator at(text.begin(), text.end(), wanted), end; at != end; ++at) found.insert((*at)[1]);
    return found;
}

// Returns the commands that a help lists, with those of the families.
std::vector<std::vector<std::string>> all_commands() {
    std::vector<std::vector<std::string>> all;
    const auto listed = [](const std::string& help) {
        const std::size_t from = help.find("\nCommands:\n");
        if (from == std::string::npos) return std::set<std::string>();
        const std::size_t end = help.find("\n\n", from + 1);
        return matches_in(help.substr(from, end - from), "\n  ([a-z0-9]+) ");
    };
    for (const std::string& name : listed(told({"--help"}))) {
        const std::set<std::string> below = listed(told({name, "--help"}));
        if (below.empty()) all.push_back({name});
        for (const std::string& one : below) all.push_back({name, one});
    }
    return all;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(word);
    return text;
}

// Returns what bash would offer at the end of a line.
std::set<std::string> offered_by_bash(const fs::path& script, const std::string& line) {
    const ScratchDirectory scratch;
    std::ofstream(scratch.path() / "line")
        << "source " << script.string() << "\nCOMP_LINE='" << line
        << "'; COMP_POINT=${#COMP_LINE}; _vfsproto; printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    const Ran ran = run_line("bash " + (scratch.path() / "line").string());
    CHECK(ran.err == "");
    std::set<std::string> offered;
    std::istringstream lines(ran.out);
    for (std::string one; std::getline(lines, one);) {
        if (!one.empty()) offered.insert(one);
    }
    return offered;
}

// Returns what fish offers at the end of a line.
std::set<std::string> offered_by_fish(const fs::path& script, const std::string& line) {
    const ScratchDirectory scratch;
    std::ofstream(scratch.path() / "line") << "source " << script.string() << "; complete -C '" << line << "'\n";
    const Ran ran = run_line("cd " + scratch.path().string() + "; rm -f out err; fish line");
    CHECK(ran.err == "");
    std::set<std::string> offered;
    std::istringstream lines(ran.out);
    for (std::string one; std::getline(lines, one);) offered.insert(one.substr(0, one.find('\t')));
    return offered;
}

} // namespace

TEST_CASE("the manual page has every command, and every option that its help has", "[cli]") {
    const std::string page = told({"manual"});
    std::string plain = std::regex_replace(page, std::regex("\\\\-"), "-");
    const auto commands = all_commands();
    CHECK(commands.size() > 30);
    for (const auto& command : commands) {
        const std::string name = joined(command);
        INFO(name);
        const std::size_t from = plain.find("\n.SS vfsproto " + name + " [OPTION]...");
        REQUIRE(from != std::string::npos);
        const std::string part = plain.substr(from, plain.find("\n.SS ", from + 1) - from);
        auto words = command;
        words.push_back("--help");
        for (const std::string& option : matches_in(told(words), "\n +(?:-[A-Za-z0-9], )*(--[a-z-]+)")) {
            INFO(option);
            CHECK(contains(part, option));
        }
    }
    CHECK(contains(plain, "VFSPROTO_DEVICE"));
}

TEST_CASE("troff finds no fault with the manual page", "[cli]") {
    if (!is_here("groff")) return skip("there is no groff");
    const Ran ran = run_line(program_path() + " manual | groff -k -man -Tutf8 -ww 2>&1 >/dev/null");
    CHECK(ran.out == "");
    CHECK(ran.status == 0);
}

TEST_CASE("bash completes commands and options, and leaves files to itself", "[cli]") {
    const ScratchDirectory scratch;
    const fs::path script = scratch.path() / "completion";
    std::ofstream(script) << told({"completion", "bash"});
    using Offered = std::set<std::string>;
    CHECK(offered_by_bash(script, "vfsproto tru") == Offered{"truncate"});
    CHECK(offered_by_bash(script, "vfsproto --device dir:. tru") == Offered{"truncate"});
    CHECK(offered_by_bash(script, "vfsproto --device=dir:. tru") == Offered{"truncate"});
    CHECK(offered_by_bash(script, "vfsproto --device tru").empty());
    CHECK(offered_by_bash(script, "vfsproto xattr ") == Offered{"get", "ls", "rm", "set"});
    CHECK(offered_by_bash(script, "vfsproto get --no-t") == Offered{"--no-target-directory"});
    CHECK(offered_by_bash(script, "vfsproto get --trace=f --trace-f") == Offered{"--trace-format"});
    CHECK(offered_by_bash(script, "vfsproto get rm --devices --chec") == Offered{"--checksum"});
    CHECK(offered_by_bash(script, "vfsproto get fi").empty());
    for (const auto& command : all_commands()) {
        INFO(joined(command));
        auto words = command;
        words.push_back("--help");
        const std::set<std::string> options = matches_in(told(words), "\n +(?:-[A-Za-z0-9], )*(--[a-z-]+)");
        const std::set<std::string> offered = offered_by_bash(script, "vfsproto " + joined(command) + " --");
        for (const std::string& option : options) CHECK(offered.contains(option));
    }
}

TEST_CASE("fish completes commands and options of the command that it is in", "[cli]") {
    if (!is_here("fish")) return skip("there is no fish");
    const ScratchDirectory scratch;
    const fs::path script = scratch.path() / "completion";
    std::ofstream(script) << told({"completion", "fish"});
    using Offered = std::set<std::string>;
    CHECK(offered_by_fish(script, "vfsproto tru") == Offered{"truncate"});
    CHECK(offered_by_fish(script, "vfsproto --device x tru") == Offered{"truncate"});
    CHECK(offered_by_fish(script, "vfsproto xattr ") == Offered{"get", "ls", "rm", "set"});
    CHECK(offered_by_fish(script, "vfsproto get ls --no-t") == Offered{"--no-target-directory"});
    CHECK(offered_by_fish(script, "vfsproto get -t ls --trace-f") == Offered{"--trace-format"});
    const Offered of_xattr = offered_by_fish(script, "vfsproto xattr get --");
    CHECK(of_xattr.contains("--help"));
    CHECK(of_xattr.contains("--device"));
    CHECK_FALSE(of_xattr.contains("--checksum"));
}

TEST_CASE("zsh completes options behind a command and its other options", "[cli]") {
    if (!is_here("zsh")) return skip("there is no zsh");
    const ScratchDirectory scratch;
    std::ofstream(scratch.path() / "_vfsproto") << told({"completion", "zsh"});
    // A shell inside, which is typed to. Its words are written so that what is typed does not look like what it answers.
    std::ofstream(scratch.path() / "line") << "zmodload zsh/zpty\n"
                                              "zpty inside zsh -f -i\n"
                                              "zpty -w inside 'PS1=; fpath=('$1' $fpath); autoload -Uz compinit'\n"
                                              "zpty -w inside 'compinit -D -u; print rea\"\"dy'\n"
                                              "zpty -r inside seen '*ready*'\n"
                                              "zpty -w -n inside \"$2\"$'\\t'\n"
                                              "zpty -r inside seen \"*$3*\" && print seen\n";
    const auto completes = [&](const std::string& typed, const std::string& shown) {
        INFO(typed);
        const std::string line = "timeout 20 zsh -f " + (scratch.path() / "line").string() + " '" +
                                 scratch.path().string() + "' '" + typed + "' '" + shown + "'";
        CHECK(run_line(line).out == "seen\n");
    };
    completes("vfsproto tru", "truncate");
    completes("vfsproto --device x tru", "truncate");
    completes("vfsproto ls --device x --almost", "--almost-all");
    completes("vfsproto xattr get --trace-su", "--trace-summary");
    completes("vfsproto get --exclude a --exclud", "--exclude a --exclude");
}

TEST_CASE("a shell that nobody knows is wrong usage", "[cli]") {
    const Ran ran = run_program({"completion", "tcsh"});
    CHECK(ran.status == 2);
    CHECK(contains(ran.err, "tcsh"));
}
