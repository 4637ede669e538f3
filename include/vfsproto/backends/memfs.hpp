// SPDX-License-Identifier: BSD-2-Clause
// A file system in memory, for tests and for trying things out: deterministic, with a clock and faults the test gives. It checks
// no permissions (ACCESS tells them), keeps nothing after its destruction, and counts what a client does wrong.
#pragma once

#include "vfsproto/fuse/server/file_system.hpp"

#include <functional>
#include <limits>
#include <memory>
#include <vector>

namespace vfsproto::backends {

class MappingSink;
class MemfsCore;

struct MemfsTime {
    std::int64_t sec = 0;
    std::uint32_t nsec = 0;
};

// The fault a test wants for one request.
struct MemfsFault {
    enum class Answer : std::uint8_t { at_once, held };

    abi::Errno error = abi::Errno::none; // answered instead of doing anything
    Answer answer = Answer::at_once;     // held: done at once, but answered only after release_held()
    // READ, WRITE and COPY_FILE_RANGE do no more bytes than this.
    std::uint64_t at_most = std::numeric_limits<std::uint64_t>::max();
};
struct MemfsQuestion {
    wire::Opcode opcode{};
    const wire::InHeader& header;
    wire::Name name{}; // the first name, if the operation has one
    std::uint16_t lane = 0;
};
// Called once for every request, FORGET and the like included (their answer is ignored). Any lane's thread.
using MemfsFaults = std::function<MemfsFault(const MemfsQuestion&)>;

// The flags it offers unless told otherwise. Every one of these is implemented.
inline constexpr wire::InitFlags kMemfsFlags =
    wire::InitFlags::of(wire::InitFlag::async_read, wire::InitFlag::posix_locks, wire::InitFlag::atomic_o_trunc,
                        wire::InitFlag::export_support, wire::InitFlag::dont_mask, wire::InitFlag::flock_locks,
                        wire::InitFlag::auto_inval_data, wire::InitFlag::do_readdirplus,
                        wire::InitFlag::readdirplus_auto, wire::InitFlag::async_dio, wire::InitFlag::parallel_dirops,
                        wire::InitFlag::cache_symlinks, wire::InitFlag::handle_killpriv_v2);

struct MemfsOptions {
    MemfsOptions() { server.flags = kMemfsFlags; }

    // A server with POSIX_ACL keeps access control lists for clients that evaluate them, as they are set: modes do not follow them, and
    // new files inherit none.
    server::ServerOptions server{};
    std::function<MemfsTime()> clock{}; // absent: starts at 1000000000 s and steps by 1 us each time it is read
    MemfsFaults faults{};               // absent: none
    // Called, without a lock held, when a request of this lane that was parked can be answered.
    std::function<void(std::uint16_t lane)> wake{};
    std::uint64_t capacity = std::uint64_t{1} << 34; // bytes of data; beyond it ENOSPC
    std::uint64_t entry_valid = 0;                   // nanoseconds a client may keep an entry
    std::uint64_t attr_valid = 0;                    // nanoseconds a client may keep attributes
    // OPENDIR answers these FOPEN_…. A client may keep listings: all changes are its own, and each changes a directory's times.
    std::uint32_t opendir_flags = wire::kFopenCacheDir | wire::kFopenKeepCache;
    // Nanoseconds a client may keep the knowledge that a name is absent; 0: LOOKUP says ENOENT and no more.
    std::uint64_t negative_valid = 0;
    // The shared memory window that files are mapped into; its device has the same. Absent: SETUPMAPPING is ENOSYS.
    std::shared_ptr<MappingSink> window{};
    // The most files whose content lies in a memfd, each with a descriptor, as it does from the first SETUPMAPPING on. Where there
    // would be more, one that is not mapped any more moves back; if all are, SETUPMAPPING is EMFILE.
    std::size_t max_memory_files = 256;
};

// Counts what no correct client causes; a test reads them and expects 0.
struct MemfsMisuse {
    std::uint64_t over_forgets = 0; // FORGET of more lookups than there were, or of a node never given
    std::uint64_t stale_nodes = 0;  // a node id that was forgotten or never given
    std::uint64_t bad_handles = 0;  // a file handle that is closed, another file's or no handle at all
};

// An operation without an overload here, and why.
struct MemfsAbsence {
    wire::Opcode opcode{};
    const char* why = nullptr;
};
inline constexpr MemfsAbsence kMemfsAbsent[] = {
    {wire::Opcode::init, "the server lane answers it"},
    {wire::Opcode::destroy, "the server lane answers it"},
    {wire::Opcode::notify_reply, "it sends no RETRIEVE that this could be the answer to"},
};

// Models server::FileSystem and server::ParksOn. Any number of lanes, each on a thread of its own: one mutex inside. Held
// requests refer to memory of their lanes: release them, or abandon the lanes, before those go.
class Memfs {
public:
    explicit Memfs(MemfsOptions options = {});
    ~Memfs();
    Memfs(const Memfs&) = delete;
    Memfs& operator=(const Memfs&) = delete;

