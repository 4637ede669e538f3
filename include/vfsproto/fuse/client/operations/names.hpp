// SPDX-License-Identifier: BSD-2-Clause
// Operations on names. Lookup, MakeNode, MakeDirectory, MakeSymlink, MakeLink, RemoveFile, RemoveDirectory, Rename,
// RenameWithFlags and ReadLink are one request each. Opening and creating may take more.
#pragma once

#include "vfsproto/fuse/client/operations/operation.hpp"

namespace vfsproto::client {

using Lookup = Single<wire::Opcode::lookup>;           // name; reply: EntryOut, counted by the host
using MakeNode = Single<wire::Opcode::mknod>;          // args, name
using MakeDirectory = Single<wire::Opcode::mkdir>;     // args, name
using MakeSymlink = Single<wire::Opcode::symlink>;     // name, name2 = target
using MakeLink = Single<wire::Opcode::link>;           // args.oldnodeid; nodeid = new parent, name
using RemoveFile = Single<wire::Opcode::unlink>;       // name
using RemoveDirectory = Single<wire::Opcode::rmdir>;   // name
using Rename = Single<wire::Opcode::rename>;           // args.newdir, name, name2
using RenameWithFlags = Single<wire::Opcode::rename2>; // args.flags holds the flags; for flags == 0 use Rename
using ReadLink = Single<wire::Opcode::readlink>;       // data_out; bytes = length of the target, no NUL
using MakeTemporary = Single<wire::Opcode::tmpfile>;   // args, name (some name: meaningless)

// The mode to send: the server applies the umask if DONT_MASK is negotiated, we do otherwise (fuse.h 7.12).
[[nodiscard]] std::uint32_t mode_to_send(const SessionParams& params, std::uint32_t mode, std::uint32_t umask) noexcept;

// OPEN, then SETATTR size=0 where the server does not truncate by itself. A server without OPEN says so once: from then
// on fh is 0 and no RELEASE is owed (fuse.h 7.23, NO_OPEN_SUPPORT; Linux fs/fuse/file.c: offering it is enough). When
// truncating failed, the operation failed and RELEASE is owed all the same: ask owes_release() in any case.
class OpenFile final : public Operation {
public:
    void start(Client& client, const Caller& caller, std::uint64_t nodeid, std::uint32_t flags) noexcept;
    [[nodiscard]] const wire::OpenOut& result() const noexcept { return open_.reply; }
    [[nodiscard]] bool owes_release() const noexcept { return owes_release_; }

private:
    void opened() noexcept;
    void truncated() noexcept;
    void truncate_if_needed() noexcept;

    Call<wire::Opcode::open> open_;
    Call<wire::Opcode::setattr> truncate_;
    std::uint64_t nodeid_ = 0;
    std::uint32_t flags_ = 0;
    bool owes_release_ = false;
};

// Opens a directory as OpenFile opens a file (NO_OPENDIR_SUPPORT, fuse.h 7.29).
class OpenDirectory final : public Operation {
public:
    void start(Client& client, const Caller& caller, std::uint64_t nodeid, std::uint32_t flags) noexcept;
    [[nodiscard]] const wire::OpenOut& result() const noexcept { return open_.reply; }
    [[nodiscard]] bool owes_release() const noexcept { return owes_release_; }

private:
    void opened() noexcept;

    Call<wire::Opcode::opendir> open_;
    bool owes_release_ = false;
};

// CREATE; where the server has none, MKNOD and OPEN. As with OpenFile, RELEASE may be owed after a failure.
class CreateFile final : public Operation {
public:
    struct NewFile {
        std::span<const char> name; // lives until the operation has ended
        std::uint32_t flags;        // with O_CREAT
        std::uint32_t mode;
        std::uint32_t umask;
    };

    void start(Client& client, const Caller& caller, std::uint64_t parent, const NewFile& file) noexcept;
    MakerExtensions extensions; // its group is set before start()
    [[nodiscard]] const wire::EntryOut& entry() const noexcept { return create_.reply.entry; }
    [[nodiscard]] const wire::OpenOut& result() const noexcept { return create_.reply.open; }
    [[nodiscard]] bool owes_release() const noexcept { return owes_release_; }

private:
    void created() noexcept;
    void make_node() noexcept;
    void made_node() noexcept;
    void opened() noexcept;

    Call<wire::Opcode::create> create_;
    Call<wire::Opcode::mknod> mknod_;
    OpenFile open_;
    std::uint64_t parent_ = 0;
    bool owes_release_ = false;
};

} // namespace vfsproto::client
