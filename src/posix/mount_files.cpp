// SPDX-License-Identifier: BSD-2-Clause
// Mount: open files.
#include "vfsproto/posix/mount.hpp"

#include "open_handles.hpp"

#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"

namespace vfsproto::posix {

using wire::Errno;
using namespace wire::linux_abi;

namespace {

// What an operation opened before it failed.
template <class Op> void release_unwanted(Channel& channel, const Op& opened, std::uint64_t nodeid) {
    if (!opened.owes_release()) return;
    client::Release release;
    release.call.args.fh = opened.result().fh;
    channel.run(release, nodeid);
}

template <class Op> void send_release(OpenHandle& handle) {
    Op release;
    prepare(release, handle);
    handle.channel.run(release, handle.node.nodeid());
}

} // namespace

OpenHandle::~OpenHandle() {
    if (!owes_release) return;
    if (release_op == wire::Opcode::releasedir) {
        send_release<client::ReleaseDirectory>(*this);
    } else {
        send_release<client::Release>(*this);
    }
}

Outcome<File> Mount::open_file(std::string_view path, std::uint32_t flags, std::uint32_t mode) {
    OpenSteps steps(cache_);
    steps.begin(path, flags);
    for (;;) {
        switch (steps.want()) {
        case OpenSteps::Want::walk: steps.handle_walked(walk(*channel_, steps.path())); break;
        case OpenSteps::Want::create:
            if (File file = create(steps, mode)) return file;
            break;
        case OpenSteps::Want::open:
            if (File file = open(steps)) return file;
            break;
        case OpenSteps::Want::failed: return steps.failure();
        }
    }
}

File Mount::create(OpenSteps& steps, std::uint32_t mode) {
    client::CreateFile create;
    const PathSteps& at = steps.path();
    channel_->run(create, at.parent().nodeid(), at.name(), steps.flags_to_create(), mode, umask_);
    if (create.succeeded()) {
        return File(
            handle_of(*channel_, cache_.count(create.entry()), create, steps.flags_to_keep(), wire::Opcode::release));
    }
    release_unwanted(*channel_, create, create.entry().nodeid);
    steps.handle_refused(failure_of(create));
    return {};
}

File Mount::open(OpenSteps& steps) {
    client::OpenFile open;
    NodeRef& node = steps.path().node();
    channel_->run(open, node.nodeid(), steps.flags_to_open());
    if (open.succeeded())
        return File(handle_of(*channel_, std::move(node), open, steps.flags_to_keep(), wire::Opcode::release));
    release_unwanted(*channel_, open, node.nodeid());
    steps.handle_refused(failure_of(open));
    return {};
}

Outcome<File> Mount::open_temporary(std::string_view directory, std::uint32_t flags, std::uint32_t mode) {
    PathWalk at = new_walk();
    if (Failure failure = at.to_file(directory, LastLink::follow); failure.happened()) return failure;
    if (!is_directory(at.attributes().mode)) return Errno::enotdir;
    client::MakeTemporary make;
    make.call.args.flags = (flags & ~kOCreat) | kOTmpfile | kOLargefile;
    make.call.args.mode = client::mode_to_send(channel_->params(), (mode & kSIallugo) | kSIfreg, umask_);
    make.call.args.umask = umask_;
    make.call.name = std::string_view("#tmpfile"); // there must be one; it means nothing
    channel_->run(make, at.node().nodeid());
    if (!make.succeeded()) return failure_of(make);
    auto handle = std::make_unique<OpenHandle>(*channel_, cache_.count(make.call.reply.entry), wire::Opcode::release);
    handle->fh = make.call.reply.open.fh;
    handle->open_flags = make.call.reply.open.open_flags;
    handle->flags = flags;
    handle->owes_release = true;
    return File(std::move(handle));
}

Failure Mount::close(File file) {
    if (!file) return Errno::ebadf;
    if (!file.handle_->owes_release || (file.open_flags() & wire::kFopenNoflush) != 0) return {};
    return flush(file);
}

Failure Mount::flush(const File& file) {
    client::Flush flush;
    flush.call.args.fh = file.fh();
    channel_->run(flush, file.nodeid());
    return failure_of(flush);
}

Failure Mount::fsync(const File& file, std::uint32_t flags) {
    client::SyncFile sync;
    sync.call.args = {file.fh(), flags, 0};
    channel_->run(sync, file.nodeid());
    return failure_of(sync);
}

Failure Mount::fallocate(const File& file, std::uint32_t mode, std::uint64_t offset, std::uint64_t length) {
    client::Allocate allocate;
    allocate.call.args = {file.fh(), offset, length, mode, 0};
    channel_->run(allocate, file.nodeid());
    return failure_of(allocate);
}

Outcome<std::uint64_t> Mount::seek(const File& file, std::uint64_t offset, std::uint32_t whence) {
    client::SeekFile seek;
    channel_->run(seek, file.nodeid(), wire::LseekIn{file.fh(), offset, whence, 0});
    if (!seek.succeeded()) return failure_of(seek);
    return seek.offset();
}

Outcome<std::uint64_t> Mount::copy_range(const File& from, std::uint64_t from_offset, const File& to,
                                         std::uint64_t to_offset, std::uint64_t length) {
    client::CopyRange copy;
    const wire::CopyFileRangeIn wanted{.fh_in = from.fh(),
                                       .off_in = from_offset,
                                       .nodeid_out = to.nodeid(),
                                       .fh_out = to.fh(),
                                       .off_out = to_offset,
                                       .len = length,
                                       .flags = 0};
    channel_->run(copy, from.nodeid(), wanted);
    if (!copy.succeeded()) return failure_of(copy);
    return copy.copied();
}

Outcome<std::uint32_t> Mount::poll(const File& file, std::uint32_t events) {
    client::PollFile poll;
    poll.call.args = {file.fh(), 0, 0, events};
    poll.call.reply.revents = events; // a server that cannot tell: ready, as every regular file is
    channel_->run(poll, file.nodeid());
    if (!poll.succeeded()) return failure_of(poll);
    return poll.call.reply.revents & (events | kPollErr | kPollHup | kPollNval);
}

Outcome<std::int32_t> Mount::ioctl(const File& file, std::uint32_t command, std::span<const std::byte> in,
                                   std::span<std::byte> out) {
    if (in.size() > client::kPageSize || out.size() > client::kPageSize) return Errno::einval;
    client::Control control;
    control.call.args.fh = file.fh();
    control.call.args.cmd = command;
    control.call.args.in_size = static_cast<std::uint32_t>(in.size());
    control.call.args.out_size = static_cast<std::uint32_t>(out.size());
    control.call.data_in = {in.data(), control.call.args.in_size, {}};
    control.call.data_out = {out.data(), control.call.args.out_size, {}};
    channel_->run(control, file.nodeid());
    if (!control.succeeded()) return failure_of(control);
    return control.call.reply.result;
}

Outcome<Buffer> Mount::allocate(std::size_t bytes) {
    const auto region = channel_->allocate(bytes);
    if (!region) return region.error();
    return Buffer(*channel_, *region);
}

} // namespace vfsproto::posix
