// SPDX-License-Identifier: BSD-2-Clause
// docs/coreutils.md tells the truth: each of its rows is run with our program and with that of coreutils, on equal trees.
#include "integration/cli/coreutils_page.hpp"
#include "integration/cli/share.hpp"
#include "integration/cli/tree.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <map>
#include <regex>
#include <set>
#include <utility>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

using Tree = std::map<std::string, std::string>;
using Moment = std::pair<long, long>; // seconds and nanoseconds

const std::regex kTime(R"( mtime -?\d+\.\d+)"); // of modification, as describe() tells it

Moment moment_of(const timespec& time) { return {time.tv_sec, time.tv_nsec}; }

Moment now(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return moment_of(time);
}
// A file system may take its times from the coarse clock, which is behind the other by some milliseconds.
Moment earliest_now() { return now(CLOCK_REALTIME_COARSE); }
Moment latest_now() { return now(CLOCK_REALTIME); }

// Returns a time for a message: "now" if the command may have made it. Times of the tree are before that or in the far future.
std::string told(const Moment& time, const Moment& start, const Moment& end) {
    return time >= start && time <= end ? "now" : std::to_string(time.first) + '.' + std::to_string(time.second);
}

// Describes a tree that a command has left, which ran from `start` on.
Tree tree_of(const fs::path& top, const Moment& start) {
    const Moment end = latest_now();
    Tree times;
    const auto note = [&](const std::string& name, const fs::path& path) {
        struct stat info{};
        REQUIRE(::lstat(path.c_str(), &info) == 0);
        times[name] = " mtime " + told(moment_of(info.st_mtim), start, end) + " atime " +
                      told(moment_of(info.st_atim), start, end);
    };
    note(".", top);
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
        note(entry.path().lexically_relative(top), entry.path());
    }
    Tree tree = describe_tree(top);
    for (auto& [name, description] : tree) description = std::regex_replace(description, kTime, times[name]);
    return tree;
}

struct Outcome {
    int status = -1; // of the shell
    std::string out;
    std::string err;
    Tree tree;

    [[nodiscard]] bool failed() const { return status != 0; }
};

// Two equal trees, one for each side, made anew as often as wanted.
class Twins {
public:
    explicit Twins(const std::string& script) {
        fs::create_directory(master());
        REQUIRE(run(master(), script, "master").status == 0);
        renew();
    }

    [[nodiscard]] fs::path top(const std::string& side) const { return scratch_.path() / side; }

    void renew() const {
        for (const char* side : {"ours", "theirs"}) {
            fs::remove_all(top(side));
            REQUIRE(std::system(("cp -a '" + master().string() + "' '" + top(side).string() + "'").c_str()) == 0);
        }
    }

    [[nodiscard]] Outcome run(const fs::path& directory, const std::string& command, const std::string& name) const {
        const std::string out = top(name + ".out");
        const std::string err = top(name + ".err");
        const std::string line = "cd '" + directory.string() + "' && umask 022 && export LC_ALL=C TZ=UTC && {\n" +
                                 command + "\n} >'" + out + "' 2>'" + err + "'";
        Outcome outcome;
        const int left = std::system(line.c_str());
        outcome.status = WIFEXITED(left) ? WEXITSTATUS(left) : -WTERMSIG(left);
        outcome.out = Share::contents(out);
        outcome.err = Share::contents(err);
        return outcome;
    }
    // Runs a row on one side and describes what it left there.
    [[nodiscard]] Outcome run_row(const std::string& side, const std::string& command) const {
        const Moment start = earliest_now();
        Outcome outcome = run(top(side), command, side);
        outcome.tree = tree_of(top(side), start);
        return outcome;
    }

private:
    [[nodiscard]] fs::path master() const { return top("master"); }

    ScratchDirectory scratch_{Scratch::memory};
};

std::multiset<std::string> lines_of(const std::string& text) {
    std::multiset<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find_first_of(std::string_view("\n\0", 2), at), text.size() - 1);
        lines.insert(text.substr(at, end + 1 - at));
        at = end + 1;
    }
    return lines;
}

bool is_same_output(const CoreutilsRow& row, const std::string& ours, const std::string& theirs) {
    return row.result == "same lines" ? lines_of(ours) == lines_of(theirs) : ours == theirs;
}

// Returns the beginning of a text, for a message.
std::string beginning(const std::string& text) {
    constexpr std::size_t kMost = 600; // bytes
    return text.size() <= kMost ? text : text.substr(0, kMost) + "…";
}

// Returns in which way the two differ; empty if they are the same.
std::string difference_of(const CoreutilsRow& row, const Outcome& ours, const Outcome& theirs) {
    std::string text;
    if (ours.failed() != theirs.failed()) {
        text += "status " + std::to_string(ours.status) + ", the other " + std::to_string(theirs.status) + "\n";
    }
    if (!is_same_output(row, ours.out, theirs.out)) {
        text += "prints:\n" + beginning(ours.out) + "the other:\n" + beginning(theirs.out);
    }
    return text + difference(theirs.tree, ours.tree);
}

