// SPDX-License-Identifier: BSD-2-Clause
// Files of a mount through the shared memory window of its device (DAX): a read or a write copies from or to mapped memory, and
// sends no request once the window is warm.
//
//   MappedFiles::offer(options);                       // before Mount::open(attachment, options)
//   auto files = MappedFiles::open(*mount);            // fails where the device has no window
//   auto mapped = (*files)->map(file);
//   mapped->read(into, offset);
//
// READ and WRITE silently do what a window cannot: bytes beyond the end of the file, a window whose ranges are all in use, a server
// that refuses. Calls end at the limits of the mount (Mount::limited_by()), each of their READs and WRITEs by itself; the range of a
// SETUPMAPPING or REMOVEMAPPING that was given up is lost until the session ends. Devices of this process may have a window
// (backends/shared_window.hpp); no vhost-user daemon that is known has one, and those behind VFIO are not mapped.
#pragma once

#include "vfsproto/posix/failure.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace vfsproto::posix {

class File;
class MappedFiles;
class Mount;
class MountCall;
struct MountOptions;

// An open file, mapped. As with mmap(2), its size is the one it had when it was mapped, or at the last refresh(), and grows with
// what is written here. If somebody else makes the file shorter, the rest of its last page may be read as zeros until then, and what
// is written there is lost; what lies behind that page is found missing, and goes by READ and WRITE. Times of the file change as mmap(2) changes them. Any number of threads.
// Must not outlive its file and its MappedFiles; with the last MappedFile of a file, its mappings are removed.
class MappedFile {
public:
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    // Return what Mount::read() and Mount::write() return. Writes are mapped for files that are open without O_APPEND, O_SYNC and
    // O_DSYNC, for user 0, whose writes take no set-id bits away; they last from the next Mount::fsync() on, as all others.
    [[nodiscard]] Expected<std::uint64_t> read(std::span<std::byte> into, std::uint64_t offset);
    [[nodiscard]] Expected<std::uint64_t> write(std::span<const std::byte> from, std::uint64_t offset);
    // Asks for the size once more.
    [[nodiscard]] Failure refresh();

private:
    friend class MappedFiles;
    MappedFile(MappedFiles& files, const File& file, std::uint64_t size);
    struct Piece;
    template <class Copy>
    std::uint64_t copy_mapped(MountCall& call, const Piece& wanted, std::atomic<bool>& maps, const Copy& copy);
    [[nodiscard]] static Expected<std::uint64_t> count_of(std::uint64_t done, const Expected<std::uint64_t>& rest);

    MappedFiles& files_;
    const File& file_;
    std::atomic<std::uint64_t> size_;
    std::atomic<bool> maps_reads_;
    std::atomic<bool> maps_writes_; // both until the server refuses
};

class MappedFiles {
public:
    struct Counters {
        std::uint64_t hits = 0;        // pieces that were mapped already
        std::uint64_t set_ups = 0;     // SETUPMAPPINGs
        std::uint64_t removed = 0;     // ranges given back
        std::uint64_t fallen_back = 0; // calls that READ or WRITE ended
        std::uint64_t faults = 0;      // copies that found the file shorter, or the disk full
        std::uint64_t quarantined = 0; // ranges that are lost until the session ends
    };

    // Has INIT say that this client maps; nothing else does.
    static void offer(MountOptions& options);
    // `range_bytes`: how much of a file one range maps, a power of two; 0: what Linux uses, 2 MiB. Installs handlers of SIGBUS and
    // SIGSEGV, which end a copy from or to a window early and pass all else on. Errors: not_negotiated: no window, or one without
    // room for a range; bad_argument: a range below the server's alignment, or an alignment above 2 MiB. It must not outlive the mount.
    [[nodiscard]] static Expected<std::unique_ptr<MappedFiles>> open(Mount& mount, std::uint64_t range_bytes = 0);
    ~MappedFiles();
    MappedFiles(const MappedFiles&) = delete;
    MappedFiles& operator=(const MappedFiles&) = delete;

    // Costs a GETATTR. Errors: EBADF for a file that is not open; what the server says.
    [[nodiscard]] Expected<std::unique_ptr<MappedFile>> map(const File& file);
    [[nodiscard]] Counters counters() const;

private:
    friend class MappedFile;
    struct State;
    explicit MappedFiles(std::unique_ptr<State> state);

    std::unique_ptr<State> state_;
};

} // namespace vfsproto::posix
