// SPDX-License-Identifier: BSD-2-Clause
// rm.
#include "commands.hpp"
#include "json.hpp"
#include "paths.hpp"

namespace vfsproto::cli {

using posix::Failure;
using wire::Errno;

namespace {

struct RemoveOptions {
    std::vector<std::string> paths;
    bool recursive = false;
    bool force = false;
};

class Removal {
public:
    Removal(Program& program, const RemoveOptions& options)
        : program_(program), options_(options), deep_(program.deep_mount()) {}

    void run() {
        for (const std::string& path : options_.paths) remove(path);
    }

private:
    void remove(const std::string& path) {
        if (path.empty()) return static_cast<void>(note(path, Errno::enoent));
        if (base_name(path).empty()) {
            program_.report(path, Errno::einval, "a path must end in a name");
            return;
        }
        const auto there = program_.mount().stat(path, posix::LastLink::keep);
        if (!there) return static_cast<void>(note(path, there.failure()));
        if (!posix::is_directory(there->mode)) {
            static_cast<void>(note(path, program_.mount().unlink(path)));
        } else if (!options_.recursive) {
            program_.report(path, Errno::eisdir, "rm -r removes directories");
        } else {
            remove_all(path);
        }
    }

    // Reports how removing a path went; false if it failed. With -f a file that is not there, or gone already because
    // somebody else removes the tree too, is none.
    bool note(const std::string& path, const Failure& failure) {
        const bool is_absent = failure.error == Errno::enoent || failure.error == Errno::enotdir;
        const bool gone = options_.force && is_absent;
        if (!gone) {
            if (!program_.succeeded(path, failure)) return false;
            print_done(program_, path);
            return true;
        }
        program_.check();
        return true;
    }

    // A directory on the stack was entered if it is met again. One that keeps something, which was reported, stays.
    struct Pending {
        std::string path;
        bool entered = false;
        bool keeps = false;
    };
    using Stack = std::vector<Pending>;
    // Notes that something stays. All on the stack that were entered are above it.
    static void keep(Stack& stack) {
        for (Pending& each : stack) each.keeps |= each.entered;
    }
    void remove_all(const std::string& path) {
        Stack stack{{path}};
        while (!stack.empty()) {
            const Pending directory = stack.back();
            if (directory.entered) {
                stack.pop_back();
                if (directory.keeps) continue;
                if (!note(directory.path, deep_.rmdir(directory.path))) keep(stack);
                continue;
            }
            const auto entries = deep_.list(directory.path);
            if (!entries) {
                stack.pop_back();
                if (!note(directory.path, entries.failure())) keep(stack);
                continue;
            }
            stack.back().entered = true;
            for (const posix::DirectoryEntry& entry : *entries) {
                const std::string inner = join(directory.path, entry.name);
                if (is_directory(entry, inner)) {
                    stack.push_back({inner});
                } else if (!note(inner, deep_.unlink(inner))) {
                    keep(stack);
                }
            }
        }
    }

    bool is_directory(const posix::DirectoryEntry& entry, const std::string& path) {
        if (entry.has_attributes) return posix::is_directory(entry.attributes.mode);
        const auto there = deep_.stat(path, posix::LastLink::keep);
        return there && posix::is_directory(there->mode);
    }

    Program& program_;
    const RemoveOptions& options_;
    posix::Mount& deep_; // for what is below a path that the user said
};

} // namespace

void add_rm(Commands& commands) {
    commands.add<RemoveOptions>(
        {"rm", "Remove files", Effect::changes},
        [](Arguments& sub, RemoveOptions& options) {
            sub.add_option("path", options.paths, "what to remove").required();
            sub.add_flag("-r,-R,--recursive", options.recursive, "directories with all below them");
            sub.add_flag("-f,--force", options.force, "what is not there is no failure");
        },
        [](Program& program, const RemoveOptions& options) { Removal(program, options).run(); });
}

} // namespace vfsproto::cli
