// SPDX-License-Identifier: BSD-2-Clause
// Mount: open files.
#include "vfsproto/posix/mount.hpp"

#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"

namespace vfsproto::posix {

using wire::Errno;
using namespace wire::linux_abi;

namespace {

template <class Op>
std::unique_ptr<OpenHandle> handle_of(Channel& channel, NodeRef node, const Op& opened, std::uint32_t flags) {
    auto handle = std::make_unique<OpenHandle>(channel, std::move(node), wire::Opcode::release);
    handle->fh = opened.result().fh;
    handle->open_flags = opened.result().open_flags;
    handle->flags = flags;
    handle->owes_release = opened.owes_release();
    return handle;
}

// One READ or WRITE of a span that fits one request.
template <wire::Opcode Op, class Data> void fill(client::Call<Op>& call, Data& data, Segment& segment, const File& file,
                                                 std::span<const std::byte> bytes, const Region* registered,
                                                 std::uint64_t offset) {
    const auto len = static_cast<std::uint32_t>(bytes.size());
    call.nodeid = file.nodeid();
    call.args.fh = file.fh();
    call.args.offset = offset;
    call.args.size = len;
    call.args.flags = file.flags();
    data.host = const_cast<std::byte*>(bytes.data()); // a WRITE only reads from it
    data.len = len;
    if (registered == nullptr) return;
    segment = registered->segment(bytes.data(), len);
    data.segments = {&segment, 1};
}

template <class Op> void send_release(OpenHandle& handle) {
    Op release;
    release.call.args.fh = handle.fh;
    release.call.args.flags = handle.flags;
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
    PathWalk at = walk();
    if ((flags & kOCreat) == 0) {
        const LastLink last = (flags & kONofollow) != 0 ? LastLink::keep : LastLink::follow;
        if (Failure failure = at.to_file(path, last); failure.happened()) return failure;
        if (at.found_link()) return Errno::eloop;
        return open_walked(at, flags);
    }
    if (Failure failure = at.to_parent(path); failure.happened()) return failure;
    for (;;) {
        if (at.name().empty() || at.must_be_directory()) return Errno::eisdir;
        auto created = create(at, flags, mode);
        if (created || (flags & kOExcl) != 0) return created;
        // CREATE opens what is there, but never through a link, and not every server says so alike: look.
        const Errno error = created.failure().error;
        if (error != Errno::eexist && error != Errno::eloop && error != Errno::einval) return created;
        if (Failure failure = at.look_up_last(); failure.happened()) return failure;
        if (!at.found_link()) return error == Errno::einval ? std::move(created) : open_walked(at, flags);
        if ((flags & kONofollow) != 0) return Errno::eloop;
        if (Failure failure = at.follow_found_link(); failure.happened()) return failure;
    }
}

Outcome<File> Mount::create(PathWalk& walk, std::uint32_t flags, std::uint32_t mode) {
    client::CreateFile create;
    channel_->run(create, walk.parent().nodeid(), walk.name(), flags | kOLargefile, mode, umask_);
    if (!create.succeeded()) return failure_of(create);
    return File(handle_of(*channel_, keeper_.count(create.entry()), create, flags & ~(kOCreat | kOExcl | kOTrunc)));
}

Outcome<File> Mount::open_walked(PathWalk& walk, std::uint32_t flags) {
    const bool directory = is_directory(walk.attributes().mode);
    if ((flags & kODirectory) != 0 && !directory) return Errno::enotdir;
    if (directory && ((flags & kOAccmode) != kORdonly || (flags & kOTrunc) != 0)) return Errno::eisdir;
    for (int attempt = 0;; ++attempt) {
        client::OpenFile open;
        channel_->run(open, walk.node().nodeid(), (flags & ~(kOCreat | kOExcl)) | kOLargefile);
        if (open.succeeded()) {
            return File(handle_of(*channel_, std::move(walk.node()), open, flags & ~(kOCreat | kOExcl | kOTrunc)));
        }
        const bool exhausted = open.error() == Errno::emfile || open.error() == Errno::enfile;
        if (attempt != 0 || !exhausted || keeper_.idle() == 0) return failure_of(open);
        keeper_.prune();
    }
}

Outcome<File> Mount::open_temporary(std::string_view directory, std::uint32_t flags, std::uint32_t mode) {
    PathWalk at = walk();
    if (Failure failure = at.to_file(directory, LastLink::follow); failure.happened()) return failure;
    if (!is_directory(at.attributes().mode)) return Errno::enotdir;
    client::MakeTemporary make;
    make.call.args.flags = (flags & ~kOCreat) | kOTmpfile | kOLargefile;
    make.call.args.mode = client::mode_to_send(channel_->params(), (mode & kSIallugo) | kSIfreg, umask_);
    make.call.args.umask = umask_;
    make.call.name = std::string_view("#tmpfile"); // there must be one; it means nothing
    channel_->run(make, at.node().nodeid());
    if (!make.succeeded()) return failure_of(make);
    auto handle = std::make_unique<OpenHandle>(*channel_, keeper_.count(make.call.reply.entry), wire::Opcode::release);
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

client::TransferSpan Mount::span_of(const File& file, std::byte* data, std::size_t len, std::uint64_t offset) {
    client::TransferSpan span;
    span.nodeid = file.nodeid();
    span.fh = file.fh();
    span.offset = offset;
    span.host = data;
    span.len = len;
    span.registered = channel_->find_registered(data, len);
    span.open_flags = file.flags();
    return span;
}

Outcome<std::uint64_t> Mount::read(const File& file, std::span<std::byte> into, std::uint64_t offset) {
    const Region* registered = channel_->find_registered(into.data(), into.size());
    if (into.size() - 1 >= channel_->piece_limit<wire::Opcode::read>(registered)) {
        return read_in_pieces(file, into, offset);
    }
    // The common case: one request, nothing of the machinery for many.
    client::Call<wire::Opcode::read> call;
    Segment segment;
    fill(call, call.data_out, segment, file, {into.data(), into.size()}, registered, offset);
    channel_->share().run_call(call);
    if (!call.succeeded()) return Failure(call.errc, call.error);
    return std::uint64_t{call.bytes};
}

Outcome<std::uint64_t> Mount::read_in_pieces(const File& file, std::span<std::byte> into, std::uint64_t offset) {
    client::ReadFile read;
    channel_->run(read, span_of(file, into.data(), into.size(), offset));
    if (!read.succeeded()) return failure_of(read);
    return read.done();
}

Outcome<std::uint64_t> Mount::write(const File& file, std::span<const std::byte> from, std::uint64_t offset) {
    const Region* registered = channel_->find_registered(from.data(), from.size());
    if (from.size() - 1 >= channel_->piece_limit<wire::Opcode::write>(registered)) {
        return write_in_pieces(file, from, offset);
    }
    client::Call<wire::Opcode::write> call;
    Segment segment;
    fill(call, call.data_in, segment, file, from, registered, offset);
    channel_->share().run_call(call);
    if (!call.succeeded()) return Failure(call.errc, call.error);
    // More than was sent is a lie, and nothing at all is neither progress nor an error.
    if (call.reply.size == 0 || call.reply.size > call.args.size) return Errc::protocol_violation;
    return std::uint64_t{call.reply.size};
}

Outcome<std::uint64_t> Mount::write_in_pieces(const File& file, std::span<const std::byte> from, std::uint64_t offset) {
    // The pieces of a write only ever read from it.
    client::WriteFile write;
    channel_->run(write, span_of(file, const_cast<std::byte*>(from.data()), from.size(), offset));
    if (!write.succeeded()) return failure_of(write);
    if (write.done() == 0 && !from.empty()) return Errc::protocol_violation;
    return write.done();
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
