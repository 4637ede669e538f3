// SPDX-License-Identifier: BSD-2-Clause
// Operations on directories. An entry's offset is its place in the order of names.
#include "server.hpp"

#include <cerrno>
#include <span>
#include <vector>

namespace vfsproto::test::libfuse {
namespace {

void opendir(fuse_req_t request, fuse_ino_t id, fuse_file_info* file) {
    Server& server = server_of(request);
    const Node* const node = server.tree.find(id);
    if (node == nullptr || !node->is_directory()) {
        fuse_reply_err(request, node == nullptr ? ESTALE : ENOTDIR);
        return;
    }
    file->fh = ++server.opened;
    fuse_reply_open(request, file);
}

void releasedir(fuse_req_t request, fuse_ino_t, fuse_file_info*) { fuse_reply_err(request, 0); }

// Calls `add` for each entry behind `offset` until it says that there is no more room.
template <class Add> void for_each_entry(Server& server, Node& directory, off_t offset, Add&& add) {
    off_t place = 0;
    const auto give = [&](const std::string& name, Node& node) { return ++place <= offset || add(name, node, place); };
    if (!give(".", directory) || !give("..", directory)) return;
    for (const auto& [name, id] : directory.children) {
        if (!give(name, *server.tree.child(directory, name))) return;
    }
}

// The arguments of READDIR and READDIRPLUS.
struct Wanted {
    fuse_ino_t directory;
    std::size_t size;
    off_t offset;
};

// Replies with as many entries as there is room for. `add(room, name, node, next)` writes one, and returns its length; more than there
// is room for says that it wrote none.
template <class Add> void list(fuse_req_t request, const Wanted& wanted, Add&& add) {
    Server& server = server_of(request);
    Node* const directory = server.tree.find(wanted.directory);
    if (directory == nullptr) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    std::vector<char> buffer(wanted.size);
    std::size_t used = 0;
    for_each_entry(server, *directory, wanted.offset, [&](const std::string& name, Node& node, off_t next) {
        const std::span<char> room = std::span(buffer).subspan(used);
        const std::size_t length = add(room, name, node, next);
        if (length > room.size()) return false;
        used += length;
        return true;
    });
    fuse_reply_buf(request, buffer.data(), used);
}

void readdir(fuse_req_t request, fuse_ino_t id, std::size_t size, off_t offset, fuse_file_info*) {
    list(request, {id, size, offset}, [&](std::span<char> room, const std::string& name, Node& node, off_t next) {
        const struct stat attributes = node.attributes();
        return fuse_add_direntry(request, room.data(), room.size(), name.c_str(), &attributes, next);
    });
}

// Each entry but "." and ".." is a lookup.
void readdirplus(fuse_req_t request, fuse_ino_t id, std::size_t size, off_t offset, fuse_file_info*) {
    list(request, {id, size, offset}, [&](std::span<char> room, const std::string& name, Node& node, off_t next) {
        // An entry that does not fit must not be counted.
        const std::size_t length = fuse_add_direntry_plus(request, nullptr, 0, name.c_str(), nullptr, 0);
        if (length > room.size()) return length;
        fuse_entry_param entry{};
        entry.attr = node.attributes();
        if (name != "." && name != "..") entry = entry_of(server_of(request), node);
        return fuse_add_direntry_plus(request, room.data(), room.size(), name.c_str(), &entry, next);
    });
}

} // namespace

void add_directories(fuse_lowlevel_ops& operations) {
    operations.opendir = opendir;
    operations.releasedir = releasedir;
    operations.readdir = readdir;
    operations.readdirplus = readdirplus;
}

} // namespace vfsproto::test::libfuse
