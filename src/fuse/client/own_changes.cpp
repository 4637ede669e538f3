// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/own_changes.hpp"

namespace vfsproto::client {

namespace {

LookupCache::Place key_of(const OwnChanges::Place& place) noexcept { return {place.directory.incarnation, place.name}; }

// True if somebody else may have made, removed or replaced names: what is kept of the directory's content is doubtful.
bool tells_of_others(abi::Errno error) noexcept {
    using abi::Errno;
    switch (error) {
    case Errno::enoent:
    case Errno::eexist:
    case Errno::enotempty:
    case Errno::eisdir:
    case Errno::enotdir:
    case Errno::estale: return true;
    default: return false;
    }
}

} // namespace

void OwnChanges::made(const Place& place, CachedNode& file, const Entry& entry) noexcept {
    attributes_.apply_changed(file.attributes, entry.attributes);
    attributes_.invalidate(place.directory.attributes);
    names_.put_made(key_of(place), {file.nodeid(), file.incarnation}, entry.expiry, entry.attributes.before);
}

void OwnChanges::removed(const Place& place, CachedNode* file) noexcept {
    attributes_.invalidate(place.directory.attributes);
    names_.invalidate(key_of(place));
    if (file != nullptr) attributes_.invalidate(file->attributes);
}

void OwnChanges::renamed(const Place& from, const Place& to, CachedNode* moved, CachedNode* other) noexcept {
    removed(from, moved);
    removed(to, other);
}

void OwnChanges::failed(const Place& place, const Verdict& why, CachedNode* file) noexcept {
    using abi::Errno;
    names_.invalidate(key_of(place));
    const bool is_exhausted = why.error == Errno::emfile || why.error == Errno::enfile; // perhaps after the change
    const bool may_be_done = why.errc != Errc::ok || why.error == Errno::eintr || is_exhausted;
    if (!may_be_done) {
        if (!tells_of_others(why.error)) return;
        attributes_.invalidate_content(place.directory.attributes);
        if (file != nullptr) attributes_.invalidate_content(file->attributes);
        return;
    }
    attributes_.invalidate(place.directory.attributes);
    if (file != nullptr) attributes_.invalidate(file->attributes);
}

} // namespace vfsproto::client
