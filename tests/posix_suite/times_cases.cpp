// SPDX-License-Identifier: BSD-2-Clause
// The times of modification and of change are marked for update by some calls and left by others. That of access is up to the
// mount: it may remain.
#include "metadata.hpp"

#include <cstdio>
#include <dirent.h>
#include <sys/mman.h>
#include <sys/xattr.h>

namespace posix_suite::times_cases {

namespace {

constexpr time_t kAccessed = 1000;
constexpr time_t kModified = 2000;
constexpr const char* kNothing = "";
constexpr const char* kChange = "change";
constexpr const char* kBoth = "modification, change";

bool is_later(const timespec& one, const timespec& other) {
    return one.tv_sec != other.tv_sec ? one.tv_sec > other.tv_sec : one.tv_nsec > other.tv_nsec;
}

// A name with its times in the past, of which a call is seen to change them. The time of change cannot be set: another file is
// touched until the clock of the file system has gone on from it, which it does every few milliseconds.
class Watched {
public:
    explicit Watched(const char* name) : name_(name) { again(); }

    void again() {
        constexpr int kTries = 200'000;
        const timespec past[2] = {{kAccessed, 0}, {kModified, 0}};
        Suite::need(::utimensat(AT_FDCWD, name_, past, AT_SYMLINK_NOFOLLOW) == 0, name_);
        changed_ = found_at(name_).st_ctim;
        Suite::need(open_once("clock", O_RDWR | O_CREAT) == 0, "clock");
        int tries = 0;
        while (!is_later(found_at("clock").st_mtim, changed_)) {
            Suite::need(++tries < kTries, "the clock of the file system goes on");
            Suite::need(::utimensat(AT_FDCWD, "clock", nullptr, 0) == 0, "clock");
        }
    }

    // Returns the times that are others than again() left.
    [[nodiscard]] std::string changes() const {
        const struct stat found = found_at(name_);
        const bool is_changed = found.st_ctim.tv_sec != changed_.tv_sec || found.st_ctim.tv_nsec != changed_.tv_nsec;
        const bool is_modified = found.st_mtim.tv_sec != kModified || found.st_mtim.tv_nsec != 0;
        return is_modified ? (is_changed ? kBoth : "modification") : (is_changed ? kChange : kNothing);
    }

    // Returns what the call has changed that had this result, and watches again.
    std::string after(long result) {
        Suite::need(result >= 0, name_);
        std::string seen = changes();
        again();
        return seen;
    }

    std::string after_failure(long result) {
        Suite::need(result == -1, name_);
        std::string seen = changes();
        again();
        return seen;
    }