    // Tests use these.
    void set_faults(MemfsFaults faults);
    [[nodiscard]] std::size_t held() const noexcept; // requests held by a fault and not released
    void release_held() noexcept;                    // in the order they came, each by its own lane
    [[nodiscard]] std::size_t waiting_locks() const noexcept;
    [[nodiscard]] MemfsMisuse misuse() const noexcept;
    [[nodiscard]] std::uint64_t lookups() const noexcept; // references the client has, the root's apart
    [[nodiscard]] std::uint64_t lookups_of(std::uint64_t nodeid) const noexcept;
    [[nodiscard]] std::size_t nodes() const noexcept; // files of any kind that exist, the root included
    [[nodiscard]] std::size_t open_handles() const noexcept;
    [[nodiscard]] std::uint64_t used_bytes() const noexcept; // of data, in whole blocks
    [[nodiscard]] std::size_t memory_files() const noexcept; // files whose content lies in a memfd

    // server::FileSystem and server::ParksOn.
    [[nodiscard]] server::ServerOptions options() noexcept;
    void on_init(const server::ServerSession& session) noexcept;
    void on_destroy() noexcept;
    template <class Lane> std::size_t answer_parked(Lane& lane) noexcept {
        std::size_t done = 0;
        Answer answer;
        while (take_answer(lane.id(), answer)) {
            static_cast<void>(complete(lane, answer)); // the queue latches what goes wrong; its next pop() says so
            ++done;
        }
        return done;
    }
    void abandon_parked(std::uint16_t lane) noexcept;

