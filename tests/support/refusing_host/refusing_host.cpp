// SPDX-License-Identifier: BSD-2-Clause
// A library to be preloaded: system calls that a test names fail, as on a file system that lacks them. The variable
// REFUSED_CALLS holds them with their errno, as "linkat=1 fchmod=95". These words do more:
//   copy_file_range=0   a file seems to end early
//   pipe=0              a regular file called "becomes a FIFO" becomes one once somebody has looked at it
//   pwrite=28           no file grows beyond the bytes that REFUSED_BEYOND tells, as on a full disk
//   swap=2              a regular file called "becomes a link" becomes one to "victim" once somebody has looked at it twice
//   look=13             nobody can look at a file called "cannot be looked at"
//   readdir=0           no list has the name "is in no list"
//   fold=2              a name that is not there is looked up in upper case, too
//   vanish=2            a directory gets another name when somebody looks in vain for "the last one" in it
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

template <class Call> Call next_of(const char* name) { return reinterpret_cast<Call>(::dlsym(RTLD_NEXT, name)); }

// True if the call is to fail; errno is set then.
bool is_refused(const char* name) {
    const char* const refused = std::getenv("REFUSED_CALLS");
    if (refused == nullptr) return false;
    const std::string key = ' ' + std::string(name) + '=';
    const std::string all = ' ' + std::string(refused);
    const std::size_t at = all.find(key);
    if (at == std::string::npos) return false;
    errno = std::atoi(all.c_str() + at + key.size());
    return true;
}

// True if the name is free. The kernel says EEXIST first, a full disk comes after that.
bool is_free(int directory, const char* name) {
    struct stat info{};
    return ::fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) != 0;
}

// Returns how much can be written at an offset before the file is as large as it may be.
size_t room_at(off_t offset) {
    const char* const most = std::getenv("REFUSED_BEYOND");
    const off_t limit = most == nullptr ? 0 : std::atoll(most);
    return offset < limit ? static_cast<size_t>(limit - offset) : 0;
}

bool is_written_file(int fd) {
    struct stat info{};
    return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
}

void swap(int directory, const char* name, const struct stat& info) {
    static std::atomic<int> looks = 0;
    if (!S_ISREG(info.st_mode) || std::strcmp(name, "becomes a link") != 0 || !is_refused("swap")) return;
    if (++looks == errno && ::unlinkat(directory, name, 0) == 0) {
        static_cast<void>(next_of<int (*)(const char*, int, const char*)>("symlinkat")("victim", directory, name));
    }
}

// Lets `look` look up a name, and then what a test wants to become of a name that is not there. `look` returns -1 and errno.
template <class Look> int look_up(int directory, const char* name, Look&& look) {
    const int found = look(name);
    if (found >= 0 || errno != ENOENT) return found;
    if (std::strcmp(name, "the last one") == 0 && is_refused("vanish")) {
        char path[4096] = {};
        const std::string link = "/proc/self/fd/" + std::to_string(directory);
        const ssize_t length = ::readlink(link.c_str(), path, sizeof path - 1);
        if (length > 0) static_cast<void>(std::rename(path, (std::string(path) + " moved").c_str()));
    }
    if (is_refused("fold")) {
        std::string upper(name);
        for (char& letter : upper) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
        if (upper != name) return look(upper.c_str());
    }
    errno = ENOENT;
    return -1;
}

} // namespace

