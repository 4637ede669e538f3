// SPDX-License-Identifier: BSD-2-Clause
// A directory of this host that a tree is copied from or to. A tree may be deeper than a process may have descriptors, so
// only a few directories are open at a time.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/posix/failure.hpp"

#include <sys/stat.h>

#include <memory>
#include <string>

namespace vfsproto::cli {

class LocalDirectory {
public:
    // An open descriptor. It stays open as long as somebody holds it.
    using Descriptor = std::shared_ptr<const backends::FileDescriptor>;

    // The top of a tree, which stays open.
    explicit LocalDirectory(backends::FileDescriptor top);
    // The directory `name` of `parent`, open as `fd`, which may be closed before open() is called.
    LocalDirectory(std::shared_ptr<LocalDirectory> parent, std::string name, backends::FileDescriptor fd);
    ~LocalDirectory();
    LocalDirectory(const LocalDirectory&) = delete;
    LocalDirectory& operator=(const LocalDirectory&) = delete;

    // Returns the descriptor. One that was closed is opened again on the way from the nearest directory that is open, without
    // following links. Any thread. Errors: ESTALE where another directory has the name now; those of openat(2).
    [[nodiscard]] posix::Expected<Descriptor> open();

private:
    struct Pool;
    [[nodiscard]] static Pool& pool();
    [[nodiscard]] posix::Expected<Descriptor> open_on_the_way();

    std::shared_ptr<LocalDirectory> parent_;
    std::string name_;
    struct stat identity_{};
    Descriptor fd_; // under the pool's lock
};

} // namespace vfsproto::cli
