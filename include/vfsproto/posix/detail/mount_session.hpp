// SPDX-License-Identifier: BSD-2-Clause
// Holds one session of a ReconnectingMount, from INIT to the end of its server, and the files that are open on it.
#pragma once

#include "vfsproto/posix/mount.hpp"

#include <cstdint>
#include <memory>

namespace vfsproto::posix {

// Tells which file an open one is, over the end of a server. FUSE's generation is not part of it: servers give 0, or count from
// anew.
struct FileIdentity {
    std::uint64_t ino = 0;
    std::uint32_t type = 0; // S_IFMT bits

    [[nodiscard]] static FileIdentity of(const Attributes& attributes) noexcept {
        return {attributes.ino, abi::file_type(attributes.mode)};
    }
    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

// It lasts as long as a call or a file on it. One without a mount stands in place of the last one, while there is none.
struct MountSession {
    std::unique_ptr<Mount> mount;
    std::uint32_t number = 1;
    FileIdentity root{};
    Errc stopped = Errc::ok; // without a mount: what stopping the device of the last one came to

    // Returns ok, or why it has ended: `suspended` without a mount.
    [[nodiscard]] Errc failure() const;
    // True if it has ended, and its server as well: nothing that was asked on it is done any more.
    [[nodiscard]] bool is_over() const;
};

// Holds a file that is open on a session. The file ends before the session does.
struct OpenedFile {
    std::shared_ptr<const MountSession> session;
    File file;
};

} // namespace vfsproto::posix
