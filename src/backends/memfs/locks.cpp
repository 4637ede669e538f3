// SPDX-License-Identifier: BSD-2-Clause
#include "core.hpp"

namespace vfsproto::backends {
namespace {

struct Wanted {
    MemfsNode* node = nullptr;
    FileRangeLock lock{};
    bool flock = false;
};

Errno read_lock(MemfsCore& core, const wire::InHeader& header, const wire::LkIn& in, Wanted& to) {
    to.node = core.find_node(header.nodeid);
    if (to.node == nullptr) return Errno::estale;
    if (core.find_handle(in.fh, header.nodeid) == nullptr) return Errno::ebadf;
    if (in.lk.type > abi::kLockUnlock || in.lk.start > in.lk.end) return Errno::einval;
    to.flock = (in.lk_flags & wire::kLkFlock) != 0;
    to.lock = {in.lk.start, in.lk.end, in.lk.type, in.lk.pid, in.owner, in.fh};
    if (to.flock) to.lock.start = 0, to.lock.end = abi::kLockToEof;
    return Errno::none;
}

void set_lock(MemfsCore& core, const Wanted& wanted) {
    core.locks_of(*wanted.node, wanted.flock).set(wanted.lock);
    core.retry_locks(wanted.node->ino);
}

} // namespace

void Memfs::handle(In<Op::getlk> request, Out<Op::getlk> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        Wanted wanted;
        const Errno error = read_lock(*core_, request.header, request.in, wanted);
        if (error != Errno::none) return to.error(error);
        wire::LkOut out{request.in.lk};
        out.lk.type = abi::kLockUnlock;
        if (const auto found = core_->locks_of(*wanted.node, wanted.flock).conflict(wanted.lock)) {
            out.lk = {found->start, found->end, found->type, found->pid};
        }
        return to.ok(out);
    });
}

void Memfs::handle(In<Op::setlk> request, Out<Op::setlk> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        Wanted wanted;
        const Errno error = read_lock(*core_, request.header, request.in, wanted);
        if (error != Errno::none) return to.error(error);
        if (core_->locks_of(*wanted.node, wanted.flock).conflict(wanted.lock)) return to.error(Errno::eagain);
        set_lock(*core_, wanted);
        return to.ok();
    });
}

void Memfs::handle(In<Op::setlkw> request, Out<Op::setlkw> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        Wanted wanted;
        const Errno error = read_lock(*core_, request.header, request.in, wanted);
        if (error != Errno::none) return to.error(error);
        if (!core_->locks_of(*wanted.node, wanted.flock).conflict(wanted.lock)) {
            set_lock(*core_, wanted);
            return to.ok();
        }
        auto parked = std::make_unique<MemfsParked>();
        parked->room.resize(sizeof(wire::OutHeader)); // at worst a byte a segment
        parked->request = to.park(parked->room);
        parked->lock = MemfsParked::LockWait{wanted.node->ino, wanted.flock, wanted.lock};
        core_->parked.push_back(std::move(parked));
    });
}

// Only a wait for a lock can be interrupted; what a fault holds is done already and will be answered.
void Memfs::handle(In<Op::interrupt> request, Out<Op::interrupt> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        for (const auto& item : core_->parked) {
            if (item->request.unique != request.in.unique) continue;
            if (item->lock) core_->make_ready(*item, Errno::eintr);
            return to.none();
        }
        return to.error(Errno::eagain);
    });
}

} // namespace vfsproto::backends
