// SPDX-License-Identifier: BSD-2-Clause
// The command find shows the files of trees that pass its tests.
#include "commands.hpp"
#include "find_tests.hpp"
#include "json.hpp"
#include "remote_walk.hpp"

#include <algorithm>

namespace vfsproto::cli {
namespace {

struct FindOptions {
    std::vector<std::string> words; // paths, then tests
};

class Search {
public:
    Search(Program& program, const FindOptions& options) : program_(program), options_(options) {}

    void run() {
        const auto first_test = std::find_if(options_.words.begin(), options_.words.end(), is_test_word);
        const std::string wrong = tests_.parse({first_test, options_.words.end()});
        if (!wrong.empty()) program_.refuse("", wrong);
        std::vector<std::string> paths(options_.words.begin(), first_test);
        if (paths.empty()) paths.push_back(program_.here());
        const Visitor visitor{[this](const Visited& file) { return look_at(file); }, {}};
        for (const std::string& path : paths) walk_remote(program_, path, posix::LastLink::keep, visitor);
    }

private:
    Descend look_at(const Visited& file) {
        if (file.level >= tests_.least_level() && tests_.pass(program_, file)) show(file);
        return file.level < tests_.most_level() ? Descend::yes : Descend::no;
    }

    void show(const Visited& file) {
        if (!program_.wants_json()) {
            // Names that end in NUL bytes are read by a program, so they are written as they are.
            if (tests_.ends_names_with_nul()) return program_.out().write(file.path + '\0');
            return program_.out().print("{}\n", program_.out().name(file.path));
        }
        Json object;
        add_text(object, "path", file.path);
        add_attributes(object, file.attributes);
        print_json(program_, object);
    }

    Program& program_;
    const FindOptions& options_;
    FindTests tests_;
};

void describe(Arguments& sub, FindOptions& options) {
    sub.take_dashed(is_find_word);
    sub.add_option("path", options.words,
                   "where to begin (default: /), then what has to hold: -name GLOB, -iname GLOB, -path GLOB,\n"
                   "-type f|d|l|p|s|b|c, -size [+-]N[ckMG], -empty, -newer FILE, ! before one of them;\n"
                   "-mindepth N, -maxdepth N, -print0")
        .written_as("[PATH]... [TEST]...");
}

} // namespace

void add_find(Commands& commands) {
    commands.add<FindOptions>({"find", "Find files by name, type and size"}, describe,
                              [](Program& program, const FindOptions& options) { Search(program, options).run(); });
}

} // namespace vfsproto::cli
