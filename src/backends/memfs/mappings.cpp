// SPDX-License-Identifier: BSD-2-Clause
// Files in the shared memory window of the device.
#include "../mapping_request.hpp"
#include "core.hpp"

#include <cerrno>

namespace vfsproto::backends {
namespace {

// The host is Linux: its numbers are those of the wire.
Errno to_errno(int host) noexcept { return static_cast<Errno>(host); }

Errno map_file(MemfsCore& core, MappingSink& window, u64 nodeid, const wire::SetupmappingIn& in) {
    MemfsNode* const node = core.find_node(nodeid);
    if (node == nullptr) return Errno::estale;
    if (!abi::is_regular(node->mode)) return Errno::ebadf;
    if (const Errno error = core.make_mappable(*node); error != Errno::none) return error;
    const MemfsMapping mapping{in.len, node->ino, in.foffset, access_of(in)};
    if (!node->content.take_reach(mapping.reach())) return Errno::enospc;
    const int error = window.map(node->content.fd(), in.foffset, {in.moffset, in.len}, mapping.access);
    if (error != 0) return to_errno(error);
    core.note_mapping(in.moffset, mapping);
    if (mapping.access == WindowAccess::write) core.touch(*node);
    return Errno::none;
}

} // namespace

Errno MemfsCore::make_mappable(MemfsNode& node) {
    if (node.content.is_in_file()) return Errno::none;
    if (in_files.size() >= options.max_memory_files && !close_a_file()) return Errno::emfile;
    int error = node.content.move_to_file();
    const bool lacks_descriptor = error == EMFILE || error == ENFILE;
    if (lacks_descriptor && close_a_file()) error = node.content.move_to_file();
    if (error != 0) return to_errno(error);
    in_files.push_back(node.ino);
    return Errno::none;
}

// Moves the content back that has been in its file for longest, of those that are not mapped. False if there is none.
bool MemfsCore::close_a_file() {
    for (auto at = in_files.begin(); at != in_files.end(); ++at) {
        Content& content = known(*at).content;
        if (content.is_mapped() || !content.move_to_heap()) continue;
        in_files.erase(at);
        return true;
    }
    return false;
}

void MemfsCore::add_mapping(u64 window_offset, const MemfsMapping& mapping) {
    mappings[window_offset] = mapping;
    known(mapping.ino).content.add_mapping(mapping.reach());
}

void MemfsCore::drop_mapping(const MemfsMapping& mapping) {
    MemfsNode& node = known(mapping.ino);
    node.content.remove_mapping(mapping.reach());
    if (mapping.access == WindowAccess::write) touch(node);
    drop_if_unused(node);
}

// The new mapping is noted first, so that a file that replaces a mapping of its own stays in use throughout.
void MemfsCore::note_mapping(u64 window_offset, const MemfsMapping& mapping) {
    known(mapping.ino).content.add_mapping(mapping.reach());
    note_unmapped({window_offset, mapping.length});
    mappings[window_offset] = mapping;
}

// A mapping that lies only partly in this place keeps the rest.
void MemfsCore::note_unmapped(const WindowPiece& place) {
    const u64 end = place.offset + place.length;
    auto at = mappings.upper_bound(place.offset);
    if (at != mappings.begin()) --at;
    while (at != mappings.end() && at->first < end) {
        const auto [start, mapping] = *at;
        const u64 stop = start + mapping.length;
        if (stop <= place.offset) {
            ++at;
            continue;
        }
        at = mappings.erase(at);
        MemfsMapping rest = mapping;
        if (start < place.offset) {
            rest.length = place.offset - start;
            add_mapping(start, rest);
        }
        if (stop > end) {
            rest.length = stop - end;
            rest.file_offset = mapping.file_offset + (end - start);
            add_mapping(end, rest);
        }
        drop_mapping(mapping);
    }
}

void Memfs::handle(In<Op::setupmapping> request, Out<Op::setupmapping> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MappingSink* const window = core_->options.window.get();
        if (window == nullptr) return to.error(Errno::enosys);
        if (!is_sound(*window, request.in)) return to.error(Errno::einval);
        const Errno error = map_file(*core_, *window, request.header.nodeid, request.in);
        error == Errno::none ? to.ok() : to.error(error);
    });
}

void Memfs::handle(In<Op::removemapping> request, Out<Op::removemapping> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MappingSink* const window = core_->options.window.get();
        if (window == nullptr) return to.error(Errno::enosys);
        const int error = remove_mappings(*window, request, [&](const WindowPiece& piece) {
            const int failed = window->unmap(piece);
            if (failed == 0) core_->note_unmapped(piece);
            return failed;
        });
        error == 0 ? to.ok() : to.error(to_errno(error));
    });
}

} // namespace vfsproto::backends
