// SPDX-License-Identifier: BSD-2-Clause
// Mount: directories.
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/mount.hpp"

#include "directory_reader.hpp"
#include "mount_steps.hpp"
#include "open_handles.hpp"

#include "vfsproto/posix/detail/path_walk.hpp"

#include "vfsproto/fuse/client/operations/names.hpp"

#include <utility>

namespace vfsproto::posix {

using abi::Errno;
using abi::kORdonly;
using abi::kROk;

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
    return Directory(
        std::make_unique<DirectoryReader>(std::move(handle), *cache_, asking_->caller, format, std::move(listing)));
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
    if (directory.nodeid() == 0) return abi::Errno::ebadf;
    client::SyncDirectory sync;
    sync.call.args = {directory.fh(), 0, 0};
    begin_call().run([&] { return directory.reader_->held(); }, sync, directory.nodeid());
    return failure_of(sync);
}

void append_names(std::vector<DirectoryEntry>& some, std::vector<DirectoryEntry>& all) {
    for (DirectoryEntry& entry : some) {
        if (entry.name != "." && entry.name != "..") all.push_back(std::move(entry));
    }
}

Directory::Directory(std::unique_ptr<DirectoryReader> reader) noexcept : reader_(std::move(reader)) {}
Directory::Directory(Directory&& other) noexcept = default;
Directory& Directory::operator=(Directory&& other) noexcept = default;
Directory::~Directory() = default;

std::uint64_t Directory::nodeid() const noexcept { return reader_ ? reader_->handle().nodeid : 0; }

std::uint64_t Directory::fh() const noexcept { return reader_ ? reader_->handle().fh : 0; }

void Directory::rewind() noexcept {
    if (reader_) reader_->rewind();
}

Expected<std::vector<DirectoryEntry>> Directory::read() {
    if (reader_ == nullptr) return abi::Errno::ebadf;
    DirectoryReader& reader = *reader_;
    if (std::vector<DirectoryEntry> known; reader.take_known(known)) return known;
    client::ReadDirectory read;
    const OpenHandle& handle = reader.handle();
    MountCall(handle.channel, reader.caller(), handle.limits)
        .run([&] { return reader.held(); }, read, reader.place(), reader.room(), reader.format());
    return reader.take(read);
}

} // namespace vfsproto::posix
