// SPDX-License-Identifier: BSD-2-Clause
// Keeps an open file of a ReconnectingMount: it knows on which session the file is open, and how to open it on another.
#pragma once

#include "vfsproto/posix/detail/futex.hpp"
#include "vfsproto/posix/detail/mount_session.hpp"
#include "vfsproto/posix/detail/unsynced_writes.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::posix {

// Any thread may call it; begin_move(), end_move() and restore() are called by one at a time.
class KeptFile {
public:
    // Returns the path from the root, without empty names and ".".
    [[nodiscard]] static std::string from_root(std::string_view path);

    // `path` led to the file when it was opened. `unsynced` is nullptr where the server keeps what is written.
    KeptFile(std::string_view path, const FileIdentity& identity, OpenedFile opened,
             std::shared_ptr<UnsyncedWrites> unsynced);

    // Returns where the file was last known to be, as from_root() writes it.
    [[nodiscard]] std::string path() const;

    // A rename by this client, of a file or of a directory above files. Both paths are as from_root() writes them. It stays in place until end_move(),
    // because its address identifies it.
    struct Move {
        enum class Kind : std::uint8_t { one_way, exchange };

        const std::string& from;
        const std::string& to;
        Kind kind = Kind::one_way;

        // Returns the path to which it moves what is at `path`; an empty one if that stays where it is.
        [[nodiscard]] std::string place_of(const std::string& path) const;
    };
    // Is called before the rename is sent. The file may be found at either place until end_move() says where it is.
    void begin_move(const Move& move);
    enum class Moved : std::uint8_t { no, yes, unknown };
    void end_move(const Move& move, Moved moved);

    // Returns the Linux O_… to open it with once more: without O_CREAT, O_EXCL and O_TRUNC.
    [[nodiscard]] std::uint32_t flags() const noexcept { return flags_; }
    // Returns the FOPEN_… with which the server opened it first. A stream is taken for one on every later session.
    [[nodiscard]] std::uint32_t granted() const noexcept { return granted_; }
    // Returns nullptr if it is lost; then lost() says why. Else it was given up, and restore() is due.
    [[nodiscard]] std::shared_ptr<const OpenedFile> opened() const;
    [[nodiscard]] Failure lost() const;
    // Returns nullptr where the server keeps what is written.
    [[nodiscard]] UnsyncedWrites* unsynced() const noexcept { return unsynced_.get(); }
    // True if writes were lost before this session, and whoever uses the file was not told since. tell_losses() tells it.
    [[nodiscard]] bool has_untold_losses(std::uint32_t session) const;
    [[nodiscard]] bool tell_losses(std::uint32_t session);

    // Count what was written through it, on all sessions, and not synced since. note_synced() takes what written() said before
    // the FSYNC was sent.
    void note_written() noexcept { written_.fetch_add(1, std::memory_order_acq_rel); }
    [[nodiscard]] std::uint64_t written() const noexcept { return written_.load(std::memory_order_acquire); }
    void note_synced(std::uint64_t written) noexcept;
    // True if something was written that was not synced: through it, or anyhow where the server does not keep it.
    [[nodiscard]] bool owes_sync() const;
    // Keeps what an FSYNC that nobody asked for came to, for whoever asks next: take_owed() tells it once.
    void owe(const Failure& why);
    [[nodiscard]] Failure take_owed();

    // Returns ok if restore() would find it, as far as is known; else what lost() would say then, or why that cannot be found out.
    // `file` is what it is open on, by `mount`.
    [[nodiscard]] Failure check_restorable(Mount& mount, const File& file) const;
    // Ends its handle. It is open again after restore().
    void give_up();

    enum class Restored : std::uint8_t {
        unchanged,   // it is open there already, or was lost before
        reopened,    // it is open there now
        lost,        // it is open nowhere any more
        interrupted, // this session has ended as well; it is as it was
    };
    // Opens it on this session if it is not open there. The one it is open on has ended, or it was given up.
    [[nodiscard]] Restored restore(const std::shared_ptr<const MountSession>& session);

private:
    static constexpr std::size_t kMostPlaces = 8; // where it is looked for; what is moved on beyond them may be lost

    // A path that may lead to the file. While `move` is under way, it does so only if the server has made that rename.
    struct Place {
        std::string path;
        const Move* move = nullptr;
    };
    struct Found {
        File file;
        std::size_t place; // of places_
    };

    [[nodiscard]] std::vector<Place> places() const;
    [[nodiscard]] Expected<Found> open_again(Mount& mount) const;
    [[nodiscard]] Failure find_at(Mount& mount, const std::string& path) const; // ok: the path leads to it
    [[nodiscard]] Expected<File> open_at(Mount& mount, const std::string& path) const;
    [[nodiscard]] bool has_lost_locks() const;
    void reopen(const std::shared_ptr<const MountSession>& session, Found found);
    void lose(const Failure& why);

    const FileIdentity identity_;
    const std::uint32_t flags_;
    const std::uint32_t granted_;
    const std::shared_ptr<UnsyncedWrites> unsynced_;
    std::atomic<std::uint64_t> written_{0};
    std::atomic<std::uint64_t> synced_{0}; // of them
    mutable Mutex mutex_;
    std::vector<Place> places_ VFSPROTO_GUARDED_BY(mutex_); // at least one is of no move
    std::shared_ptr<const OpenedFile> opened_ VFSPROTO_GUARDED_BY(mutex_);
    Failure lost_ VFSPROTO_GUARDED_BY(mutex_){};
    Failure owed_ VFSPROTO_GUARDED_BY(mutex_){};
    bool has_lost_locks_ VFSPROTO_GUARDED_BY(mutex_) = false;   // when it was given up
    std::uint32_t told_losses_ VFSPROTO_GUARDED_BY(mutex_) = 0; // those before it was opened count as told
};

} // namespace vfsproto::posix
