// SPDX-License-Identifier: BSD-2-Clause
// A mounted virtio-fs device, for people who want files: paths, open files, blocking calls from any number of threads.
// async_mount.hpp has the same operations for Asio, io_queue.hpp for one thread with many of them on their way. What a mount may
// be told when it is opened is in mount_options.hpp; the structs of statx() and set_attributes() are in fuse/wire/structs.hpp.
//
// Paths are the share's: "/a/b" and "a/b" are the same file. Numbers, flags and modes are Linux ones
// (abi/numbers.hpp), whatever the host is.
#pragma once

#include "vfsproto/fuse/client/operations/detail/directory_format.hpp"
#include "vfsproto/posix/detail/piece_limits.hpp"
#include "vfsproto/posix/file.hpp"
#include "vfsproto/posix/lock.hpp"
#include "vfsproto/posix/stop_source.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::backends {
class Attachment;
}
namespace vfsproto::client {
struct TransferSpan;
}
namespace vfsproto::wire {
enum class Opcode : std::uint32_t;
struct Kstatfs;
struct LkIn;
struct SetattrIn;
struct Statx;
} // namespace vfsproto::wire

namespace vfsproto::posix {

// A point in time to set; nothing = leave it as it is.
struct SetTime {
    enum class Kind : std::uint8_t { keep, now, at } kind = Kind::keep;
    std::int64_t seconds = 0;
    std::uint32_t nanoseconds = 0;
};

// Tells whether a path whose last name is a symbolic link means the link itself (keep) or what it leads to (follow).
enum class LastLink : std::uint8_t { follow, keep };

enum class XattrSpace : std::uint8_t { create_or_replace, create, replace };

struct ChannelStats;
struct Credentials;
struct MountOptions;
struct MountStats;
enum class Look : std::uint8_t; // detail/look.hpp
struct NameContext;
enum class PathLength : std::uint8_t; // detail/path_steps.hpp
class MountCall;
class NodeCache;
class OpenSteps;

// A session with a device, and its files by path. Any number of threads may call it at once.
//
// Example (examples/1_list_directory.cpp):
//
//     auto mount = posix::Mount::open(std::move(device.attachment));
//     if (!mount) return fail(mount.failure().text());
//
//     const auto entries = (*mount)->list("/");
//     if (!entries) return fail(entries.failure().text());
//     for (const posix::DirectoryEntry& entry : *entries) std::printf("%s\n", entry.name.c_str());
//
//     const auto file = (*mount)->open_file(path, abi::kORdonly);
//     if (!file) return fail(file.failure().text()); // "No such file or directory (ENOENT)"
class Mount {
public:
    // Errors: bad_argument without an attachment; what the device or the server says.
    [[nodiscard]] static Expected<std::unique_ptr<Mount>> open(std::unique_ptr<backends::Attachment> attachment);
    [[nodiscard]] static Expected<std::unique_ptr<Mount>> open(std::unique_ptr<backends::Attachment> attachment,
                                                               const MountOptions& options);
    // Every asynchronous call of it must be over. With the last mount of a session, every File, Directory and Buffer must be
    // gone.
    ~Mount();
    Mount(const Mount&) = delete;
    Mount& operator=(const Mount&) = delete;

    // Names. Failures are the server's errno, or the engine's reason.
    [[nodiscard]] Expected<Attributes> stat(std::string_view path, LastLink last = LastLink::follow);
    [[nodiscard]] Expected<wire::Statx> statx(std::string_view path, LastLink last = LastLink::follow);
    [[nodiscard]] Failure access(std::string_view path, std::uint32_t mask);
    [[nodiscard]] Failure mkdir(std::string_view path, std::uint32_t mode = 0777);
    [[nodiscard]] Failure rmdir(std::string_view path);
    [[nodiscard]] Failure unlink(std::string_view path);
    // `flags`: RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT, passed on as they are.
    [[nodiscard]] Failure rename(std::string_view from, std::string_view to, std::uint32_t flags = 0);
    [[nodiscard]] Failure link(std::string_view existing, std::string_view path);
    [[nodiscard]] Failure symlink(std::string_view target, std::string_view path);
    [[nodiscard]] Failure mknod(std::string_view path, std::uint32_t mode, std::uint32_t rdev);
    [[nodiscard]] Expected<std::string> readlink(std::string_view path);

