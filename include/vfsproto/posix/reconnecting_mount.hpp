// SPDX-License-Identifier: BSD-2-Clause
// A mount that outlives its server. When the server dies, all that is under way fails at once. The next call opens the device and
// a session anew, opens the files that callers have once more, and goes on.
//
//   auto mount = ReconnectingMount::open({.open_device = [] { return open_device("vhost-user:/run/fs").attachment; }});
//   auto file = (*mount)->open_file("/log", kORdwr | kOCreat);
//   (*mount)->write(*file, bytes, offset);
//   (*mount)->call(wire::Opcode::mkdir, [](Mount& on) { return on.mkdir("/dir"); });
//
// Each session is a Mount of its own: device, node table, caches, and what INIT settled. Whatever a server gave ends with its
// session, so none of it can come to another server, and a plain Mount pays nothing for this.
//
// - A call is sent once more if the op table says that this is safe; else it fails with reply_lost, and its caller has to look
//   what became of it. It may not have been sent at all.
// - A file is opened again by its path, which it keeps (its length and some 300 bytes). It is file_lost if that leads to none or
//   to another one, as after a rename by somebody else or by another path, and if the server refuses. It is locks_lost if a lock
//   was asked for through it, also if that was refused or given up since.
//   Two files count as the same if inode number and type are. A file that was removed and made anew may have got the same number;
//   and a server that numbers files as they are looked up, as libfuse does without use_ino, may give another one the number it had.
// - A file without a name (O_TMPFILE, or removed while open) is lost.
// - The root of the share must be the same file; else every call is file_lost.
// - A server is replaced only if it closed its connection or its device was reset. One that was given up and could not be stopped
//   may still write: then the mount is over, as a Mount is.
// - What was written and not fsynced is trusted to the host's kernel, where virtiofsd leaves it: it outlives the server's process,
//   not its host. Of a server that keeps it in memory of its own, ReconnectOptions::written tells. Then each open file of which
//   something written was lost says writes_lost at its next fsync() or close(), once, as Linux does after a failed writeback: also if
//   it was written through another one, and not if that was closed before. What a server's end overtook on its way to be synced
//   may be called lost although it is not. Names that such a server loses are not noticed, nor what was changed by path. Files are
//   told apart by inode number: two of one number, on two file systems of one share, count as one file.
#pragma once

#include "vfsproto/fuse/wire/opcode.hpp"
#include "vfsproto/posix/detail/futex.hpp"
#include "vfsproto/posix/detail/session_tries.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/reconnect_options.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace vfsproto::posix {

class SuspendGate;
class UnsyncedFiles;

// An open file of a ReconnectingMount. Any number of threads may use it at once.
class ReconnectingFile {
public:
    ReconnectingFile() = default;

    [[nodiscard]] explicit operator bool() const noexcept { return kept_ != nullptr; }
    // Returns ok, or why every call on it fails. The file is open.
    [[nodiscard]] Failure lost() const;

private:
    friend class ReconnectingMount;
    explicit ReconnectingFile(std::shared_ptr<KeptFile> kept) noexcept : kept_(std::move(kept)) {}

    std::shared_ptr<KeptFile> kept_;
};

// Any thread.
class ReconnectingMount {
public:
    // Errors: bad_argument without a way to open the device; device_gone if there is none; what Mount::open() says.
    [[nodiscard]] static Expected<std::unique_ptr<ReconnectingMount>> open(ReconnectOptions options);
    // No call may be under way; ReconnectOptions::limits ends those that wait for a server. Files may outlive the mount: all that may
    // be done with them then is to end them.
    ~ReconnectingMount();
    ReconnectingMount(const ReconnectingMount&) = delete;
    ReconnectingMount& operator=(const ReconnectingMount&) = delete;

