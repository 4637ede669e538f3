// SPDX-License-Identifier: BSD-2-Clause
#include "surplus.hpp"

#include <algorithm>

namespace vfsproto::cli {

using posix::Failure;
using wire::Errno;

void Surplus::remove() {
    stack_.push_back({});
    while (!stack_.empty() && !run_.program.stopping()) {
        if (!stack_.back().entered) {
            stack_.back().entered = true;
            enter(std::string(stack_.back().path));
            continue;
        }
        const Pending left = std::move(stack_.back());
        stack_.pop_back();
        if (left.before) run_.note(target_.shown(left.path), target_.set_times(left.path, *left.before));
        if (!left.is_surplus || left.keeps) continue;
        if (!remove(left.path, TreeSide::Type::directory)) keep();
    }
    stack_.clear();
}

// Called before something is removed: the directory it is in has its times of the source.
void Surplus::note_times(const std::string& inside) {
    const std::size_t slash = inside.rfind('/');
    const std::string directory = slash == std::string::npos ? std::string() : inside.substr(0, slash);
    const auto found = std::find_if(stack_.rbegin(), stack_.rend(),
                                    [&](const Pending& each) { return each.entered && each.path == directory; });
    if (found == stack_.rend() || found->is_surplus || found->before) return;
    const auto before = target_.attributes(directory);
    if (run_.note(target_.shown(directory), before)) found->before = *before;
}

void Surplus::enter(const std::string& directory) {
    const auto entries = target_.list(directory);
    // A dry run has not made it.
    const bool is_unmade = run_.options.dry_run && !entries && entries.failure().error == Errno::enoent;
    if (is_unmade) return;
    if (!run_.note(target_.shown(directory), entries)) return keep();
    for (const TreeSide::Entry& entry : *entries) {
        if (run_.program.stopping()) return;
        take(directory.empty() ? entry.name : directory + '/' + entry.name, entry.type);
    }
}

void Surplus::take(const std::string& path, TreeSide::Type type) {
    const bool is_directory = type == TreeSide::Type::directory;
    const auto excluded_as = is_directory ? Exclusions::Type::directory : Exclusions::Type::other;
    if (run_.exclusions.leave_out(path, excluded_as)) return keep();
    const Failure looked = source_.look(path);
    const bool is_surplus = looked.error == Errno::enoent;
    if (looked.happened() && !is_surplus) run_.fail(source_.shown(path), looked);
    if (!is_surplus) keep();
    if (is_directory && (is_surplus || !looked.happened())) {
        stack_.push_back({path, is_surplus});
    } else if (is_surplus && !remove(path, type)) {
        keep();
    }
}

// True if it is gone, also by somebody else.
bool Surplus::remove(const std::string& path, TreeSide::Type type) {
    const std::string shown = target_.shown(path);
    if (!run_.options.dry_run) {
        note_times(path);
        const Failure failure = target_.remove(path, type);
        if (failure.error == Errno::enoent) return true;
        if (!run_.note(shown, failure)) return false;
    }
    run_.removed(shown);
    return true;
}

// Notes that something stays. All on the stack that were entered are above it.
void Surplus::keep() {
    for (Pending& each : stack_) each.keeps |= each.entered;
}

} // namespace vfsproto::cli
