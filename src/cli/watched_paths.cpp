// SPDX-License-Identifier: BSD-2-Clause
#include "watched_paths.hpp"

#include "paths.hpp"
#include "program.hpp"

#include "vfsproto/posix/detail/node_cache.hpp"

#include <utility>

namespace vfsproto::cli {

using posix::LastLink;
using posix::NodeCache;
using posix::NodeRef;

namespace {

// Calls `take` for each name of a path.
template <class Take> void for_each_name(std::string_view path, Take&& take) {
    while (!path.empty()) {
        const std::size_t end = path.find('/');
        const std::string_view name = path.substr(0, end);
        path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
        if (!name.empty()) take(name);
    }
}

std::string ordinary_path(std::string_view path) {
    std::vector<std::string_view> names;
    for_each_name(path, [&](std::string_view name) {
        if (name == ".") return;
        if (name != "..") return names.push_back(name);
        if (!names.empty()) names.pop_back();
    });
    std::string text;
    for (const std::string_view name : names) text.append("/").append(name);
    return text.empty() ? "/" : text;
}

bool is_below(std::string_view path, std::string_view directory) noexcept {
    if (directory == "/") return true;
    return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

} // namespace

WatchedPaths::WatchedPaths(Program& program, std::string_view top) : program_(program), top_(ordinary_path(top)) {
    const auto there = program_.mount().stat(top_, LastLink::keep);
    if (!program_.succeeded(top_, there)) throw Leave{ExitCode::failed};
    if (!look_up(top_)) {
        program_.report(top_, "a link leads there, or the server lets no name be kept: give the path without links");
        throw Leave{ExitCode::failed};
    }
    add(top_, Trouble::is_told);
    program_.check();
}

std::optional<std::string> WatchedPaths::path_of(std::uint64_t nodeid) const {
    const auto found = paths_.find(nodeid);
    return found == paths_.end() ? std::nullopt : std::optional(found->second);
}

bool WatchedPaths::is_watched(std::string_view path) const noexcept { return path == top_ || is_below(path, top_); }

void WatchedPaths::refresh(const std::string& path) {
    forget(path);
    add(path, Trouble::is_no_news);
}

void WatchedPaths::refresh_all() {
    nodes_.clear();
    paths_.clear();
    add(top_, Trouble::is_no_news);
}

void WatchedPaths::add(const std::string& path, Trouble trouble) {
    // Names in the directory that holds the top are told of by its number.
    if (path == top_ && path != "/") learn(directory_name(path));
    std::vector<std::string> ahead{path};
    while (!ahead.empty() && !program_.stopping()) {
        const std::string at = std::move(ahead.back());
        ahead.pop_back();
        const auto there = program_.mount().stat(at, LastLink::keep);
        if (!there) {
            const bool is_gone = there.failure().error == abi::Errno::enoent;
            if (trouble == Trouble::is_told && !is_gone) program_.report(at, there.failure());
            continue;
        }
        learn(at);
        if (posix::is_directory(there->mode)) add_entries(at, trouble, ahead);
    }
}

void WatchedPaths::add_entries(const std::string& directory, Trouble trouble, std::vector<std::string>& ahead) {
    auto entries = program_.mount().list(directory);
    if (!entries) {
        const bool is_gone = entries.failure().error == abi::Errno::enoent;
        if (trouble == Trouble::is_told && !is_gone) program_.report(directory, entries.failure());
        return;
    }
    for (const posix::DirectoryEntry& entry : *entries) {
        if (!is_single_component(entry.name)) continue;
        std::string path = join(directory, entry.name);
        if (entry.has_attributes && !posix::is_directory(entry.attributes.mode)) {
            learn(path);
        } else {
            ahead.push_back(std::move(path));
        }
    }
}

void WatchedPaths::learn(const std::string& path) {
    NodeRef node = look_up(path);
    if (!node) return;
    paths_.insert_or_assign(node.nodeid(), path);
    nodes_.insert_or_assign(path, std::move(node));
}

void WatchedPaths::forget(const std::string& path) {
    const auto drop = [this](auto at) {
        const auto known = paths_.find(at->second.nodeid());
        if (known != paths_.end() && known->second == at->first) paths_.erase(known);
        return nodes_.erase(at);
    };
    if (const auto at = nodes_.find(path); at != nodes_.end()) drop(at);
    for (auto at = nodes_.lower_bound(join(path, "")); at != nodes_.end() && is_below(at->first, path);) at = drop(at);
}

// The mount may drop what an answer said of a name before this looks for it, because the server has told of a change.
NodeRef WatchedPaths::look_up(const std::string& path) {
    constexpr int kMostQuestions = 16;
    for (int questions = 0;; ++questions) {
        NodeRef node = find(path);
        if (node || questions == kMostQuestions) return node;
        if (!program_.mount().stat(path, LastLink::keep)) return {};
    }
}

NodeRef WatchedPaths::find(std::string_view path) {
    NodeCache& nodes = program_.mount().nodes();
    NodeRef at = nodes.root();
    for_each_name(path, [&](std::string_view name) {
        if (!at) return;
        NodeCache::Known next = nodes.find(at, name, NodeCache::Need::type);
        at = next.what == NodeCache::Known::What::file ? std::move(next.node) : NodeRef();
    });
    return at;
}

} // namespace vfsproto::cli
