// SPDX-License-Identifier: BSD-2-Clause
// unlink(2), unlinkat(2), remove(3), and files that live without a name while they are open.
#include "kinds.hpp"

#include <cstdio>
#include <sys/mman.h>

using posix_suite::Kind;
using posix_suite::same_file;

POSIX_CASE("unlink removes a name of anything but a directory") {
    make(s, "file", Kind::file);
    make(s, "fifo", Kind::fifo);
    make(s, "to_file", Kind::link_to_file);
    make(s, "to_directory", Kind::link_to_directory);
    make(s, "dangling", Kind::dangling);
    make_link(s, "loop", "loop");
    s.write_file("closed", {}, 0);
    s.need(::mknod("socket", S_IFSOCK | 0644, 0) == 0, "mknod");
    s.passes("unlink of a file", ::unlink("file"));
    s.holds("the file is gone", !is_there(s, "file"));
    s.fails("unlink of it again", ENOENT, ::unlink("file"));
    s.passes("unlink of a file of mode 0", ::unlink("closed"));
    s.passes("unlink of a fifo", ::unlink("fifo"));
    s.passes("unlink of a socket", ::unlink("socket"));
    s.passes("unlink of a link to a file", ::unlink("to_file"));
    s.holds("the link's target stays", is_there(s, "to_file.target"));
    s.passes("unlink of a link to a directory", ::unlink("to_directory"));
    s.holds("the link's directory stays", is_there(s, "to_directory.target"));
    s.passes("unlink of a dangling link", ::unlink("dangling"));
    s.passes("unlink of a looping link", ::unlink("loop"));
    s.equal("the targets alone are left", s.names().size(), 2);
}

POSIX_CASE("unlink refuses directories and wrong paths") {
    make(s, "file", Kind::file);
    make(s, "directory", Kind::empty_directory);
    make(s, "full", Kind::full_directory);
    make(s, "link", Kind::link_to_directory);
    make_link(s, "loop", "loop");
    s.fails("unlink of an empty directory", {EISDIR, EPERM}, ::unlink("directory"));
    s.fails("unlink of a full directory", {EISDIR, EPERM}, ::unlink("full"));
    s.fails("unlink of a directory with a slash", {EISDIR, EPERM}, ::unlink("directory/"));
    s.fails("unlink of a dot", {EISDIR, EPERM}, ::unlink("."));
    s.fails("unlink of dot dot", {EISDIR, EPERM}, ::unlink("directory/.."));
    s.fails("unlink of a file with a slash", ENOTDIR, ::unlink("file/"));
    s.fails("unlink of a link with a slash", {ENOTDIR, EISDIR, EPERM}, ::unlink("link/"));
    s.fails("unlink below a file", ENOTDIR, ::unlink("file/name"));
    s.fails("unlink of an absent name", ENOENT, ::unlink("absent"));
    s.fails("unlink of an absent name with a slash", ENOENT, ::unlink("absent/"));
    s.fails("unlink below an absent name", ENOENT, ::unlink("absent/name"));
    s.fails("unlink of an empty path", ENOENT, ::unlink(""));
    s.fails("unlink below a looping link", ELOOP, ::unlink("loop/name"));
    s.holds("all of them are still there", s.names().size() == 6);
    s.passes("unlink below a directory", ::unlink("full/inside"));
    s.passes("rmdir of the directory it emptied", ::rmdir("full"));
}

POSIX_CASE("unlinkat and remove") {
    make(s, "base", Kind::full_directory);
    s.write_file("base/second");
    s.make_directory("base/directory");
    s.write_file("outside");
    s.write_file("file");
    const int base = open_for(s, "base", O_RDONLY | O_DIRECTORY);
    const int path = open_for(s, "base", O_PATH);
    const int file = open_for(s, "file", O_RDONLY);
    s.passes("unlinkat of a name", ::unlinkat(base, "inside", 0));
    s.passes("unlinkat below a descriptor of O_PATH", ::unlinkat(path, "second", 0));
    s.fails("unlinkat of an absent name", ENOENT, ::unlinkat(base, "inside", 0));
    s.fails("unlinkat of a directory", {EISDIR, EPERM}, ::unlinkat(base, "directory", 0));
    s.passes("unlinkat of ../ leaves the base", ::unlinkat(base, "../outside", 0));
    s.fails("unlinkat below a file's descriptor", ENOTDIR, ::unlinkat(file, "name", 0));
    s.fails("unlinkat below no descriptor", EBADF, ::unlinkat(-1, "file", 0));
    s.fails("unlinkat with a flag it does not know", EINVAL, ::unlinkat(AT_FDCWD, "file", 1));
    s.fails("unlinkat of an empty path", ENOENT, ::unlinkat(base, "", 0));
    s.passes("unlinkat of an absolute path ignores the descriptor", ::unlinkat(-1, s.path("file").c_str(), 0));
    s.passes("remove of a directory", ::remove("base/directory"));
    s.write_file("again");
    s.passes("remove of a file", ::remove("again"));
    s.fails("remove of an absent name", ENOENT, ::remove("again"));
    s.equal("the base is empty", s.names("base").size(), 0);
}

