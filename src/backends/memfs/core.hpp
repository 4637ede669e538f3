// SPDX-License-Identifier: BSD-2-Clause
// The state the handlers of memfs work on: nodes, handles, parked requests. One mutex covers all of it.
#pragma once

#include "content.hpp"
#include "directory.hpp"
#include "lock_table.hpp"
#include "vfsproto/backends/mapping_sink.hpp"
#include "vfsproto/backends/memfs.hpp"
#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::backends {

using abi::Errno;
using wire::Opcode;
using wire::u32;
using wire::u64;

[[nodiscard]] inline std::string_view text(wire::Name name) noexcept { return {name.data(), name.size()}; }

// A file of any kind. Its number is its nodeid, and is never used again.
struct MemfsNode {
    explicit MemfsNode(Space& space) noexcept : content(space) {}

    u64 ino = 0;
    u32 mode = 0;
    u32 nlink = 0;
    u32 uid = 0;
    u32 gid = 0;
    u32 rdev = 0;
    MemfsTime atime{}, mtime{}, ctime{}, btime{};
    u64 nlookup = 0;
    u64 opens = 0;
    bool linkable = false; // made by TMPFILE: may get a first name
    Content content;
    std::string target{}; // of a symlink
    Directory names{};    // of a directory
    u64 parent = 0;       // of a directory
    std::map<std::string, std::vector<std::byte>, std::less<>> xattrs{};
    LockTable posix_locks{};
    LockTable flocks{};
};

struct MemfsHandle {
    u64 ino = 0;
    u32 flags = 0; // of its OPEN
    bool directory = false;

    [[nodiscard]] bool may_read() const noexcept { return (flags & abi::kOAccmode) != abi::kOWronly; }
    [[nodiscard]] bool may_write() const noexcept { return (flags & abi::kOAccmode) != abi::kORdonly; }
};

struct MemfsParked {
    std::vector<HostSegment> room{};
    server::ParkedRequest request{};
    Errno error = Errno::none;
    std::vector<std::byte> body{};
    bool ready = false;
    struct LockWait {
        u64 ino = 0;
        bool flock = false;
        FileRangeLock lock{};
    };
    std::optional<LockWait> lock{}; // absent: held by a fault
};

// Bytes of a file in a piece of the window, by the offset of the piece.
struct MemfsMapping {
    u64 length = 0;
    u64 ino = 0;
    u64 file_offset = 0;
    WindowAccess access = WindowAccess::read;

    [[nodiscard]] Content::Reach reach() const noexcept { return {file_offset, file_offset + length}; }
};

class MemfsCore {
public:
    explicit MemfsCore(MemfsOptions given);

    // Returns nullptr or an error for a node that the client has no right to name.
    [[nodiscard]] MemfsNode* find_node(u64 nodeid);
    [[nodiscard]] Errno find_directory(u64 nodeid, MemfsNode*& to);
    // Finds a directory in which an entry is made or removed: its name must be a fresh one, and the directory must
    // still be there.
    [[nodiscard]] Errno directory_for(u64 nodeid, wire::Name name, MemfsNode*& to);
    [[nodiscard]] MemfsNode& known(u64 ino) { return *nodes.at(ino); }
    MemfsNode& make_node(const wire::InHeader& caller, u32 mode, const MemfsNode& parent);
    void add_name(MemfsNode& parent, wire::Name name, MemfsNode& node);
    void drop_link(MemfsNode& node);
    void drop_if_unused(MemfsNode& node);
    void forget(u64 nodeid, u64 count);

    // Handles.
    u64 open(MemfsNode& node, u32 flags);
    // Returns nullptr for a handle of another node, which is counted as misuse.
    [[nodiscard]] const MemfsHandle* find_handle(u64 fh, u64 nodeid);
    [[nodiscard]] Errno close(u64 fh, u64 nodeid);

    // These make the structs that replies carry.
    [[nodiscard]] wire::Attr attr(const MemfsNode& node) const;
    [[nodiscard]] wire::AttrOut attr_out(const MemfsNode& node) const;
    [[nodiscard]] wire::EntryOut entry(const MemfsNode& node) const;
    [[nodiscard]] wire::EntryOut counted_entry(MemfsNode& node) {
        ++node.nlookup;
        return entry(node);
    }

