// SPDX-License-Identifier: BSD-2-Clause
// The caches learn here from changes that this client made itself (reference: Linux fs/fuse/dir.c). Each request that changes
// names is one call, when its reply is there.
#pragma once

#include "vfsproto/fuse/client/attribute_cache.hpp"
#include "vfsproto/fuse/client/detail/verdict.hpp"
#include "vfsproto/fuse/client/lookup_cache.hpp"

namespace vfsproto::client {

// One owner at a time, that of the caches.
class OwnChanges {
public:
    struct Place {
        CachedNode& directory;
        LookupCache::Name name;
    };
    // Holds what a reply says of the file that was made.
    struct Entry {
        FreshAttributes attributes;
        CacheTime expiry; // of the name
    };

    OwnChanges(LookupCache& names, AttributeCache& attributes) noexcept : names_(names), attributes_(attributes) {}

    // CREATE, MKNOD, MKDIR or SYMLINK made this file, or LINK a name for it, or CREATE opened what was there. Its node is
    // counted.
    void made(const Place& place, CachedNode& file, const Entry& entry) noexcept;
    // UNLINK or RMDIR removed this name. `file`: what it led to; nullptr if that is not known.
    void removed(const Place& place, CachedNode* file) noexcept;
    // RENAME or RENAME2 moved a file. `moved`, `other`: the file, and the one that had the new name and lost it or has the old
    // one now; nullptr if there was none, or if it is not known.
    void renamed(const Place& from, const Place& to, CachedNode* moved, CachedNode* other) noexcept;
    // One of the requests above failed. What is kept of the name may be wrong; EINTR, EMFILE, ENFILE and failures of the engine do not
    // even tell if the change was made. `file`: what it was about, or nullptr. To be called for both names of a rename.
    void failed(const Place& place, const Verdict& why, CachedNode* file) noexcept;

private:
    LookupCache& names_;
    AttributeCache& attributes_;
};

} // namespace vfsproto::client
