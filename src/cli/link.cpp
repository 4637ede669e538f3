// SPDX-License-Identifier: BSD-2-Clause
// The command ln makes links at the server.
#include "commands.hpp"
#include "json.hpp"
#include "operands.hpp"
#include "paths.hpp"
#include "replace_remote.hpp"
#include "same_place.hpp"

namespace vfsproto::cli {

using abi::Errno;
using posix::Failure;

namespace {

struct LinkOptions {
    Operands operands;
    bool symbolic = false;
    bool force = false;
    bool no_dereference = false;
};

class Linking {
public:
    Linking(Program& program, const LinkOptions& options)
        : program_(program), options_(options), mount_(program.mount()) {}

    void run() {
        const Operands& operands = options_.operands;
        Destination destination(program_, operands, target_is_directory());
        for (const std::string& source : operands.sources()) {
            if (destination.is_free(source)) link(source, destination.of(source));
        }
    }

private:
    // A link to a directory counts as one, unless -n takes it as the name of the new link.
    posix::Expected<bool> target_is_directory() {
        const std::string& target = options_.operands.target();
        if (!options_.no_dereference) return is_remote_directory(mount_, target);
        const auto there = mount_.stat(target, posix::LastLink::keep);
        if (!there) return there.failure();
        return posix::is_directory(there->mode);
    }

    Failure make(const std::string& source, const std::string& to) {
        return options_.symbolic ? mount_.symlink(source, to) : mount_.link(source, to);
    }

    void link(const std::string& source, const std::string& to) {
        const Failure failure = make(source, to);
        if (failure.error != Errno::eexist || !options_.force) {
            if (program_.succeeded(to, failure)) print_done(program_, to, source);
            return;
        }
        const auto there = mount_.stat(to, posix::LastLink::keep);
        if (!program_.succeeded(to, there)) return;
        if (posix::is_directory(there->mode)) return program_.report(to, Failure(Errno::eisdir));
        if (is_same_name(source, to, *there)) return program_.report(to, "is the same file as " + source);
        const auto make_link = [&](const std::string& path) { return make(source, path); };
        if (program_.succeeded(to, replace_remote(mount_, to, make_link))) print_done(program_, to, source);
    }

    // True if the link would take the place of the very file that it is to lead to.
    bool is_same_name(const std::string& source, const std::string& to, const posix::Attributes& there) {
        if (options_.symbolic && would_lead_to_itself(source, to, there)) return true;
        const auto original = mount_.stat(source, posix::LastLink::keep);
        if (!original) return is_unanswered(original);
        if (original->ino != there.ino) return false;
        return there.nlink == 1 || without_slashes(source) == without_slashes(to);
    }

    // True if a symbolic link in the place of a file would lead to that file, perhaps by other links: nothing would be left of it.
    bool would_lead_to_itself(const std::string& source, const std::string& to, const posix::Attributes& there) {
        const std::string path = source.starts_with('/') ? source : join(directory_name(to), source);
        const auto file = mount_.stat(path);
        return is_unanswered(file) || (file && file->ino == there.ino && there.nlink == 1);
    }

    Program& program_;
    const LinkOptions& options_;
    posix::Mount& mount_;
};

void describe(Arguments& sub, LinkOptions& options) {
    sub.add_option("path", options.operands.paths, "what to link to, then the new name or a directory for it")
        .required()
        .written_as("SOURCE... TARGET");
    options.operands.describe(sub);
    sub.add_flag("-s,--symbolic", options.symbolic, "symbolic links");
    sub.add_flag("-f,--force", options.force, "take the place of files that are there");
    sub.add_flag("-n,--no-dereference", options.no_dereference,
                 "a target that is a symbolic link to a directory is a name, not a directory");
}

void run(Program& program, const LinkOptions& options) {
    options.operands.check(program);
    Linking(program, options).run();
}

} // namespace

void add_ln(Commands& commands) {
    commands.add<LinkOptions>({"ln", "Give files another name", Effect::changes}, describe, run);
}

} // namespace vfsproto::cli
