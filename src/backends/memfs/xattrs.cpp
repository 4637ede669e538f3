// SPDX-License-Identifier: BSD-2-Clause
#include "core.hpp"

namespace vfsproto::backends {
namespace {

// xattr(7): the classes there are, and on what kind of file a user may set his own.
// Access control lists are values like others, if the client is told that it evaluates them.
Errno check_xattr(const MemfsCore& core, const MemfsNode& node, wire::Name name) {
    if (name.empty() || name.size() > abi::kXattrNameMax) return Errno::erange;
    const std::string_view whole = text(name);
    const bool user = whole.starts_with("user.");
    const bool is_list = whole == "system.posix_acl_access" || whole == "system.posix_acl_default";
    if (is_list && core.options.server.flags.has(wire::InitFlag::posix_acl)) return Errno::none;
    if (!user && !whole.starts_with("trusted.") && !whole.starts_with("security.")) return Errno::eopnotsupp;
    if (whole.substr(whole.find('.')).size() == 1) return Errno::einval;
    const bool has_user_attributes = abi::is_regular(node.mode) || abi::is_directory(node.mode);
    return user && !has_user_attributes ? Errno::eperm : Errno::none;
}

std::vector<std::byte> gather(const server::ByteView& view) {
    std::vector<std::byte> bytes;
    for (const HostSegment& segment : view.segments) {
        bytes.insert(bytes.end(), segment.data, segment.data + segment.len);
    }
    return bytes;
}

// Size 0 asks how much there is.
template <class Reply> void answer_sized(Reply& to, u32 size, std::span<const std::byte> bytes) {
    if (size == 0) return to.ok({static_cast<u32>(bytes.size()), 0});
    return bytes.size() > size ? to.error(Errno::erange) : to.data(bytes);
}

} // namespace

void Memfs::handle(In<Op::setxattr> request, Out<Op::setxattr> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* node = core_->find_node(request.header.nodeid);
        if (node == nullptr) return to.error(Errno::estale);
        if (const Errno error = check_xattr(*core_, *node, request.name); error != Errno::none) return to.error(error);
        constexpr u32 known = abi::kXattrCreate | abi::kXattrReplace;
        if ((request.in.flags & ~known) != 0) return to.error(Errno::einval);
        if (request.data.size > abi::kXattrSizeMax) return to.error(Errno::e2big);
        const auto found = node->xattrs.find(text(request.name));
        const bool there = found != node->xattrs.end();
        if (there && (request.in.flags & abi::kXattrCreate) != 0) return to.error(Errno::eexist);
        if (!there && (request.in.flags & abi::kXattrReplace) != 0) return to.error(Errno::enodata);
        node->xattrs[std::string(text(request.name))] = gather(request.data);
        node->ctime = core_->now();
        return to.ok();
    });
}

void Memfs::handle(In<Op::getxattr> request, Out<Op::getxattr> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* node = core_->find_node(request.header.nodeid);
        if (node == nullptr) return to.error(Errno::estale);
        const Errno error = check_xattr(*core_, *node, request.name);
        if (error != Errno::none) return to.error(error == Errno::eperm ? Errno::enodata : error);
        const auto found = node->xattrs.find(text(request.name));
        if (found == node->xattrs.end()) return to.error(Errno::enodata);
        return answer_sized(to, request.in.size, found->second);
    });
}

void Memfs::handle(In<Op::listxattr> request, Out<Op::listxattr> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* node = core_->find_node(request.header.nodeid);
        if (node == nullptr) return to.error(Errno::estale);
        std::string names;
        for (const auto& [name, value] : node->xattrs) names.append(name).push_back('\0');
        return answer_sized(to, request.in.size, std::as_bytes(std::span(names)));
    });
}

void Memfs::handle(In<Op::removexattr> request, Out<Op::removexattr> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* node = core_->find_node(request.header.nodeid);
        if (node == nullptr) return to.error(Errno::estale);
        if (const Errno error = check_xattr(*core_, *node, request.name); error != Errno::none) return to.error(error);
        const auto found = node->xattrs.find(text(request.name));
        if (found == node->xattrs.end()) return to.error(Errno::enodata);
        node->xattrs.erase(found);
        node->ctime = core_->now();
        return to.ok();
    });
}

} // namespace vfsproto::backends
