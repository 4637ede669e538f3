// SPDX-License-Identifier: BSD-2-Clause
// AsyncMount: open files and directories.
#include "vfsproto/posix/async_mount.hpp"

#include "open_handles.hpp"

#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"

namespace vfsproto::posix {

using wire::Errno;
using wire::linux_abi::kORdonly;

template <class Op> AsyncMount::Steps<void> AsyncMount::release(OpenHandle& handle) {
    if (!std::exchange(handle.owes_release, false)) co_return;
    Op release;
    prepare(release, handle);
    co_await run(release, handle.node.nodeid());
}

AsyncMount::Steps<Answer<File>> AsyncMount::open_steps(std::string path, std::uint32_t flags, std::uint32_t mode) {
    OpenSteps steps(mount_.cache_);
    steps.begin(path, flags);
    Answer<File> answer;
    while (!answer.value) {
        switch (steps.want()) {
        case OpenSteps::Want::walk: {
            const Failure failure = co_await walk(steps.path());
            steps.handle_walked(failure);
            break;
        }
        case OpenSteps::Want::create: answer.value = co_await create(steps, mode); break;
        case OpenSteps::Want::open: answer.value = co_await open(steps); break;
        case OpenSteps::Want::failed: answer.failure = steps.failure(); co_return answer;
        }
    }
    co_return answer;
}

AsyncMount::Steps<File> AsyncMount::create(OpenSteps& steps, std::uint32_t mode) {
    client::CreateFile create;
    const PathSteps& at = steps.path();
    const std::span<const char> name(at.name());
    co_await run(create, at.parent().nodeid(), name, steps.flags_to_create(), mode, mount_.umask_);
    NodeRef node;
    if (create.succeeded()) node = mount_.cache_.count(create.entry());
    auto handle = handle_of(mount_.channel(), std::move(node), create, steps.flags_to_keep(), wire::Opcode::release);
    if (create.succeeded()) co_return File(std::move(handle));
    if (std::exchange(handle->owes_release, false)) {
        client::Release release;
        prepare(release, *handle);
        co_await run(release, create.entry().nodeid);
    }
    steps.handle_refused(failure_of(create));
    co_return File();
}

AsyncMount::Steps<File> AsyncMount::open(OpenSteps& steps) {
    client::OpenFile open;
    NodeRef& node = steps.path().node();
    co_await run(open, node.nodeid(), steps.flags_to_open());
    auto handle = handle_of(mount_.channel(), node.clone(), open, steps.flags_to_keep(), wire::Opcode::release);
    if (open.succeeded()) co_return File(std::move(handle));
    co_await release<client::Release>(*handle);
    steps.handle_refused(failure_of(open));
    co_return File();
}

AsyncMount::Steps<Failure> AsyncMount::close_steps(File file) {
    if (!file) co_return Failure(Errno::ebadf);
    OpenHandle& handle = *file.handle_;
    Failure failure;
    if (handle.owes_release && (file.open_flags() & wire::kFopenNoflush) == 0) failure = co_await flush_steps(file);
    co_await release<client::Release>(handle);
    co_return failure;
}

AsyncMount::Steps<Failure> AsyncMount::flush_steps(const File& file) {
    client::Flush flush;
    flush.call.args.fh = file.fh();
    co_await run(flush, file.nodeid());
    co_return failure_of(flush);
}

AsyncMount::Steps<Failure> AsyncMount::fsync_steps(const File& file, std::uint32_t flags) {
    client::SyncFile sync;
    sync.call.args.fh = file.fh();
    sync.call.args.fsync_flags = flags;
    co_await run(sync, file.nodeid());
    co_return failure_of(sync);
}

AsyncMount::Steps<Failure> AsyncMount::set_size(std::uint64_t nodeid, wire::SetattrIn what) {
    client::SetAttributes set;
    what.valid |= wire::kSetattrSize;
    set.call.args = what;
    co_await run(set, nodeid);
    co_return failure_of(set);
}

AsyncMount::Steps<Failure> AsyncMount::truncate_steps(const File& file, std::uint64_t size) {
    wire::SetattrIn in{};
    in.valid = wire::kSetattrFh;
    in.fh = file.fh();
    in.size = size;
    const Failure failure = co_await set_size(file.nodeid(), in);
    co_return failure;
}

AsyncMount::Steps<Answer<Attributes>> AsyncMount::stat_steps(const File& file) {
    client::GetAttributes get;
    get.call.args.getattr_flags = wire::kGetattrFh;
    get.call.args.fh = file.fh();
    co_await run(get, file.nodeid());
    Answer<Attributes> answer;
    answer.failure = failure_of(get);
    if (get.succeeded()) answer.value = get.call.reply.attr;
    co_return answer;
}

AsyncMount::Steps<Answer<std::vector<DirectoryEntry>>> AsyncMount::list_steps(std::string path,
                                                                              client::DirectoryFormat format) {
    Answer<std::vector<DirectoryEntry>> answer;
    PathSteps at(mount_.cache_);
    at.to_file(path, LastLink::follow);
    answer.failure = co_await walk(at);
    if (!answer.failure.happened() && !is_directory(at.attributes().mode)) answer.failure = Errno::enotdir;
    if (answer.failure.happened()) co_return answer;
    client::OpenDirectory open;
    co_await run(open, at.node().nodeid(), kORdonly);
    if (!open.succeeded() && mount_.cache_.make_room(failure_of(open))) {
        co_await run(open, at.node().nodeid(), kORdonly);
    }
    answer.failure = failure_of(open);
    if (answer.failure.happened()) co_return answer;
    Directory directory(handle_of(mount_.channel(), std::move(at.node()), open, kORdonly, wire::Opcode::releasedir),
                        mount_.cache_, format);
    OpenHandle& handle = *directory.handle_;
    for (;;) {
        client::ReadDirectory read;
        co_await run(read, handle.node.nodeid(), handle.fh, directory.cookie_, directory.room(), directory.format_);
        auto some = directory.take(read);
        answer.failure = some.failure();
        if (!some || some->empty()) break;
        append_names(*some, answer.value);
    }
    if (answer.failure.happened()) answer.value.clear();
    co_await release<client::ReleaseDirectory>(handle);
    co_return answer;
}

} // namespace vfsproto::posix