    // These are the calls of Mount. Errors beside those: reply_lost, file_lost, locks_lost, writes_lost; and what the last attempt
    // to connect said, or the limit that ended it. The next call tries anew. What was under way when a server ended may have been done,
    // whichever of these its caller is told.
    [[nodiscard]] Expected<ReconnectingFile> open_file(std::string_view path, std::uint32_t flags,
                                                       std::uint32_t mode = 0666);
    // Sends what Mount::close() sends before RELEASE. The server's handle ends with the last copy of the file.
    [[nodiscard]] Failure close(const ReconnectingFile& file);
    // A transfer that a server's end cut short is made once more as a whole; one that appends is reply_lost then.
    [[nodiscard]] Expected<std::uint64_t> read(const ReconnectingFile& file, std::span<std::byte> into,
                                               std::uint64_t offset);
    [[nodiscard]] Expected<std::uint64_t> write(const ReconnectingFile& file, std::span<const std::byte> from,
                                                std::uint64_t offset);
    // These go on after a short count, as those of Mount do. The parts that they consist of may come from several sessions.
    [[nodiscard]] Expected<std::uint64_t> read_all(const ReconnectingFile& file, std::span<std::byte> into,
                                                   std::uint64_t offset);
    [[nodiscard]] Failure write_all(const ReconnectingFile& file, std::span<const std::byte> from,
                                    std::uint64_t offset);
    [[nodiscard]] Failure fsync(const ReconnectingFile& file, std::uint32_t flags = 0);
    // Open files that it moves, itself or with a directory, are found at their new place.
    [[nodiscard]] Failure rename(std::string_view from, std::string_view to, std::uint32_t flags = 0);

    // Makes any other call of Mount: `make(mount)` or `make(mount, file)` returns a Failure or an Expected, and keeps nothing of
    // the mount or the file: no Buffer, no Directory, no mount of the same session (Mount::limited_by()). `op` is the request that
    // decides if the call may be sent once more: the one that changes something. READ and WRITE are better made by read() and
    // write(): those notice when a server's end cut them short. `make(mount, file)` is for calls of that file: one that names a path
    // instead may be answered by what is kept, although the server has ended.
    template <class Make> [[nodiscard]] auto call(wire::Opcode op, const Make& make) {
        SessionTries tries(*this, may_repeat(op, nullptr));
        return try_until_over(tries, [&] { return make(tries.mount()); });
    }
    template <class Make> [[nodiscard]] auto call(const ReconnectingFile& file, wire::Opcode op, const Make& make) {
        using Result = std::invoke_result_t<const Make&, Mount&, const File&>;
        if (!file) return Result(Failure(abi::Errno::ebadf));
        SessionTries tries(*this, *file.kept_, may_repeat(op, file.kept_.get()));
        Result result = try_until_over(tries, [&] {
            const SessionTries::Written before = tries.written();
            Result made = make(tries.mount(), tries.file());
            tries.note(op, before, reason_of(made));
            return made;
        });
        if (reason_of(result).happened()) return result;
        const Failure owed = tries.take_owed(op);
        return owed.happened() ? Result(owed) : std::move(result);
    }

    // Asks the server for a sign of life, and connects anew if it has ended: so on_reconnect() hears what was lost while nobody
    // calls. Errors: those of a call that may be repeated.
    [[nodiscard]] Failure revive() VFSPROTO_EXCLUDES(reconnecting_);
    // Ends the session in an orderly way, and the device with it. Calls that come from now on wait, or fail with `suspended`
    // (ReconnectOptions::while_suspended); those under way are waited for. What was written through open files is synced, then their
    // handles end, FORGETs are sent, DESTROY, and the device is stopped and closed: of it nothing is kept, no memory and no ring.
    // The mount keeps the paths and flags of open files. If anything stands in the way, the mount goes on as before, or as after the
    // end of a server. Errors: wrong_state (not running, or within a call of this mount); a limit of the options; what an FSYNC said,
    // which the next fsync() or close() of that file says as well; file_lost or locks_lost, if an open file would be lost and
    // losses are not accepted; reset_timeout, if the device would not stop: then the mount is over.
    [[nodiscard]] Suspension suspend(const SuspendOptions& options = {}) VFSPROTO_EXCLUDES(reconnecting_);
    // Opens the device and a session anew, and the open files, as after the end of a server: on_reconnect() hears what was lost. Calls
    // that wait go on then. Errors: wrong_state (not suspended); what the last attempt said: then it is suspended as before.
    [[nodiscard]] Failure resume() VFSPROTO_EXCLUDES(reconnecting_);

    // Returns how many sessions there have been.
    [[nodiscard]] std::uint32_t sessions() const { return current()->number; }

private:
    friend class SessionTries;
    using SessionPtr = std::shared_ptr<const MountSession>;
    using Gate = std::shared_ptr<SuspendGate>; // a session may outlive the mount, with a file on it

    ReconnectingMount(ReconnectOptions options, Gate gate, SessionPtr first);

