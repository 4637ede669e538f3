// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/backends/passthrough.hpp"

#include "state.hpp"

#include "vfsproto/backends/mapping_sink.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace vfsproto::backends {

Passthrough::Passthrough(const PassthroughOptions& options) : state_(std::make_unique<State>(options)) {}

Passthrough::~Passthrough() = default;

server::ServerOptions Passthrough::options() noexcept {
    using wire::InitFlag;
    server::ServerOptions options;
    options.flags = wire::InitFlags::of(InitFlag::async_read, InitFlag::atomic_o_trunc, InitFlag::export_support,
                                        InitFlag::dont_mask, InitFlag::auto_inval_data, InitFlag::do_readdirplus,
                                        InitFlag::readdirplus_auto, InitFlag::async_dio, InitFlag::parallel_dirops,
                                        InitFlag::handle_killpriv_v2, InitFlag::create_supp_group,
                                        InitFlag::posix_locks, InitFlag::flock_locks);
    if (state_->window != nullptr) {
        options.flags.add(InitFlag::map_alignment);
        options.map_alignment = state_->window->alignment();
    }
    return options;
}

void Passthrough::on_init(const server::ServerSession&) noexcept { state_->inodes.begin_session(); }

// The order matters: see State::add_handle().
void Passthrough::on_destroy() noexcept {
    state_->parked_locks.end_all();
    state_->inodes.end_session();
    state_->files.retire_all_but(0);
    if (state_->window != nullptr) state_->window->unmap_all();
}

bool Passthrough::can_tell_changes() const noexcept { return state_->can_tell_changes; }

// The client begins with the root alone.
void Passthrough::tell_changes_to(server::ChangeSink* sink) noexcept {
    state_->watch.stop();
    if (sink == nullptr || !can_tell_changes()) return;
    state_->watch.start(*sink);
    if (const InodeTable::Ref root = state_->inodes.acquire(InodeTable::kRoot)) {
        state_->watch.watch(*root, InodeTable::kRoot);
    }
}

Passthrough::Counters Passthrough::counters() const noexcept {
    const HostWatch::Counters watch = state_->watch.counters();
    return {state_->inodes.size(),
            state_->files.live(),
            state_->inodes.over_forgotten(),
            state_->entry_buffers.lent(),
            state_->lock_owners(),
            state_->parked_locks.waiting(),
            watch.watched,
            watch.unwatched};
}

std::uint64_t Passthrough::lookups_of(std::uint64_t nodeid) const noexcept { return state_->inodes.lookups_of(nodeid); }

void Passthrough::handle(const In<Opcode::syncfs>& request, Out<Opcode::syncfs>& reply) noexcept {
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    if (inode->type != S_IFDIR) return reply.error(abi::Errno::enotdir);
    const FileDescriptor fd(::open(DescriptorPath(inode->fd.get()).text(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || uninterrupted([&] { return ::syncfs(fd.get()); }) != 0) return reply.error(last_error());
    return reply.ok();
}

void Passthrough::handle(const In<Opcode::ioctl>&, Out<Opcode::ioctl>& reply) noexcept {
    return reply.error(abi::Errno::enotty);
}

void Passthrough::handle(const In<Opcode::poll>& request, Out<Opcode::poll>& reply) noexcept {
    constexpr wire::u32 kAlways = abi::kPollIn | abi::kPollOut | abi::kPollRdnorm | abi::kPollWrnorm;
    if (!state_->files.acquire(request.in.fh)) return reply.error(abi::Errno::ebadf);
    return reply.ok({request.in.events & kAlways, 0});
}

void Passthrough::handle(const In<Opcode::notify_reply>&, Out<Opcode::notify_reply>& reply) noexcept {
    return reply.none();
}

} // namespace vfsproto::backends