    [[nodiscard]] MemfsTime now();
    void touch(MemfsNode& node) { node.mtime = node.ctime = now(); }
    [[nodiscard]] Errno truncate(MemfsNode& node, u64 size);
    static void kill_privileges(MemfsNode& node) noexcept;

    // Puts the content of a file into a memfd, if it is not in one. Errors: EMFILE: as many files are mapped as may be; ENOSPC:
    // no memory for it; what memfd_create(2) says.
    [[nodiscard]] Errno make_mappable(MemfsNode& node);
    // Notes what is mapped in a piece of the window; what was noted there is gone. A file that is mapped is in use.
    void note_mapping(u64 window_offset, const MemfsMapping& mapping);
    void note_unmapped(const WindowPiece& place);

    // These park requests and make them ready.
    [[nodiscard]] MemfsFault ask(const MemfsQuestion& question);
    void make_ready(MemfsParked& parked, Errno error);
    void retry_locks(u64 ino);
    void end_waits(u64 fh); // with EBADF: the handle is closed
    [[nodiscard]] LockTable& locks_of(MemfsNode& node, bool flock) { return flock ? node.flocks : node.posix_locks; }
    // Tells the lanes of requests that became ready. Called without the mutex.
    void wake_lanes();

    mutable std::mutex mutex;
    MemfsOptions options;
    std::shared_ptr<const MemfsFaults> faults;
    Space space;
    std::map<u64, std::unique_ptr<MemfsNode>> nodes;
    std::map<u64, MemfsHandle> handles;
    std::list<std::unique_ptr<MemfsParked>> parked;
    std::map<u64, MemfsMapping> mappings; // by their offset in the window; they do not overlap
    std::vector<u64> in_files;            // nodes whose content is in a memfd, the latest last
    std::vector<std::uint16_t> to_wake;
    MemfsMisuse misuse;
    u64 at_most = 0; // of the request being served
    u64 next_ino = wire::kRootNodeId + 1;
    u64 next_fh = 1;
    u64 ticks = 0;
    std::atomic<std::size_t> ready{0};

private:
    void add_mapping(u64 window_offset, const MemfsMapping& mapping);
    void drop_mapping(const MemfsMapping& mapping);
    [[nodiscard]] bool close_a_file();
};

[[nodiscard]] Errno check_name(wire::Name name) noexcept;

// The most segments of a reply that is held: a chain of any ring has fewer.
inline constexpr std::size_t kMemfsHeldSegments = 1024;

// Does the operation now, and answers when the request is released.
template <class Row, class Body>
void hold(MemfsCore& core, const server::Request<Row>& request, server::Reply<Row>& reply, Body&& body) {
    std::vector<std::byte> bytes(sizeof(wire::OutHeader) + reply.writer().capacity());
    HostSegment segment{bytes.data(), static_cast<u32>(bytes.size())};
    server::ReplyWriter writer({&segment, 1}, {request.header.unique, request.header.opcode, 0, request.lane});
    server::Reply<Row> kept(writer);
    body(kept);
    bytes.resize(writer.finish());

    auto parked = std::make_unique<MemfsParked>();
    parked->error = static_cast<Errno>(-wire::get_struct<wire::OutHeader>(bytes.data()).error);
    parked->body.assign(bytes.begin() + sizeof(wire::OutHeader), bytes.end());
    parked->room.resize(kMemfsHeldSegments);
    parked->request = reply.park(parked->room);
    core.parked.push_back(std::move(parked));
}

// Begins every handler: asks for the test's faults, then takes the mutex.
template <class Row, class Body>
void serve(MemfsCore& core, const server::Request<Row>& request, server::Reply<Row>& reply, Body&& body) {
    constexpr bool owed = Row::traits.reply == wire::ReplyOwed::always;
    const MemfsFault fault = core.ask({Row::opcode, request.header, request.name, request.lane});
    if constexpr (owed) {
        if (fault.error != Errno::none) return reply.error(fault.error);
    }
    {
        const std::lock_guard lock(core.mutex);
        core.at_most = fault.at_most;
        // SETLKW is held by locks.
        constexpr bool can_hold = owed && Row::opcode != Opcode::setlkw;
        if (can_hold && fault.answer == MemfsFault::Answer::held)
            hold(core, request, reply, body);
        else
            body(reply);
    }
    core.wake_lanes();
}

} // namespace vfsproto::backends