    template <wire::Opcode Op> using In = const server::RequestOf<Op>&;
    template <wire::Opcode Op> using Out = server::ReplyTo<Op>&;
    using Op = wire::Opcode;
    // Names.
    void handle(In<Op::lookup>, Out<Op::lookup>) noexcept;
    void handle(In<Op::forget>, Out<Op::forget>) noexcept;
    void handle(In<Op::batch_forget>, Out<Op::batch_forget>) noexcept;
    void handle(In<Op::readlink>, Out<Op::readlink>) noexcept;
    void handle(In<Op::symlink>, Out<Op::symlink>) noexcept;
    void handle(In<Op::mknod>, Out<Op::mknod>) noexcept;
    void handle(In<Op::mkdir>, Out<Op::mkdir>) noexcept;
    void handle(In<Op::unlink>, Out<Op::unlink>) noexcept;
    void handle(In<Op::rmdir>, Out<Op::rmdir>) noexcept;
    void handle(In<Op::rename>, Out<Op::rename>) noexcept;
    void handle(In<Op::rename2>, Out<Op::rename2>) noexcept;
    void handle(In<Op::link>, Out<Op::link>) noexcept;
    void handle(In<Op::create>, Out<Op::create>) noexcept;
    void handle(In<Op::tmpfile>, Out<Op::tmpfile>) noexcept;
    // Attributes.
    void handle(In<Op::getattr>, Out<Op::getattr>) noexcept;
    void handle(In<Op::setattr>, Out<Op::setattr>) noexcept;
    void handle(In<Op::statx>, Out<Op::statx>) noexcept;
    void handle(In<Op::access>, Out<Op::access>) noexcept;
    void handle(In<Op::statfs>, Out<Op::statfs>) noexcept;
    // Data.
    void handle(In<Op::open>, Out<Op::open>) noexcept;
    void handle(In<Op::read>, Out<Op::read>) noexcept;
    void handle(In<Op::write>, Out<Op::write>) noexcept;
    void handle(In<Op::flush>, Out<Op::flush>) noexcept;
    void handle(In<Op::release>, Out<Op::release>) noexcept;
    void handle(In<Op::fsync>, Out<Op::fsync>) noexcept;
    void handle(In<Op::fallocate>, Out<Op::fallocate>) noexcept;
    void handle(In<Op::lseek>, Out<Op::lseek>) noexcept;
    void handle(In<Op::copy_file_range>, Out<Op::copy_file_range>) noexcept;
    void handle(In<Op::copy_file_range_64>, Out<Op::copy_file_range_64>) noexcept;
    void handle(In<Op::bmap>, Out<Op::bmap>) noexcept;
    void handle(In<Op::ioctl>, Out<Op::ioctl>) noexcept;
    void handle(In<Op::poll>, Out<Op::poll>) noexcept;
    void handle(In<Op::syncfs>, Out<Op::syncfs>) noexcept;
    // Mappings of the shared memory window. One that is to be written changes the times of its file when it begins and when it ends;
    // it takes the blocks that it reaches, so that what is written there has space.
    void handle(In<Op::setupmapping>, Out<Op::setupmapping>) noexcept;
    void handle(In<Op::removemapping>, Out<Op::removemapping>) noexcept;
    // Directories.
    void handle(In<Op::opendir>, Out<Op::opendir>) noexcept;
    void handle(In<Op::readdir>, Out<Op::readdir>) noexcept;
    void handle(In<Op::readdirplus>, Out<Op::readdirplus>) noexcept;
    void handle(In<Op::releasedir>, Out<Op::releasedir>) noexcept;
    void handle(In<Op::fsyncdir>, Out<Op::fsyncdir>) noexcept;
    // Extended attributes.
    void handle(In<Op::setxattr>, Out<Op::setxattr>) noexcept;
    void handle(In<Op::getxattr>, Out<Op::getxattr>) noexcept;
    void handle(In<Op::listxattr>, Out<Op::listxattr>) noexcept;
    void handle(In<Op::removexattr>, Out<Op::removexattr>) noexcept;
    // Locks.
    void handle(In<Op::getlk>, Out<Op::getlk>) noexcept;
    void handle(In<Op::setlk>, Out<Op::setlk>) noexcept;
    void handle(In<Op::setlkw>, Out<Op::setlkw>) noexcept;
    void handle(In<Op::interrupt>, Out<Op::interrupt>) noexcept;

private:
    // The answer to a request that was parked.
    struct Answer {
        std::vector<HostSegment> room{}; // what `request` refers to
        server::ParkedRequest request{};
        abi::Errno error{};
        std::vector<std::byte> body{};
    };
    [[nodiscard]] bool take_answer(std::uint16_t lane, Answer& to) noexcept;

    template <class Lane> static Errc complete(Lane& lane, const Answer& answer) noexcept {
        if (answer.error != abi::Errno::none) return lane.complete_error(answer.request, answer.error);
        Errc errc = Errc::bad_argument;
        wire::for_each_row(wire::OpTable{}, [&]<class Row>(Row) {
            if (Row::opcode != answer.request.opcode) return;
            errc = lane.template complete<Row::opcode>(answer.request, [&](auto& reply) {
                if (reply.writer().append(answer.body.data(), answer.body.size())) reply.writer().succeed();
            });
        });
        return errc;
    }

    std::unique_ptr<MemfsCore> core_;
};

static_assert(server::FileSystem<Memfs>);

} // namespace vfsproto::backends
