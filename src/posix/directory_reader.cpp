// SPDX-License-Identifier: BSD-2-Clause
#include "directory_reader.hpp"

#include "vfsproto/fuse/wire/dirents.hpp"
#include "vfsproto/fuse/wire/validate.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"

namespace vfsproto::posix {

namespace {

// A READDIR asks for this many bytes. Servers refuse more than 1 MiB, and answer "end" when not one record fits.
constexpr std::size_t kReadSize = 64 * 1024;

} // namespace

DirectoryReader::DirectoryReader(std::unique_ptr<OpenHandle> handle, NodeCache& cache, const abi::Caller& caller,
                                 client::DirectoryFormat format, std::unique_ptr<Listing> listing)
    : handle_(std::move(handle)), cache_(cache), caller_(caller), format_(format), listing_(std::move(listing)) {}

Held DirectoryReader::held() const {
    Held held = cache_.hold();
    held.handles.push_back(handle_);
    return held;
}

std::span<std::byte> DirectoryReader::room() {
    buffer_.resize(kReadSize);
    // A server may have read all of the directory when it was asked for its beginning.
    const AskedAt now = cache_.about_to_ask();
    asked_ = {now.time, cookie_ == 0 ? now.before : asked_.before};
    return buffer_;
}

bool DirectoryReader::take_known(std::vector<DirectoryEntry>& to) {
    if (listing_ == nullptr) return false;
    using client::DirectoryFormat;
    const bool has_plus = handle_->channel.params().flags.has(wire::InitFlag::do_readdirplus);
    const DirectoryFormat wanted = has_plus ? format_ : DirectoryFormat::dirents;
    if (std::exchange(is_at_start_, false) ? !listing_->begin(handle_->node, wanted) : !listing_->is_known()) {
        return false;
    }
    // The Listing wrote these records, so they are sound.
    if (take_names(listing_->next(), to)) return false;
    if (wanted == DirectoryFormat::direntpluses) cache_.add_attributes(handle_->node, to);
    return true;
}

Expected<std::vector<DirectoryEntry>> DirectoryReader::take(const client::ReadDirectory& read) {
    std::vector<DirectoryEntry> entries;
    Failure failure = failure_of(read);
    if (!failure) {
        format_ = read.format();
        failure = take_records(std::span<const std::byte>(buffer_).first(read.bytes()), entries);
    }
    if (listing_ != nullptr && failure) listing_->give_up();
    if (listing_ != nullptr && !failure && entries.empty()) listing_->end(handle_->node);
    if (failure) return failure;
    return entries;
}

Failure DirectoryReader::take_records(std::span<const std::byte> records, std::vector<DirectoryEntry>& out) {
    const Failure failure =
        format_ == client::DirectoryFormat::direntpluses ? take_entries(records, out) : take_names(records, out);
    // There are bytes, but not one whole record. Asking again would bring the same.
    if (!failure && out.empty() && !records.empty()) return Errc::protocol_violation;
    return failure;
}

DirectoryEntry DirectoryReader::entry_of(const wire::DirEntry& from) {
    DirectoryEntry entry;
    entry.name.assign(from.name.data(), from.name.size());
    entry.ino = from.ino;
    entry.type = from.type;
    cookie_ = from.next;
    if (listing_ != nullptr) listing_->add(from);
    return entry;
}

Failure DirectoryReader::take_names(std::span<const std::byte> records, std::vector<DirectoryEntry>& out) {
    wire::DirentReader reader(records);
    while (reader.next()) out.push_back(entry_of(reader.entry()));
    return reader.error();
}

Failure DirectoryReader::take_entries(std::span<const std::byte> records, std::vector<DirectoryEntry>& out) {
    wire::DirentplusReader reader(records);
    std::vector<NodeCache::Listed> counted;
    std::vector<std::size_t> places; // of the counted ones in `out`
    while (reader.next()) {
        const wire::DirEntryPlus& from = reader.entry();
        DirectoryEntry entry = entry_of(from.dirent);
        // A nodeid of 0 is a name only, for example because the server ran out of descriptors. "." and ".." are not
        // counted.
        if (from.entry.nodeid != 0 && !from.dirent.name.is_dot_or_dot_dot()) {
            counted.push_back({from.entry, {}});
            places.push_back(out.size());
            entry.has_attributes = wire::check_attr(from.entry.attr) == Errc::ok;
            if (entry.has_attributes) entry.attributes = cache_.ids().shown(from.entry.attr);
        }
        out.push_back(std::move(entry));
    }
    for (std::size_t i = 0; i < counted.size(); ++i) counted[i].name = out[places[i]].name;
    // The entries are counted even when a later record is broken: the server counted them.
    cache_.count_idle(counted, handle_->node, asked_);
    return reader.error();
}

} // namespace vfsproto::posix
