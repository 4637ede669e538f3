// SPDX-License-Identifier: BSD-2-Clause
// open(2), openat(2) and creat(2): O_CREAT, O_EXCL, O_TRUNC, the ways of access, and descriptors.
#include "kinds.hpp"

using posix_suite::Kind;
using posix_suite::same_file;

POSIX_CASE("open with O_CREAT makes an empty file") {
    const int fd = ::open("file", O_RDWR | O_CREAT, 0640);
    s.passes("open of a new name", fd);
    const struct stat found = status_of(s, fd);
    s.holds("it is a regular file", S_ISREG(found.st_mode));
    s.equal("its mode", found.st_mode & 07777, 0640);
    s.equal("its size", found.st_size, 0);
    s.equal("it has one link", found.st_nlink, 1);
    s.equal("its owner is the effective user", found.st_uid, ::geteuid());
    s.equal("its group is the effective group", found.st_gid, ::getegid());
    s.equal("its device is its directory's", found.st_dev, s.status(".").st_dev);
    s.holds("lstat of the name finds the same file", same_file(found, s.status("file")));
    s.passes("open with O_CREAT of a file that is there", ::open("file", O_RDWR | O_CREAT, 0600));
    s.equal("its mode stays", s.status("file").st_mode & 07777, 0640);
    s.fails("open of an absent name without O_CREAT", ENOENT, ::open("absent", O_RDWR));
    s.fails("open with O_CREAT below an absent name", ENOENT, ::open("absent/file", O_RDWR | O_CREAT, 0644));
    s.fails("open with O_CREAT below a file", ENOTDIR, ::open("file/file", O_RDWR | O_CREAT, 0644));
    s.fails("open with O_CREAT of an empty path", ENOENT, ::open("", O_RDWR | O_CREAT, 0644));
    s.fails("open with O_CREAT of a new name with a slash", {EISDIR, ENOENT, ENOTDIR},
            ::open("new/", O_RDWR | O_CREAT, 0644));
    s.fails("open of a file with a slash", ENOTDIR, ::open("file/", O_RDONLY));
    s.equal("nothing else was made", s.names().size(), 1);
}

POSIX_CASE("open takes the mode of a new file from the argument and the umask") {
    const auto mode_of_new = [&](const char* name, mode_t mask, mode_t mode) {
        const mode_t before = ::umask(mask);
        const int fd = ::open(name, O_WRONLY | O_CREAT | O_EXCL, mode);
        ::umask(before);
        s.need(fd >= 0, name);
        return s.status(name).st_mode & 07777;
    };
    s.equal("mode 0666 with umask 022", mode_of_new("a", 022, 0666), 0644);
    s.equal("mode 0777 with umask 0", mode_of_new("b", 0, 0777), 0777);
    s.equal("mode 0777 with umask 0777", mode_of_new("c", 0777, 0777), 0);
    s.equal("mode 0 with umask 0", mode_of_new("d", 0, 0), 0);
    s.equal("mode 0214 with umask 0", mode_of_new("e", 0, 0214), 0214);
    s.equal("mode 0666 with umask 0246", mode_of_new("f", 0246, 0666), 0420);
    s.equal("mode 04755 keeps the set-user bit", mode_of_new("g", 0, 04755), 04755);
    const int fd = ::open("h", O_RDWR | O_CREAT, 0444);
    s.passes("open for writing of a new file of mode 0444", fd);
    s.equal("the maker can write to it", ::write(fd, "x", 1), 1);
    const int closed = ::open("i", O_RDWR | O_CREAT, 0);
    s.passes("open for both of a new file of mode 0", closed);
    s.equal("the maker can write to a file of mode 0", ::write(closed, "xy", 2), 2);
    s.passes("creat of a new name", ::creat("j", 0604));
    s.equal("the mode of creat's file", s.status("j").st_mode & 07777, 0604);
}

POSIX_CASE("open with O_EXCL makes a file or fails") {
    make(s, "file", Kind::file);
    make(s, "directory", Kind::empty_directory);
    make(s, "fifo", Kind::fifo);
    make(s, "link", Kind::link_to_file);
    make(s, "dangling", Kind::dangling);
    make_link(s, "loop", "loop");
    const int flags = O_RDWR | O_CREAT | O_EXCL;
    s.fails("open of a file", EEXIST, ::open("file", flags, 0644));
    s.fails("open of a directory", EEXIST, ::open("directory", flags, 0644));
    s.fails("open of a fifo", EEXIST, ::open("fifo", flags, 0644));
    s.fails("open of a link to a file", EEXIST, ::open("link", flags, 0644));
    s.fails("open of a dangling link", EEXIST, ::open("dangling", flags, 0644));
    s.fails("open of a looping link", EEXIST, ::open("loop", flags, 0644));
    s.fails("open of a file with O_TRUNC too", EEXIST, ::open("file", flags | O_TRUNC, 0644));
    s.equal("the file keeps its content", s.read_file("file"), "file");
    s.holds("the dangling link's target was not made", !is_there(s, "dangling.target"));
    s.passes("open of a new name", ::open("new", flags, 0644));
    s.fails("open of it again", EEXIST, ::open("new", flags, 0644));
    s.need(::unlink("new") == 0, "unlink");
    s.passes("open of it after unlink", ::open("new", flags, 0644));
}