extern "C" {

int linkat(int from, const char* old_name, int to, const char* new_name, int flags) {
    if (is_free(to, new_name) && is_refused("linkat")) return -1;
    return next_of<int (*)(int, const char*, int, const char*, int)>("linkat")(from, old_name, to, new_name, flags);
}

int symlinkat(const char* target, int to, const char* name) {
    if (is_free(to, name) && is_refused("symlinkat")) return -1;
    return next_of<int (*)(const char*, int, const char*)>("symlinkat")(target, to, name);
}

int mknodat(int to, const char* name, mode_t mode, dev_t device) {
    if (is_free(to, name) && is_refused("mknodat")) return -1;
    return next_of<int (*)(int, const char*, mode_t, dev_t)>("mknodat")(to, name, mode, device);
}

int fstatat(int directory, const char* name, struct stat* info, int flags) {
    if (std::strcmp(name, "cannot be looked at") == 0 && is_refused("look")) return -1;
    const auto next = next_of<int (*)(int, const char*, struct stat*, int)>("fstatat");
    const int looked = look_up(directory, name, [&](const char* at) { return next(directory, at, info, flags); });
    if (looked != 0) return looked;
    const bool becomes_fifo = S_ISREG(info->st_mode) && std::strcmp(name, "becomes a FIFO") == 0;
    if (becomes_fifo && is_refused("pipe") && ::unlinkat(directory, name, 0) == 0) {
        static_cast<void>(::mkfifoat(directory, name, 0600));
    }
    swap(directory, name, *info);
    return 0;
}

int openat(int directory, const char* name, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    const mode_t mode = makes ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    const auto next = next_of<int (*)(int, const char*, int, ...)>("openat");
    if ((flags & O_CREAT) != 0) return next(directory, name, flags, mode);
    const int fd = look_up(directory, name, [&](const char* at) { return next(directory, at, flags, mode); });
    struct stat info{};
    const bool is_look = fd >= 0 && (flags & O_PATH) != 0 && ::fstat(fd, &info) == 0;
    if (is_look) swap(directory, name, info);
    return fd;
}

int statx(int directory, const char* name, int flags, unsigned mask, struct statx* info) {
    const auto next = next_of<int (*)(int, const char*, int, unsigned, struct statx*)>("statx");
    return look_up(directory, name, [&](const char* at) { return next(directory, at, flags, mask, info); });
}

dirent* readdir(DIR* directory) {
    dirent* entry = next_of<dirent* (*)(DIR*)>("readdir")(directory);
    const bool is_left_out = entry != nullptr && std::strcmp(entry->d_name, "is in no list") == 0;
    const int before = errno;
    if (is_left_out && is_refused("readdir")) entry = next_of<dirent* (*)(DIR*)>("readdir")(directory);
    errno = before;
    return entry;
}

int fchmod(int fd, mode_t mode) {
    if (is_refused("fchmod")) return -1;
    return next_of<int (*)(int, mode_t)>("fchmod")(fd, mode);
}

int futimens(int fd, const timespec* times) {
    if (is_refused("futimens")) return -1;
    return next_of<int (*)(int, const timespec*)>("futimens")(fd, times);
}

int fsetxattr(int fd, const char* name, const void* value, size_t size, int flags) {
    if (is_refused("fsetxattr")) return -1;
    return next_of<int (*)(int, const char*, const void*, size_t, int)>("fsetxattr")(fd, name, value, size, flags);
}

int lsetxattr(const char* path, const char* name, const void* value, size_t size, int flags) {
    if (is_refused("lsetxattr")) return -1;
    return next_of<int (*)(const char*, const char*, const void*, size_t, int)>("lsetxattr")(path, name, value, size,
                                                                                             flags);
}

int renameat2(int from, const char* old_name, int to, const char* new_name, unsigned flags) {
    if (flags != 0 && is_refused("renameat2")) return -1;
    return next_of<int (*)(int, const char*, int, const char*, unsigned)>("renameat2")(from, old_name, to, new_name,
                                                                                       flags);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
    if (size > room_at(offset) && is_refused("pwrite")) {
        size = room_at(offset);
        if (size == 0) return -1;
    }
    return next_of<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite")(fd, data, size, offset);
}

ssize_t pwritev(int fd, const iovec* pieces, int count, off_t offset) {
    size_t size = 0;
    for (int i = 0; i < count; ++i) size += pieces[i].iov_len;
    // The first piece alone is a short write, too.
    if (size > room_at(offset) && is_refused("pwrite")) {
        return ::pwrite(fd, pieces[0].iov_base, pieces[0].iov_len, offset);
    }
    return next_of<ssize_t (*)(int, const iovec*, int, off_t)>("pwritev")(fd, pieces, count, offset);
}

// Memory has no name, and is on no disk.
int ftruncate(int fd, off_t size) {
    struct stat info{};
    const bool is_on_disk = ::fstat(fd, &info) == 0 && info.st_nlink != 0;
    if (is_on_disk && size > 0 && room_at(size - 1) == 0 && is_refused("pwrite")) return -1;
    return next_of<int (*)(int, off_t)>("ftruncate")(fd, size);
}

ssize_t copy_file_range(int from, off64_t* from_offset, int to, off64_t* to_offset, size_t length, unsigned flags) {
    constexpr size_t kEarlyEnd = 4096;
    if (is_refused("copy_file_range")) {
        if (errno != 0) return -1;
        if (*from_offset != 0) return 0;
        length = kEarlyEnd;
    }
    return next_of<ssize_t (*)(int, off64_t*, int, off64_t*, size_t, unsigned)>("copy_file_range")(
        from, from_offset, to, to_offset, length, flags);
}

// Only what was written to a regular file can be lost by close(2).
int close(int fd) {
    const bool fails = is_written_file(fd) && is_refused("close");
    const int error = errno;
    const int closed = next_of<int (*)(int)>("close")(fd);
    if (!fails) return closed;
    errno = error;
    return -1;
}

} // extern "C"
