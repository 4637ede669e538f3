// SPDX-License-Identifier: BSD-2-Clause
// A file system that serves a directory of the host (Linux).
#pragma once

#include "vfsproto/fuse/server/answer_sink.hpp"
#include "vfsproto/fuse/server/change_sink.hpp"
#include "vfsproto/fuse/server/file_system.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

struct stat;

namespace vfsproto::backends {

class MappingSink;

// Returns a file of the host as the file system tells of it.
[[nodiscard]] wire::Attr attr_of(const struct ::stat& from) noexcept;

enum class PassthroughAccess : std::uint8_t { read_write, read_only };

struct PassthroughOptions {
    std::string root;                                         // the directory served
    PassthroughAccess access = PassthroughAccess::read_write; // read_only: what would change anything is EROFS
    std::chrono::nanoseconds entry_valid =
        std::chrono::seconds(1);                                   // how long a client may trust a name; 0 = not at all
    std::chrono::nanoseconds attr_valid = std::chrono::seconds(1); // the same for attributes
    // The most descriptors a client may hold: one for each inode it knows, one for each open file or directory. More is
    // EMFILE. At most, and if 0, seven eighths of the process' hard limit, and less of a limit below 640.
    std::size_t max_descriptors = 0;
    // The shared memory window that files are mapped into; its device has the same. Absent: SETUPMAPPING is ENOSYS.
    std::shared_ptr<MappingSink> window{};
    // The most files and directories that are watched (inotify) for a client that wants to be told of changes; 0: no client is
    // told. As long as the client holds others, it is told from time to time that anything may have changed.
    std::size_t max_watches = 131'072;
    std::function<void(const std::string&)> log{}; // hears, once a client, why not each change can be told. Any thread
};

// A row passthrough does not answer, and why.
struct PassthroughException {
    wire::Opcode opcode;
    const char* reason;
};
inline constexpr PassthroughException kPassthroughExceptions[] = {
    {wire::Opcode::bmap, "block numbers of the host's disk mean nothing to a client"},
    {wire::Opcode::setupmapping, "without PassthroughOptions::window"},
    {wire::Opcode::removemapping, "without PassthroughOptions::window"},
};

// A file system that serves a host directory and never reaches beyond it: an inode is an O_PATH descriptor, got from its directory's descriptor by a single component
// (no '/', never followed if it is a symlink), so that neither "..", nor an absolute link, nor a link swapped in at the
// wrong moment leads out. Files are opened through their own descriptor, and only regular files and directories are:
// OPEN of a FIFO, socket or device is EBADF, of a symlink ELOOP.
//
// Locks are locks of the host's files: flock(2) on the handle, and for record locks an open file description for each owner of
// locks on a file (F_OFD_SETLK of fcntl(2)). So they hold against processes of the host and other servers. A SETLKW that has to wait
// is parked, and an INTERRUPT ends it; the lock is tried again from time to time, at least every 64 ms, and at once when the client
// gives up what stood in the way. Beyond 64 that wait SETLKW is EAGAIN. Without a sink (tell_answers_to()) it is EOPNOTSUPP: the
// client asks again. Nobody looks for deadlocks.
//
// The host's own processes may change the tree at any time, and a client that takes notifications is told; a directory they move
// out of the root while a client holds it stays with the client.
//
// Run as root, it makes files as the client's caller (fsuid, fsgid and supplementary groups of the serving thread, put
// back at once); run as anyone else, everything belongs to who runs it. A nodeid is never used twice; one that was
// forgotten is ESTALE. Safe from any number of threads.
class Passthrough {
    template <wire::Opcode Op> using In = server::RequestOf<Op>;
    template <wire::Opcode Op> using Out = server::ReplyTo<Op>;
    using Opcode = wire::Opcode;

public:
    // Throws std::system_error when the directory cannot be opened, or the process has no /proc. Raises the process'
    // soft limit of open files to its hard limit: every inode a client holds is one.
    explicit Passthrough(const PassthroughOptions& options);
    Passthrough(const Passthrough&) = delete;
    Passthrough& operator=(const Passthrough&) = delete;
    ~Passthrough();

