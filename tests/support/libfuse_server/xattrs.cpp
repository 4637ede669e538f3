// SPDX-License-Identifier: BSD-2-Clause
// Extended attributes, some of which are not kept: they tell of the server, or have it send a notification.
#include "server.hpp"

#include <cerrno>

namespace vfsproto::test::libfuse {
namespace {

// Answers with ESTALE and returns nullptr if the client holds no lookup of it.
Node* node_of(fuse_req_t request, fuse_ino_t id) {
    Node* const node = server_of(request).tree.find(id);
    if (node == nullptr) fuse_reply_err(request, ESTALE);
    return node;
}

// Sends a notification if the name asks for one. The error of sending, or -1 if it is an attribute to be kept.
int notify(Server& server, const Node& node, const std::string& name, const std::string& value) {
    if (name == "user.notify.child") {
        const Node* const child = server.tree.child(node, value);
        return child == nullptr ? ENOENT : -fuse_lowlevel_notify_inval_inode(server.session, child->id, 0, 0);
    }
    if (name == "user.notify.inode") return -fuse_lowlevel_notify_inval_inode(server.session, node.id, 0, 0);
    if (name == "user.notify.entry") {
        return -fuse_lowlevel_notify_inval_entry(server.session, node.id, value.data(), value.size());
    }
    if (name == "user.notify.retrieve") {
        return -fuse_lowlevel_notify_retrieve(server.session, node.id, 4096, 0, nullptr);
    }
    if (name != "user.notify.store") return -1;
    std::string data = value;
    fuse_bufvec buffer{};
    buffer.count = 1;
    buffer.buf[0].size = data.size();
    buffer.buf[0].mem = data.data();
    return -fuse_lowlevel_notify_store(server.session, node.id, 0, &buffer, FUSE_BUF_NO_SPLICE);
}

// Makes a change if the name asks for one; the error of that, or -1.
int change(Server& server, Node& node, const std::string& name, const std::string& value) {
    Tree& tree = server.tree;
    if (name == "user.change.file") { // a new one takes the name
        tree.unlink(node, value);
        tree.make(node, value, S_IFREG | 0640);
        return 0;
    }
    const bool tells = name == "user.change.deleted";
    const bool writes = name == "user.change.content";
    if (name != "user.change.gone" && !tells && !writes) return -1;
    Node* const child = tree.child(node, value);
    if (child == nullptr) return ENOENT;
    if (writes) return child->content += "seven b", 0;
    const std::uint64_t id = child->id;
    tree.unlink(node, value);
    return tells ? -fuse_lowlevel_notify_delete(server.session, node.id, id, value.data(), value.size()) : 0;
}

void retrieve_reply(fuse_req_t request, void*, fuse_ino_t, off_t, fuse_bufvec* data) {
    Server& server = server_of(request);
    server.retrieved += fuse_buf_size(data) == 0 ? 1 : 1000; // nobody has kept anything
    fuse_reply_none(request);
}

void setxattr(fuse_req_t request, fuse_ino_t id, const char* name, const char* value, std::size_t size, int flags) {
    Node* const node = node_of(request, id);
    if (node == nullptr) return;
    const std::string text(value, size);
    if (const int told = notify(server_of(request), *node, name, text); told >= 0) {
        fuse_reply_err(request, told);
        return;
    }
    if (const int changed = change(server_of(request), *node, name, text); changed >= 0) {
        fuse_reply_err(request, changed);
        return;
    }
    const bool exists = node->xattrs.count(name) != 0;
    constexpr int kCreate = 1;
    constexpr int kReplace = 2;
    int error = 0;
    if (flags == kCreate && exists) error = EEXIST;
    if (flags == kReplace && !exists) error = ENODATA;
    if (error == 0) node->xattrs[name] = text;
    fuse_reply_err(request, error);
}

void reply_value(fuse_req_t request, const std::string& value, std::size_t room) {
    if (room == 0) {
        fuse_reply_xattr(request, value.size());
    } else if (value.size() > room) {
        fuse_reply_err(request, ERANGE);
    } else {
        fuse_reply_buf(request, value.data(), value.size());
    }
}

void getxattr(fuse_req_t request, fuse_ino_t id, const char* name, std::size_t room) {
    Server& server = server_of(request);
    const Node* const node = node_of(request, id);
    if (node == nullptr) return;
    const std::string wanted = name;
    if (wanted == "user.lookups") return reply_value(request, std::to_string(server.tree.lookups()), room);
    if (wanted == "user.interrupts") return reply_value(request, std::to_string(server.interrupts), room);
    if (wanted == "user.waiting") return reply_value(request, std::to_string(server.waiting.size()), room);
    if (wanted == "user.retrieved") return reply_value(request, std::to_string(server.retrieved), room);
    const auto found = node->xattrs.find(wanted);
    if (found != node->xattrs.end()) return reply_value(request, found->second, room);
    fuse_reply_err(request, ENODATA);
}

void listxattr(fuse_req_t request, fuse_ino_t id, std::size_t room) {
    const Node* const node = node_of(request, id);
    if (node == nullptr) return;
    std::string names;
    for (const auto& [name, value] : node->xattrs) names.append(name).push_back('\0');
    reply_value(request, names, room);
}

void removexattr(fuse_req_t request, fuse_ino_t id, const char* name) {
    Node* const node = node_of(request, id);
    if (node != nullptr) fuse_reply_err(request, node->xattrs.erase(name) == 1 ? 0 : ENODATA);
}

} // namespace

void add_xattrs(fuse_lowlevel_ops& operations) {
    operations.setxattr = setxattr;
    operations.getxattr = getxattr;
    operations.listxattr = listxattr;
    operations.removexattr = removexattr;
    operations.retrieve_reply = retrieve_reply;
}

} // namespace vfsproto::test::libfuse