    [[nodiscard]] static client::MayRepeat may_repeat(wire::Opcode op, const KeptFile* file) noexcept;
    [[nodiscard]] static const Failure& reason_of(const Failure& result) noexcept { return result; }
    template <class T> [[nodiscard]] static const Failure& reason_of(const Expected<T>& result) noexcept {
        return result.failure();
    }
    template <class Try> [[nodiscard]] static auto try_until_over(SessionTries& tries, const Try& make) {
        using Result = std::invoke_result_t<const Try&>;
        static_assert(!std::is_same_v<Result, Expected<File>> && !std::is_same_v<Result, Expected<Directory>> &&
                          !std::is_same_v<Result, Expected<Buffer>>,
                      "a call must not take anything of its session along");
        for (;;) {
            if (const Failure why = tries.begin()) return Result(why);
            Result result = make();
            switch (tries.judge(reason_of(result))) {
            case SessionTries::Verdict::over: return result;
            case SessionTries::Verdict::lost: return Result(Failure(Errc::reply_lost));
            case SessionTries::Verdict::again: break;
            }
        }
    }

    [[nodiscard]] static Expected<SessionPtr> open_session(const ReconnectOptions& options, Gate gate,
                                                           std::uint32_t number);
    [[nodiscard]] SessionPtr current() const VFSPROTO_EXCLUDES(session_mutex_);
    // Returns ok once the session there is has not ended.
    [[nodiscard]] Failure reconnect() VFSPROTO_EXCLUDES(reconnecting_);
    [[nodiscard]] Failure reconnect(Reconnection& told) VFSPROTO_EXCLUDES(reconnecting_);
    [[nodiscard]] Failure wait_for_turn(unsigned attempt, const CallLimits& limits) const
        VFSPROTO_REQUIRES(reconnecting_);
    [[nodiscard]] Failure open_next(Reconnection& told) VFSPROTO_REQUIRES(reconnecting_);
    [[nodiscard]] std::vector<std::shared_ptr<KeptFile>> files() const VFSPROTO_REQUIRES(reconnecting_);
    void restore_files(const SessionPtr& session, Reconnection& told) VFSPROTO_REQUIRES(reconnecting_);
    void restore(KeptFile& file, const SessionPtr& session, Reconnection& told) VFSPROTO_REQUIRES(reconnecting_);
    [[nodiscard]] Failure keep(const std::shared_ptr<KeptFile>& file) VFSPROTO_EXCLUDES(reconnecting_);

    // These lead to no session, behind the closed gate (suspend.cpp).
    [[nodiscard]] Suspension suspend_behind(const CallLimits& limits, Losses losses);
    [[nodiscard]] std::vector<std::shared_ptr<KeptFile>> open_files() VFSPROTO_EXCLUDES(reconnecting_);
    [[nodiscard]] std::vector<Reconnection::LostFile> obstacles(const std::vector<std::shared_ptr<KeptFile>>& open,
                                                                Losses losses);
    [[nodiscard]] Failure sync(KeptFile& file);
    [[nodiscard]] Failure check_restorable(KeptFile& file);
    [[nodiscard]] Failure end_all(std::vector<std::shared_ptr<KeptFile>> open, const CallLimits& limits);
    void end_session(const SessionPtr& last, Errc stopped) VFSPROTO_EXCLUDES(session_mutex_);
    // Returns ok at once unless suspend() has taken the session away; else once nothing is left of it. reset_timeout if its server may
    // still do what it was asked.
    [[nodiscard]] Failure wait_for_last_session(const CallLimits& limits) VFSPROTO_EXCLUDES(session_mutex_);

    const ReconnectOptions options_;
    const Gate gate_;
    enum class Phase : std::uint8_t { running, suspending, suspended, resuming };
    std::atomic<Phase> phase_{Phase::running};
    const std::unique_ptr<UnsyncedFiles> unsynced_; // in use where the server does not keep what is written
    // Held while a session is opened and files are. Whoever has it and sees a session that has not ended, sees every file on it.
    Mutex reconnecting_;
    std::vector<std::weak_ptr<KeptFile>> files_ VFSPROTO_GUARDED_BY(reconnecting_);
    std::size_t most_files_ VFSPROTO_GUARDED_BY(reconnecting_) = 0; // with more, those that have ended are taken out
    std::vector<Reconnection::LostFile> untold_ VFSPROTO_GUARDED_BY(reconnecting_); // lost on the way to a new session
    Failure vain_ VFSPROTO_GUARDED_BY(reconnecting_){}; // what the last attempts in vain came to
    using Time = std::chrono::steady_clock::time_point;
    std::optional<Time> last_attempt_ VFSPROTO_GUARDED_BY(reconnecting_){}; // when the last one to reconnect was over
    std::atomic<unsigned> vain_rounds_{0};
    mutable Mutex session_mutex_; // taken after the other
    SessionPtr session_ VFSPROTO_GUARDED_BY(session_mutex_);
};

} // namespace vfsproto::posix
