// SPDX-License-Identifier: BSD-2-Clause
// AsyncMount: open files and directories.
#include "async_steps.hpp"
#include "file_steps.hpp"
#include "open_handles.hpp"

#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/posix/detail/open_steps.hpp"

#include <functional>

namespace vfsproto::posix {

using wire::Errno;
using wire::linux_abi::kORdonly;

template <class Op> AsyncMount::Steps<void> AsyncMount::release(OpenHandle& handle) {
    if (!std::exchange(handle.owes_release, false)) co_return;
    Op release;
    release.call.args = release_in(handle);
    co_await run(release, handle.nodeid);
}

AsyncMount::Steps<Expected<File>> AsyncMount::open_steps(std::string path, std::uint32_t flags, std::uint32_t mode) {
    OpenSteps steps(*mount_.cache_, create_form_of(mount_.channel()), maker_group(names()), mount_.look_);
    steps.begin(path, flags);
    for (;;) {
        switch (steps.want()) {
        case OpenSteps::Want::walk: {
            const Failure failure = co_await walk(steps.path());
            steps.handle_walked(failure);
            break;
        }
        case OpenSteps::Want::create:
            if (File file = co_await create(steps, mode)) co_return file;
            break;
        case OpenSteps::Want::open:
            if (File file = co_await open(steps)) co_return file;
            break;
        case OpenSteps::Want::failed: co_return steps.failure();
        }
    }
}

AsyncMount::Steps<Expected<File>> AsyncMount::temporary_steps(std::string directory, std::uint32_t flags,
                                                              std::uint32_t mode) {
    auto handle = co_await ask<TemporarySteps>(std::move(directory), flags, mode);
    if (!handle) co_return handle.failure();
    co_return File(*std::move(handle));
}

AsyncMount::Steps<File> AsyncMount::create(OpenSteps& steps, std::uint32_t mode) {
    client::CreateFile create;
    const PathSteps& at = steps.path();
    create.extensions.group = steps.group_to_create();
    const client::CreateFile::NewFile file{at.name(), steps.flags_to_create(), mode, mount_.credentials().umask};
    const NodeCache::Asked asked{at.parent(), at.name(), mount_.cache_->about_to_ask()};
    co_await run(create, at.parent().nodeid(), file);
    NodeRef node;
    if (create.succeeded()) {
        node = mount_.cache_->count_made(asked, create.entry());
    } else {
        mount_.cache_->note_failed(asked, failure_of(create));
    }
    auto handle = handle_of(mount_.channel(), std::move(node), create, steps.flags_to_keep(), OpenHandle::Kind::file);
    if (create.succeeded()) co_return File(std::move(handle));
    if (std::exchange(handle->owes_release, false)) {
        client::Release release;
        release.call.args = release_in(*handle);
        co_await run(release, create.entry().nodeid);
    }
    steps.handle_refused(failure_of(create));
    co_return File();
}

AsyncMount::Steps<File> AsyncMount::open(OpenSteps& steps) {
    client::OpenFile open;
    NodeRef& node = steps.path().node();
    co_await run(open, node.nodeid(), steps.flags_to_open());
    if ((steps.flags_to_open() & wire::linux_abi::kOTrunc) != 0) mount_.cache_->invalidate(node);
    auto handle = handle_of(mount_.channel(), node.clone(), open, steps.flags_to_keep(), OpenHandle::Kind::file);
    if (open.succeeded()) co_return File(std::move(handle));
    co_await release<client::Release>(*handle);
    steps.handle_refused(failure_of(open));
    co_return File();
}

AsyncMount::Steps<Failure> AsyncMount::close_steps(File file) {
    if (!file) co_return Failure(Errno::ebadf);
    OpenHandle& handle = *file.handle_;
    Failure failure;
    if (owes_flush(handle)) failure = co_await flush_steps(file);
    handle.gave_up(OpenHandle::Locks::records);
    co_await release<client::Release>(handle);
    co_return failure;
}

AsyncMount::Steps<Failure> AsyncMount::flush_steps(const File& file) { return perform<FlushSteps>(std::cref(file)); }

AsyncMount::Steps<Failure> AsyncMount::fsync_steps(const File& file, std::uint32_t flags) {
    return perform<SyncFileSteps>(std::cref(file), flags);
}

AsyncMount::Steps<Failure> AsyncMount::sync_steps() { return perform<SyncSteps>(); }

AsyncMount::Steps<Failure> AsyncMount::truncate_steps(const File& file, std::uint64_t size) {
    return perform<SetFileAttributesSteps>(std::cref(file), size_in(size));
}

AsyncMount::Steps<Failure> AsyncMount::set_times_steps(const File& file, SetTime atime, SetTime mtime) {
    return perform<SetFileAttributesSteps>(std::cref(file), times_in(atime, mtime));
}

AsyncMount::Steps<Expected<Attributes>> AsyncMount::set_attributes_steps(const File& file, wire::SetattrIn what) {
    return ask<SetFileAttributesSteps>(std::cref(file), what);
}

AsyncMount::Steps<Expected<Attributes>> AsyncMount::stat_steps(const File& file) {
    return ask<FileStatSteps>(std::cref(file));
}

AsyncMount::Steps<Failure> AsyncMount::fallocate_steps(const File& file, std::uint32_t mode, std::uint64_t offset,
                                                       std::uint64_t length) {
    return perform<AllocateSteps>(std::cref(file), AllocateSteps::Range{mode, offset, length});
}

AsyncMount::Steps<Expected<std::uint64_t>> AsyncMount::seek_steps(const File& file, std::uint64_t offset,
                                                                  std::uint32_t whence) {
    return ask<SeekSteps>(std::cref(file), offset, whence);
}

AsyncMount::Steps<Expected<std::uint64_t>> AsyncMount::copy_range_steps(const FileRange& from, const FileRange& to) {
    using Place = CopyRangeSteps::Place;
    return ask<CopyRangeSteps>(Place{from.file, from.offset}, Place{to.file, to.offset}, from.length);
}

AsyncMount::Steps<Expected<std::uint32_t>> AsyncMount::poll_steps(const File& file, std::uint32_t events) {
    return ask<PollSteps>(std::cref(file), events);
}

AsyncMount::Steps<Expected<std::int32_t>> AsyncMount::ioctl_steps(const File& file, std::uint32_t command,
                                                                  std::span<const std::byte> in,
                                                                  std::span<std::byte> out) {
    return ask<ControlSteps>(std::cref(file), command, in, out);
}

AsyncMount::Steps<Expected<std::vector<DirectoryEntry>>> AsyncMount::list_steps(std::string path,
                                                                                client::DirectoryFormat format) {
    PathSteps at(*mount_.cache_, mount_.look_);
    at.to_file(path, LastLink::follow);
    Failure failure = co_await walk(at);
    if (!failure && !is_directory(at.attributes().mode)) failure = Errno::enotdir;
    if (failure) co_return failure;
    client::OpenDirectory open;
    co_await run(open, at.node().nodeid(), kORdonly);
    for (unsigned tries = 0; !open.succeeded() && mount_.cache_->make_room(failure_of(open), tries);) {
        co_await run(open, at.node().nodeid(), kORdonly);
    }
    if (!open.succeeded()) co_return failure_of(open);
    Directory directory(handle_of(mount_.channel(), std::move(at.node()), open, kORdonly, OpenHandle::Kind::directory),
                        *mount_.cache_, mount_.credentials().caller, format);
    OpenHandle& handle = *directory.handle_;
    std::vector<DirectoryEntry> all;
    for (;;) {
        client::ReadDirectory read;
        const client::ReadDirectory::Place from{handle.nodeid, handle.fh, directory.cookie_};
        co_await run(read, from, directory.room(), directory.format_);
        auto some = directory.take(read);
        failure = some.failure();
        if (!some || some->empty()) break;
        append_names(*some, all);
    }
    co_await release<client::ReleaseDirectory>(handle);
    if (failure) co_return failure;
    co_return all;
}

} // namespace vfsproto::posix
