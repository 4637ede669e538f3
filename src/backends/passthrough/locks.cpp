// SPDX-License-Identifier: BSD-2-Clause
// Locks. They are locks of the host's files, so that they also bind the host's processes and other servers of the tree.
#include "state.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <iterator>
#include <new>
#include <tuple>

namespace vfsproto::backends {

namespace {

static_assert(abi::kLockRead == F_RDLCK && abi::kLockWrite == F_WRLCK && abi::kLockUnlock == F_UNLCK);

bool is_lock(const wire::FileLock& lock) noexcept {
    return lock.type <= abi::kLockUnlock && lock.start <= lock.end && lock.end <= abi::kLockToEof;
}

bool spans_all(const wire::FileLock& lock) noexcept { return lock.start == 0 && lock.end == abi::kLockToEof; }

struct ::flock host_lock(const wire::FileLock& lock) noexcept {
    struct ::flock host{};
    host.l_type = static_cast<short>(lock.type);
    host.l_whence = SEEK_SET;
    host.l_start = static_cast<off_t>(lock.start);
    host.l_len = lock.end == abi::kLockToEof ? 0 : static_cast<off_t>(lock.end - lock.start + 1);
    return host;
}

wire::FileLock wire_lock(const struct ::flock& host) noexcept {
    wire::FileLock lock{};
    lock.type = static_cast<wire::u32>(host.l_type);
    if (host.l_type == F_UNLCK) return lock;
    lock.start = static_cast<wire::u64>(host.l_start);
    lock.end = host.l_len == 0 ? abi::kLockToEof : lock.start + static_cast<wire::u64>(host.l_len) - 1;
    lock.pid = host.l_pid > 0 ? static_cast<wire::u32>(host.l_pid) : 0; // -1: a lock without a process
    return lock;
}

int lock_whole(int fd, wire::u32 type) noexcept {
    const int operation = type == abi::kLockRead ? LOCK_SH : type == abi::kLockWrite ? LOCK_EX : LOCK_UN;
    return uninterrupted([&] { return ::flock(fd, operation | LOCK_NB); }) == 0 ? 0 : errno;
}

} // namespace

// Opens a file description that can carry either type of lock, if the host gives one.
FileDescriptor Passthrough::State::open_for_locks(const Inode& inode) const noexcept {
    FileDescriptor fd;
    if (!read_only()) fd = reopen(inode.fd.get(), O_RDWR | O_NONBLOCK);
    if (!fd) fd = reopen(inode.fd.get(), O_RDONLY | O_NONBLOCK);
    if (!fd && !read_only()) fd = reopen(inode.fd.get(), O_WRONLY | O_NONBLOCK);
    return fd;
}

int Passthrough::State::lock_record(Inode& inode, const WantedLock& wanted) noexcept {
    const wire::FileLock& lock = wanted.lock;
    const std::lock_guard guard(locks_mutex_);
    auto at = inode.locks.find(wanted.owner);
    if (lock.type == abi::kLockUnlock && (at == inode.locks.end() || spans_all(lock))) {
        if (at != inode.locks.end()) inode.locks.erase(at);
        return 0;
    }
    try {
        if (at == inode.locks.end()) {
            if (!has_room(1)) return ENOLCK;
            FileDescriptor fd = open_for_locks(inode);
            if (!fd) return errno;
            at = inode.locks
                     .emplace(std::piecewise_construct, std::forward_as_tuple(wanted.owner),
                              std::forward_as_tuple(std::move(fd), lock_owners_))
                     .first;
        }
        at->second.handles.insert(wanted.fh);
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    }
    struct ::flock host = host_lock(lock);
    if (uninterrupted([&] { return ::fcntl(at->second.descriptor.get(), F_OFD_SETLK, &host); }) == 0) return 0;
    return errno == EACCES ? EAGAIN : errno; // either says that it is taken
}

int Passthrough::State::test_record(Inode& inode, std::uint64_t owner, wire::FileLock& lock) noexcept {
    const std::lock_guard guard(locks_mutex_);
    const auto at = inode.locks.find(owner);
    FileDescriptor asks;
    if (at == inode.locks.end()) asks = open_for_locks(inode);
    const int fd = at == inode.locks.end() ? asks.get() : at->second.descriptor.get();
    struct ::flock host = host_lock(lock);
    if (fd < 0 || ::fcntl(fd, F_OFD_GETLK, &host) != 0) return errno;
    lock = wire_lock(host);
    return 0;
}

abi::Errno Passthrough::State::read_lock(const wire::InHeader& header, const wire::LkIn& in, WantedLock& to) noexcept {
    const InodeTable::Ref inode = inodes.acquire(header.nodeid);
    if (!inode) return abi::Errno::estale;
    const auto file = files.acquire(in.fh);
    if (inode->type != S_IFREG || !file) return abi::Errno::ebadf;
    if (!is_lock(in.lk)) return abi::Errno::einval;
    const bool whole = (in.lk_flags & wire::kLkFlock) != 0;
    to.kind = whole ? WantedLock::Kind::whole : WantedLock::Kind::records;
    to.nodeid = whole ? file->nodeid : header.nodeid;
    to.fh = in.fh;
    to.owner = in.owner;
    to.lock = in.lk;
    return abi::Errno::none;
}

int Passthrough::State::take_lock(const WantedLock& wanted) noexcept {
    const auto file = files.acquire(wanted.fh);
    if (!file) return EBADF;
    if (wanted.kind == WantedLock::Kind::whole) return lock_whole(file->fd.get(), wanted.lock.type);
    const InodeTable::Ref inode = inodes.acquire(wanted.nodeid);
    if (!inode) return ESTALE;
    return lock_record(*inode, wanted);
}

void Passthrough::State::drop_records(std::uint64_t nodeid, std::uint64_t owner) noexcept {
    if (lock_owners_.load(std::memory_order_relaxed) == 0) return;
    const InodeTable::Ref inode = inodes.acquire(nodeid);
    if (!inode) return;
    {
        const std::lock_guard guard(locks_mutex_);
        if (inode->locks.erase(owner) == 0) return;
    }
    parked_locks.try_again(nodeid);
}

void Passthrough::State::end_records(std::uint64_t nodeid, std::uint64_t fh) noexcept {
    if (lock_owners_.load(std::memory_order_relaxed) == 0) return;
    const InodeTable::Ref inode = inodes.acquire(nodeid);
    if (!inode) return;
    const std::lock_guard guard(locks_mutex_);
    for (auto at = inode->locks.begin(); at != inode->locks.end();) {
        const bool was_through_it = at->second.handles.erase(fh) != 0;
        at = was_through_it && at->second.handles.empty() ? inode->locks.erase(at) : std::next(at);
    }
}

void Passthrough::handle(const In<Opcode::getlk>& request, Out<Opcode::getlk>& reply) noexcept {
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    if (inode->type != S_IFREG || !state_->files.acquire(request.in.fh)) return reply.error(abi::Errno::ebadf);
    wire::FileLock lock = request.in.lk;
    if (!is_lock(lock) || lock.type == abi::kLockUnlock) return reply.error(abi::Errno::einval);
    if (const int error = state_->test_record(*inode, request.in.owner, lock); error != 0)
        return reply.error(to_errno(error));
    return reply.ok({lock});
}

void Passthrough::handle(const In<Opcode::setlk>& request, Out<Opcode::setlk>& reply) noexcept {
    WantedLock wanted;
    if (const abi::Errno refused = state_->read_lock(request.header, request.in, wanted); refused != abi::Errno::none) {
        return reply.error(refused);
    }
    const int error = state_->take_lock(wanted);
    state_->parked_locks.try_after(wanted, error);
    if (error != 0) return reply.error(to_errno(error));
    return reply.ok();
}

void Passthrough::handle(const In<Opcode::setlkw>& request, Out<Opcode::setlkw>& reply) noexcept {
    WantedLock wanted;
    const abi::Errno refused = state_->read_lock(request.header, request.in, wanted);
    if (refused != abi::Errno::none) return reply.error(refused);
    state_->parked_locks.wait(wanted, reply);
}

// Only requests for locks wait here. An INTERRUPT may overtake its request, which is not parked yet then; the client
// sends it again.
void Passthrough::handle(const In<Opcode::interrupt>& request, Out<Opcode::interrupt>& reply) noexcept {
    state_->parked_locks.interrupt(request.in.unique) ? reply.none() : reply.error(abi::Errno::eagain);
}

void Passthrough::tell_answers_to(server::AnswerSink* sink) noexcept { state_->parked_locks.tell_answers_to(sink); }

void Passthrough::abandon_parked(std::uint16_t lane) noexcept { state_->parked_locks.abandon(lane); }

bool Passthrough::has_answers() const noexcept { return state_->parked_locks.has_answers(); }

bool Passthrough::take_answer(std::uint16_t lane, ParkedAnswer& to) noexcept {
    return state_->parked_locks.take_answer(lane, to);
}

} // namespace vfsproto::backends
