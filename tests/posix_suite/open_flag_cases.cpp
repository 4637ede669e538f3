// SPDX-License-Identifier: BSD-2-Clause
// open(2) with O_DIRECTORY, O_NOFOLLOW, O_PATH and O_TMPFILE.
#include "kinds.hpp"

using posix_suite::Kind;
using posix_suite::same_file;

POSIX_CASE("open with O_DIRECTORY opens directories only") {
    make(s, "file", Kind::file);
    make(s, "directory", Kind::full_directory);
    make(s, "to_file", Kind::link_to_file);
    make(s, "to_directory", Kind::link_to_directory);
    make(s, "dangling", Kind::dangling);
    make(s, "fifo", Kind::fifo);
    s.passes("open of a directory", ::open("directory", O_RDONLY | O_DIRECTORY));
    s.passes("open of a dot", ::open(".", O_RDONLY | O_DIRECTORY));
    s.passes("open of dot dot", ::open("directory/..", O_RDONLY | O_DIRECTORY));
    s.passes("open of a directory with a slash", ::open("directory/", O_RDONLY | O_DIRECTORY));
    s.passes("open of a link to a directory", ::open("to_directory", O_RDONLY | O_DIRECTORY));
    s.fails("open of a file", ENOTDIR, ::open("file", O_RDONLY | O_DIRECTORY));
    s.fails("open of a link to a file", ENOTDIR, ::open("to_file", O_RDONLY | O_DIRECTORY));
    s.fails("open of a dangling link", ENOENT, ::open("dangling", O_RDONLY | O_DIRECTORY));
    s.fails("open of a fifo", ENOTDIR, ::open("fifo", O_RDONLY | O_DIRECTORY));
    s.fails("open of an absent name", ENOENT, ::open("absent", O_RDONLY | O_DIRECTORY));
    s.fails("open of a directory for writing", EISDIR, ::open("directory", O_WRONLY | O_DIRECTORY));
}

