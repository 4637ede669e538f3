// SPDX-License-Identifier: BSD-2-Clause
// New files: SYMLINK, MKNOD, MKDIR, CREATE and TMPFILE.
#include "open_flags.hpp"
#include "own_file_change.hpp"
#include "own_name_change.hpp"
#include "state.hpp"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <utility>

namespace vfsproto::backends {

namespace {

bool has_default_acl(int directory) noexcept {
    return ::getxattr(DescriptorPath(directory).text(), "system.posix_acl_default", nullptr, 0) >= 0;
}

// The permissions a new file is to have. With DONT_MASK the client leaves its umask to us, and a default ACL overrides it.
mode_t wanted_mode(const server::ServerSession& session, int directory, wire::u32 mode, wire::u32 umask) noexcept {
    const bool ours = session.has(wire::InitFlag::dont_mask) && (mode & umask & 0777) != 0;
    if (ours && !has_default_acl(directory)) mode &= ~(umask & 0777);
    return static_cast<mode_t>(mode);
}

// Says by whom and where a file is made, and who watches it.
struct Making {
    const ProcessIdentity& process;
    HostWatch& watch;
    int directory;
};

// A file that was made just now, with the mode it should have.
struct MadeFile {
    std::uint64_t nodeid;
    const DescriptorPath& path;
    mode_t wanted;
};

// Gives back the bits that the host's umask took away: it is the process' own business, and not what the client asked for.
// Only a file of the caller's is touched, because somebody may have put another one in its place.
int undo_host_umask(const Making& making, const MadeFile& made, const wire::InHeader& caller,
                    struct statx& status) noexcept {
    const mode_t taken = made.wanted & making.process.umask & 0777;
    const uid_t owner = making.process.may_act_as_others ? caller.uid : making.process.uid;
    if (taken == 0 || status.stx_uid != owner || has_default_acl(making.directory)) return 0;
    const auto mode = static_cast<mode_t>(status.stx_mode | taken);
    {
        const OwnFileChange change(making.watch, made.nodeid);
        if (::chmod(made.path.text(), mode & 07777) != 0) return errno;
    }
    // The reply's attributes are read after that change is over: another's change in between is in them, or is told.
    return ::statx(AT_FDCWD, made.path.text(), 0, kStatxMask, &status) == 0 ? 0 : errno;
}

// Refuses what no entry can be called, and a read-only server.
template <class Request> abi::Errno check_new(const Request& request, bool read_only) noexcept {
    if (!is_component(request.name)) return abi::Errno::einval;
    if (request.name.is_dot_or_dot_dot()) return abi::Errno::eexist;
    return read_only ? abi::Errno::erofs : abi::Errno::none;
}

} // namespace

void Passthrough::handle(const In<Opcode::symlink>& request, Out<Opcode::symlink>& reply) noexcept {
    const abi::Errno refused = check_new(request, state_->read_only());
    if (refused != abi::Errno::none) return reply.error(refused);
    State::Found found(state_->inodes.session());
    const InodeTable::Ref parent = state_->inodes.acquire(request.header.nodeid);
    if (!parent) return reply.error(abi::Errno::estale);
    if (!state_->can_make(1)) return reply.error(abi::Errno::emfile);
    {
        const ActingAs caller(state_->process, request.header, request.extensions);
        if (caller.error() != 0) return reply.error(to_errno(caller.error()));
        OwnNameChange made(state_->watch, request.header.nodeid, request.name, IN_CREATE);
        const char* const target = request.second_name.data();
        if (made.ended(::symlinkat(target, parent->fd.get(), request.name.data())) != 0) {
            return reply.error(last_error());
        }
    }
    const int error = state_->find_new(parent->fd.get(), request.name.data(), found);
    if (error != 0) return reply.error(to_errno(error));
    return reply.ok(state_->entry_of(found));
}

void Passthrough::handle(const In<Opcode::mknod>& request, Out<Opcode::mknod>& reply) noexcept {
    const abi::Errno refused = check_new(request, state_->read_only());
    if (refused != abi::Errno::none) return reply.error(refused);
    State::Found found(state_->inodes.session());
    const InodeTable::Ref parent = state_->inodes.acquire(request.header.nodeid);
    if (!parent) return reply.error(abi::Errno::estale);
    if (!state_->can_make(1)) return reply.error(abi::Errno::emfile);
    const mode_t mode = wanted_mode(request.session, parent->fd.get(), request.in.mode, request.in.umask);
    {
        const ActingAs caller(state_->process, request.header, request.extensions);
        if (caller.error() != 0) return reply.error(to_errno(caller.error()));
        const dev_t device = makedev(abi::device_major(request.in.rdev), abi::device_minor(request.in.rdev));
        OwnNameChange made(state_->watch, request.header.nodeid, request.name, IN_CREATE);
        if (made.ended(::mknodat(parent->fd.get(), request.name.data(), mode, device)) != 0) {
            return reply.error(last_error());
        }
    }
    int error = state_->find_new(parent->fd.get(), request.name.data(), found);
    if (error != 0) return reply.error(to_errno(error));
    const InodeTable::Ref made = state_->inodes.acquire(found.nodeid);
    if (made && made->type != S_IFLNK) { // a link would mean that somebody put one in its place
        error = undo_host_umask({state_->process, state_->watch, parent->fd.get()},
                                {found.nodeid, DescriptorPath(made->fd.get()), mode}, request.header, found.status);
    }
    if (error != 0) {
        state_->uncount(found);
        return reply.error(to_errno(error));
    }
    return reply.ok(state_->entry_of(found));
}

void Passthrough::handle(const In<Opcode::mkdir>& request, Out<Opcode::mkdir>& reply) noexcept {
    const abi::Errno refused = check_new(request, state_->read_only());
    if (refused != abi::Errno::none) return reply.error(refused);
    State::Found found(state_->inodes.session());
    const InodeTable::Ref parent = state_->inodes.acquire(request.header.nodeid);
    if (!parent) return reply.error(abi::Errno::estale);
    if (!state_->can_make(1)) return reply.error(abi::Errno::emfile);
    const mode_t mode = wanted_mode(request.session, parent->fd.get(), request.in.mode, request.in.umask) & 07777;
    {
        const ActingAs caller(state_->process, request.header, request.extensions);
        if (caller.error() != 0) return reply.error(to_errno(caller.error()));
        OwnNameChange made(state_->watch, request.header.nodeid, request.name, IN_CREATE);
        if (made.ended(::mkdirat(parent->fd.get(), request.name.data(), mode)) != 0) return reply.error(last_error());
    }
    int error = state_->find_new(parent->fd.get(), request.name.data(), found);
    if (error != 0) return reply.error(to_errno(error));
    const InodeTable::Ref made = state_->inodes.acquire(found.nodeid);
    if (made && made->type == S_IFDIR) {
        error = undo_host_umask({state_->process, state_->watch, parent->fd.get()},
                                {found.nodeid, DescriptorPath(made->fd.get()), mode}, request.header, found.status);
    }
    if (error != 0) {
        state_->uncount(found);
        return reply.error(to_errno(error));
    }
    return reply.ok(state_->entry_of(found));
}

namespace {

struct Opened {
    FileDescriptor fd{};
    bool made = false;
    abi::Errno error = abi::Errno::none;
};

// Opens the file that CREATE finds under the name: a regular file, by its own descriptor.
Opened open_existing(int directory, const char* name, const OpenFlags& flags) noexcept {
    const FileDescriptor found(::openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!found) return {{}, false, last_error()};
    struct stat status{};
    if (::fstat(found.get(), &status) != 0) return {{}, false, last_error()};
    if (S_ISDIR(status.st_mode)) return {{}, false, abi::Errno::eisdir};
    if (S_ISLNK(status.st_mode)) return {{}, false, abi::Errno::eloop};
    if (!S_ISREG(status.st_mode)) return {{}, false, abi::Errno::ebadf};
    const DescriptorPath path(found.get());
    FileDescriptor fd(uninterrupted([&] { return ::open(path.text(), flags.host); }));
    if (!fd) return {{}, false, last_error()};
    return {std::move(fd), false, abi::Errno::none};
}

template <class Request>
Opened make_file(const Making& making, const Request& request, const OpenFlags& flags, mode_t mode) noexcept {
    const ActingAs caller(making.process, request.header, request.extensions);
    if (caller.error() != 0) return {{}, false, to_errno(caller.error())};
    OwnNameChange made(making.watch, request.header.nodeid, request.name, IN_CREATE);
    const int made_flags = flags.host | O_CREAT | O_EXCL | O_NOFOLLOW;
    FileDescriptor fd(made.ended(::openat(making.directory, request.name.data(), made_flags, mode)));
    if (!fd) return {{}, false, last_error()};
    return {std::move(fd), true, abi::Errno::none};
}

template <class Request>
Opened make_or_open(const Making& making, const Request& request, const OpenFlags& flags, mode_t mode) noexcept {
    constexpr int kRounds = 16; // somebody else makes and removes the name all the time
    const bool exclusive = (request.in.flags & abi::kOExcl) != 0;
    for (int round = 0; round < kRounds; ++round) {
        Opened opened = make_file(making, request, flags, mode);
        if (opened.error != abi::Errno::eexist || exclusive) return opened;
        const OwnFileChange truncated(making.watch, making.directory, request.name.data());
        opened = open_existing(making.directory, request.name.data(), flags);
        if (opened.error != abi::Errno::enoent) return opened;
    }
    return {{}, false, abi::Errno::enoent};
}

} // namespace

void Passthrough::handle(const In<Opcode::create>& request, Out<Opcode::create>& reply) noexcept {
    const abi::Errno refused = check_new(request, state_->read_only());
    if (refused != abi::Errno::none) return reply.error(refused);
    State::Found found(state_->inodes.session());
    const InodeTable::Ref parent = state_->inodes.acquire(request.header.nodeid);
    if (!parent) return reply.error(abi::Errno::estale);
    const int directory = parent->fd.get();
    if (!state_->can_make(2)) return reply.error(abi::Errno::emfile);
    const OpenFlags flags = open_flags_of(request.in.flags);
    const mode_t mode = wanted_mode(request.session, directory, request.in.mode, request.in.umask) & 07777;
    const Making making{state_->process, state_->watch, directory};
    Opened opened = make_or_open(making, request, flags, mode);
    if (opened.error != abi::Errno::none) return reply.error(opened.error);
    if ((request.in.open_flags & wire::kOpenKillSuidgid) != 0 && !opened.made) {
        const OwnFileChange stripped(state_->watch, directory, request.name.data());
        static_cast<void>(State::strip_privileges(opened.fd.get()));
    }

    const DescriptorPath path(opened.fd.get());
    int error = state_->find_open(opened.fd.get(), found);
    if (error != 0) return reply.error(to_errno(error));
    if (opened.made) error = undo_host_umask(making, {found.nodeid, path, mode}, request.header, found.status);
    std::uint64_t fh = 0;
    if (error == 0)
        error = state_->add_handle({std::move(opened.fd), nullptr, flags.writes, found.nodeid}, found.session, fh);
    if (error != 0) {
        state_->uncount(found);
        return reply.error(to_errno(error));
    }
    return reply.ok({state_->entry_of(found), {fh, 0, 0}});
}

void Passthrough::handle(const In<Opcode::tmpfile>& request, Out<Opcode::tmpfile>& reply) noexcept {
    if (state_->read_only()) return reply.error(abi::Errno::erofs);
    State::Found found(state_->inodes.session());
    const InodeTable::Ref parent = state_->inodes.acquire(request.header.nodeid);
    if (!parent) return reply.error(abi::Errno::estale);
    if (parent->type != S_IFDIR) return reply.error(abi::Errno::enotdir);
    const int directory = parent->fd.get();
    if (!state_->can_make(2)) return reply.error(abi::Errno::emfile);
    const OpenFlags flags = open_flags_of(request.in.flags);
    const int exclusive = (request.in.flags & abi::kOExcl) != 0 ? O_EXCL : 0; // never to be linked
    const mode_t mode = wanted_mode(request.session, directory, request.in.mode, request.in.umask) & 07777;
    FileDescriptor fd;
    {
        const ActingAs caller(state_->process, request.header, request.extensions);
        if (caller.error() != 0) return reply.error(to_errno(caller.error()));
        fd = FileDescriptor(::openat(directory, ".", (flags.host & ~O_TRUNC) | O_TMPFILE | exclusive, mode));
        if (!fd) return reply.error(last_error());
    }
    const DescriptorPath path(fd.get());
    int error = state_->find_open(fd.get(), found);
    if (error != 0) return reply.error(to_errno(error));
    error = undo_host_umask({state_->process, state_->watch, directory}, {found.nodeid, path, mode}, request.header,
                            found.status);
    std::uint64_t fh = 0;
    if (error == 0) error = state_->add_handle({std::move(fd), nullptr, true, found.nodeid}, found.session, fh);
    if (error != 0) {
        state_->uncount(found);
        return reply.error(to_errno(error));
    }
    return reply.ok({state_->entry_of(found), {fh, 0, 0}});
}

} // namespace vfsproto::backends
