// SPDX-License-Identifier: BSD-2-Clause
#include "surplus.hpp"

#include "paths.hpp"
#include "same_place.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace vfsproto::cli {

using abi::Errno;
using posix::Failure;
using Type = TreeSide::Type;

namespace {

Exclusions::Type excluded_as(Type type) noexcept {
    return type == Type::directory ? Exclusions::Type::directory : Exclusions::Type::other;
}

} // namespace

// Everything is found before anything is removed, because what is found last may forbid it.
void Surplus::remove() {
    const auto top = source_.attributes("");
    if (!run_.note(source_.shown(""), top)) return;
    source_top_ = *top;
    directories_.assign(1, {});
    for (std::size_t index = 0; index < directories_.size(); ++index) {
        find(index);
        if (has_source_ || run_.program.stopping()) return;
    }
    for (std::size_t index = directories_.size(); index-- > 0;) remove_from(directories_[index]);
}

std::string Surplus::path_of(const Directory& directory) const {
    std::vector<std::string_view> names;
    for (const Directory* at = &directory; !at->name.empty(); at = &directories_[at->parent]) names.push_back(at->name);
    std::string path;
    std::for_each(names.rbegin(), names.rend(), [&path](std::string_view name) { append_name(path, name); });
    return path;
}

void Surplus::find(std::size_t index) {
    const std::string directory = path_of(directories_[index]);
    if (!directory.empty() && is_source(directory)) {
        has_source_ = true;
        return run_.refuse(target_.shown(directory), "is the source, and lies in the target: nothing is removed");
    }
    const auto entries = target_.list(directory);
    // In a dry run the directory may not exist, because it was not made.
    const bool is_unmade = run_.options.dry_run && !entries && entries.failure().error == Errno::enoent;
    if (is_unmade) return;
    if (!run_.note(target_.shown(directory), entries)) return keep(index);
    const std::size_t first_below = directories_.size();
    for (const TreeSide::Entry& entry : *entries) {
        if (run_.program.stopping()) return;
        take(index, directory, entry);
    }
    forget_if_unsure(index, first_below, *entries);
}

void Surplus::take(std::size_t index, const std::string& directory, const TreeSide::Entry& entry) {
    const std::string path = join(directory, entry.name);
    if (run_.exclusions.leave_out(path, excluded_as(entry.type))) return keep(index);
    const Failure looked = source_.look(path);
    const bool is_surplus = looked.error == Errno::enoent;
    if (looked.happened() && !is_surplus) run_.fail(source_.shown(path), looked);
    if (!is_surplus) keep(index);
    if (entry.type == Type::directory && (is_surplus || !looked.happened())) {
        directories_.push_back({.name = entry.name, .parent = index, .is_surplus = is_surplus});
    } else if (is_surplus) {
        directories_[index].files.push_back(entry.name);
    }
}

// Lets all that is surplus in a directory stay if the source may have it after all; says why. `first_below`: the first directory that
// was found in it.
void Surplus::forget_if_unsure(std::size_t index, std::size_t first_below,
                               const std::vector<TreeSide::Entry>& entries) {
    Directory& directory = directories_[index];
    if (directory.is_surplus) return;
    const auto begin = directories_.begin() + static_cast<std::ptrdiff_t>(first_below);
    const auto is_surplus = [](const Directory& each) { return each.is_surplus; };
    if (directory.files.empty() && std::none_of(begin, directories_.end(), is_surplus)) return;
    if (!may_be_in_source(path_of(directory), entries)) return;
    directory.files.clear();
    directories_.erase(std::remove_if(begin, directories_.end(), is_surplus), directories_.end());
    keep(index);
}

// True if ENOENT of the source does not mean that it lacks what is in this directory of the target; says why.
bool Surplus::may_be_in_source(const std::string& directory, const std::vector<TreeSide::Entry>& entries) {
    const auto names = source_.list(directory);
    if (!names) { // without a directory each name in it seems to be missing
        run_.refuse(source_.shown(directory), names.failure(), "nothing is removed from " + target_.shown(directory));
        return true;
    }
    std::set<std::string_view> listed;
    for (const TreeSide::Entry& entry : entries) listed.insert(entry.name);
    for (const auto& [name, type] : *names) {
        const std::string path = join(directory, name);
        if (listed.contains(name) || run_.exclusions.leave_out(path, excluded_as(type))) continue;
        // It may be there by another name, which looks surplus: upper and lower case may be one, or two forms of a letter.
        const Failure looked = target_.look(path);
        if (is_unanswered(looked)) {
            run_.refuse(target_.shown(path), looked, "nothing is removed from its directory");
            return true;
        }
        if (looked.happened()) continue;
        run_.refuse(target_.shown(path), "has another name in its directory: nothing is removed there");
        return true;
    }
    return false;
}

bool Surplus::is_source(const std::string& directory) {
    const auto there = target_.attributes(directory);
    if (!there) return is_unanswered(there);
    if (there->ino != source_top_->ino) return false;
    return lead_to_one_file([&] { return target_.attributes(directory); }, [&] { return source_.attributes(""); });
}

// Removes what is surplus in a directory, and the directory; those in it are gone already.
void Surplus::remove_from(Directory& directory) {
    for (const std::string& name : directory.files) {
        if (run_.program.stopping()) break;
        if (!remove(directory, name, Type::other)) directory.keeps = true;
    }
    if (directory.before) {
        const std::string path = path_of(directory);
        run_.note(target_.shown(path), target_.set_times(path, *directory.before));
    }
    if (!directory.is_surplus || run_.program.stopping()) return;
    Directory& parent = directories_[directory.parent];
    const bool stays = directory.keeps || !remove(parent, directory.name, Type::directory);
    parent.keeps |= stays;
}

// True if it is gone, also by somebody else.
bool Surplus::remove(Directory& inside, const std::string& name, Type type) {
    const std::string directory = path_of(inside);
    const std::string path = join(directory, name);
    const std::string shown = target_.shown(path);
    if (!run_.options.dry_run) {
        if (!inside.is_surplus && !inside.before) {
            const auto before = target_.attributes(directory);
            if (run_.note(target_.shown(directory), before)) inside.before = *before;
        }
        const Failure failure = target_.remove(path, type);
        if (failure.error == Errno::enoent) return true;
        if (!run_.note(shown, failure)) return false;
    }
    run_.removed(shown);
    return true;
}

// Notes that something in a directory stays, and so the directories above it.
void Surplus::keep(std::size_t index) {
    while (!directories_[index].keeps) {
        directories_[index].keeps = true;
        index = directories_[index].parent;
    }
}

} // namespace vfsproto::cli