    [[nodiscard]] server::ServerOptions options() noexcept;
    void on_init(const server::ServerSession& session) noexcept;
    void on_destroy() noexcept;

    // Tells of what others than the client change of the files that it holds, as far as inotify sees it: not what is written to
    // mapped memory.
    [[nodiscard]] bool can_tell_changes() const noexcept;
    void tell_changes_to(server::ChangeSink* sink) noexcept;

    // server::ParksOn and server::AnswersUnasked.
    template <class Lane> std::size_t answer_parked(Lane& lane) noexcept {
        std::size_t done = 0;
        if (!has_answers()) return done;
        ParkedAnswer answer;
        while (take_answer(lane.id(), answer)) {
            // The queue latches what goes wrong; its next pop() says so.
            if (answer.error != abi::Errno::none) {
                static_cast<void>(lane.complete_error(answer.request, answer.error));
            } else {
                static_cast<void>(
                    lane.template complete<Opcode::setlkw>(answer.request, [](auto& reply) { reply.ok(); }));
            }
            ++done;
        }
        return done;
    }
    void abandon_parked(std::uint16_t lane) noexcept;
    void tell_answers_to(server::AnswerSink* sink) noexcept;

    // Tests and statistics read these.
    struct Counters {
        std::size_t inodes = 0;           // held by the client, the root included
        std::size_t handles = 0;          // open files and directories
        std::uint64_t over_forgotten = 0; // FORGETs of more than was looked up
        std::size_t entry_buffers = 0;    // of 32 KiB, held by directories that are being read
        std::size_t lock_owners = 0;      // with record locks, for each file; a descriptor each
        std::size_t parked_locks = 0;     // SETLKWs that wait
        // A client that takes notifications holds these:
        std::size_t watched = 0;   // inodes whose changes are told
        std::size_t unwatched = 0; // inodes that the kernel does not watch
    };
    [[nodiscard]] Counters counters() const noexcept;
    // Returns how many lookups of this node the client has not given back; 0 of the root.
    [[nodiscard]] std::uint64_t lookups_of(std::uint64_t nodeid) const noexcept;

