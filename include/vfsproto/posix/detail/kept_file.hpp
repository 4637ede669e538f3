// SPDX-License-Identifier: BSD-2-Clause
// An open file of a ReconnectingMount: on which session it is open, and what it takes to open it on another.
#pragma once

#include "vfsproto/posix/detail/futex.hpp"
#include "vfsproto/posix/detail/mount_session.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace vfsproto::posix {

// Any thread; restore() by one at a time.
class KeptFile {
public:
    // Returns the path from the root, without empty names and ".".
    [[nodiscard]] static std::string plain(std::string_view path);

    // `path` led to the file when it was opened.
    KeptFile(std::string_view path, const FileIdentity& identity, OpenedFile opened);

    [[nodiscard]] std::string path() const;
    // This client is about to rename what `from` leads to, the file or a directory above it; both paths are plain. From then on the
    // file may be found at either place.
    struct Move {
        const std::string& from;
        const std::string& to;
    };
    void begin_move(const Move& move);
    enum class Moved : std::uint8_t { no, yes, unknown };
    void end_move(const Move& move, Moved moved);
    // Returns the Linux O_… to open it with once more: without O_CREAT, O_EXCL and O_TRUNC.
    [[nodiscard]] std::uint32_t flags() const noexcept { return flags_; }
    // Returns nullptr if it is lost; then lost() says why.
    [[nodiscard]] std::shared_ptr<const OpenedFile> opened() const;
    [[nodiscard]] Failure lost() const;

    enum class Restored : std::uint8_t {
        unchanged,   // it is open there already, or was lost before
        reopened,    // it is open there now
        lost,        // it is open nowhere any more
        interrupted, // this session has ended as well; it is as it was
    };
    // Opens it on this session if it is not open there. The one it is open on has ended.
    [[nodiscard]] Restored restore(const std::shared_ptr<const MountSession>& session);

private:
    [[nodiscard]] Expected<File> open_again(Mount& mount) const;
    [[nodiscard]] Expected<File> open_at(Mount& mount, const std::string& path) const;
    void set(std::shared_ptr<const OpenedFile> opened, const Failure& lost);

    const FileIdentity identity_;
    const std::uint32_t flags_;
    mutable Mutex mutex_;
    std::string path_ VFSPROTO_GUARDED_BY(mutex_);
    std::string moved_path_ VFSPROTO_GUARDED_BY(mutex_); // where it may be as well; empty: nowhere else
    std::shared_ptr<const OpenedFile> opened_ VFSPROTO_GUARDED_BY(mutex_);
    Failure lost_ VFSPROTO_GUARDED_BY(mutex_){};
};

} // namespace vfsproto::posix
