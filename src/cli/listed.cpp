// SPDX-License-Identifier: BSD-2-Clause
#include "listed.hpp"

#include "each_entry.hpp"
#include "paths.hpp"
#include "program.hpp"

#include <utility>

namespace vfsproto::cli {

using namespace abi;

namespace {

void set_attributes(Listed& entry, const posix::Attributes& attributes) {
    entry.type = file_type(attributes.mode);
    entry.details = std::make_unique<Listed::Details>();
    entry.details->attributes = attributes;
}

// Reads where a link points; reports when it cannot.
void add_target(Program& program, const std::string& path, Listed& entry) {
    auto target = program.deep_mount().readlink(path);
    if (program.succeeded(path, target)) entry.details->target = std::make_unique<std::string>(std::move(*target));
}

// False when the entry has gone since it was listed.
bool complete(Program& program, const std::string& path, Listed& entry) {
    if (entry.details == nullptr) {
        const auto attributes = program.deep_mount().stat(path, posix::LastLink::keep);
        if (!program.succeeded(path, attributes)) return attributes.failure().error != abi::Errno::enoent;
        set_attributes(entry, *attributes);
    }
    if (is_symlink(entry.type)) add_target(program, path, entry);
    return true;
}

Listed line_of(posix::DirectoryEntry& entry) {
    Listed line;
    line.name = std::move(entry.name);
    line.type = entry.type << 12;
    return line;
}

} // namespace

bool each_listed(Program& program, const std::string& path, Detail detail, Hidden hidden,
                 const std::function<void(std::vector<Listed>&)>& take) {
    using client::DirectoryFormat;
    const auto format = detail == Detail::names ? DirectoryFormat::dirents : DirectoryFormat::direntpluses;
    std::vector<Listed> some;
    const auto take_some = [&](std::vector<posix::DirectoryEntry>& entries) {
        some.clear();
        for (posix::DirectoryEntry& entry : entries) {
            if (hidden == Hidden::skip && entry.name.starts_with('.')) continue;
            Listed line = line_of(entry);
            if (detail == Detail::attributes) {
                if (entry.has_attributes) set_attributes(line, entry.attributes);
                if (!complete(program, join(path, line.name), line)) continue;
            }
            some.push_back(std::move(line));
        }
        take(some);
    };
    return program.succeeded(path, each_entry(program.deep_mount(), path, format, take_some));
}

Listed HeldListing::operator[](std::size_t index) const {
    const PackedEntries::Entry entry = entries_[index];
    Listed line;
    line.name = entry.name;
    line.type = entry.type;
    if (entry.attributes == nullptr) return line;
    line.details = std::make_unique<Listed::Details>();
    line.details->attributes = *entry.attributes;
    if (entry.target) line.details->target = std::make_unique<std::string>(*entry.target);
    return line;
}

PackedEntries::Entry HeldListing::packed(const Listed& line) noexcept {
    PackedEntries::Entry entry{line.name, line.type};
    if (line.details != nullptr) entry.attributes = &line.details->attributes;
    if (line.has_target()) entry.target = *line.details->target;
    return entry;
}

std::optional<HeldListing> list_directory(Program& program, const std::string& path, Detail detail, Hidden hidden) {
    HeldListing listed;
    const bool whole = each_listed(program, path, detail, hidden, [&listed](const std::vector<Listed>& some) {
        for (const Listed& line : some) listed.add(line);
    });
    if (!whole && listed.empty()) return std::nullopt;
    return listed;
}

std::optional<Listed> list_file(Program& program, const std::string& path, Detail detail) {
    const auto attributes = program.deep_mount().stat(path, posix::LastLink::keep);
    if (!program.succeeded(path, attributes)) return std::nullopt;
    Listed line;
    line.name = path;
    set_attributes(line, *attributes);
    if (detail == Detail::attributes && is_symlink(attributes->mode)) add_target(program, path, line);
    return line;
}

} // namespace vfsproto::cli