POSIX_CASE("open with O_CREAT follows links") {
    make(s, "dangling", Kind::dangling);
    make(s, "link", Kind::link_to_file);
    make_link(s, "absent/name", "far");
    s.passes("open of a dangling link", ::open("dangling", O_RDWR | O_CREAT, 0644));
    s.holds("its target was made", S_ISREG(s.status("dangling.target").st_mode));
    s.holds("the link is still a link", S_ISLNK(s.status("dangling").st_mode));
    const int fd = ::open("link", O_RDWR | O_CREAT, 0644);
    s.passes("open of a link to a file", fd);
    s.holds("it opened the link's target", same_file(status_of(s, fd), s.status("link.target")));
    s.fails("open of a link to what cannot be", ENOENT, ::open("far", O_RDWR | O_CREAT, 0644));
}

POSIX_CASE("open with O_TRUNC empties a file") {
    s.write_file("file", "content");
    const int reader = open_for(s, "file", O_RDONLY);
    const timespec past[2] = {{1'000'000, 0}, {1'000'000, 0}};
    s.need(::utimensat(AT_FDCWD, "file", past, 0) == 0, "utimensat");
    const struct stat before = s.status("file");
    s.passes("open with O_WRONLY", ::open("file", O_WRONLY | O_TRUNC));
    const struct stat after = s.status("file");
    s.equal("the size is 0", after.st_size, 0);
    s.holds("it is the same file", same_file(before, after));
    s.equal("its mode stays", after.st_mode, before.st_mode);
    s.holds("its time of modification is newer", after.st_mtim.tv_sec > 1'000'000);
    char byte = 0;
    s.equal("who had it open reads nothing", ::read(reader, &byte, 1), 0);
    s.write_file("file", "content");
    s.passes("open with O_RDWR", ::open("file", O_RDWR | O_TRUNC));
    s.equal("the size is 0 again", s.status("file").st_size, 0);
    s.passes("open with O_CREAT of an absent name", ::open("new", O_RDWR | O_CREAT | O_TRUNC, 0644));
    s.write_file("target", "content");
    make_link(s, "target", "link");
    s.passes("open of a link", ::open("link", O_WRONLY | O_TRUNC));
    s.equal("the link's target is empty", s.status("target").st_size, 0);
    make(s, "fifo", Kind::fifo);
    s.passes("open of a fifo", ::open("fifo", O_RDWR | O_TRUNC));
    s.make_directory("directory");
    s.fails("open of a directory for reading", EISDIR, ::open("directory", O_RDONLY | O_TRUNC));
    s.fails("open of an absent name", ENOENT, ::open("absent", O_RDWR | O_TRUNC));
}

