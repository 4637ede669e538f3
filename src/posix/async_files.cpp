// SPDX-License-Identifier: BSD-2-Clause
// AsyncMount: open files and directories.
#include "async_steps.hpp"
#include "directory_reader.hpp"
#include "file_steps.hpp"
#include "long_transfer.hpp"
#include "open_handles.hpp"

#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/posix/detail/listing.hpp"
#include "vfsproto/posix/detail/open_steps.hpp"

#include <functional>

namespace vfsproto::posix {

using abi::Errno;
using abi::kORdonly;
using abi::kROk;

template <class Op> AsyncMount::Steps<void> AsyncMount::release(OpenHandle& handle) {
    if (!std::exchange(handle.owes_release, false)) co_return;
    Op release;
    release.call.args = release_in(handle);
    co_await run_to_end(release, handle.nodeid);
}

// Has the channel end a handle: it may owe more than limits allow, and requests that were let go of may still name it.
void AsyncMount::end_later(std::shared_ptr<OpenHandle> handle) {
    Held held = mount_.cache_->hold();
    held.handles.push_back(std::move(handle));
    mount_.channel().do_late(std::move(held), {});
}

template <wire::Opcode Op>
AsyncMount::Steps<Expected<std::uint64_t>> AsyncMount::transfer_steps(const File& file, client::TransferSpan span) {
    if (!file) co_return Errno::ebadf;
    LongTransferCall<Op> transfer;
    MountCall call = mount_.begin_call();
    if (const Failure busy = transfer.begin(call, span)) co_return busy;
    const auto held = [this, &file] { return held_of(*mount_.cache_, file); };
    const auto after = [&transfer](const LimitedCall& let_go, const client::LongTransfer<Op>&) {
        transfer.let_go(let_go);
        return AfterLate();
    };
    co_await run_and_leave(call, held, after, transfer.operation, span);
    co_return transfer.result();
}
template AsyncMount::Steps<Expected<std::uint64_t>>
AsyncMount::transfer_steps<wire::Opcode::read>(const File& file, client::TransferSpan span);
template AsyncMount::Steps<Expected<std::uint64_t>>
AsyncMount::transfer_steps<wire::Opcode::write>(const File& file, client::TransferSpan span);

AsyncMount::Steps<Expected<std::uint64_t>> AsyncMount::read_all_steps(const File& file, std::span<std::byte> into,
                                                                      std::uint64_t offset) {
    std::uint64_t done = 0;
    while (done < into.size()) {
        const client::TransferSpan rest = mount_.span_of(file, into.subspan(done), offset + done);
        const Expected<std::uint64_t> taken = co_await transfer_steps<wire::Opcode::read>(file, rest);
        if (!taken) co_return taken.failure();
        if (*taken == 0) break;
        done += *taken;
    }
    co_return done;
}

AsyncMount::Steps<Failure> AsyncMount::write_all_steps(const File& file, std::span<const std::byte> from,
                                                       std::uint64_t offset) {
    // The pieces of a write only ever read from it.
    const std::span<std::byte> bytes(const_cast<std::byte*>(from.data()), from.size());
    std::uint64_t done = 0;
    while (done < bytes.size()) {
        const client::TransferSpan rest = mount_.span_of(file, bytes.subspan(done), offset + done);
        const Expected<std::uint64_t> taken = co_await transfer_steps<wire::Opcode::write>(file, rest);
        if (!taken) co_return taken.failure();
        if (*taken == 0) co_return Errno::eio; // neither progress nor an error
        done += *taken;
    }
    co_return Failure();
}

AsyncMount::Steps<Expected<File>> AsyncMount::open_steps(std::string path, std::uint32_t flags, std::uint32_t mode) {
    OpenSteps steps(*mount_.cache_, create_form_of(mount_.channel()), maker_group(names()), mount_.look_, names().from);
    MountCall call = mount_.begin_call();
    steps.begin(path, flags);
    for (;;) {
        switch (steps.want()) {
        case OpenSteps::Want::walk: {
            const Failure failure = co_await walk(call, steps.path());
            steps.handle_walked(failure);
            break;
        }
        case OpenSteps::Want::create:
            if (File file = co_await create(call, steps, mode)) co_return file;
            break;
        case OpenSteps::Want::open:
            if (File file = co_await open(call, steps)) co_return file;
            break;
        case OpenSteps::Want::failed: co_return steps.failure();
        }
    }
}

AsyncMount::Steps<Expected<File>> AsyncMount::temporary_steps(std::string directory, std::uint32_t flags,
                                                              std::uint32_t mode) {
    auto handle = co_await ask<TemporarySteps>(std::move(directory), flags, mode);
    if (!handle) co_return handle.failure();
    co_return mount_.keep(*std::move(handle));
}

AsyncMount::Steps<File> AsyncMount::create(MountCall& call, OpenSteps& steps, std::uint32_t mode) {
    client::CreateFile create;
    const PathSteps& at = steps.path();
    create.extensions.group = steps.group_to_create();
    const client::CreateFile::NewFile file{at.name(), steps.flags_to_create(), mode, mount_.server_credentials().umask};
    const NodeCache::Asked asked{at.parent(), at.name(), mount_.cache_->about_to_ask()};
    bool is_left = false;
    const auto held = [&at] { return at.parent().hold(); };
    const auto after = [&is_left](const LimitedCall&, const client::CreateFile& let_go) {
        is_left = true;
        return release_unwanted_later(let_go, let_go.entry().nodeid);
    };
    co_await run_and_leave(call, held, after, create, at.parent().nodeid(), file);
    NodeRef node;
    if (create.succeeded()) {
        node = mount_.cache_->count_made(asked, create.entry());
    } else {
        mount_.cache_->note_failed(asked, failure_of(create));
    }
    auto handle = handle_of(mount_.channel(), std::move(node), create, steps.flags_to_keep(), OpenHandle::Kind::file);
    if (create.succeeded()) co_return mount_.keep(std::move(handle));
    const bool owes = std::exchange(handle->owes_release, false) && !is_left;
    if (owes && call.has_limits()) {
        call.channel().do_late({}, release_unwanted_later(create, create.entry().nodeid));
    } else if (owes) {
        client::Release release;
        release.call.args = release_in(*handle);
        co_await run_to_end(release, create.entry().nodeid);
    }
    steps.handle_refused(failure_of(create));
    co_return File();
}

AsyncMount::Steps<File> AsyncMount::open(MountCall& call, OpenSteps& steps) {
    client::OpenFile open;
    NodeRef& node = steps.path().node();
    bool is_left = false;
    const auto held = [&node] { return node.hold(); };
    const auto after = [&is_left, &node](const LimitedCall&, const client::OpenFile& let_go) {
        is_left = true;
        return release_unwanted_later(let_go, node.nodeid());
    };
    co_await run_and_leave(call, held, after, open, node.nodeid(), steps.flags_to_open());
    if ((steps.flags_to_open() & abi::kOTrunc) != 0) mount_.cache_->invalidate(node);
    auto handle = handle_of(mount_.channel(), node.clone(), open, steps.flags_to_keep(), OpenHandle::Kind::file);
    if (open.succeeded()) co_return mount_.keep(std::move(handle));
    if (is_left) handle->owes_release = false;
    if (handle->owes_release && call.has_limits()) {
        end_later(std::move(handle));
    } else {
        co_await release<client::Release>(*handle);
    }
    steps.handle_refused(failure_of(open));
    co_return File();
}

AsyncMount::Steps<Failure> AsyncMount::close_steps(File file) {
    if (!file) co_return Failure(Errno::ebadf);
    OpenHandle& handle = *file.handle();
    MountCall call = mount_.begin_call();
    Failure failure;
    if (owes_flush(handle)) {
        FlushSteps steps(names(), file);
        co_await run_steps(call, steps);
        failure = steps.failure();
    }
    if (!still_owes_flush(failure)) handle.gave_up(OpenHandle::Locks::records);
    if (call.has_limits() || !call.may_ask()) {
        std::shared_ptr<OpenHandle> owned = file.handle();
        file = File(); // so that the other thread has the last of it
        end_later(std::move(owned));
    } else {
        co_await release<client::Release>(handle);
    }
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

AsyncMount::Steps<Failure> AsyncMount::walk_to_list(MountCall& call, PathSteps& steps) {
    Failure failure = co_await walk(call, steps);
    // A mode that was kept may be wrong about who may read it.
    while (!failure && steps.check_access(kROk) && steps.walk_again_without_cache())
        failure = co_await walk(call, steps);
    if (failure) co_return failure;
    if (!is_directory(steps.attributes().mode)) co_return Errno::enotdir;
    co_return steps.check_access(kROk);
}

AsyncMount::Steps<Expected<std::vector<DirectoryEntry>>> AsyncMount::list_steps(std::string path,
                                                                                client::DirectoryFormat format) {
    PathSteps at = names().path_steps();
    MountCall call = mount_.begin_call();
    at.to_file(path, LastLink::follow);
    client::OpenDirectory open;
    client::ContentRead opened;
    const auto held = [&at] { return at.node().hold(); };
    do {
        if (Failure failure = co_await walk_to_list(call, at)) co_return failure;
        opened = mount_.cache_->about_to_read(at.node(), at.attributes());
        unsigned tries = 0;
        do {
            co_await run(call, held, open, at.node().nodeid(), kORdonly);
        } while (!open.succeeded() && mount_.cache_->make_room(failure_of(open), tries));
    } while (failure_of(open).error == Errno::estale && at.walk_again_without_cache()); // replaced since it was kept
    if (!open.succeeded()) co_return failure_of(open);
    auto owned = handle_of(mount_.channel(), std::move(at.node()), open, kORdonly, OpenHandle::Kind::directory);
    OpenHandle& handle = *owned;
    DirectoryReader directory(std::move(owned), *mount_.cache_, mount_.server_credentials().caller, format,
                              listing_of(*mount_.cache_, handle, opened, mount_.look_));
    std::vector<DirectoryEntry> all;
    Failure failure;
    for (;;) {
        std::vector<DirectoryEntry> known;
        if (directory.take_known(known)) {
            if (known.empty()) break;
            append_names(known, all);
            continue;
        }
        MountCall step = mount_.begin_call();
        client::ReadDirectory read;
        const auto named = [&directory] { return directory.held(); };
        co_await run(step, named, read, directory.place(), directory.room(), directory.format());
        auto some = directory.take(read);
        failure = some.failure();
        if (!some || some->empty()) break;
        append_names(*some, all);
    }
    if (call.has_limits()) {
        end_later(directory.take_handle());
    } else {
        co_await release<client::ReleaseDirectory>(handle);
    }
    if (failure) co_return failure;
    co_return all;
}

} // namespace vfsproto::posix