    // Attributes.
    [[nodiscard]] Failure chmod(std::string_view path, std::uint32_t mode);
    // An absent id is left as it is.
    [[nodiscard]] Failure chown(std::string_view path, std::optional<std::uint32_t> uid,
                                std::optional<std::uint32_t> gid, LastLink last = LastLink::follow);
    [[nodiscard]] Failure truncate(std::string_view path, std::uint64_t size);
    [[nodiscard]] Failure set_times(std::string_view path, const SetTime& atime, const SetTime& mtime,
                                    LastLink last = LastLink::follow);
    [[nodiscard]] Expected<Attributes> set_attributes(std::string_view path, const wire::SetattrIn& what,
                                                      LastLink last = LastLink::follow);
    [[nodiscard]] Expected<wire::Kstatfs> statfs(std::string_view path = "/");
    [[nodiscard]] Failure sync();

    // Extended attributes are of the file itself, not of what a link points to, when `last` says so.
    [[nodiscard]] Expected<std::vector<std::byte>> get_xattr(std::string_view path, std::string_view name,
                                                             LastLink last = LastLink::follow);
    [[nodiscard]] Failure set_xattr(std::string_view path, std::string_view name, std::span<const std::byte> value,
                                    XattrSpace space = XattrSpace::create_or_replace, LastLink last = LastLink::follow);
    [[nodiscard]] Expected<std::vector<std::string>> list_xattrs(std::string_view path,
                                                                 LastLink last = LastLink::follow);
    [[nodiscard]] Failure remove_xattr(std::string_view path, std::string_view name, LastLink last = LastLink::follow);

    // Directories.
    [[nodiscard]] Expected<Directory>
    open_directory(std::string_view path, client::DirectoryFormat format = client::DirectoryFormat::direntpluses);
    // Everything at once, without "." and "..".
    [[nodiscard]] Expected<std::vector<DirectoryEntry>>
    list(std::string_view path, client::DirectoryFormat format = client::DirectoryFormat::direntpluses);
    [[nodiscard]] Failure sync_directory(const Directory& directory);

    // Files. `flags`: O_RDONLY …, with O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NOFOLLOW as open(2) has them; a directory is
    // EISDIR, whatever the flags.
    [[nodiscard]] Expected<File> open_file(std::string_view path, std::uint32_t flags, std::uint32_t mode = 0666);
    // A file without a name in this directory (O_TMPFILE).
    [[nodiscard]] Expected<File> open_temporary(std::string_view directory, std::uint32_t flags,
                                                std::uint32_t mode = 0600);
    // FLUSH, whose failure close(2) would report, then RELEASE.
    [[nodiscard]] Failure close(File file);

