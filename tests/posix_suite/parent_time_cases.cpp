// SPDX-License-Identifier: BSD-2-Clause
// The times of the directories in which a call changes an entry. Each begins in the past; a call that works makes them new, one that
// fails leaves them. The time of change cannot be set: it may only not be older than that of modification.
#include "kinds.hpp"

#include <cstdio>

using posix_suite::Kind;
using posix_suite::Place;
using posix_suite::Suite;

namespace {

constexpr time_t kPast = 1'000'000;

bool is_same(const timespec& one, const timespec& other) {
    return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

// A directory whose times are in the past from here on, until it is asked what became of them.
class Aged {
public:
    Aged(const Suite& s, std::string name) : s_(s), name_(std::move(name)) {
        const timespec past[2] = {{kPast, 1}, {kPast, 1}};
        Suite::need(::utimensat(AT_FDCWD, name_.c_str(), past, 0) == 0, name_);
        before_ = s_.status(name_);
    }
    [[nodiscard]] bool is_marked() const {
        const struct stat now = s_.status(name_);
        const bool ordered = now.st_ctim.tv_sec > now.st_mtim.tv_sec ||
                             (now.st_ctim.tv_sec == now.st_mtim.tv_sec && now.st_ctim.tv_nsec >= now.st_mtim.tv_nsec);
        return now.st_mtim.tv_sec > kPast && ordered;
    }
    [[nodiscard]] bool is_untouched() const {
        const struct stat now = s_.status(name_);
        return is_same(now.st_mtim, before_.st_mtim) && is_same(now.st_ctim, before_.st_ctim);
    }

private:
    const Suite& s_;
    std::string name_;
    struct stat before_{};
};

// Ages "d", calls, and says what is expected of its times.
template <class Call> void marks(Suite& s, const std::string& what, Call call, Place at = Place::here()) {
    const Aged directory(s, "d");
    if (s.passes(what, call(), at)) s.holds(what, directory.is_marked(), at);
}

template <class Call> void leaves(Suite& s, const std::string& what, Call call, Place at = Place::here()) {
    const Aged directory(s, "d");
    static_cast<void>(call());
    s.holds(what, directory.is_untouched(), at);
}

template <class Call>
void fails_and_leaves(Suite& s, const std::string& what, int error, Call call, Place at = Place::here()) {
    const Aged directory(s, "d");
    if (s.fails(what, error, call(), at)) s.holds(what, directory.is_untouched(), at);
}

} // namespace

POSIX_CASE("calls that change an entry mark its directory") {
    s.make_directory("d");
    s.write_file("outside");
    marks(s, "open with O_CREAT", [] { return ::open("d/file", O_RDWR | O_CREAT, 0644); });
    marks(s, "open with O_CREAT and O_EXCL", [] { return ::open("d/excl", O_RDWR | O_CREAT | O_EXCL, 0644); });
    marks(s, "creat", [] { return ::creat("d/creat", 0644); });
    marks(s, "mkdir", [] { return ::mkdir("d/directory", 0755); });
    marks(s, "mkfifo", [] { return ::mkfifo("d/fifo", 0644); });
    marks(s, "mknod of a file", [] { return ::mknod("d/node", S_IFREG | 0644, 0); });
    marks(s, "mknod of a socket", [] { return ::mknod("d/socket", S_IFSOCK | 0644, 0); });
    marks(s, "symlink", [] { return ::symlink("x", "d/link"); });
    marks(s, "link within it", [] { return ::link("d/file", "d/hard"); });
    marks(s, "link into it", [] { return ::link("outside", "d/in"); });
    marks(s, "unlink of a file", [] { return ::unlink("d/excl"); });
    marks(s, "unlink of a hard link", [] { return ::unlink("d/hard"); });
    marks(s, "unlink of a link", [] { return ::unlink("d/link"); });
    marks(s, "unlink of a fifo", [] { return ::unlink("d/fifo"); });
    marks(s, "unlink of a socket", [] { return ::unlink("d/socket"); });
    marks(s, "rmdir", [] { return ::rmdir("d/directory"); });
    marks(s, "rename within it", [] { return ::rename("d/node", "d/name"); });
    marks(s, "rename over another within it", [] { return ::rename("d/name", "d/creat"); });
    marks(s, "rename out of it", [] { return ::rename("d/creat", "out"); });
    marks(s, "rename into it", [] { return ::rename("out", "d/back"); });
    marks(s, "rename out of it over another", [] { return ::rename("d/back", "outside"); });
    marks(s, "rename into it over another", [] { return ::rename("outside", "d/file"); });
    s.make_directory("child");
    s.make_directory("d/empty");
    marks(s, "rename of a directory over another into it", [] { return ::rename("child", "d/empty"); });
    marks(s, "rename of a directory out of it", [] { return ::rename("d/empty", "child"); });
    marks(s, "rename of a directory into it", [] { return ::rename("child", "d/child"); });
    marks(s, "rename of a directory within it", [] { return ::rename("d/child", "d/directory"); });
    marks(s, "open with O_CREAT through a link", [&] {
        s.need(::symlink("d/new", "link") == 0, "symlink");
        return ::open("link", O_RDWR | O_CREAT, 0644);
    });
    const int fd = open_for(s, "d", O_PATH);
    marks(s, "unlinkat", [&] { return ::unlinkat(fd, "new", 0); });
    marks(s, "openat with O_CREAT", [&] { return ::openat(fd, "new", O_RDWR | O_CREAT, 0644); });
    marks(s, "mkdirat", [&] { return ::mkdirat(fd, "at", 0755); });
    marks(s, "unlinkat with AT_REMOVEDIR", [&] { return ::unlinkat(fd, "at", AT_REMOVEDIR); });
    marks(s, "renameat", [&] { return ::renameat(fd, "new", fd, "newer"); });
    marks(s, "linkat", [&] { return ::linkat(fd, "newer", fd, "newest", 0); });
    marks(s, "symlinkat", [&] { return ::symlinkat("x", fd, "symlinkat"); });
}

POSIX_CASE("calls that fail leave the times of a directory") {
    s.make_directory("d");
    make(s, "d/file", Kind::file);
    make(s, "d/full", Kind::full_directory);
    make(s, "d/link", Kind::dangling);
    s.write_file("outside");
    s.make_directory("directory");
    fails_and_leaves(s, "open with O_EXCL of a name that is there", EEXIST,
                     [] { return ::open("d/file", O_RDWR | O_CREAT | O_EXCL, 0644); });
    fails_and_leaves(s, "open of an absent name", ENOENT, [] { return ::open("d/absent", O_RDWR); });
    fails_and_leaves(s, "open of a directory for writing", EISDIR, [] { return ::open("d/full", O_RDWR); });
    fails_and_leaves(s, "open of a directory with O_CREAT", EISDIR,
                     [] { return ::open("d/full", O_RDWR | O_CREAT, 0644); });
    fails_and_leaves(s, "open with O_CREAT below a file", ENOTDIR,
                     [] { return ::open("d/file/x", O_RDWR | O_CREAT, 0644); });
    fails_and_leaves(s, "mkdir of a name that is there", EEXIST, [] { return ::mkdir("d/file", 0755); });
    fails_and_leaves(s, "mkdir of a dangling link's name", EEXIST, [] { return ::mkdir("d/link", 0755); });
    fails_and_leaves(s, "mkfifo of a name that is there", EEXIST, [] { return ::mkfifo("d/file", 0644); });
    fails_and_leaves(s, "mknod of a name that is there", EEXIST, [] { return ::mknod("d/full", S_IFREG | 0644, 0); });
    fails_and_leaves(s, "symlink of a name that is there", EEXIST, [] { return ::symlink("x", "d/link"); });
    fails_and_leaves(s, "link of an absent name", ENOENT, [] { return ::link("absent", "d/new"); });
    fails_and_leaves(s, "link of a directory", EPERM, [] { return ::link("d/full", "d/new"); });
    fails_and_leaves(s, "link onto a name that is there", EEXIST, [] { return ::link("outside", "d/file"); });
    fails_and_leaves(s, "unlink of an absent name", ENOENT, [] { return ::unlink("d/absent"); });
    fails_and_leaves(s, "rmdir of an absent name", ENOENT, [] { return ::rmdir("d/absent"); });
    fails_and_leaves(s, "rmdir of a file", ENOTDIR, [] { return ::rmdir("d/file"); });
    fails_and_leaves(s, "rmdir of a full directory", ENOTEMPTY, [] { return ::rmdir("d/full"); });
    fails_and_leaves(s, "rename of an absent name", ENOENT, [] { return ::rename("d/absent", "d/new"); });
    fails_and_leaves(s, "rename of a file onto a directory", EISDIR, [] { return ::rename("outside", "d/full"); });
    fails_and_leaves(s, "rename of a directory onto a file", ENOTDIR, [] { return ::rename("directory", "d/file"); });
    fails_and_leaves(s, "rename of a directory onto a full one", ENOTEMPTY,
                     [] { return ::rename("directory", "d/full"); });
    fails_and_leaves(s, "rename of a directory into itself", EINVAL, [] { return ::rename("d/full", "d/full/new"); });
    fails_and_leaves(s, "mkdir of a name that is too long", ENAMETOOLONG,
                     [] { return ::mkdir(("d/" + std::string(256, 'n')).c_str(), 0755); });
}

POSIX_CASE("calls that change no entry leave the times of modification of its directory") {
    s.make_directory("d");
    const int fd = s.make_file("d/file", "content");
    s.need(::link("d/file", "d/hard") == 0 && ::mkdir("d/child", 0755) == 0, "link");
    leaves(s, "open for reading", [] { return ::open("d/file", O_RDONLY); });
    leaves(s, "open with O_CREAT of a file that is there", [] { return ::open("d/file", O_RDWR | O_CREAT, 0644); });
    leaves(s, "open with O_TRUNC", [] { return ::open("d/file", O_RDWR | O_TRUNC); });
    leaves(s, "write", [&] { return ::write(fd, "more", 4); });
    char byte = 0;
    leaves(s, "read", [&] { return ::pread(fd, &byte, 1, 0); });
    leaves(s, "truncate", [] { return ::truncate("d/file", 3); });
    leaves(s, "ftruncate", [&] { return ::ftruncate(fd, 30); });
    leaves(s, "fsync", [&] { return ::fsync(fd); });
    leaves(s, "chmod of an entry", [] { return ::chmod("d/file", 0600); });
    leaves(s, "chown of an entry", [] { return ::chown("d/file", ::geteuid(), ::getegid()); });
    leaves(s, "utimensat of an entry", [] { return ::utimensat(AT_FDCWD, "d/file", nullptr, 0); });
    struct stat found{};
    leaves(s, "stat of an entry", [&] { return ::stat("d/file", &found); });
    leaves(s, "readdir", [&] { return s.names("d").size(); });
    leaves(s, "access", [] { return ::access("d/file", R_OK); });
    leaves(s, "rename of an entry onto itself", [] { return ::rename("d/file", "d/file"); });
    leaves(s, "rename of an entry onto its other name", [] { return ::rename("d/file", "d/hard"); });
    leaves(s, "link of an entry into another directory", [] { return ::link("d/file", "elsewhere"); });
    leaves(s, "open with O_CREAT below a child", [] { return ::open("d/child/file", O_RDWR | O_CREAT, 0644); });
    leaves(s, "unlink below a child", [] { return ::unlink("d/child/file"); });
    leaves(s, "mkdir below a child", [] { return ::mkdir("d/child/grandchild", 0755); });
    leaves(s, "rmdir below a child", [] { return ::rmdir("d/child/grandchild"); });
    leaves(s, "mkdir beside it", [] { return ::mkdir("beside", 0755); });
    leaves(s, "close of a file", [&] { return ::close(fd); });
}

POSIX_CASE("rename marks both parents") {
    s.make_directory("one");
    s.make_directory("two");
    s.make_directory("three");
    s.write_file("one/file");
    s.write_file("two/over");
    s.make_directory("one/directory");
    const auto both = [&](const char* from, const char* to) {
        const Aged one(s, "one");
        const Aged two(s, "two");
        const Aged three(s, "three");
        s.need(::rename(from, to) == 0, from);
        return one.is_marked() && two.is_marked() && three.is_untouched();
    };
    s.holds("rename of a file to a new name", both("one/file", "two/file"));
    s.holds("rename of a file back", both("two/file", "one/file"));
    s.holds("rename of a file over another", both("one/file", "two/over"));
    s.holds("rename of a directory to a new name", both("one/directory", "two/directory"));
    s.make_directory("one/empty");
    s.holds("rename of a directory over another", both("two/directory", "one/empty"));
    make_link(s, "x", "one/link");
    s.holds("rename of a link", both("one/link", "two/link"));
    s.write_file("one/third");
    s.write_file("two/third");
    const Aged one(s, "one");
    const Aged two(s, "two");
    if (::renameat2(AT_FDCWD, "one/third", AT_FDCWD, "two/third", RENAME_EXCHANGE) != 0)
        return s.skip("the file system has no RENAME_EXCHANGE");
    s.holds("exchange marks the first", one.is_marked());
    s.holds("exchange marks the second", two.is_marked());
}

POSIX_CASE("a new entry has the time it was made") {
    s.make_directory("d");
    const auto is_new = [&](const char* name) {
        const struct stat entry = s.status(name);
        return entry.st_mtim.tv_sec > kPast && entry.st_atim.tv_sec > kPast && entry.st_ctim.tv_sec > kPast;
    };
    s.write_file("d/file");
    s.holds("a file", is_new("d/file"));
    s.make_directory("d/directory");
    s.holds("a directory", is_new("d/directory"));
    make_link(s, "x", "d/link");
    s.holds("a link", is_new("d/link"));
    make(s, "d/fifo", Kind::fifo);
    s.holds("a fifo", is_new("d/fifo"));
    const Aged directory(s, "d/directory");
    s.need(::rename("d/directory", "d/renamed") == 0, "rename");
    s.equal("rename keeps a directory's own time of modification", s.status("d/renamed").st_mtim.tv_sec, kPast);
    const timespec past[2] = {{kPast, 0}, {kPast, 0}};
    s.need(::utimensat(AT_FDCWD, "d/file", past, 0) == 0, "utimensat");
    s.need(::link("d/file", "d/hard") == 0, "link");
    s.equal("link keeps a file's time of modification", s.status("d/file").st_mtim.tv_sec, kPast);
    s.need(::unlink("d/hard") == 0, "unlink");
    s.equal("unlink keeps a file's time of modification", s.status("d/file").st_mtim.tv_sec, kPast);
}
