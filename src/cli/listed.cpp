// SPDX-License-Identifier: BSD-2-Clause
#include "listed.hpp"

#include "each_entry.hpp"
#include "paths.hpp"
#include "program.hpp"

#include <algorithm>
#include <iterator>

namespace vfsproto::cli {

using namespace wire::linux_abi;

namespace {

// False when the entry has gone since it was listed.
bool complete(Program& program, Listed& entry) {
    if (!entry.has_attributes) {
        const auto attributes = program.mount().stat(entry.path, posix::LastLink::keep);
        if (!program.succeeded(entry.path, attributes)) return attributes.failure().error != wire::Errno::enoent;
        entry.attributes = *attributes;
        entry.has_attributes = true;
        entry.type = file_type(entry.attributes.mode);
    }
    if (is_symlink(entry.attributes.mode)) add_target(program, entry);
    return true;
}

Listed line_of(const std::string& directory, posix::DirectoryEntry& entry) {
    Listed line;
    line.path = join(directory, entry.name);
    line.name = std::move(entry.name);
    line.ino = entry.ino;
    line.has_attributes = entry.has_attributes;
    line.attributes = entry.attributes;
    line.type = entry.has_attributes ? file_type(entry.attributes.mode) : entry.type << 12;
    return line;
}

} // namespace

void add_target(Program& program, Listed& entry) {
    auto target = program.mount().readlink(entry.path);
    if (program.succeeded(entry.path, target)) entry.target = std::move(*target);
}

bool each_listed(Program& program, const std::string& path, Detail detail, Hidden hidden,
                 const std::function<void(std::vector<Listed>&)>& take) {
    using client::DirectoryFormat;
    const auto format = detail == Detail::names ? DirectoryFormat::dirents : DirectoryFormat::direntpluses;
    std::vector<Listed> some;
    return each_entry(program, path, format, [&](std::vector<posix::DirectoryEntry>& entries) {
        some.clear();
        for (posix::DirectoryEntry& entry : entries) {
            if (hidden == Hidden::skip && entry.name.starts_with('.')) continue;
            Listed line = line_of(path, entry);
            if (detail == Detail::names || complete(program, line)) some.push_back(std::move(line));
        }
        take(some);
    });
}

std::optional<std::vector<Listed>> list_directory(Program& program, const std::string& path, Detail detail,
                                                  Hidden hidden) {
    std::vector<Listed> listed;
    const bool whole = each_listed(program, path, detail, hidden, [&listed](std::vector<Listed>& some) {
        std::move(some.begin(), some.end(), std::back_inserter(listed));
    });
    if (!whole && listed.empty()) return std::nullopt;
    std::sort(listed.begin(), listed.end(), [](const Listed& a, const Listed& b) { return a.name < b.name; });
    return listed;
}

std::optional<Listed> list_file(Program& program, const std::string& path, Detail detail) {
    const auto attributes = program.mount().stat(path, posix::LastLink::keep);
    if (!program.succeeded(path, attributes)) return std::nullopt;
    Listed line;
    line.name = path;
    line.path = path;
    line.ino = attributes->ino;
    line.has_attributes = true;
    line.attributes = *attributes;
    line.type = file_type(attributes->mode);
    if (detail == Detail::attributes && is_symlink(attributes->mode)) add_target(program, line);
    return line;
}

} // namespace vfsproto::cli
