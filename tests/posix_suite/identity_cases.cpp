// SPDX-License-Identifier: BSD-2-Clause
// st_dev and st_ino: one pair for one file, whatever happens to it, and another for each other.
#include "kinds.hpp"

#include <set>

using posix_suite::Kind;
using posix_suite::same_file;

POSIX_CASE("a file keeps its number") {
    const int fd = s.make_file("file", "content");
    const struct stat first = s.status("file");
    const auto stays = [&](const char* name) { return same_file(first, s.status(name)); };
    s.holds("fstat finds the number of lstat", same_file(first, status_of(s, fd)));
    struct stat found{};
    s.holds("stat finds it", ::stat("file", &found) == 0 && same_file(first, found));
    s.holds("fstatat of a descriptor finds it",
            ::fstatat(fd, "", &found, AT_EMPTY_PATH) == 0 && same_file(first, found));
    s.holds("an absolute path finds it", ::stat(s.path("file").c_str(), &found) == 0 && same_file(first, found));
    struct statx extended{};
    s.passes("statx", ::statx(AT_FDCWD, "file", 0, STATX_INO, &extended));
    s.equal("statx finds the number", extended.stx_ino, first.st_ino);
    s.need(::pwrite(fd, "more than before", 16, 0) == 16, "write");
    s.holds("write keeps it", stays("file"));
    s.need(::ftruncate(fd, 0) == 0, "ftruncate");
    s.holds("ftruncate keeps it", stays("file"));
    s.need(::chmod("file", 0600) == 0, "chmod");
    s.holds("chmod keeps it", stays("file"));
    s.need(::utimensat(AT_FDCWD, "file", nullptr, 0) == 0, "utimensat");
    s.holds("utimensat keeps it", stays("file"));
    s.need(::fsync(fd) == 0, "fsync");
    s.holds("fsync keeps it", stays("file"));
    s.need(::rename("file", "renamed") == 0, "rename");
    s.holds("rename keeps it", stays("renamed"));
    s.make_directory("directory");
    s.need(::rename("renamed", "directory/file") == 0, "rename");
    s.holds("rename into a directory keeps it", stays("directory/file"));
    s.need(::link("directory/file", "linked") == 0, "link");
    s.holds("link keeps it", stays("linked"));
    s.need(::unlink("directory/file") == 0, "unlink");
    s.holds("unlink of another name keeps it", stays("linked"));
    s.need(::close(fd) == 0, "close");
    s.holds("close of the last descriptor keeps it", stays("linked"));
    const int again = ::open("linked", O_RDWR | O_TRUNC);
    s.holds("open with O_TRUNC keeps it", again >= 0 && same_file(first, status_of(s, again)));
    s.need(::unlink("linked") == 0, "unlink");
    s.holds("unlink of the last name keeps it while it is open", same_file(first, status_of(s, again)));
}

POSIX_CASE("a directory keeps its number") {
    s.make_directory("directory");
    s.make_directory("other");
    const struct stat first = s.status("directory");
    const int fd = open_for(s, "directory", O_RDONLY | O_DIRECTORY);
    s.holds("fstat finds the number of lstat", same_file(first, status_of(s, fd)));
    s.holds("its dot has it", same_file(first, s.status("directory/.")));
    s.holds("a path with dots finds it", same_file(first, s.status("other/.././directory")));
    s.write_file("directory/file");
    s.holds("a new file keeps it", same_file(first, s.status("directory")));
    s.make_directory("directory/child");
    s.holds("the dot dot of a child has it", same_file(first, s.status("directory/child/..")));
    s.need(::rename("directory", "other/moved") == 0, "rename");
    s.holds("rename keeps it", same_file(first, s.status("other/moved")));
    s.need(::chdir("other/moved") == 0, "chdir");
    struct stat found{};
    s.holds("chdir to it finds it as a dot", ::stat(".", &found) == 0 && same_file(first, found));
    s.holds("a child's dot dot finds it", ::stat("child/..", &found) == 0 && same_file(first, found));
    s.holds("fstat finds it still", same_file(first, status_of(s, fd)));
    s.holds("its dot dot is its new parent", same_file(s.status("other/moved/.."), s.status("other")));
}

POSIX_CASE("links have numbers of their own") {
    make(s, "link", Kind::link_to_file);
    const struct stat link = s.status("link");
    struct stat found{};
    s.holds("lstat of a link is not its target", !same_file(link, s.status("link.target")));
    s.holds("stat of a link is its target", ::stat("link", &found) == 0 && same_file(found, s.status("link.target")));
    s.holds("fstatat that does not follow is the link",
            ::fstatat(AT_FDCWD, "link", &found, AT_SYMLINK_NOFOLLOW) == 0 && same_file(found, link));
    make_link(s, "link.target", "second");
    s.holds("a second link to the same is another", !same_file(link, s.status("second")));
    s.need(::rename("link", "renamed") == 0, "rename");
    s.holds("rename keeps a link's number", same_file(link, s.status("renamed")));
    s.need(::unlink("link.target") == 0, "unlink");
    s.holds("unlink of the target keeps it", same_file(link, s.status("renamed")));
    make(s, "fifo", Kind::fifo);
    const int fifo = open_for(s, "fifo", O_RDONLY | O_NONBLOCK);
    s.holds("fstat of a fifo is its entry", same_file(status_of(s, fifo), s.status("fifo")));
}

POSIX_CASE("no two files have one number") {
    s.make_directory("directory");
    std::set<ino_t> numbers{s.status(".").st_ino, s.status("directory").st_ino};
    bool one_device = true;
    constexpr int kEach = 100;
    for (int i = 0; i < kEach; ++i) {
        const std::string name = "directory/" + std::to_string(i);
        s.write_file(name);
        s.make_directory(name + "d");
        make_link(s, "x", name + "l");
        for (const char* const end : {"", "d", "l"}) {
            const struct stat found = s.status(name + end);
            numbers.insert(found.st_ino);
            one_device = one_device && found.st_dev == s.status(".").st_dev;
        }
    }
    s.equal("each of 302 has its own", numbers.size(), 2 + 3 * kEach);
    s.holds("all have one device", one_device);
    s.holds("no number is 0", !numbers.contains(0));
    bool same = true;
    for (int i = 0; i < kEach; ++i) same = same && numbers.contains(s.status("directory/" + std::to_string(i)).st_ino);
    s.holds("they are the same when asked again", same);
    const ino_t before = s.status("directory/7").st_ino;
    const int fd = open_for(s, "directory/7", O_RDONLY);
    s.need(::unlink("directory/7") == 0, "unlink");
    s.write_file("directory/7");
    s.holds("a new file does not take the number of one that is open", s.status("directory/7").st_ino != before);
    s.equal("the open one has its number", status_of(s, fd).st_ino, before);
    s.write_file("one");
    s.write_file("other");
    const ino_t other = s.status("other").st_ino;
    s.need(::rename("one", "other") == 0, "rename");
    s.holds("a name that was renamed over has another number", s.status("other").st_ino != other);
}
