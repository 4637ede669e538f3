// SPDX-License-Identifier: BSD-2-Clause
// A request of the client changes a file: lives around the system call, so that the client is not told what it did itself.
#pragma once

#include "host_watch.hpp"
#include "inode_table.hpp"

#include <cstdint>
#include <optional>

namespace vfsproto::backends {

// Does nothing while no host is watched.
class OwnFileChange {
public:
    // `nodeid` may name nothing.
    OwnFileChange(HostWatch& watch, std::uint64_t nodeid) noexcept {
        if (watch.running()) begin(watch, nodeid);
    }
    // Is about the file that a name leads to, if the client holds it.
    OwnFileChange(HostWatch& watch, int directory, const char* name) noexcept {
        if (watch.running()) find(watch, directory, name);
    }
    ~OwnFileChange() {
        if (inode_) inode_->known.end_change(before_, version_of(inode_->fd.get()));
    }
    OwnFileChange(const OwnFileChange&) = delete;
    OwnFileChange& operator=(const OwnFileChange&) = delete;

    // True if both were told a name, and the names lead to one file, whether the client holds it or not.
    [[nodiscard]] bool is_about_file_of(const OwnFileChange& other) const noexcept {
        return found_ && other.found_ && found_->key == other.found_->key;
    }

private:
    void find(HostWatch& watch, int directory, const char* name) noexcept;
    void begin(HostWatch& watch, std::uint64_t nodeid) noexcept;

    std::optional<InodeIdentity> found_{}; // by a name
    InodeTable::Ref inode_{};
    std::uint64_t before_ = 0;
};

} // namespace vfsproto::backends
