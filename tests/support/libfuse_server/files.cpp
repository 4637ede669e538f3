// SPDX-License-Identifier: BSD-2-Clause
// Operations on files: attributes and content, and a read that blocks.
#include "server.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace vfsproto::test::libfuse {
namespace {

// Answers with ESTALE and returns nullptr if the client holds no lookup of it.
Node* node_of(fuse_req_t request, fuse_ino_t id) {
    Node* const node = server_of(request).tree.find(id);
    if (node == nullptr) fuse_reply_err(request, ESTALE);
    return node;
}

void reply_attributes(fuse_req_t request, const Node& node) {
    const struct stat attributes = node.attributes();
    fuse_reply_attr(request, &attributes, 0);
}

void getattr(fuse_req_t request, fuse_ino_t id, fuse_file_info*) {
    if (const Node* node = node_of(request, id)) reply_attributes(request, *node);
}

void setattr(fuse_req_t request, fuse_ino_t id, struct stat* wanted, int which, fuse_file_info*) {
    Node* const node = node_of(request, id);
    if (node == nullptr) return;
    if ((which & FUSE_SET_ATTR_MODE) != 0) node->mode = (node->mode & S_IFMT) | (wanted->st_mode & 07777);
    if ((which & FUSE_SET_ATTR_UID) != 0) node->uid = wanted->st_uid;
    if ((which & FUSE_SET_ATTR_GID) != 0) node->gid = wanted->st_gid;
    if ((which & FUSE_SET_ATTR_SIZE) != 0) node->content.resize(static_cast<std::size_t>(wanted->st_size));
    if ((which & FUSE_SET_ATTR_MTIME) != 0) node->changed = wanted->st_mtim;
    reply_attributes(request, *node);
}

void open(fuse_req_t request, fuse_ino_t id, fuse_file_info* file) {
    Node* const node = node_of(request, id);
    if (node == nullptr) return;
    if (node->is_directory()) {
        fuse_reply_err(request, EISDIR);
        return;
    }
    if ((file->flags & O_TRUNC) != 0) node->content.clear();
    file->fh = ++server_of(request).opened;
    fuse_reply_open(request, file);
}

void release(fuse_req_t request, fuse_ino_t id, fuse_file_info* file) {
    unlock(server_of(request), id, file->fh);
    fuse_reply_err(request, 0);
}
void flush(fuse_req_t request, fuse_ino_t, fuse_file_info*) { fuse_reply_err(request, 0); }
void fsync(fuse_req_t request, fuse_ino_t, int, fuse_file_info*) { fuse_reply_err(request, 0); }

// libfuse calls this on the thread of its loop, when it reads INTERRUPT.
void interrupted(fuse_req_t request, void*) {
    ++server_of(request).interrupts;
    fuse_reply_err(request, EINTR);
}

void read(fuse_req_t request, fuse_ino_t id, std::size_t size, off_t offset, fuse_file_info*) {
    const Node* const node = node_of(request, id);
    if (node == nullptr) return;
    Tree& tree = server_of(request).tree;
    const Node* const blocks = tree.child(*tree.find(Tree::kRoot), "blocks");
    if (blocks == node) {
        // An INTERRUPT that came before is told at once.
        fuse_req_interrupt_func(request, interrupted, nullptr);
        return;
    }
    const std::size_t from = std::min(static_cast<std::size_t>(offset), node->content.size());
    fuse_reply_buf(request, node->content.data() + from, std::min(size, node->content.size() - from));
}

void write(fuse_req_t request, fuse_ino_t id, const char* bytes, std::size_t size, off_t offset, fuse_file_info*) {
    Node* const node = node_of(request, id);
    if (node == nullptr) return;
    const auto from = static_cast<std::size_t>(offset);
    if (node->content.size() < from + size) node->content.resize(from + size);
    std::copy_n(bytes, size, node->content.begin() + offset);
    ::clock_gettime(CLOCK_REALTIME, &node->changed);
    fuse_reply_write(request, size);
}

void statfs(fuse_req_t request, fuse_ino_t) {
    struct statvfs out{};
    out.f_bsize = out.f_frsize = 4096;
    out.f_blocks = 1000;
    out.f_bfree = 600;
    out.f_bavail = 500;
    out.f_files = 100;
    out.f_ffree = 90;
    out.f_namemax = 200;
    fuse_reply_statfs(request, &out);
}

} // namespace

void add_files(fuse_lowlevel_ops& operations) {
    operations.getattr = getattr;
    operations.setattr = setattr;
    operations.open = open;
    operations.release = release;
    operations.flush = flush;
    operations.fsync = fsync;
    operations.read = read;
    operations.write = write;
    operations.statfs = statfs;
}

} // namespace vfsproto::test::libfuse