    // Names.
    void handle(const In<Opcode::lookup>&, Out<Opcode::lookup>&) noexcept;
    void handle(const In<Opcode::forget>&, Out<Opcode::forget>&) noexcept;
    void handle(const In<Opcode::batch_forget>&, Out<Opcode::batch_forget>&) noexcept;
    void handle(const In<Opcode::readlink>&, Out<Opcode::readlink>&) noexcept;
    void handle(const In<Opcode::link>&, Out<Opcode::link>&) noexcept;
    void handle(const In<Opcode::unlink>&, Out<Opcode::unlink>&) noexcept;
    void handle(const In<Opcode::rmdir>&, Out<Opcode::rmdir>&) noexcept;
    void handle(const In<Opcode::rename>&, Out<Opcode::rename>&) noexcept;
    void handle(const In<Opcode::rename2>&, Out<Opcode::rename2>&) noexcept;
    // New files.
    void handle(const In<Opcode::symlink>&, Out<Opcode::symlink>&) noexcept;
    void handle(const In<Opcode::mknod>&, Out<Opcode::mknod>&) noexcept;
    void handle(const In<Opcode::mkdir>&, Out<Opcode::mkdir>&) noexcept;
    void handle(const In<Opcode::create>&, Out<Opcode::create>&) noexcept;
    void handle(const In<Opcode::tmpfile>&, Out<Opcode::tmpfile>&) noexcept;
    // Attributes.
    void handle(const In<Opcode::getattr>&, Out<Opcode::getattr>&) noexcept;
    void handle(const In<Opcode::setattr>&, Out<Opcode::setattr>&) noexcept;
    void handle(const In<Opcode::statx>&, Out<Opcode::statx>&) noexcept;
    void handle(const In<Opcode::access>&, Out<Opcode::access>&) noexcept;
    void handle(const In<Opcode::statfs>&, Out<Opcode::statfs>&) noexcept;
    // Data.
    void handle(const In<Opcode::open>&, Out<Opcode::open>&) noexcept;
    void handle(const In<Opcode::read>&, Out<Opcode::read>&) noexcept;
    void handle(const In<Opcode::write>&, Out<Opcode::write>&) noexcept;
    void handle(const In<Opcode::flush>&, Out<Opcode::flush>&) noexcept;
    void handle(const In<Opcode::release>&, Out<Opcode::release>&) noexcept;
    void handle(const In<Opcode::fsync>&, Out<Opcode::fsync>&) noexcept;
    void handle(const In<Opcode::fallocate>&, Out<Opcode::fallocate>&) noexcept;
    void handle(const In<Opcode::lseek>&, Out<Opcode::lseek>&) noexcept;
    void handle(const In<Opcode::copy_file_range>&, Out<Opcode::copy_file_range>&) noexcept;
    void handle(const In<Opcode::copy_file_range_64>&, Out<Opcode::copy_file_range_64>&) noexcept;
    // Mappings of the shared memory window.
    void handle(const In<Opcode::setupmapping>&, Out<Opcode::setupmapping>&) noexcept;
    void handle(const In<Opcode::removemapping>&, Out<Opcode::removemapping>&) noexcept;
    // Locks.
    void handle(const In<Opcode::getlk>&, Out<Opcode::getlk>&) noexcept;
    void handle(const In<Opcode::setlk>&, Out<Opcode::setlk>&) noexcept;
    void handle(const In<Opcode::setlkw>&, Out<Opcode::setlkw>&) noexcept;
    // Directories.
    void handle(const In<Opcode::opendir>&, Out<Opcode::opendir>&) noexcept;
    void handle(const In<Opcode::readdir>&, Out<Opcode::readdir>&) noexcept;
    void handle(const In<Opcode::readdirplus>&, Out<Opcode::readdirplus>&) noexcept;
    void handle(const In<Opcode::releasedir>&, Out<Opcode::releasedir>&) noexcept;
    void handle(const In<Opcode::fsyncdir>&, Out<Opcode::fsyncdir>&) noexcept;
    // Extended attributes.
    void handle(const In<Opcode::setxattr>&, Out<Opcode::setxattr>&) noexcept;
    void handle(const In<Opcode::getxattr>&, Out<Opcode::getxattr>&) noexcept;
    void handle(const In<Opcode::listxattr>&, Out<Opcode::listxattr>&) noexcept;
    void handle(const In<Opcode::removexattr>&, Out<Opcode::removexattr>&) noexcept;
    // The rest.
    void handle(const In<Opcode::syncfs>&, Out<Opcode::syncfs>&) noexcept;
    void handle(const In<Opcode::ioctl>&, Out<Opcode::ioctl>&) noexcept;               // ENOTTY
    void handle(const In<Opcode::poll>&, Out<Opcode::poll>&) noexcept;                 // ready, as regular files are
    void handle(const In<Opcode::interrupt>&, Out<Opcode::interrupt>&) noexcept;       // of a SETLKW; else EAGAIN
    void handle(const In<Opcode::notify_reply>&, Out<Opcode::notify_reply>&) noexcept; // nothing was asked: dropped

private:
    class State;
    friend class ParkedLocks;
    // The answer to a request that was parked.
    struct ParkedAnswer {
        std::array<HostSegment, sizeof(wire::OutHeader)> room{}; // what `request` refers to: at worst a byte a segment
        server::ParkedRequest request{};
        abi::Errno error{};
    };
    // True if a request of any lane can be answered.
    [[nodiscard]] bool has_answers() const noexcept;
    [[nodiscard]] bool take_answer(std::uint16_t lane, ParkedAnswer& to) noexcept;

    std::unique_ptr<State> state_;
};

static_assert(server::FileSystem<Passthrough> && server::TellsChanges<Passthrough> &&
              server::AnswersUnasked<Passthrough>);

} // namespace vfsproto::backends