POSIX_CASE("a removed file lives while it is open") {
    const int fd = s.make_file("file", "content", 0640);
    const int second = open_for(s, "file", O_RDONLY);
    const struct stat before = status_of(s, fd);
    s.passes("unlink of an open file", ::unlink("file"));
    s.fails("open of its name", ENOENT, ::open("file", O_RDONLY));
    s.equal("no name is left", s.names().size(), 0);
    const struct stat after = status_of(s, fd);
    s.holds("fstat finds the same file", same_file(before, after));
    s.equal("it has no link", after.st_nlink, 0);
    s.equal("it has its size", after.st_size, 7);
    s.equal("it has its mode", after.st_mode, before.st_mode);
    char content[64];
    s.equal("pread reads from it", ::pread(fd, content, sizeof content, 0), 7);
    s.equal("pread reads its content", std::string(content, 7), "content");
    s.equal("write adds to it", ::write(fd, " and more", 9), 9);
    s.equal("fstat finds the new size", status_of(s, fd).st_size, 16);
    s.equal("another descriptor reads what was written", ::read(second, content, sizeof content), 16);
    s.equal("another descriptor reads all of it", std::string(content, 16), "content and more");
    s.passes("ftruncate to a smaller size", ::ftruncate(fd, 3));
    s.equal("another descriptor finds the smaller size", status_of(s, second).st_size, 3);
    s.passes("ftruncate to a larger size", ::ftruncate(fd, 100'000));
    s.equal("fstat finds the larger size", status_of(s, fd).st_size, 100'000);
    s.equal("pread reads where nothing was written", ::pread(fd, content, 1, 99'999), 1);
    s.equal("pread reads a zero there", content[0], '\0');
    s.passes("fchmod", ::fchmod(fd, 0600));
    s.equal("fstat finds the new mode", status_of(s, fd).st_mode & 07777, 0600);
    const timespec past[2] = {{1'000'000, 0}, {2'000'000, 0}};
    s.passes("futimens", ::futimens(fd, past));
    s.equal("fstat finds the new time", status_of(s, fd).st_mtim.tv_sec, 2'000'000);
    s.passes("fsync", ::fsync(fd));
    s.passes("close of one descriptor", ::close(fd));
    s.equal("the other still reads", ::pread(second, content, 3, 0), 3);
    s.passes("close of the last descriptor", ::close(second));
}

POSIX_CASE("a removed file and a new one of its name are two files") {
    const int old = s.make_file("file", "old");
    s.need(::unlink("file") == 0, "unlink");
    const int fresh = ::open("file", O_RDWR | O_CREAT | O_EXCL, 0644);
    s.passes("open of the name makes a new file", fresh);
    s.holds("it is another file", !same_file(status_of(s, old), status_of(s, fresh)));
    s.equal("it is empty", status_of(s, fresh).st_size, 0);
    s.need(::write(fresh, "new content", 11) == 11, "write");
    char content[16];
    s.equal("the old one keeps its size", ::pread(old, content, sizeof content, 0), 3);
    s.equal("the old one keeps its content", std::string(content, 3), "old");
    s.equal("write to the old one", ::pwrite(old, "OLD", 3, 0), 3);
    s.equal("the new one keeps its content", s.read_file("file"), "new content");
    s.equal("the old one has no link", status_of(s, old).st_nlink, 0);
    s.equal("the new one has one", status_of(s, fresh).st_nlink, 1);
    s.passes("rename over the new one", (s.write_file("third", "3"), ::rename("third", "file")));
    s.equal("the one renamed over has no link", status_of(s, fresh).st_nlink, 0);
    s.equal("the one renamed over keeps its content", ::pread(fresh, content, sizeof content, 0), 11);
    s.equal("the name has the third's content", s.read_file("file"), "3");
}

POSIX_CASE("a removed file lives while another name or a mapping has it") {
    const int fd = s.make_file("file", "content");
    s.need(::link("file", "other") == 0, "link");
    s.passes("unlink of the first name", ::unlink("file"));
    s.equal("it has one link left", status_of(s, fd).st_nlink, 1);
    s.equal("the other name has the content", s.read_file("other"), "content");
    s.need(::pwrite(fd, "C", 1, 0) == 1, "write");
    s.equal("the other name has what was written", s.read_file("other"), "Content");
    s.passes("link gives the first name back", ::link("other", "file"));
    s.equal("it has two links again", status_of(s, fd).st_nlink, 2);
    s.need(::unlink("file") == 0 && ::unlink("other") == 0, "unlink");
    s.equal("no link is left after both were removed", status_of(s, fd).st_nlink, 0);
    void* const mapped = ::mmap(nullptr, 7, PROT_READ, MAP_PRIVATE, fd, 0);
    s.passes("mmap of a removed file", mapped == MAP_FAILED ? -1 : 0);
    s.passes("close while it is mapped", ::close(fd));
    s.need(mapped != MAP_FAILED, "mmap");
    s.equal("the mapping has the content", std::string(static_cast<const char*>(mapped), 7), "Content");
    s.passes("munmap", ::munmap(mapped, 7));
}

POSIX_CASE("a removed file cannot be linked again by its descriptor") {
    const int fd = s.make_file("file", "content");
    s.need(::unlink("file") == 0, "unlink");
    const std::string self = "/proc/self/fd/" + std::to_string(fd);
    s.fails("linkat of it", ENOENT, ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, "again", AT_SYMLINK_FOLLOW));
    s.holds("no name was made", !is_there(s, "again"));
    const int again = ::open(self.c_str(), O_RDONLY);
    s.passes("open of it through its descriptor", again);
    s.need(again >= 0, "open");
    s.holds("that is the same file", same_file(status_of(s, fd), status_of(s, again)));
}
