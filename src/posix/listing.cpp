// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/listing.hpp"

#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"
#include "vfsproto/posix/detail/open_handle.hpp"

#include <utility>

namespace vfsproto::posix {

namespace {

// A known listing is read in parts of this many bytes, which are a few hundred entries. The cache's lock, which every
// call needs, is held for one part at a time.
constexpr std::size_t kPart = 16 * 1024;

} // namespace

bool Listing::begin(const NodeRef& directory, client::DirectoryFormat wanted) {
    give_up();
    known_.reset();
    at_ = 0;
    if (look_ == Look::as_kept) known_ = cache_.find_listing(directory, is_first_ ? &opened_.version : nullptr);
    is_first_ = false;
    const bool needs_attributes = wanted == client::DirectoryFormat::direntpluses;
    if (is_known() && needs_attributes && !has_attributes(directory)) known_.reset();
    gathers_ = !is_known();
    if (look_ == Look::as_kept) cache_.count_listing(is_known() ? client::Looked::hit : client::Looked::miss);
    return is_known();
}

// True if the attributes of all files are known now. Some may be forgotten before their part is read.
bool Listing::has_attributes(const NodeRef& directory) {
    bool has_all = true;
    for (auto part = next(); has_all && !part.empty(); part = next()) {
        has_all = cache_.knows_attributes(directory, part);
    }
    at_ = 0;
    return has_all;
}

std::span<const std::byte> Listing::next() noexcept {
    const auto records = std::as_bytes(std::span(*known_));
    const std::size_t begin = at_;
    while (at_ < records.size() && at_ - begin < kPart) {
        at_ += wire::dirent_size(wire::get_struct<wire::Dirent>(records.data() + at_).namelen);
    }
    return records.subspan(begin, at_ - begin);
}

void Listing::add(const wire::DirEntry& entry) {
    if (!gathers_) return;
    const std::size_t before = gathered_.size();
    const std::size_t size = wire::dirent_size(entry.name.size());
    if (before + size > cache_.most_bytes_of_listing()) return give_up();
    gathered_.resize(before + size);
    wire::DirentWriter writer(std::as_writable_bytes(std::span(gathered_)).subspan(before));
    if (!writer.add(entry)) give_up();
}

void Listing::end(const NodeRef& directory) {
    if (!std::exchange(gathers_, false)) return;
    gathered_.shrink_to_fit();
    cache_.note_listing(directory, std::exchange(gathered_, {}), opened_);
}

void Listing::give_up() noexcept {
    gathers_ = false;
    gathered_ = {};
}

std::unique_ptr<Listing> listing_of(NodeCache& cache, const OpenHandle& directory, const client::ContentRead& opened,
                                    Look look) {
    client::ContentRead read = opened;
    if (!cache.keeps_listing(directory.node, directory.open_flags, read)) return nullptr;
    return std::make_unique<Listing>(cache, read, look);
}

} // namespace vfsproto::posix