    // Returns the bytes moved; less than asked for only at the end of the file, or where an error came after some had
    // moved. Then bytes behind the count may have been written as well, unless the file is open with O_APPEND. Bytes are
    // not copied when the span lies in a Buffer of this mount, and copied once otherwise. Errors beside the server's: EINVAL
    // for an offset beyond INT64_MAX, EFBIG (a read: EINVAL) for a span that ends beyond it, EBUSY of a limited mount for a Buffer
    // that is not free; then nothing was sent.
    [[nodiscard]] Expected<std::uint64_t> read(const File& file, std::span<std::byte> into, std::uint64_t offset);
    [[nodiscard]] Expected<std::uint64_t> write(const File& file, std::span<const std::byte> from,
                                                std::uint64_t offset);
    // These go on after a short count, until all was moved or something failed; the rest is as in read() and write(). read_all()
    // returns less than asked for only at the end of the file. After a failure nobody knows how much was moved.
    [[nodiscard]] Expected<std::uint64_t> read_all(const File& file, std::span<std::byte> into, std::uint64_t offset);
    [[nodiscard]] Failure write_all(const File& file, std::span<const std::byte> from, std::uint64_t offset);
    [[nodiscard]] Expected<Attributes> stat(const File& file);
    [[nodiscard]] Expected<Attributes> set_attributes(const File& file, const wire::SetattrIn& what);
    [[nodiscard]] Failure truncate(const File& file, std::uint64_t size);
    [[nodiscard]] Failure set_times(const File& file, const SetTime& atime, const SetTime& mtime);
    [[nodiscard]] Failure flush(const File& file);
    // `flags`: wire::kFsyncDatasync or 0.
    [[nodiscard]] Failure fsync(const File& file, std::uint32_t flags = 0);
    [[nodiscard]] Failure fallocate(const File& file, std::uint32_t mode, std::uint64_t offset, std::uint64_t length);
    // SEEK_DATA or SEEK_HOLE: the others need no server.
    [[nodiscard]] Expected<std::uint64_t> seek(const File& file, std::uint64_t offset, std::uint32_t whence);
    [[nodiscard]] Expected<std::uint64_t> copy_range(const File& from, std::uint64_t from_offset, const File& to,
                                                     std::uint64_t to_offset, std::uint64_t length);
    // Take, change or give up a lock: lock() of a range (fcntl), flock() of the whole file; the two kinds do not see each other.
    // The file's own locks end with it, by FLUSH in close() and else before its RELEASE; those of another owner are given up by
    // unlocking. Where the server cannot wait, it is asked again from time to time, at least every 100 ms.
    // A limit ends a call that waits, with `abandoned` (EINTR) or `timed_out` (ETIMEDOUT): the server is sent an INTERRUPT where that
    // is known to be safe, and a lock that it grants later is given up again, together with what the same owner had in its range.
    // Errors beside the server's: EAGAIN (taken, and not waited for), not_negotiated (the server keeps no locks of this kind;
    // EOPNOTSUPP as an errno), EBADF (a shared record lock needs a file open for reading, an exclusive one for writing),
    // EOVERFLOW (no file has such a range).
    [[nodiscard]] Failure lock(const File& file, const WantedLock& wanted, WhenLocked when = WhenLocked::fail,
                               const CallLimits& limits = {});
    [[nodiscard]] Failure flock(const File& file, LockType type, WhenLocked when = WhenLocked::fail,
                                const CallLimits& limits = {});
    // Returns the first lock that stands in the way of this one, nothing if it could be taken now.
    [[nodiscard]] Expected<std::optional<HeldLock>> test_lock(const File& file, const WantedLock& wanted);
    // Poll bits that are ready now.
    [[nodiscard]] Expected<std::uint32_t> poll(const File& file, std::uint32_t events);
    // The driver's result; `out` is filled with what came.
    [[nodiscard]] Expected<std::int32_t> ioctl(const File& file, std::uint32_t command, std::span<const std::byte> in,
                                               std::span<std::byte> out);

    // Allocates zeroed memory for transfers without a copy.
    [[nodiscard]] Expected<Buffer> allocate(std::size_t bytes);
    // Gives the server back every file nobody uses.
    void prune();

    // Returns a mount of the same session that acts for somebody else. Files, directories and buffers of either are used
    // with both. The session ends when the last of them is gone.
    [[nodiscard]] std::unique_ptr<Mount> acting_for(const Credentials& credentials);
    [[nodiscard]] const Credentials& credentials() const noexcept { return *credentials_; }
    // Returns the same as its requests carry them: with the server's ids (ChannelOptions::ids).
    [[nodiscard]] const Credentials& server_credentials() const noexcept { return *asking_; }
    // Returns a mount of the same session, and for the same caller, whose every call ends at these limits: with `abandoned`
    // (EINTR) after a stop, with `timed_out` (ETIMEDOUT) when it has taken too long. No request is made from then on. One that is
    // under way is sent an INTERRUPT where that is known to be safe; it is let go of, and what its late answer brings is given
    // back: a file that was opened is released, what was looked up is forgotten. What it changed stays changed. Its caller
    // cannot know if that will happen. The end of a File or a Directory it opened does not wait for longer either.
    // The bytes of read() and write() are copied once, because a server may still read or write memory that its caller has got back.
    // Those of a Buffer are not: it is kept until the server has answered (Buffer::is_free()). A read() into a Buffer fails if a part
    // of it was let go of, whatever was read before, as a write() does. The calls of an AsyncMount and of MappedFiles over it have the
    // same limits. An IoQueue has limits of its own (IoQueue::next()).
    [[nodiscard]] std::unique_ptr<Mount> limited_by(const MountLimits& limits);
    // Returns a mount of the same session whose every walk asks the server for each name and all attributes, whatever is kept
    // (CacheOptions). For decisions that cost data where what is kept is old: is this the file I am about to replace?
    [[nodiscard]] std::unique_ptr<Mount> looking_anew();
    // Returns a mount of the same session whose paths that begin with no slash are paths of `directory`, as for a program that has
    // called chdir(2). Each call walks there anew, and finds whatever has that name then. So files are reached whose path from the
    // root is longer than PATH_MAX. Where permissions are judged here, the caller has to be let search every directory on the way
    // there, and `directory` itself, at each call.
    [[nodiscard]] std::unique_ptr<Mount> beginning_at(std::string_view directory);
    // Returns a mount of the same session whose paths may be longer than PATH_MAX. It is for walks, which put paths together of
    // names that were listed: such a path means what its last name means where paths begin at its directory (beginning_at()).
    [[nodiscard]] std::unique_ptr<Mount> taking_long_paths();
    [[nodiscard]] const MountLimits& limits() const noexcept { return limits_; }

