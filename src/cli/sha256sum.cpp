// SPDX-License-Identifier: BSD-2-Clause
// The command sha256sum prints sums and checks them.
#include "commands.hpp"
#include "file_sums.hpp"
#include "json.hpp"
#include "sum_check.hpp"
#include "sum_lines.hpp"

#include <array>
#include <utility>

namespace vfsproto::cli {

namespace {

struct SumOptions {
    std::vector<std::string> paths;
    char mark = ' ';        // what stands before a name: '*' says that the file was read as bytes
    bool is_marked = false; // by an option
    bool tag = false;       // the lines of BSD, which tell only of bytes
    bool zero = false;
    bool check = false;
    SumCheckOptions checking;
};

void show(Program& program, const SumOptions& options, const std::string& path, const std::string& digits) {
    if (program.wants_json()) {
        Json object;
        add_text(object, "path", path);
        object.set("sha256", digits);
        return print_json(program, object);
    }
    const std::string name = options.zero ? path : escaped_name(path);
    const char* const mark = name == path ? "" : "\\";
    const std::string shown = program.out().name(name);
    const char end = options.zero ? '\0' : '\n';
    if (options.tag) {
        program.out().print("{}SHA256 ({}) = {}{}", mark, shown, digits, end);
    } else {
        program.out().print("{}{} {}{}{}", mark, digits, options.mark, shown, end);
    }
}

void print_sums(Program& program, const SumOptions& options, const std::vector<std::string>& paths) {
    FileSums sums(program);
    for (const std::string& path : paths) {
        const FileSums::Sum sum = sums.of(path);
        if (sum.kind == FileSums::Sum::Kind::computed) show(program, options, path, sum.digits);
    }
}

// Throws Leave for options that mean nothing together.
void look_at_options(Program& program, const SumOptions& options) {
    const SumCheckOptions& checking = options.checking;
    const std::array<std::pair<bool, const char*>, 5> of_checking{{{checking.ignore_missing, "--ignore-missing"},
                                                                   {checking.quiet, "--quiet"},
                                                                   {checking.status, "--status"},
                                                                   {checking.strict, "--strict"},
                                                                   {checking.warn, "--warn"}}};
    for (const auto& [is_given, name] : of_checking) {
        if (is_given && !options.check) program.refuse(name, "this is for -c");
    }
    if (options.check && options.tag) program.refuse("--tag", "-c finds the form of each line itself");
    if (options.check && options.is_marked) program.refuse("-b and -t", "-c finds the form of each line itself");
    if (options.check && options.zero) program.refuse("--zero", "-c reads lines that end in a newline");
    if (options.tag && options.mark == ' ') program.refuse("-t", "--tag is not for text");
}

void run(Program& program, const SumOptions& options) {
    look_at_options(program, options);
    const std::vector<std::string> paths = options.paths.empty() ? std::vector<std::string>{"-"} : options.paths;
    if (!options.check) return print_sums(program, options, paths);
    SumCheck check(program, options.checking);
    bool is_well = true;
    for (const std::string& path : paths) is_well = check.check(path) && is_well;
    if (!is_well) throw Leave{ExitCode::failed};
}

void describe(Arguments& sub, SumOptions& options) {
    sub.add_option("path", options.paths, "files, with -c lists of sums; - or none is standard input");
    const auto mark_by = [&options](char mark) {
        return [&options, mark] {
            options.mark = mark;
            options.is_marked = true;
        };
    };
    sub.add_flag("-b,--binary", mark_by('*'), "a * before each name, as for binary files");
    sub.add_flag("-t,--text", mark_by(' '), "a blank before each name (default)");
    const auto take_tag = [&options] {
        options.tag = true;
        options.mark = '*';
    };
    sub.add_flag("--tag", take_tag, "lines as those of BSD; no -t may follow");
    sub.add_flag("-z,--zero", options.zero, "end lines with NUL, and escape no names");
    sub.add_flag("-c,--check", options.check, "compare the sums of a list with those of its files");
    SumCheckOptions& checking = options.checking;
    sub.add_flag("--ignore-missing", checking.ignore_missing, "with -c: pass over files that are not there");
    sub.add_flag("--quiet", checking.quiet, "with -c: print only what does not match");
    sub.add_flag("--status", checking.status, "with -c: print nothing; the exit status says it");
    sub.add_flag("--strict", checking.strict, "with -c: a line of another form is a failure");
    sub.add_flag("-w,--warn", checking.warn, "with -c: name each line of another form");
}

} // namespace

void add_sha256sum(Commands& commands) {
    commands.add<SumOptions>({"sha256sum", "Print or check the SHA-256 sums of files"}, describe, run);
}

} // namespace vfsproto::cli
