// SPDX-License-Identifier: BSD-2-Clause
// Mount: directories.
#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/listing.hpp"
#include "vfsproto/posix/mount.hpp"

#include "mount_steps.hpp"
#include "open_handles.hpp"

#include "vfsproto/posix/detail/path_walk.hpp"

#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"
#include "vfsproto/fuse/wire/validate.hpp"

#include <utility>

namespace vfsproto::posix {

using wire::Errno;
using wire::linux_abi::kORdonly;
using wire::linux_abi::kROk;

namespace {

// One READDIR asks for so many bytes: servers refuse more than 1 MiB, and answer "end" when not one record fits.
constexpr std::size_t kReadSize = 64 * 1024;

} // namespace

Expected<Directory> Mount::open_directory(std::string_view path, client::DirectoryFormat format) {
    MountCall call = begin_call();
    PathWalk at(call, names().path_steps());
    const auto check = [&at](const Failure& walked) -> Failure {
        if (walked) return walked;
        return is_directory(at.attributes().mode) ? at.place().check_access(kROk) : Failure(Errno::enotdir);
    };
    Failure failure = check(at.to_file(path, LastLink::follow));
    // A mode that was kept may be wrong about who may read it.
    if (at.place().judged() && is_refusal(failure) && at.may_walk_again()) failure = check(at.walk_again());
    if (failure) return failure;
    client::OpenDirectory open;
    client::ContentRead opened;
    const auto ask = [&] {
        opened = cache_->about_to_read(at.node(), at.attributes());
        call.run([&] { return at.node().hold(); }, open, at.node().nodeid(), kORdonly);
    };
    ask();
    for (unsigned tries = 0; !open.succeeded() && cache_->make_room(failure_of(open), tries);) ask();
    if (failure_of(open).error == Errno::estale && at.may_walk_again()) { // it was replaced since it was kept
        failure = check(at.walk_again());
        if (failure) return failure;
        ask();
    }
    if (!open.succeeded()) return failure_of(open);
    auto handle = handle_of(*channel_, std::move(at.node()), open, kORdonly, OpenHandle::Kind::directory);
    handle->limits = limits_;
    auto listing = listing_of(*cache_, *handle, opened, look_);
    return Directory(std::move(handle), *cache_, credentials_->caller, format, std::move(listing));
}

Expected<std::vector<DirectoryEntry>> Mount::list(std::string_view path, client::DirectoryFormat format) {
    auto directory = open_directory(path, format);
    if (!directory) return directory.failure();
    std::vector<DirectoryEntry> all;
    for (;;) {
        auto some = directory->read();
        if (!some) return some.failure();
        if (some->empty()) return all;
        append_names(*some, all);
    }
}

Failure Mount::sync_directory(const Directory& directory) {
    if (directory.nodeid() == 0) return wire::Errno::ebadf;
    client::SyncDirectory sync;
    sync.call.args = {directory.fh(), 0, 0};
    begin_call().run([&] { return directory.held(); }, sync, directory.nodeid());
    return failure_of(sync);
}

void append_names(std::vector<DirectoryEntry>& some, std::vector<DirectoryEntry>& all) {
    for (DirectoryEntry& entry : some) {
        if (entry.name != "." && entry.name != "..") all.push_back(std::move(entry));
    }
}

Directory::Directory(std::unique_ptr<OpenHandle> handle, NodeCache& cache, const abi::Caller& caller,
                     client::DirectoryFormat format, std::unique_ptr<Listing> listing)
    : handle_(std::move(handle)), cache_(&cache), caller_(caller), format_(format), listing_(std::move(listing)) {}

Directory::Directory(Directory&& other) noexcept = default;
Directory& Directory::operator=(Directory&& other) noexcept = default;
Directory::~Directory() = default;

Expected<std::vector<DirectoryEntry>> Directory::read() {
    if (handle_ == nullptr) return wire::Errno::ebadf;
    if (std::vector<DirectoryEntry> known; take_known(known)) return known;
    client::ReadDirectory read;
    const client::ReadDirectory::Place from{handle_->nodeid, handle_->fh, cookie_};
    MountCall(handle_->channel, caller_, handle_->limits).run([this] { return held(); }, read, from, room(), format_);
    return take(read);
}

Held Directory::held() const {
    Held held = cache_->hold();
    held.handles.push_back(handle_);
    return held;
}

std::span<std::byte> Directory::room() {
    buffer_.resize(kReadSize);
    // A server may have read all of the directory when it was asked for its beginning.
    const AskedAt now = cache_->about_to_ask();
    asked_ = {now.time, cookie_ == 0 ? now.before : asked_.before};
    return buffer_;
}

bool Directory::take_known(std::vector<DirectoryEntry>& to) {
    if (listing_ == nullptr) return false;
    using client::DirectoryFormat;
    const bool has_plus = handle_->channel.params().flags.has(wire::InitFlag::do_readdirplus);
    const DirectoryFormat wanted = has_plus ? format_ : DirectoryFormat::dirents;
    if (std::exchange(is_at_start_, false) ? !listing_->begin(handle_->node, wanted) : !listing_->is_known()) {
        return false;
    }
    // The records were written here.
    if (take_names(listing_->next(), to)) return false;
    if (wanted == DirectoryFormat::direntpluses) cache_->add_attributes(handle_->node, to);
    return true;
}

Expected<std::vector<DirectoryEntry>> Directory::take(const client::ReadDirectory& read) {
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

Failure Directory::take_records(std::span<const std::byte> records, std::vector<DirectoryEntry>& out) {
    const Failure failure =
        format_ == client::DirectoryFormat::direntpluses ? take_entries(records, out) : take_names(records, out);
    // Bytes, but not one whole record: asking again would bring the same.
    if (!failure && out.empty() && !records.empty()) return Errc::protocol_violation;
    return failure;
}

DirectoryEntry Directory::entry_of(const wire::DirEntry& from) {
    DirectoryEntry entry;
    entry.name.assign(from.name.data(), from.name.size());
    entry.ino = from.ino;
    entry.type = from.type;
    cookie_ = from.next;
    if (listing_ != nullptr) listing_->add(from);
    return entry;
}

Failure Directory::take_names(std::span<const std::byte> records, std::vector<DirectoryEntry>& out) {
    wire::DirentReader reader(records);
    while (reader.next()) out.push_back(entry_of(reader.entry()));
    return reader.error();
}

Failure Directory::take_entries(std::span<const std::byte> records, std::vector<DirectoryEntry>& out) {
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
            if (entry.has_attributes) entry.attributes = from.entry.attr;
        }
        out.push_back(std::move(entry));
    }
    for (std::size_t i = 0; i < counted.size(); ++i) counted[i].name = out[places[i]].name;
    // The entries are counted even when a later record is broken: the server counted them.
    cache_->count_idle(counted, handle_->node, asked_);
    return reader.error();
}

} // namespace vfsproto::posix
