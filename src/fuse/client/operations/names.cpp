// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/operations/names.hpp"

namespace vfsproto::client {

namespace {

using namespace abi;
using abi::Errno;
using wire::InitFlag;
using wire::Opcode;

// A server must not see these flags in OPEN: one answers EINVAL to O_CREAT, and O_NOCTTY is the host's.
constexpr std::uint32_t kNotForOpen = kOCreat | kOExcl | kONoctty;

} // namespace

std::uint32_t mode_to_send(const SessionParams& params, std::uint32_t mode, std::uint32_t umask) noexcept {
    return params.flags.has(InitFlag::dont_mask) ? mode : mode & ~(umask & 0777u);
}

void OpenFile::start(Client& client, const Caller& caller, std::uint64_t nodeid, std::uint32_t flags) noexcept {
    begin(client, caller);
    nodeid_ = nodeid;
    flags_ = flags;
    owes_release_ = false;
    open_.args = {};
    open_.reply = {};
    open_.args.flags = flags & ~kNotForOpen;
    if (!client.has(InitFlag::atomic_o_trunc)) open_.args.flags &= ~kOTrunc;
    if ((open_.args.flags & kOTrunc) != 0 && kills_privileges()) open_.args.open_flags = wire::kOpenKillSuidgid;
    if (client.sticky->is_missing(Opcode::open)) {
        open_.reply.open_flags = wire::kFopenKeepCache;
        return truncate_if_needed();
    }
    send(open_, nodeid, [](Request& request) noexcept { static_cast<OpenFile*>(request.owner)->opened(); });
}

void OpenFile::opened() noexcept {
    if (client_->params->offered.has(InitFlag::no_open_support) && noted_missing(open_)) {
        open_.reply = {};
        open_.reply.open_flags = wire::kFopenKeepCache;
        return truncate_if_needed();
    }
    if (!open_.succeeded()) return finish(open_);
    owes_release_ = true;
    truncate_if_needed();
}

void OpenFile::truncate_if_needed() noexcept {
    const bool server_truncates = owes_release_ && client_->has(InitFlag::atomic_o_trunc);
    if ((flags_ & kOTrunc) == 0 || server_truncates) return finish(Errc::ok, Errno::none);
    truncate_.args = {};
    truncate_.args.valid = wire::kSetattrSize | (kills_privileges() ? wire::kSetattrKillSuidgid : 0);
    if (owes_release_) {
        truncate_.args.valid |= wire::kSetattrFh;
        truncate_.args.fh = open_.reply.fh;
    }
    send(truncate_, nodeid_, [](Request& request) noexcept { static_cast<OpenFile*>(request.owner)->truncated(); });
}

void OpenFile::truncated() noexcept { finish(truncate_); }

void OpenDirectory::start(Client& client, const Caller& caller, std::uint64_t nodeid, std::uint32_t flags) noexcept {
    begin(client, caller);
    owes_release_ = false;
    open_.args = {};
    open_.reply = {};
    open_.args.flags = (flags & ~kNotForOpen) | kODirectory;
    if (client.sticky->is_missing(Opcode::opendir)) {
        open_.reply.open_flags = wire::kFopenKeepCache | wire::kFopenCacheDir;
        return finish(Errc::ok, Errno::none);
    }
    send(open_, nodeid, [](Request& request) noexcept { static_cast<OpenDirectory*>(request.owner)->opened(); });
}

void OpenDirectory::opened() noexcept {
    if (client_->params->offered.has(InitFlag::no_opendir_support) && noted_missing(open_)) {
        open_.reply = {};
        open_.reply.open_flags = wire::kFopenKeepCache | wire::kFopenCacheDir;
        return finish(Errc::ok, Errno::none);
    }
    owes_release_ = open_.succeeded();
    finish(open_);
}

void CreateFile::start(Client& client, const Caller& caller, std::uint64_t parent, const NewFile& file) noexcept {
    begin(client, caller);
    part_ = nullptr;
    parent_ = parent;
    owes_release_ = false;
    create_.args = {};
    create_.reply = {};
    create_.args.flags = file.flags & ~kONoctty;
    create_.args.mode = mode_to_send(*client.params, (file.mode & kSIallugo) | kSIfreg, file.umask);
    create_.args.umask = file.umask;
    if ((file.flags & kOTrunc) != 0 && kills_privileges()) create_.args.open_flags = wire::kOpenKillSuidgid;
    create_.name = file.name;
    extensions.add_to(create_, *client.params);
    if (client.sticky->is_missing(Opcode::create)) return make_node();
    send(create_, parent, [](Request& request) noexcept { static_cast<CreateFile*>(request.owner)->created(); });
}

void CreateFile::created() noexcept {
    if (noted_missing(create_)) return make_node();
    if (!create_.succeeded()) return finish(create_);
    owes_release_ = true;
    // The file that CREATE opened must be a regular one (fs/fuse/dir.c: anything else is a broken server).
    finish(check_entry(create_.reply.entry, kSIfreg), Errno::none);
}

void CreateFile::make_node() noexcept {
    mknod_.args = {};
    mknod_.args.mode = create_.args.mode;
    mknod_.args.umask = create_.args.umask;
    mknod_.name = create_.name;
    extensions.add_to(mknod_, *client_->params);
    send(mknod_, parent_, [](Request& request) noexcept { static_cast<CreateFile*>(request.owner)->made_node(); });
}

void CreateFile::made_node() noexcept {
    if (!mknod_.succeeded()) return finish(mknod_);
    create_.reply.entry = mknod_.reply;
    if (const Errc errc = check_entry(mknod_.reply, kSIfreg); errc != Errc::ok) return finish(errc, Errno::none);
    open_.user = this;
    open_.on_finish = [](Operation& open) noexcept { static_cast<CreateFile*>(open.user)->opened(); };
    part_ = &open_;
    // The file is new: there is nothing to truncate.
    open_.start(*client_, caller_, mknod_.reply.nodeid, create_.args.flags & ~kOTrunc);
}

void CreateFile::opened() noexcept {
    if (!open_.succeeded()) surplus_lookup_ = mknod_.reply.nodeid;
    create_.reply.open = open_.result();
    owes_release_ = open_.owes_release();
    finish(open_.errc(), open_.error());
}

} // namespace vfsproto::client
