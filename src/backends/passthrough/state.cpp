// SPDX-License-Identifier: BSD-2-Clause
#include "state.hpp"

#include "vfsproto/backends/mapping_sink.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace vfsproto::backends {

namespace {

int status_of(int fd, struct statx& out) noexcept {
    return ::statx(fd, "", AT_EMPTY_PATH, kStatxMask, &out) == 0 ? 0 : errno;
}

// Returns the limit of descriptors that holds then.
std::size_t raise_file_limit() noexcept {
    struct rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    if (limit.rlim_cur == limit.rlim_max) return limit.rlim_cur;
    const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

// An eighth of the process' descriptors is left to the program that embeds the server, and to the server's own calls; up to
// five eighths of a low limit, because what they need does not shrink with it.
std::size_t most_descriptors_of(const PassthroughOptions& options, std::size_t limit) noexcept {
    constexpr std::size_t kNeeded = 80;
    const std::size_t eighth = limit / 8;
    const std::size_t most = limit - std::max(eighth, std::min(5 * eighth, kNeeded));
    return options.max_descriptors != 0 && options.max_descriptors < most ? options.max_descriptors : most;
}

// Returns how often the client is told that files which cannot be watched are in doubt: as often as it asks anew by itself.
std::chrono::nanoseconds interval_of_doubt(const PassthroughOptions& options) noexcept {
    constexpr std::chrono::nanoseconds kLeast = std::chrono::seconds(1);
    return std::max(kLeast, std::min(options.entry_valid, options.attr_valid));
}

} // namespace

Passthrough::State::State(const PassthroughOptions& options)
    : watch(inodes, {options.max_watches, interval_of_doubt(options), options.log}),
      process(ProcessIdentity::current()),
      access(options.access),
      entry_valid(options.entry_valid),
      attr_valid(options.attr_valid),
      window(options.window),
      reserve_(raise_file_limit()) {
    FileDescriptor root(::open(options.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) throw std::system_error(errno, std::generic_category(), options.root);
    struct statx status{};
    if (const int error = status_of(root.get(), status); error != 0) {
        throw std::system_error(error, std::generic_category(), options.root);
    }
    struct statx again{};
    const DescriptorPath path(root.get());
    if (::statx(AT_FDCWD, path.text(), 0, kStatxMask, &again) != 0 ||
        InodeIdentity(again).key != InodeIdentity(status).key) {
        throw std::system_error(ENOENT, std::generic_category(), "/proc/self/fd");
    }
    root_key_ = InodeIdentity(status).key;
    root_ino = status.stx_ino;
    root_fd_ = root.get();
    if (!inodes.insert_root(std::move(root), status)) throw std::bad_alloc();
    can_tell_changes = options.max_watches != 0;
    most_descriptors = most_descriptors_of(options, raise_file_limit()); // which is raised already
    static_cast<void>(reserve_.fill(root_fd_));                          // asked again before anything is made
}

// Has the file watched that the client knows now. What was read of it before somebody began to may be old.
template <class LookUp> int Passthrough::State::watched(Found& found, LookUp&& looked_up) noexcept {
    const std::uint64_t additions = watch.additions();
    const int error = looked_up();
    if (error != 0 || !watch.running()) return error;
    const InodeTable::Ref inode = inodes.acquire(found.nodeid);
    if (!inode) return 0; // a FORGET has come meanwhile
    watch.watch(*inode, found.nodeid);
    if (watch.additions() != additions) static_cast<void>(status_of(inode->fd.get(), found.status));
    return 0;
}

int Passthrough::State::find(int directory, const char* name, Found& found) noexcept {
    return watched(found, [&] { return look_up(directory, name, found); });
}

int Passthrough::State::find_open(int fd, Found& found) noexcept {
    return watched(found, [&] { return look_up_open(fd, found); });
}

int Passthrough::State::ascend(int directory, Found& found) noexcept {
    return watched(found, [&] { return look_up_parent(directory, found); });
}

int Passthrough::State::look_up(int directory, const char* name, Found& found) noexcept {
    const bool is_full = !has_room(1);
    if (is_full || expect_known_.load(std::memory_order_relaxed)) {
        if (::statx(directory, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, kStatxMask, &found.status) != 0) {
            return errno;
        }
        found.nodeid = inodes.count_known(found.status, found.session);
        if (found.nodeid != 0) return 0;
        if (is_full) return EMFILE;
        expect_known_.store(false, std::memory_order_relaxed);
    }
    FileDescriptor fd(::openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return errno;
    return count(std::move(fd), found);
}

int Passthrough::State::find_new(int directory, const char* name, Found& found) noexcept {
    FileDescriptor fd = reserve_.open([&] { return ::openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC); });
    if (!fd) return errno;
    return watched(found, [&] { return count(std::move(fd), found); });
}

int Passthrough::State::count(FileDescriptor fd, Found& found) noexcept {
    if (const int error = status_of(fd.get(), found.status); error != 0) return error;
    const InodeTable::Counted counted = inodes.count(std::move(fd), found.status, found.session);
    found.nodeid = counted.nodeid;
    if (counted.was_known) expect_known_.store(true, std::memory_order_relaxed);
    return counted.error;
}

int Passthrough::State::look_up_open(int fd, Found& found) noexcept {
    if (const int error = status_of(fd, found.status); error != 0) return error;
    found.nodeid = inodes.count_known(found.status, found.session);
    if (found.nodeid != 0) return 0;
    FileDescriptor handle = reserve_.open([&] { return ::open(DescriptorPath(fd).text(), O_PATH | O_CLOEXEC); });
    if (!handle) return errno;
    const InodeTable::Counted counted = inodes.count(std::move(handle), found.status, found.session);
    found.nodeid = counted.nodeid;
    return counted.error;
}

int Passthrough::State::look_up_parent(int directory, Found& found) noexcept {
    FileDescriptor up(::openat(directory, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!up) return errno;
    if (!is_beneath_root(FileDescriptor(::fcntl(up.get(), F_DUPFD_CLOEXEC, 0)))) return ENOENT;
    if (const int error = status_of(up.get(), found.status); error != 0) return error;
    found.nodeid = inodes.count_known(found.status, found.session);
    if (found.nodeid != 0) return 0;
    if (!has_room(1)) return EMFILE;
    const InodeTable::Counted counted = inodes.count(std::move(up), found.status, found.session);
    found.nodeid = counted.nodeid;
    return counted.error;
}

// A directory the host moved out of the root while the client held it has a ".." that leads astray.
bool Passthrough::State::is_beneath_root(FileDescriptor at) const noexcept {
    constexpr int kDeepest = 4096;
    InodeKey below{};
    for (int depth = 0; at && depth < kDeepest; ++depth) {
        struct statx status{};
        if (status_of(at.get(), status) != 0) return false;
        const InodeKey here = InodeIdentity(status).key;
        if (here == root_key_) return true;
        if (here == below) return false; // the host's own root
        below = here;
        at = FileDescriptor(::openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    return false;
}

wire::EntryOut Passthrough::State::entry_of(const Found& found) const noexcept {
    wire::EntryOut out{};
    out.nodeid = found.nodeid;
    out.generation = found.nodeid >> 32;
    out.entry_valid = entry_valid.seconds;
    out.entry_valid_nsec = entry_valid.nanoseconds;
    out.attr_valid = attr_valid.seconds;
    out.attr_valid_nsec = attr_valid.nanoseconds;
    out.attr = attr_of(found.status);
    return out;
}

FileDescriptor Passthrough::State::reopen(int fd, int flags) const noexcept {
    const DescriptorPath path(fd);
    if (read_only()) {
        // The host refuses O_NOATIME with EPERM to whoever neither owns the file nor has CAP_FOWNER.
        FileDescriptor quiet(uninterrupted([&] { return ::open(path.text(), flags | O_NOATIME); }));
        if (quiet || errno != EPERM) return quiet;
    }
    return FileDescriptor(uninterrupted([&] { return ::open(path.text(), flags); }));
}

int Passthrough::State::add_handle(OpenFile&& file, SessionNumber session, std::uint64_t& fh) noexcept {
    fh = files.insert(std::move(file));
    if (fh == 0) return ENOMEM;
    // on_destroy() ends the session before it retires the handles: it either finds this one, or this finds its end.
    if (session != kNoSession && session == inodes.session()) return 0;
    files.retire(fh);
    return ESTALE;
}

int Passthrough::State::strip_privileges(int fd) noexcept {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return errno;
    mode_t mode = status.st_mode & ~static_cast<mode_t>(S_ISUID);
    if ((mode & S_IXGRP) != 0) mode &= ~static_cast<mode_t>(S_ISGID);
    if (!S_ISREG(mode) || mode == status.st_mode) return 0;
    return ::chmod(DescriptorPath(fd).text(), mode & 07777) == 0 ? 0 : errno;
}

} // namespace vfsproto::backends
