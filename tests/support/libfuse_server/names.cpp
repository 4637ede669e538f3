// SPDX-License-Identifier: BSD-2-Clause
// Operations on names: what makes, finds, moves and removes them.
#include "server.hpp"

#include <cerrno>

namespace vfsproto::test::libfuse {
namespace {

// Answers with an error and returns nullptr if the parent is no directory the client knows.
Node* parent_of(fuse_req_t request, fuse_ino_t parent) {
    Node* const directory = server_of(request).tree.find(parent);
    if (directory == nullptr) fuse_reply_err(request, ESTALE);
    if (directory != nullptr && !directory->is_directory()) fuse_reply_err(request, ENOTDIR);
    return directory != nullptr && directory->is_directory() ? directory : nullptr;
}

// Answers with an error and returns nullptr if the name is there.
Node* make(fuse_req_t request, fuse_ino_t parent, const char* name, std::uint32_t mode) {
    Node* const directory = parent_of(request, parent);
    if (directory == nullptr) return nullptr;
    Tree& tree = server_of(request).tree;
    if (tree.child(*directory, name) != nullptr) {
        fuse_reply_err(request, EEXIST);
        return nullptr;
    }
    Node& node = tree.make(*directory, name, mode);
    node.uid = fuse_req_ctx(request)->uid;
    node.gid = fuse_req_ctx(request)->gid;
    return &node;
}

void reply_with(fuse_req_t request, Node* made) {
    if (made == nullptr) return;
    const fuse_entry_param entry = entry_of(server_of(request), *made);
    fuse_reply_entry(request, &entry);
}

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
    Node* const directory = parent_of(request, parent);
    if (directory == nullptr) return;
    Node* const node = server_of(request).tree.child(*directory, name);
    if (node == nullptr) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    reply_with(request, node);
}

void forget(fuse_req_t request, fuse_ino_t node, std::uint64_t count) {
    server_of(request).tree.forget(node, count);
    fuse_reply_none(request);
}

void forget_multi(fuse_req_t request, std::size_t count, fuse_forget_data* forgets) {
    for (std::size_t i = 0; i < count; ++i) server_of(request).tree.forget(forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(request);
}

void mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
    reply_with(request, make(request, parent, name, S_IFDIR | (mode & 07777)));
}

void mknod(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t) {
    reply_with(request, make(request, parent, name, mode));
}

void symlink(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
    Node* const made = make(request, parent, name, S_IFLNK | 0777);
    if (made != nullptr) made->content = target;
    reply_with(request, made);
}

void readlink(fuse_req_t request, fuse_ino_t node) {
    Node* const link = server_of(request).tree.find(node);
    if (link == nullptr || !S_ISLNK(link->mode)) {
        fuse_reply_err(request, link == nullptr ? ESTALE : EINVAL);
        return;
    }
    fuse_reply_readlink(request, link->content.c_str());
}

void create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* file) {
    Server& server = server_of(request);
    Node* const directory = parent_of(request, parent);
    if (directory == nullptr) return;
    Node* node = server.tree.child(*directory, name);
    if (node == nullptr || (file->flags & O_EXCL) != 0) node = make(request, parent, name, S_IFREG | (mode & 07777));
    if (node == nullptr) return;
    if ((file->flags & O_TRUNC) != 0) node->content.clear();
    const fuse_entry_param entry = entry_of(server, *node);
    file->fh = ++server.opened;
    fuse_reply_create(request, &entry, file);
}

void remove(fuse_req_t request, fuse_ino_t parent, const char* name, bool wants_directory) {
    Node* const directory = parent_of(request, parent);
    if (directory == nullptr) return;
    Tree& tree = server_of(request).tree;
    const Node* const node = tree.child(*directory, name);
    int error = 0;
    if (node == nullptr) {
        error = ENOENT;
    } else if (node->is_directory() != wants_directory) {
        error = wants_directory ? ENOTDIR : EISDIR;
    } else if (!node->children.empty()) {
        error = ENOTEMPTY;
    }
    if (error == 0) tree.unlink(*directory, name);
    fuse_reply_err(request, error);
}
void unlink(fuse_req_t request, fuse_ino_t parent, const char* name) { remove(request, parent, name, false); }
void rmdir(fuse_req_t request, fuse_ino_t parent, const char* name) { remove(request, parent, name, true); }

void rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name,
            unsigned int flags) {
    Node* const from = parent_of(request, parent);
    if (from == nullptr) return;
    Node* const to = parent_of(request, new_parent);
    if (to == nullptr) return;
    Tree& tree = server_of(request).tree;
    int error = 0;
    if (flags != 0) {
        error = EINVAL;
    } else if (tree.child(*from, name) == nullptr) {
        error = ENOENT;
    } else {
        tree.rename(*from, name, *to, new_name);
    }
    fuse_reply_err(request, error);
}

} // namespace

fuse_entry_param entry_of(Server& server, Node& node) {
    server.tree.count_lookup(node);
    fuse_entry_param entry{};
    entry.ino = node.id;
    entry.generation = 1;
    entry.attr = node.attributes();
    return entry;
}

void add_names(fuse_lowlevel_ops& operations) {
    operations.lookup = lookup;
    operations.forget = forget;
    operations.forget_multi = forget_multi;
    operations.mkdir = mkdir;
    operations.mknod = mknod;
    operations.symlink = symlink;
    operations.readlink = readlink;
    operations.create = create;
    operations.unlink = unlink;
    operations.rmdir = rmdir;
    operations.rename = rename;
}

} // namespace vfsproto::test::libfuse