    // Returns what the device was asked for so far; channel_stats.hpp has the type.
    [[nodiscard]] ChannelStats stats();
    // Returns the same by operation, with what the caches knew and what is held; mount_stats.hpp has the type.
    [[nodiscard]] MountStats mount_stats();

    // Returns what this mount stands on: for tests and for tools of the engine's own.
    [[nodiscard]] Channel& channel() noexcept { return *channel_; }
    [[nodiscard]] NodeCache& nodes() noexcept { return *cache_; }

private:
    friend class AsyncMount;
    Mount(std::shared_ptr<Channel> channel, std::shared_ptr<NodeCache> cache, const Credentials& credentials,
          const MountLimits& limits, Look look);

    [[nodiscard]] std::unique_ptr<Mount> beginning_alike(std::unique_ptr<Mount> mount) const;
    [[nodiscard]] MountCall begin_call() const noexcept;
    // No file: the steps were told why.
    [[nodiscard]] File open(MountCall& call, OpenSteps& steps);
    [[nodiscard]] File create(MountCall& call, OpenSteps& steps, std::uint32_t mode);
    [[nodiscard]] File keep(std::unique_ptr<OpenHandle> handle) const;
    // Run the steps S to their end; ask() returns their result.
    template <class S, class... Args> [[nodiscard]] Failure perform(const Args&... args);
    template <class S, class... Args> [[nodiscard]] Expected<typename S::Result> ask(const Args&... args);
    [[nodiscard]] NameContext names() noexcept;
    [[nodiscard]] CallLimits limits_of_lock(WhenLocked when, const CallLimits& wanted) const noexcept;
    [[nodiscard]] Failure set_lock(const File& file, const wire::LkIn& wanted, WhenLocked when,
                                   const CallLimits& limits);
    [[nodiscard]] Failure try_lock(const File& file, const wire::LkIn& wanted, WhenLocked when,
                                   const CallLimits& limits);
    template <wire::Opcode Op> [[nodiscard]] Expected<std::uint64_t>
    transfer(const File& file, std::span<const std::byte> bytes, std::uint64_t offset);
    template <wire::Opcode Op>
    [[nodiscard]] Expected<std::uint64_t> transfer_in_pieces(const File& file, const client::TransferSpan& span);
    [[nodiscard]] client::TransferSpan span_of(const File& file, std::span<const std::byte> bytes,
                                               std::uint64_t offset);

    std::shared_ptr<Channel> channel_;
    std::shared_ptr<NodeCache> cache_; // ends before the channel
    std::unique_ptr<const Credentials> credentials_;
    std::unique_ptr<const Credentials> asking_; // the same with the server's ids
    MountLimits limits_;
    Look look_;
    std::string from_;         // the directory of paths that begin with no slash; empty: the root
    PathLength path_length_{}; // of what is said
    // 0 under limits, with several request queues, and for a caller who may ask nothing: then every transfer takes the way of those that are too long for one request.
    PieceLimits read_pieces_{};
    PieceLimits write_pieces_{};
};

} // namespace vfsproto::posix