POSIX_CASE("a descriptor allows what it was opened for") {
    s.write_file("file", "content");
    const int reader = open_for(s, "file", O_RDONLY);
    const int writer = open_for(s, "file", O_WRONLY);
    const int both = open_for(s, "file", O_RDWR);
    const int at_end = open_for(s, "file", O_WRONLY | O_APPEND);
    char byte = 0;
    s.equal("read of a descriptor of O_RDONLY", ::read(reader, &byte, 1), 1);
    s.fails("write to a descriptor of O_RDONLY", EBADF, ::write(reader, "x", 1));
    s.fails("pwrite to a descriptor of O_RDONLY", EBADF, ::pwrite(reader, "x", 1, 0));
    s.fails("ftruncate of a descriptor of O_RDONLY", {EINVAL, EBADF}, ::ftruncate(reader, 0));
    s.fails("read of a descriptor of O_WRONLY", EBADF, ::read(writer, &byte, 1));
    s.fails("pread of a descriptor of O_WRONLY", EBADF, ::pread(writer, &byte, 1, 0));
    s.equal("write to a descriptor of O_WRONLY", ::write(writer, "C", 1), 1);
    s.equal("read of a descriptor of O_RDWR", ::read(both, &byte, 1), 1);
    s.equal("it reads what the other wrote", byte, 'C');
    s.equal("write to a descriptor of O_APPEND", ::write(at_end, "!", 1), 1);
    s.equal("the content after all that", s.read_file("file"), "Content!");
    s.equal("F_GETFL of O_RDONLY", ::fcntl(reader, F_GETFL) & O_ACCMODE, O_RDONLY);
    s.equal("F_GETFL of O_WRONLY", ::fcntl(writer, F_GETFL) & O_ACCMODE, O_WRONLY);
    s.equal("F_GETFL of O_RDWR", ::fcntl(both, F_GETFL) & O_ACCMODE, O_RDWR);
    s.equal("F_GETFL of O_APPEND", ::fcntl(at_end, F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
    s.equal("F_GETFL has no O_CREAT", ::fcntl(::open("a", O_RDWR | O_CREAT, 0644), F_GETFL) & O_CREAT, 0);
    s.equal("F_GETFD with O_CLOEXEC", ::fcntl(reader, F_GETFD), FD_CLOEXEC);
    s.equal("F_GETFD without O_CLOEXEC", ::fcntl(::open("file", O_RDONLY), F_GETFD), 0);
    s.equal("each open begins at 0", ::lseek(open_for(s, "file", O_RDWR), 0, SEEK_CUR), 0);
    s.need(::close(writer) == 0, "close");
    s.equal("open takes the lowest free descriptor", ::open("file", O_RDONLY), writer);
}

POSIX_CASE("open of a directory is for reading only") {
    s.make_directory("directory");
    const int fd = ::open("directory", O_RDONLY);
    char byte = 0;
    s.passes("open with O_RDONLY", fd);
    s.fails("open with O_WRONLY", EISDIR, ::open("directory", O_WRONLY));
    s.fails("open with O_RDWR", EISDIR, ::open("directory", O_RDWR));
    s.fails("open with O_RDWR and O_CREAT", EISDIR, ::open("directory", O_RDWR | O_CREAT, 0644));
    s.fails("open with O_RDONLY and O_CREAT", EISDIR, ::open("directory", O_RDONLY | O_CREAT, 0644));
    s.fails("creat", EISDIR, ::creat("directory", 0644));
    s.passes("open with a slash", ::open("directory/", O_RDONLY));
    s.fails("read", EISDIR, ::read(fd, &byte, 1));
    s.fails("pread", EISDIR, ::pread(fd, &byte, 1, 0));
    s.fails("write", EBADF, ::write(fd, "x", 1));
    s.fails("ftruncate", EINVAL, ::ftruncate(fd, 0));
    s.fails("truncate", EISDIR, ::truncate("directory", 0));
    s.passes("fsync", ::fsync(fd));
    s.passes("fchdir", ::fchdir(fd));
}

POSIX_CASE("open of a fifo or socket") {
    make(s, "fifo", Kind::fifo);
    s.need(::mknod("socket", S_IFSOCK | 0644, 0) == 0, "mknod");
    s.fails("open of a fifo for writing that nobody reads", ENXIO, ::open("fifo", O_WRONLY | O_NONBLOCK));
    const int reader = ::open("fifo", O_RDONLY | O_NONBLOCK);
    s.passes("open of a fifo for reading without waiting", reader);
    s.passes("open of a fifo for writing that somebody reads", ::open("fifo", O_WRONLY | O_NONBLOCK));
    s.passes("open of a fifo with O_CREAT", ::open("fifo", O_RDWR | O_CREAT | O_NONBLOCK, 0644));
    s.fails("open of a socket for reading", ENXIO, ::open("socket", O_RDONLY));
    s.fails("open of a socket for both", ENXIO, ::open("socket", O_RDWR));
    s.fails("lseek of a fifo", ESPIPE, ::lseek(reader, 0, SEEK_SET));
}

POSIX_CASE("openat opens below a descriptor") {
    make(s, "base", Kind::full_directory);
    s.write_file("file", "outside");
    const int base = open_for(s, "base", O_RDONLY | O_DIRECTORY);
    const int path = open_for(s, "base", O_PATH | O_DIRECTORY);
    const int file = open_for(s, "file", O_RDONLY);
    const int inside = ::openat(base, "inside", O_RDONLY);
    s.passes("openat of a name", inside);
    s.holds("it is the one in the directory", same_file(status_of(s, inside), s.status("base/inside")));
    s.passes("openat below a descriptor of O_PATH", ::openat(path, "inside", O_RDONLY));
    s.passes("openat with O_CREAT", ::openat(base, "new", O_RDWR | O_CREAT | O_EXCL, 0600));
    s.equal("the mode of the new file", s.status("base/new").st_mode & 07777, 0600);
    s.passes("openat of AT_FDCWD", ::openat(AT_FDCWD, "file", O_RDONLY));
    s.passes("openat of an absolute path ignores the descriptor", ::openat(-1, s.path("file").c_str(), O_RDONLY));
    s.passes("openat of ../ leaves the directory", ::openat(base, "../file", O_RDONLY));
    s.passes("openat of a dot", ::openat(base, ".", O_RDONLY | O_DIRECTORY));
    s.fails("openat of an absent name", ENOENT, ::openat(base, "file", O_RDONLY));
    s.fails("openat of an empty path", ENOENT, ::openat(base, "", O_RDONLY));
    s.fails("openat below a file's descriptor", ENOTDIR, ::openat(file, "inside", O_RDONLY));
    s.fails("openat below no descriptor", EBADF, ::openat(-1, "inside", O_RDONLY));
    s.need(::rename("base", "moved") == 0, "rename");
    s.passes("openat below a directory that was moved", ::openat(base, "inside", O_RDONLY));
}
