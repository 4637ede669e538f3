// SPDX-License-Identifier: BSD-2-Clause
#include "operands.hpp"

#include "paths.hpp"
#include "same_place.hpp"

namespace vfsproto::cli {

using abi::Errno;
using posix::Expected;
using posix::Failure;

void Operands::describe(Arguments& command) {
    command.add_text("-t,--target-directory", directory, "the directory that all of them go into")
        .shown_as("DIRECTORY");
    command.add_flag("-T,--no-target-directory", exactly, "take a target that is a directory as a name too");
}

void Operands::check(Program& program) const {
    if (directory && exactly) program.refuse("-t", "-T takes the target as it is, -t does not: say one");
    if (directory) return;
    if (paths.size() < 2) program.refuse(paths.front(), "a target is missing behind it");
    if (exactly && paths.size() > 2) program.refuse(paths.back(), "this is one too many: -T wants two paths");
}

Destination::Destination(Program& program, const Operands& operands, const Expected<bool>& is_directory)
    : program_(program), operands_(operands), into_(!operands.exactly && is_directory && *is_directory) {
    const bool is_too_long = !is_directory && is_directory.failure().error == Errno::enametoolong;
    const bool is_known = !is_too_long && (operands.exactly || !is_unanswered(is_directory));
    if (is_known && (into_ || (!operands.directory && operands.paths.size() == 2))) return;
    program.report(operands.target(), is_directory ? Failure(Errno::enotdir) : is_directory.failure());
    program.check();
    throw Leave{ExitCode::failed};
}

std::string Destination::of(const std::string& source) const {
    const std::string_view name = base_name(source);
    return into_ && !name.empty() ? join(operands_.target(), name) : operands_.target();
}

bool Destination::is_free(const std::string& source) {
    if (taken_.insert(of(source)).second) return true;
    program_.report(source, "would take the place of an earlier source, " + of(source) + ": it stays where it is");
    return false;
}

Expected<bool> is_remote_directory(posix::Mount& mount, const std::string& path) {
    const auto there = mount.stat(path);
    if (!there) return there.failure();
    return posix::is_directory(there->mode);
}

} // namespace vfsproto::cli
