// SPDX-License-Identifier: BSD-2-Clause
// An open file of a ReconnectingMount: on which session it is open, and what it takes to open it on another.
#pragma once

#include "vfsproto/posix/detail/futex.hpp"
#include "vfsproto/posix/detail/mount_session.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace vfsproto::posix {

// Any thread; restore() by one at a time.
class KeptFile {
public:
    // `path` led to the file when it was opened.
    KeptFile(std::string path, const FileIdentity& identity, OpenedFile opened);

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
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
    void set(std::shared_ptr<const OpenedFile> opened, const Failure& lost);

    const std::string path_;
    const FileIdentity identity_;
    const std::uint32_t flags_;
    mutable Mutex mutex_;
    std::shared_ptr<const OpenedFile> opened_ VFSPROTO_GUARDED_BY(mutex_);
    Failure lost_ VFSPROTO_GUARDED_BY(mutex_){};
};

} // namespace vfsproto::posix