    // The time of access is as it was set, or no earlier than the last time of change.
    [[nodiscard]] bool may_be_accessed() const {
        const timespec found = found_at(name_).st_atim;
        return (found.tv_sec == kAccessed && found.tv_nsec == 0) || !is_later(changed_, found);
    }

private:
    const char* name_;
    timespec changed_{};
};

long list_once(const char* name) {
    DIR* const directory = ::opendir(name);
    if (directory == nullptr) return -1;
    while (::readdir(directory) != nullptr) {}
    return ::closedir(directory);
}

} // namespace

POSIX_CASE("which calls mark the times of a file") {
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    const Unprivileged user;
    put_file("file", 0644);
    const int fd = prepared(::open("file", O_RDWR));
    Watched file("file");
    s.equal("write", file.after(::write(fd, "x", 1)), kBoth);
    s.equal("pwrite over what is there", file.after(::pwrite(fd, "x", 1, 0)), kBoth);
    s.equal("pwrite behind the end", file.after(::pwrite(fd, "x", 1, 5000)), kBoth);
    s.equal("write of nothing", file.after(::write(fd, "x", 0)), kNothing);
    s.equal("truncate to less", file.after(::truncate("file", 4)), kBoth);
    s.equal("truncate to more", file.after(::truncate("file", 9)), kBoth);
    s.equal("ftruncate to less", file.after(::ftruncate(fd, 5)), kBoth);
    s.equal("ftruncate to more", file.after(::ftruncate(fd, 8)), kBoth);
    s.equal("ftruncate to the size it has", file.after(::ftruncate(fd, 8)), kBoth);
    s.equal("open with O_TRUNC", file.after(open_once("file", O_WRONLY | O_TRUNC)), kBoth);
    s.equal("chmod", file.after(::chmod("file", 0640)), kChange);
    s.equal("chmod to the mode it has", file.after(::chmod("file", 0640)), kChange);
    s.equal("fchmod", file.after(::fchmod(fd, 0600)), kChange);
    s.equal("chown to the owner it has", file.after(::chown("file", ::geteuid(), kSameGroup)), kChange);
    s.equal("link", file.after(::link("file", "linked")), kChange);
    s.equal("unlink of another name", file.after(::unlink("linked")), kChange);
    s.write_file("replacement");
    Suite::need(::link("file", "linked") == 0, "link");
    file.again();
    s.equal("rename over another name", file.after(::rename("replacement", "linked")), kChange);
    const timespec times[2] = {{kAccessed, 0}, {kModified, 0}};
    s.equal("utimensat of the times it has", file.after(::utimensat(AT_FDCWD, "file", times, 0)), kChange);
    s.equal("utimensat of now", file.after(::utimensat(AT_FDCWD, "file", nullptr, 0)), kBoth);
    s.equal("futimens of now", file.after(::futimens(fd, nullptr)), kBoth);
    const timespec access_now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
    s.equal("utimensat of the access alone", file.after(::utimensat(AT_FDCWD, "file", access_now, 0)), kChange);
    const timespec omitted[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    s.equal("utimensat of UTIME_OMIT twice", file.after(::utimensat(AT_FDCWD, "file", omitted, 0)), kNothing);
    ::close(fd);
}

POSIX_CASE("which calls leave the times of a file") {
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    const Unprivileged user;
    put_file("file", 0644);
    const int fd = prepared(::open("file", O_RDWR));
    Watched file("file");
    struct stat found{};
    char bytes[8];
    s.equal("open for reading", file.after(open_once("file", O_RDONLY)), kNothing);
    s.equal("open for writing", file.after(open_once("file", O_RDWR)), kNothing);
    s.equal("open with O_CREAT", file.after(open_once("file", O_RDWR | O_CREAT)), kNothing);
    s.equal("open with O_APPEND", file.after(open_once("file", O_WRONLY | O_APPEND)), kNothing);
    s.equal("read", file.after(::read(fd, bytes, sizeof bytes)), kNothing);
    s.equal("pread", file.after(::pread(fd, bytes, 1, 2)), kNothing);
    Suite::need(::pread(fd, bytes, 1, 0) == 1, "pread");
    s.holds("read leaves the time of access, or it is new", file.may_be_accessed());
    file.again();
    s.equal("read at the end", file.after(::read(fd, bytes, sizeof bytes)), kNothing);
    s.equal("stat", file.after(::stat("file", &found)), kNothing);
    s.equal("access", file.after(::access("file", R_OK)), kNothing);
    s.equal("lseek", file.after(::lseek(fd, 0, SEEK_END)), kNothing);
    s.equal("fsync", file.after(::fsync(fd)), kNothing);
    s.equal("symlink to it", file.after(::symlink("file", "link")), kNothing);
    s.equal("chmod that fails", file.after_failure(::chmod("file/", 0600)), kNothing);
    s.equal("link that fails", file.after_failure(::link("file", "link")), kNothing);
    s.equal("truncate that fails", file.after_failure(::truncate("file", -1)), kNothing);
    s.equal("ftruncate that fails", file.after_failure(::ftruncate(fd, -1)), kNothing);
    s.equal("open with O_EXCL that fails", file.after_failure(open_once("file", O_RDWR | O_CREAT | O_EXCL)), kNothing);
    s.equal("rename onto itself", file.after(::rename("file", "file")), kNothing);
    void* const map = ::mmap(nullptr, 7, PROT_READ, MAP_SHARED, fd, 0);
    Suite::need(map != MAP_FAILED, "mmap");
    s.equal("a read of its map", file.after(static_cast<const volatile char*>(map)[0]), kNothing);
    ::munmap(map, 7);
    Suite::need(::rename("file", "renamed") == 0, "rename");
    s.equal("rename leaves the time of modification", found_at("renamed").st_mtim.tv_sec, kModified);
    ::close(fd);
}

POSIX_CASE("a refused call leaves the times of a file") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    put_file_of("file", kOtherUser, kOtherGroup, 0644);
    Watched file("file");
    const auto as_user = [](auto call) {
        const As user(kUser, kGroup);
        return call();
    };
    s.equal("chmod", file.after_failure(as_user([] { return ::chmod("file", 0777); })), kNothing);
    s.equal("chown", file.after_failure(as_user([] { return ::chown("file", kUser, kSameGroup); })), kNothing);
    s.equal("truncate", file.after_failure(as_user([] { return ::truncate("file", 0); })), kNothing);
    s.equal("open with O_TRUNC", file.after_failure(as_user([] { return open_once("file", O_WRONLY | O_TRUNC); })),
            kNothing);
    s.equal("utimensat", file.after_failure(as_user([] { return ::utimensat(AT_FDCWD, "file", nullptr, 0); })),
            kNothing);
    s.equal("chown to another user by root", file.after(::chown("file", kUser, kSameGroup)), kChange);
    s.equal("chown to another group by root", file.after(::chown("file", kSameUser, kGroup)), kChange);
}

POSIX_CASE("attributes mark the time of change") {
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    put_file("file", 0644);
    Watched file("file");
    const int set = ::setxattr("file", "user.a", "v", 1, 0);
    if (set != 0 && errno == EOPNOTSUPP) return s.skip("the file system has no user attributes");
    char bytes[256];
    s.equal("setxattr", file.after(set), kChange);
    s.equal("setxattr of another value", file.after(::setxattr("file", "user.a", "w", 1, 0)), kChange);
    s.equal("getxattr", file.after(::getxattr("file", "user.a", bytes, sizeof bytes)), kNothing);
    s.equal("listxattr", file.after(::listxattr("file", bytes, sizeof bytes)), kNothing);
    s.equal("setxattr that fails", file.after_failure(::setxattr("file", "user.a", "x", 1, XATTR_CREATE)), kNothing);
    s.equal("removexattr", file.after(::removexattr("file", "user.a")), kChange);
    s.equal("removexattr that fails", file.after_failure(::removexattr("file", "user.a")), kNothing);
}

POSIX_CASE("which calls mark the times of a directory") {
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    const Unprivileged user;
    put_directory("d", 0755);
    put_directory("other", 0755);
    put_file("file", 0644);
    put_directory("moving", 0755);
    Watched d("d");
    s.equal("open with O_CREAT of a new name", d.after(open_once("d/file", O_RDWR | O_CREAT)), kBoth);
    s.equal("mkdir", d.after(::mkdir("d/directory", 0755)), kBoth);
    s.equal("symlink", d.after(::symlink("file", "d/link")), kBoth);
    s.equal("mkfifo", d.after(::mkfifo("d/fifo", 0600)), kBoth);
    s.equal("mknod of a file", d.after(::mknod("d/node", S_IFREG | 0600, 0)), kBoth);
    s.equal("link of a file in it", d.after(::link("d/file", "d/linked")), kBoth);
    s.equal("link of a file elsewhere", d.after(::link("file", "d/far")), kBoth);
    s.equal("rename in it", d.after(::rename("d/file", "d/renamed")), kBoth);
    s.equal("rename in it onto a name that is there", d.after(::rename("d/renamed", "d/node")), kBoth);
    s.equal("rename out of it", d.after(::rename("d/node", "other/node")), kBoth);
    s.equal("rename into it", d.after(::rename("other/node", "d/back")), kBoth);
    s.equal("rename of a directory into it", d.after(::rename("moving", "d/moved")), kBoth);
    s.equal("rename of a directory out of it", d.after(::rename("d/moved", "moving")), kBoth);
    s.equal("unlink of a file", d.after(::unlink("d/back")), kBoth);
    s.equal("unlink of a symlink", d.after(::unlink("d/link")), kBoth);
    s.equal("unlink of a fifo", d.after(::unlink("d/fifo")), kBoth);
    s.equal("unlink of a name of a file that has another", d.after(::unlink("d/far")), kBoth);
    s.equal("rmdir", d.after(::rmdir("d/directory")), kBoth);
    s.equal("chmod", d.after(::chmod("d", 0700)), kChange);
    s.equal("chown to the owner it has", d.after(::chown("d", ::geteuid(), kSameGroup)), kChange);
    s.equal("utimensat of now", d.after(::utimensat(AT_FDCWD, "d", nullptr, 0)), kBoth);
}

POSIX_CASE("which calls leave the times of a directory") {
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    const Unprivileged user;
    put_directory("d", 0755);
    put_file("d/file", 0644);
    put_directory("d/directory", 0755);
    Watched d("d");
    struct stat found{};
    s.equal("open with O_CREAT of a name that is there", d.after(open_once("d/file", O_RDWR | O_CREAT)), kNothing);
    s.equal("open with O_TRUNC of a file in it", d.after(open_once("d/file", O_WRONLY | O_TRUNC)), kNothing);
    s.equal("chmod of a file in it", d.after(::chmod("d/file", 0600)), kNothing);
    s.equal("truncate of a file in it", d.after(::truncate("d/file", 100)), kNothing);
    s.equal("link of a file in it to elsewhere", d.after(::link("d/file", "linked")), kNothing);
    s.equal("a new file in a directory in it", d.after(open_once("d/directory/new", O_RDWR | O_CREAT)), kNothing);
    s.equal("unlink in a directory in it", d.after(::unlink("d/directory/new")), kNothing);
    s.equal("mkdir that fails", d.after_failure(::mkdir("d/directory", 0755)), kNothing);
    s.equal("unlink that fails", d.after_failure(::unlink("d/absent")), kNothing);
    s.equal("rmdir that fails", d.after_failure(::rmdir("d/file")), kNothing);
    s.equal("rename that fails", d.after_failure(::rename("d/file", "d/directory")), kNothing);
    s.equal("symlink that fails", d.after_failure(::symlink("target", "d/file")), kNothing);
    s.equal("stat of a file in it", d.after(::stat("d/file", &found)), kNothing);
    s.equal("readdir", d.after(list_once("d")), kNothing);
    Suite::need(list_once("d") == 0, "readdir");
    s.holds("readdir leaves the time of access, or it is new", d.may_be_accessed());
    s.equal("rename of a name onto itself", d.after(::rename("d/file", "d/file")), kNothing);
}

POSIX_CASE("both parents of a rename are marked") {
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    const Unprivileged user;
    put_directory("from", 0755);
    put_directory("to", 0755);
    put_file("from/file", 0644);
    put_directory("from/directory", 0755);
    Watched from("from");
    Watched to("to");
    Suite::need(::rename("from/file", "to/file") == 0, "rename");
    s.equal("the old parent of a file", from.changes(), kBoth);
    s.equal("the new parent of a file", to.changes(), kBoth);
    from.again();
    to.again();
    Suite::need(::rename("from/directory", "to/directory") == 0, "rename");
    s.equal("the old parent of a directory", from.changes(), kBoth);
    s.equal("the new parent of a directory", to.changes(), kBoth);
    from.again();
    to.again();
    Suite::need(::link("to/file", "from/linked") == 0, "link");
    s.equal("link marks the directory of the new name", from.changes(), kBoth);
    s.equal("link leaves the directory of the old name", to.changes(), kNothing);
}

POSIX_CASE("a new file has the time it was made, three times") {
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    const Unprivileged user;
    put_directory("old", 0755);
    const Watched old("old"); // The clock is later now than its last change.
    const timespec before = found_at("old").st_ctim;
    put_directory("directory", 0755);
    s.write_file("file");
    Suite::need(::symlink("file", "link") == 0 && ::mkfifo("fifo", 0600) == 0, "symlink, mkfifo");
    s.holds("the access of a file", is_later(found_at("file").st_atim, before));
    s.holds("the modification of a file", is_later(found_at("file").st_mtim, before));
    s.holds("the change of a file", is_later(found_at("file").st_ctim, before));
    s.holds("the access of a directory", is_later(found_at("directory").st_atim, before));
    s.holds("the modification of a directory", is_later(found_at("directory").st_mtim, before));
    s.holds("the change of a directory", is_later(found_at("directory").st_ctim, before));
    s.holds("the access of a symlink", is_later(found_at("link").st_atim, before));
    s.holds("the modification of a symlink", is_later(found_at("link").st_mtim, before));
    s.holds("the change of a symlink", is_later(found_at("link").st_ctim, before));
    s.holds("the access of a fifo", is_later(found_at("fifo").st_atim, before));
    s.holds("the modification of a fifo", is_later(found_at("fifo").st_mtim, before));
    s.holds("the change of a fifo", is_later(found_at("fifo").st_ctim, before));
}

POSIX_CASE("readlink marks no more than the time of access of a symlink") {
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    put_file("file", 0644);
    Suite::need(::symlink("file", "link") == 0, "symlink");
    Watched link("link");
    char bytes[8];
    s.equal("readlink", link.after(::readlink("link", bytes, sizeof bytes)), kNothing);
    s.equal("open through it", link.after(open_once("link", O_RDWR)), kNothing);
    s.equal("chmod through it", link.after(::chmod("link", 0600)), kNothing);
    s.equal("lchown to the owner it has", link.after(::lchown("link", ::geteuid(), kSameGroup)), kChange);
    Suite::need(::readlink("link", bytes, sizeof bytes) == 4, "readlink");
    s.holds("readlink leaves the time of access, or it is new", link.may_be_accessed());
}

} // namespace posix_suite::times_cases
