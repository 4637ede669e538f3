// SPDX-License-Identifier: BSD-2-Clause
#include "local_directory.hpp"

#include "program.hpp"

#include <fcntl.h>

#include <cerrno>
#include <list>
#include <mutex>
#include <utility>
#include <vector>

namespace vfsproto::cli {

using abi::Errno;
using backends::FileDescriptor;
using posix::Expected;

// The directories that are open, the one used last first. Tops are not among them.
struct LocalDirectory::Pool {
    static constexpr std::size_t kMost = 4;
    std::mutex mutex;
    std::list<LocalDirectory*> open;

    void use(LocalDirectory* directory) {
        open.remove(directory);
        open.push_front(directory);
        if (open.size() <= kMost) return;
        open.back()->fd_.reset();
        open.pop_back();
    }
};

LocalDirectory::Pool& LocalDirectory::pool() {
    static auto* const one = new Pool; // never destroyed: no order of ends to think of
    return *one;
}

LocalDirectory::LocalDirectory(FileDescriptor top) : fd_(std::make_shared<FileDescriptor>(std::move(top))) {}

LocalDirectory::LocalDirectory(std::shared_ptr<LocalDirectory> parent, std::string name, FileDescriptor fd)
    : parent_(std::move(parent)), name_(std::move(name)) {
    static_cast<void>(::fstat(fd.get(), &identity_)); // of an open descriptor
    const std::lock_guard lock(pool().mutex);
    fd_ = std::make_shared<FileDescriptor>(std::move(fd));
    pool().use(this);
}

LocalDirectory::~LocalDirectory() {
    {
        const std::lock_guard lock(pool().mutex);
        pool().open.remove(this);
    }
    // Ends the parents one after another, because nested destructors of a deep tree could use up the stack.
    while (parent_ != nullptr && parent_.use_count() == 1) {
        parent_ = std::shared_ptr<LocalDirectory>(std::move(parent_->parent_));
    }
}

Expected<LocalDirectory::Descriptor> LocalDirectory::open() {
    const std::lock_guard lock(pool().mutex);
    if (fd_ == nullptr) {
        auto opened = open_on_the_way();
        if (!opened) return opened.failure();
        fd_ = std::move(*opened);
    }
    if (parent_ != nullptr) pool().use(this);
    return fd_;
}

Expected<LocalDirectory::Descriptor> LocalDirectory::open_on_the_way() {
    std::vector<const LocalDirectory*> way;
    const LocalDirectory* at = this;
    for (; at->fd_ == nullptr; at = at->parent_.get()) way.push_back(at);
    Descriptor reached = at->fd_;
    for (auto next = way.rbegin(); next != way.rend(); ++next) {
        constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        FileDescriptor fd(::openat(reached->get(), (*next)->name_.c_str(), kFlags));
        struct stat found{};
        if (!fd || ::fstat(fd.get(), &found) != 0) return local_failure(errno);
        const struct stat& known = (*next)->identity_;
        if (found.st_ino != known.st_ino || found.st_dev != known.st_dev) return Errno::estale;
        reached = std::make_shared<FileDescriptor>(std::move(fd));
    }
    return reached;
}

} // namespace vfsproto::cli