bool is_gnu() { return std::system("ls --version 2>/dev/null | grep -q 'GNU coreutils'") == 0; }

std::string page_text() { return Share::contents(fs::path(VFSPROTO_SOURCE_DIR) / "docs/coreutils.md"); }

// Returns the lines of a help text below a heading, without their indentation.
std::vector<std::string> lines_below(const std::string& help, const std::string& heading) {
    std::vector<std::string> lines;
    std::istringstream all(help);
    bool is_below = false;
    for (std::string line; std::getline(all, line);) {
        if (!line.starts_with("  ")) {
            is_below = line == heading;
        } else if (const std::size_t first = line.find_first_not_of(' '); is_below && first < 8) {
            lines.push_back(line.substr(first));
        }
    }
    return lines;
}

// True if a section uses the option: "-a" also in "-la".
bool uses(const std::string& section, const std::string& option) {
    const bool is_long = option.starts_with("--");
    return std::regex_search(section, std::regex("[ `]" + (is_long ? option : "-[A-Za-z0-9]*" + option.substr(1))));
}

} // namespace

TEST_CASE("what docs/coreutils.md says of each command is so", "[cli][heavy]") {
    if (!is_gnu()) return skip("ls is not that of GNU coreutils");
    const CoreutilsPage page = read_coreutils_page(page_text());
    constexpr std::size_t kLeastRows = 150;
    REQUIRE(page.rows.size() >= kLeastRows);
    if (::geteuid() != 0) skip("chown: only root gives files away");
    const Twins twins(page.tree);
    const Tree before = tree_of(twins.top("ours"), latest_now());
    const std::string program = "'" + program_path() + "' --device 'dir:" + twins.top("ours").string() + "' ";
    for (const CoreutilsRow& row : page.rows) {
        if (row.command == "chown" && ::geteuid() != 0) continue;
        INFO("docs/coreutils.md:" << row.line << ": " << row.ours << " [" << row.result << "]");
        const Outcome ours = twins.run_row("ours", program + row.ours);
        const Outcome theirs = twins.run_row("theirs", row.theirs);
        const std::string differs = difference_of(row, ours, theirs);
        INFO(differs << "says: " << ours.err << "the other: " << theirs.err);
        CHECK(differs.empty() == row.result.starts_with("same"));
        // It is never ended by a signal, and says why it fails.
        CHECK(ours.status >= 0);
        CHECK(ours.status <= 2);
        CHECK(ours.failed() == !ours.err.empty());
        if (ours.tree != before || theirs.tree != before) twins.renew();
    }
}

TEST_CASE("docs/coreutils.md has every command, and every option of those that it compares", "[cli]") {
    const std::string text = page_text();
    const CoreutilsPage page = read_coreutils_page(text);
    std::size_t options = 0;
    for (const std::string& line : lines_below(run_program({"--help"}).out, "Commands:")) {
        const std::string command = line.substr(0, line.find(' '));
        INFO(command);
        CHECK(contains(text, '`' + command + '`'));
        if (!page.sections.contains(command)) continue;
        for (const std::string& option : lines_below(run_program({command, "--help"}).out, "Options:")) {
            INFO(option);
            const std::regex name("(^| )(--?[A-Za-z0-9][A-Za-z0-9-]*)");
            const std::string names = option.substr(0, option.find("  "));
            bool is_used = names.find("--help") != std::string::npos;
            for (std::sregex_iterator at(names.begin(), names.end(), name), end; at != end; ++at) {
                is_used = is_used || uses(page.sections.at(command), (*at)[2].str());
            }
            CHECK(is_used);
            ++options;
        }
    }
    constexpr std::size_t kSeveralEach = 50;
    CHECK(page.sections.size() > 20);
    CHECK(options > kSeveralEach);
}

TEST_CASE("docs/cli.md says of every command what its cousin is, and leads to the rows that compare them", "[cli]") {
    const CoreutilsPage page = read_coreutils_page(page_text());
    const std::string text = Share::contents(fs::path(VFSPROTO_SOURCE_DIR) / "docs/cli.md");
    const std::string heading = "\n## Commands and their cousins\n";
    const std::size_t begin = text.find(heading);
    REQUIRE(begin != std::string::npos);
    std::istringstream lines(text.substr(begin, text.find("\n## ", begin + heading.size()) - begin));
    const std::regex row(R"(\| `([a-z0-9-]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|)");
    std::set<std::string> told;
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("| `")) continue;
        INFO(line);
        std::smatch cells;
        REQUIRE(std::regex_match(line, cells, row));
        const std::string command = cells[1];
        CHECK(told.insert(command).second);
        const bool is_compared = page.sections.contains(command);
        CHECK(cells[5] == (is_compared ? "[" + command + "](coreutils.md#" + command + ")" : "–"));
        CHECK((!is_compared || cells[2] == command + "(1)"));
    }
    std::set<std::string> commands;
    for (const std::string& line : lines_below(run_program({"--help"}).out, "Commands:")) {
        commands.insert(line.substr(0, line.find(' ')));
    }
    CHECK(commands.size() > 30);
    CHECK(told == commands);
}
