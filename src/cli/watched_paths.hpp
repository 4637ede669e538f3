// SPDX-License-Identifier: BSD-2-Clause
// The files below one path, and by which numbers the server tells of them. A server tells of files that its client has looked up
// and holds: so all of them are held, which costs a server a descriptor each.
#pragma once

#include "vfsproto/posix/detail/node_ref.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vfsproto::cli {

class Program;

class WatchedPaths {
public:
    // Looks at everything below `top`, which is a file or a directory, and no link. Reports what cannot be looked at; throws Leave
    // if that is `top` itself, or as Program::check().
    WatchedPaths(Program& program, std::string_view top);

    // Returns the path as it is told: from the top of the share, without "." and "..".
    [[nodiscard]] const std::string& top() const noexcept { return top_; }
    [[nodiscard]] std::size_t size() const noexcept { return paths_.size(); }
    // Returns the path by which a file was seen last.
    [[nodiscard]] std::optional<std::string> path_of(std::uint64_t nodeid) const;
    [[nodiscard]] bool is_watched(std::string_view path) const noexcept;

    // Looks anew at what a name leads to, and at everything below it. That it has gone is no failure.
    void refresh(const std::string& path);
    void refresh_all();

private:
    enum class Trouble : std::uint8_t { is_told, is_no_news };

    void add(const std::string& path, Trouble trouble);
    void add_entries(const std::string& directory, Trouble trouble, std::vector<std::string>& ahead);
    void learn(const std::string& path);
    void forget(const std::string& path);
    // Returns the file, asking for it if need be; else an empty one: it has gone, or there is a link on the way.
    [[nodiscard]] posix::NodeRef look_up(const std::string& path);
    // Returns the file as far as the mount keeps all names on the way; else an empty one.
    [[nodiscard]] posix::NodeRef find(std::string_view path);

    Program& program_;
    std::string top_;
    std::map<std::string, posix::NodeRef> nodes_;
    std::unordered_map<std::uint64_t, std::string> paths_;
};

} // namespace vfsproto::cli
