// SPDX-License-Identifier: BSD-2-Clause
// A Listing is that of an open directory: read from what was kept, or gathered while the server is asked, and kept when the directory
// was read to its end.
#pragma once

#include "vfsproto/fuse/client/content_cache.hpp"
#include "vfsproto/fuse/client/operations/detail/directory_format.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"
#include "vfsproto/posix/detail/look.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace vfsproto::posix {

class NodeCache;
class NodeRef;
class OpenHandle;

// Belongs to one Directory, and is used as it is.
class Listing {
public:
    // `opened` was noted before OPENDIR was sent, because a server may read the directory while it answers that.
    Listing(NodeCache& cache, const client::ContentRead& opened, Look look) noexcept
        : cache_(cache), opened_(opened), look_(look) {}

    // Begins at the start of the directory. True if the listing is known, with the attributes of all files if `wanted` is
    // direntpluses. Else the server is to be asked.
    [[nodiscard]] bool begin(const NodeRef& directory, client::DirectoryFormat wanted);
    [[nodiscard]] bool is_known() const noexcept { return known_ != nullptr; }
    // Returns the next records of a listing that is known, as READDIR would bring them; none = the end.
    [[nodiscard]] std::span<const std::byte> next() noexcept;

    // These take what the server says, one entry after the other, and the end. They do nothing while the listing is known.
    void add(const wire::DirEntry& entry);
    void end(const NodeRef& directory);
    // Is called when something failed. What was gathered is not kept.
    void give_up() noexcept;

private:
    [[nodiscard]] bool has_attributes(const NodeRef& directory);

    NodeCache& cache_;
    client::ContentRead opened_;
    std::shared_ptr<const std::string> known_{};
    std::size_t at_ = 0;     // of the next record of what is known
    std::string gathered_{}; // records of READDIR
    Look look_;
    bool gathers_ = false;
    bool is_first_ = true; // the directory was not rewound yet
};

// Returns the listing of a directory that was opened right now; nullptr where neither the server nor the mount's CacheMode lets it be
// kept. `opened` is as in Listing().
[[nodiscard]] std::unique_ptr<Listing> listing_of(NodeCache& cache, const OpenHandle& directory,
                                                  const client::ContentRead& opened, Look look);

} // namespace vfsproto::posix
