// SPDX-License-Identifier: BSD-2-Clause
// Mount: open files.
#include "file_steps.hpp"
#include "handle_end.hpp"
#include "mount_steps.hpp"
#include "open_handles.hpp"

#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/open_steps.hpp"
#include "vfsproto/posix/detail/path_walk.hpp"

namespace vfsproto::posix {

using abi::Errno;
using namespace abi;

namespace {

std::uint64_t new_lock_owner() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

} // namespace

OpenHandle::OpenHandle(Channel& on, NodeRef of, Kind what) noexcept : kind(what), channel(on), node(std::move(of)) {
    nodeid = node ? node.nodeid() : 0;
    lock_owner = new_lock_owner();
    channel.lend();
}

void OpenHandle::keep_flags(std::uint32_t opened_with) {
    flags = opened_with;
    if (may_write()) node.begin_writing();
}

bool OpenHandle::may_write() const noexcept { return kind == Kind::file && (flags & kOAccmode) != kORdonly; }

OpenHandle::~OpenHandle() {
    channel.take_back();
    release();
    if (kind != Kind::file) return;
    may_write() ? node.end_writing() : node.note_read();
}

// Limits do not count on the thread of the late work. No caller waits for that thread, and the StopSource of the limits
// may be gone: it outlives the file, but not what a late answer keeps of the file.
void OpenHandle::release() noexcept {
    HandleEnd end(*this);
    if (!limits.has_any() || channel.late_work().is_done_here()) return end.send(channel);
    try {
        end.send(channel, limits, node);
    } catch (const std::exception&) { // no memory, or no thread
        end.send(channel);
    }
}

File::File(std::unique_ptr<OpenHandle> handle) noexcept : handle_(std::move(handle)) {}

std::shared_ptr<OpenHandle> File::handle() const noexcept { return std::static_pointer_cast<OpenHandle>(handle_); }

const NodeRef& File::node() const noexcept { return static_cast<const OpenHandle&>(*handle_).node; }

Expected<File> Mount::open_file(std::string_view path, std::uint32_t flags, std::uint32_t mode) {
    OpenSteps steps(*cache_, create_form_of(*channel_), maker_group(names()), look_, names().from);
    MountCall call = begin_call();
    steps.begin(path, flags);
    for (;;) {
        switch (steps.want()) {
        case OpenSteps::Want::walk: steps.handle_walked(walk(call, steps.path())); break;
        case OpenSteps::Want::create:
            if (File file = create(call, steps, mode)) return file;
            break;
        case OpenSteps::Want::open:
            if (File file = open(call, steps)) return file;
            break;
        case OpenSteps::Want::failed: return steps.failure();
        }
    }
}

File Mount::create(MountCall& call, OpenSteps& steps, std::uint32_t mode) {
    client::CreateFile create;
    const PathSteps& at = steps.path();
    create.extensions.group = steps.group_to_create();
    const client::CreateFile::NewFile file{at.name(), steps.flags_to_create(), mode, asking_->umask};
    const NodeCache::Asked asked{at.parent(), at.name(), cache_->about_to_ask()};
    bool is_left = false;
    const auto after = [&](const LimitedCall&, const client::CreateFile& let_go) {
        is_left = true;
        return release_unwanted_later(let_go, let_go.entry().nodeid);
    };
    call.run_and_leave([&] { return at.parent().hold(); }, after, create, at.parent().nodeid(), file);
    if (create.succeeded()) {
        NodeRef node = cache_->count_made(asked, create.entry());
        return keep(handle_of(*channel_, std::move(node), create, steps.flags_to_keep(), OpenHandle::Kind::file));
    }
    cache_->note_failed(asked, failure_of(create));
    if (create.owes_release() && !is_left) release_unwanted(*channel_, create.result().fh, create.entry().nodeid);
    steps.handle_refused(failure_of(create));
    return {};
}

File Mount::open(MountCall& call, OpenSteps& steps) {
    client::OpenFile open;
    NodeRef& node = steps.path().node();
    bool is_left = false;
    const auto after = [&](const LimitedCall&, const client::OpenFile& let_go) {
        is_left = true;
        return release_unwanted_later(let_go, node.nodeid());
    };
    call.run_and_leave([&] { return node.hold(); }, after, open, node.nodeid(), steps.flags_to_open());
    if ((steps.flags_to_open() & kOTrunc) != 0) cache_->invalidate(node);
    if (open.succeeded())
        return keep(handle_of(*channel_, std::move(node), open, steps.flags_to_keep(), OpenHandle::Kind::file));
    if (open.owes_release() && !is_left) release_unwanted(*channel_, open.result().fh, node.nodeid());
    steps.handle_refused(failure_of(open));
    return {};
}

File Mount::keep(std::unique_ptr<OpenHandle> handle) const {
    handle->limits = limits_;
    return File(std::move(handle));
}

Expected<File> Mount::open_temporary(std::string_view directory, std::uint32_t flags, std::uint32_t mode) {
    auto handle = ask<TemporarySteps>(directory, flags, mode);
    if (!handle) return handle.failure();
    return keep(*std::move(handle));
}

Failure Mount::close(File file) {
    if (!file) return Errno::ebadf;
    OpenHandle& handle = *file.handle();
    if (!owes_flush(handle)) return {};
    const Failure failure = flush(file);
    if (!still_owes_flush(failure)) handle.gave_up(OpenHandle::Locks::records);
    return failure;
}

Failure Mount::flush(const File& file) { return perform<FlushSteps>(file); }

Failure Mount::fsync(const File& file, std::uint32_t flags) { return perform<SyncFileSteps>(file, flags); }

Failure Mount::fallocate(const File& file, std::uint32_t mode, std::uint64_t offset, std::uint64_t length) {
    return perform<AllocateSteps>(file, AllocateSteps::Range{mode, offset, length});
}

Expected<std::uint64_t> Mount::seek(const File& file, std::uint64_t offset, std::uint32_t whence) {
    return ask<SeekSteps>(file, offset, whence);
}

Expected<std::uint64_t> Mount::copy_range(const File& from, std::uint64_t from_offset, const File& to,
                                          std::uint64_t to_offset, std::uint64_t length) {
    using Place = CopyRangeSteps::Place;
    return ask<CopyRangeSteps>(Place{from, from_offset}, Place{to, to_offset}, length);
}

Expected<std::uint32_t> Mount::poll(const File& file, std::uint32_t events) { return ask<PollSteps>(file, events); }

Expected<std::int32_t> Mount::ioctl(const File& file, std::uint32_t command, std::span<const std::byte> in,
                                    std::span<std::byte> out) {
    return ask<ControlSteps>(file, command, in, out);
}

Buffer::Buffer(Channel& channel, const Region& region) noexcept
    : channel_(&channel), bytes_(region.bytes()), device_(to_number(region.device())) {}

Region Buffer::region() const noexcept { return {bytes_.data(), DeviceAddr{device_}, bytes_.size()}; }

Buffer::~Buffer() {
    if (channel_ != nullptr) channel_->release(region());
}

bool Buffer::is_free() const noexcept { return channel_ == nullptr || channel_->is_free(region()); }

Expected<Buffer> Mount::allocate(std::size_t bytes) {
    const auto region = channel_->allocate(bytes);
    if (!region) return region.error();
    return Buffer(*channel_, *region);
}

} // namespace vfsproto::posix
