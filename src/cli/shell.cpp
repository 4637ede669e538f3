// SPDX-License-Identifier: BSD-2-Clause
// The command shell takes commands that a person types, on one connection.
#include "commands.hpp"
#include "each_entry.hpp"
#include "escape.hpp"
#include "interpreter.hpp"
#include "interrupt.hpp"
#include "line_editor.hpp"
#include "line_source.hpp"
#include "paths.hpp"
#include "split_line.hpp"

#include <unistd.h>

#include <filesystem>

namespace vfsproto::cli {
namespace {

// Finds what may come next on a line: a command, or a path of the device; with put, one of this host.
class Completer {
public:
    explicit Completer(Program& program) : program_(program), commands_(Interpreter::commands()) {}

    Completions operator()(std::string_view before) const {
        SplitLine line = split_line(before);
        if (line.wrong != nullptr) return {0, ""};
        if (line.last == before.size()) line.words.emplace_back();
        const std::string& word = line.words.back();
        Completions found(before.size() - line.last, word);
        const bool is_first = line.words.size() == 1;
        if (is_first || (line.words.size() == 2 && line.words.front() == "help")) {
            for (const std::string& name : commands_) {
                if (name.starts_with(word)) found.add(name);
            }
            if (is_first && kExit.starts_with(word)) found.add(std::string(kExit));
        } else if (line.words.front() == "put") {
            add_local(word, found);
        } else {
            add_remote(word, found, line.words.front() == "cd" ? Wanted::directories : Wanted::all);
        }
        return found;
    }

    static constexpr std::string_view kExit = "exit";

private:
    // Splits a path into the part that is typed to its end, with its slash, and the beginning of a name.
    struct Typed {
        std::string directory;
        std::string name;
    };
    static Typed split(const std::string& word) {
        const std::size_t end = word.rfind('/') + 1; // npos + 1 is 0
        return {word.substr(0, end), word.substr(end)};
    }
    static bool matches(const Typed& typed, std::string_view name) {
        return name.starts_with(typed.name) && (name.front() != '.' || typed.name.starts_with('.'));
    }
    static std::string word_of(const Typed& typed, std::string_view name, bool is_directory) {
        return std::string(typed.directory).append(name) + (is_directory ? "/" : "");
    }

    static void add_local(const std::string& word, Completions& found) {
        const Typed typed = split(word);
        std::error_code failed;
        std::filesystem::directory_iterator entries(typed.directory.empty() ? "." : typed.directory, failed);
        while (!failed && entries != std::filesystem::directory_iterator()) {
            const std::string name = entries->path().filename().string();
            std::error_code unknown;
            if (matches(typed, name)) found.add(word_of(typed, name, entries->is_directory(unknown)));
            entries.increment(failed);
        }
    }
    enum class Wanted : std::uint8_t { all, directories };
    // True if a directory may have that name: links lead to some.
    static bool may_be_directory(const posix::DirectoryEntry& entry) {
        using namespace abi;
        return entry.type == kDtDir || entry.type == kDtLnk || entry.type == 0;
    }
    // A failure says nothing here: the command that is being typed will.
    void add_remote(const std::string& word, Completions& found, Wanted wanted) const {
        const Typed typed = split(word);
        const auto take = [&](const std::vector<posix::DirectoryEntry>& entries) {
            for (const posix::DirectoryEntry& entry : entries) {
                if (!is_single_component(entry.name) || !matches(typed, entry.name)) continue;
                if (wanted == Wanted::directories && !may_be_directory(entry)) continue;
                found.add(word_of(typed, entry.name, entry.type == abi::kDtDir));
            }
        };
        static_cast<void>(each_entry(program_.mount(), typed.directory.empty() ? "." : typed.directory,
                                     client::DirectoryFormat::dirents, take));
    }

    Program& program_;
    std::vector<std::string> commands_;
};

class Shell {
public:
    explicit Shell(Program& program) : program_(program), interpreter_(program) {}

    // Takes the commands of a person. One that fails does not change how the shell leaves.
    void talk() {
        LineEditor editor{Completer(program_)};
        for (;;) {
            const auto line = editor.next(prompt());
            // A Ctrl-C that came as a command ended was for that command.
            if (!line && forget_ctrl_c()) continue;
            if (!line || is_end(*line)) break;
            try {
                interpreter_.run(*line, Subject(""));
            } catch (const Leave& leave) {
                // Ctrl-C ends the command, unless that waits for the device for too long (Watch). The other signals, and a device
                // that failed, end the shell.
                if (leave.code != ExitCode::interrupted || !forget_ctrl_c()) throw;
            }
        }
        program_.check();
    }

    // Takes its lines from a file or a pipe, as sh(1) does: the last command says how it leaves.
    void read() {
        LineSource lines("-");
        ExitCode last = ExitCode::done;
        while (const auto line = lines.next()) {
            if (is_end(*line)) break;
            last = interpreter_.run(*line, Subject::other(lines.place()));
        }
        program_.check();
        if (lines.error() != 0) program_.report(lines.subject(), local_failure(lines.error()));
        if (last != ExitCode::done) throw Leave{last};
    }

private:
    // Tells where paths begin, unless that is the top.
    [[nodiscard]] std::string prompt() const {
        const std::string& directory = program_.directory();
        return directory == "/" ? "vfsproto> " : "vfsproto:" + printable(directory) + "> ";
    }
    static bool is_end(std::string_view line) {
        const SplitLine split = split_line(line);
        return split.words.size() == 1 && (split.words.front() == Completer::kExit || split.words.front() == "quit");
    }

    Program& program_;
    Interpreter interpreter_;
};

void run_shell(Program& program) {
    static_cast<void>(program.mount()); // a device that cannot be used is told before the first line
    Shell shell(program);
    ::isatty(STDIN_FILENO) != 0 ? shell.talk() : shell.read();
}

} // namespace

void add_shell(Commands& commands) {
    commands.add({"shell", "run commands that are typed, on one connection"}, run_shell);
}

} // namespace vfsproto::cli