POSIX_CASE("open with O_NOFOLLOW refuses a link as the last component") {
    make(s, "file", Kind::file);
    make(s, "to_file", Kind::link_to_file);
    make(s, "to_directory", Kind::link_to_directory);
    make(s, "dangling", Kind::dangling);
    s.write_file("to_directory/inside");
    s.passes("open of a file", ::open("file", O_RDONLY | O_NOFOLLOW));
    s.passes("open of a directory", ::open("to_directory.target", O_RDONLY | O_NOFOLLOW));
    s.fails("open of a link to a file", ELOOP, ::open("to_file", O_RDONLY | O_NOFOLLOW));
    s.fails("open of a link to a directory", ELOOP, ::open("to_directory", O_RDONLY | O_NOFOLLOW));
    s.fails("open of a dangling link", ELOOP, ::open("dangling", O_RDONLY | O_NOFOLLOW));
    s.fails("open of a dangling link with O_CREAT", ELOOP, ::open("dangling", O_RDWR | O_CREAT | O_NOFOLLOW, 0644));
    s.holds("the dangling link's target was not made", !is_there(s, "dangling.target"));
    s.fails("open of a link with O_TRUNC", ELOOP, ::open("to_file", O_WRONLY | O_TRUNC | O_NOFOLLOW));
    s.fails("open of a link to a directory with O_DIRECTORY", {ENOTDIR, ELOOP},
            ::open("to_directory", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    s.passes("open below a link to a directory", ::open("to_directory/inside", O_RDONLY | O_NOFOLLOW));
    s.passes("open of a link to a directory with a slash", ::open("to_directory/", O_RDONLY | O_NOFOLLOW));
    s.passes("open of a new name with O_CREAT", ::open("new", O_RDWR | O_CREAT | O_NOFOLLOW, 0644));
}

POSIX_CASE("open with O_PATH gives a place, not a file to read") {
    s.write_file("file", "content", 0640);
    const int fd = ::open("file", O_PATH | O_CLOEXEC);
    char byte = 0;
    struct stat found{};
    s.passes("open of a file", fd);
    s.passes("fstat", ::fstat(fd, &found));
    s.holds("fstat finds the file", same_file(found, s.status("file")));
    s.equal("fstat finds its size", found.st_size, 7);
    s.fails("read", EBADF, ::read(fd, &byte, 1));
    s.fails("pread", EBADF, ::pread(fd, &byte, 1, 0));
    s.fails("write", EBADF, ::write(fd, "x", 1));
    s.fails("lseek", EBADF, ::lseek(fd, 0, SEEK_SET));
    s.fails("ftruncate", EBADF, ::ftruncate(fd, 0));
    s.fails("fchmod", EBADF, ::fchmod(fd, 0600));
    s.fails("fchown", EBADF, ::fchown(fd, ::geteuid(), ::getegid()));
    s.fails("fsync", EBADF, ::fsync(fd));
    s.fails("fchdir of a file", ENOTDIR, ::fchdir(fd));
    s.fails("openat below a file", ENOTDIR, ::openat(fd, "name", O_RDONLY));
    s.equal("F_GETFL has O_PATH", ::fcntl(fd, F_GETFL) & O_PATH, O_PATH);
    s.equal("F_GETFD has FD_CLOEXEC", ::fcntl(fd, F_GETFD), FD_CLOEXEC);
    const int copy = ::dup(fd);
    s.passes("dup", copy);
    s.holds("the copy is the same file", same_file(status_of(s, copy), found));
    s.equal("the file is as it was", s.read_file("file"), "content");
    s.need(::unlink("file") == 0, "unlink");
    s.equal("fstat after unlink finds no link", status_of(s, fd).st_nlink, 0);
    s.passes("close", ::close(fd));
}

POSIX_CASE("open with O_PATH of directories, links and what cannot be opened") {
    make(s, "directory", Kind::full_directory);
    make(s, "link", Kind::link_to_file);
    make(s, "dangling", Kind::dangling);
    make(s, "fifo", Kind::fifo);
    s.write_file("closed", {}, 0);
    s.need(::mknod("socket", S_IFSOCK | 0644, 0) == 0, "mknod");
    const int directory = ::open("directory", O_PATH);
    s.passes("open of a directory", directory);
    s.passes("openat below it", ::openat(directory, "inside", O_RDONLY));
    s.passes("fchdir to it", ::fchdir(directory));
    s.passes("chdir back", ::chdir(s.directory().c_str()));
    const int link = ::open("link", O_PATH | O_NOFOLLOW);
    s.passes("open of a link with O_NOFOLLOW", link);
    s.holds("it is the link itself", S_ISLNK(status_of(s, link).st_mode));
    char target[64];
    s.equal("readlinkat of the link's descriptor", ::readlinkat(link, "", target, sizeof target), 11);
    s.equal("it reads the link's target", std::string(target, 11), "link.target");
    s.holds("open of a link follows it", S_ISREG(status_of(s, ::open("link", O_PATH)).st_mode));
    s.passes("open of a dangling link with O_NOFOLLOW", ::open("dangling", O_PATH | O_NOFOLLOW));
    s.fails("open of a dangling link", ENOENT, ::open("dangling", O_PATH));
    s.fails("open of a link with O_DIRECTORY", ENOTDIR, ::open("link", O_PATH | O_NOFOLLOW | O_DIRECTORY));
    s.fails("open of a file with O_DIRECTORY", ENOTDIR, ::open("closed", O_PATH | O_DIRECTORY));
    s.passes("open of a fifo does not wait", ::open("fifo", O_PATH));
    s.passes("open of a socket", ::open("socket", O_PATH));
    s.passes("open of a file of mode 0", ::open("closed", O_PATH));
    s.fails("open of an absent name", ENOENT, ::open("absent", O_PATH));
    s.fails("open with O_CREAT makes nothing", ENOENT, ::open("absent", O_PATH | O_CREAT, 0644));
    struct stat found{};
    s.passes("fstatat of a descriptor with an empty path", ::fstatat(directory, "", &found, AT_EMPTY_PATH));
    s.holds("it finds the directory", same_file(found, s.status("directory")));
}

POSIX_CASE("open with O_TMPFILE makes a file without a name") {
    s.make_directory("directory");
    const int fd = ::open("directory", O_TMPFILE | O_RDWR, 0640);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) return s.skip("the file system has no O_TMPFILE");
    s.passes("open of a directory", fd);
    const struct stat found = status_of(s, fd);
    s.holds("it is a regular file", S_ISREG(found.st_mode));
    s.equal("it has no link", found.st_nlink, 0);
    s.equal("its mode", found.st_mode & 07777, 0640);
    s.equal("the directory is empty", s.names("directory").size(), 0);
    s.equal("write", ::write(fd, "content", 7), 7);
    char content[16];
    s.equal("pread", ::pread(fd, content, sizeof content, 0), 7);
    s.equal("pread reads what was written", std::string(content, 7), "content");
    s.passes("ftruncate", ::ftruncate(fd, 4));
    s.equal("its size", status_of(s, fd).st_size, 4);
    const std::string self = "/proc/self/fd/" + std::to_string(fd);
    s.passes("linkat gives it a name", ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, "name", AT_SYMLINK_FOLLOW));
    s.equal("it has one link then", status_of(s, fd).st_nlink, 1);
    s.equal("the name has the content", s.read_file("name"), "cont");
    s.fails("open with O_RDONLY", EINVAL, ::open("directory", O_TMPFILE | O_RDONLY, 0640));
    s.passes("open with O_WRONLY", ::open("directory", O_TMPFILE | O_WRONLY, 0640));
    s.fails("open of a file", ENOTDIR, ::open("name", O_TMPFILE | O_RDWR, 0640));
    s.fails("open of an absent name", ENOENT, ::open("absent", O_TMPFILE | O_RDWR, 0640));
    const int alone = ::open("directory", O_TMPFILE | O_RDWR | O_EXCL, 0640);
    s.passes("open with O_EXCL", alone);
    const std::string other = "/proc/self/fd/" + std::to_string(alone);
    s.fails("linkat of one made with O_EXCL", ENOENT,
            ::linkat(AT_FDCWD, other.c_str(), AT_FDCWD, "alone", AT_SYMLINK_FOLLOW));
    s.holds("two of them are two files", !same_file(status_of(s, fd), status_of(s, alone)));
}
