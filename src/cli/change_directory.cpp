// SPDX-License-Identifier: BSD-2-Clause
// The commands cd and pwd are for lines that follow one another on one device.
#include "commands.hpp"
#include "json.hpp"
#include "paths.hpp"

namespace vfsproto::cli {
namespace {

struct DirectoryOptions {
    std::string path = "/";
};

// Returns where a path leads from a directory, as cd of sh(1) has it: ".." takes the last name away, wherever links lead.
std::string entered(std::string_view from, std::string_view path) {
    std::string directory(path.starts_with('/') ? "/" : from);
    while (!path.empty()) {
        const std::size_t end = path.find('/');
        const std::string_view name = path.substr(0, end);
        path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
        if (name.empty() || name == ".") continue;
        directory = name == ".." ? directory_name(directory) : join(directory, name);
    }
    return directory;
}

void change_directory(Program& program, const DirectoryOptions& options) {
    const bool is_back = options.path == "-";
    posix::Mount& mount = program.mount();
    if (options.path.empty()) {
        static_cast<void>(program.succeeded(options.path, posix::Failure(abi::Errno::enoent)));
        return;
    }
    const std::string directory = is_back ? program.directory_before() : entered(program.directory(), options.path);
    // beginning_at() takes a directory whose path is longer than PATH_MAX.
    const auto there = mount.beginning_at(directory)->stat("./");
    if (!program.succeeded(is_back ? directory : options.path, there)) return;
    program.enter(directory);
    if (is_back && !program.wants_json()) program.out().print("{}\n", program.out().name(directory));
    print_done(program, directory);
}

void show_directory(Program& program) {
    const std::string& directory = program.directory();
    if (!program.wants_json()) program.out().print("{}\n", program.out().name(directory));
    print_done(program, directory);
}

void describe(Arguments& sub, DirectoryOptions& options) {
    sub.add_option("path", options.path, "where paths without a slash begin from now on; - is where they began before");
}

} // namespace

void add_directory_commands(Commands& commands) {
    commands.add<DirectoryOptions>({"cd", "Begin paths in a directory"}, describe, change_directory);
    commands.add({"pwd", "Show the directory that paths begin in"}, show_directory);
}

} // namespace vfsproto::cli
