// SPDX-License-Identifier: BSD-2-Clause
// link(2) and linkat(2): several names of one file.
#include "kinds.hpp"

using posix_suite::Kind;
using posix_suite::same_file;

POSIX_CASE("link gives a file another name") {
    s.write_file("file", "content", 0640);
    const struct stat before = s.status("file");
    s.passes("link of a file", ::link("file", "other"));
    const struct stat after = s.status("other");
    s.holds("both names are one file", same_file(before, after));
    s.equal("it has two links", after.st_nlink, 2);
    s.equal("the first name shows two links too", s.status("file").st_nlink, 2);
    s.equal("its mode stays", after.st_mode, before.st_mode);
    s.equal("the other name has the content", s.read_file("other"), "content");
    s.need(::truncate("other", 3) == 0, "truncate");
    s.equal("truncate by one name shows at the other", s.read_file("file"), "con");
    s.need(::chmod("file", 0600) == 0, "chmod");
    s.equal("chmod by one name shows at the other", s.status("other").st_mode & 07777, 0600);
    s.make_directory("directory");
    s.passes("link into another directory", ::link("file", "directory/third"));
    s.equal("it has three links", s.status("file").st_nlink, 3);
    s.passes("unlink of the first name", ::unlink("file"));
    s.equal("two links are left", s.status("other").st_nlink, 2);
    s.equal("the others keep the content", s.read_file("directory/third"), "con");
    s.passes("link back from another directory", ::link("directory/third", "file"));
    s.holds("all names are one file", same_file(s.status("file"), s.status("other")));
    s.need(::unlink("file") == 0 && ::unlink("directory/third") == 0, "unlink");
    s.equal("one link is left", s.status("other").st_nlink, 1);
}

POSIX_CASE("link while the file is open, and many links") {
    const int fd = s.make_file("file", "content");
    s.passes("link of an open file", ::link("file", "other"));
    s.equal("fstat shows two links", status_of(s, fd).st_nlink, 2);
    const int other = open_for(s, "other", O_RDWR);
    s.holds("the other name opens the same file", same_file(status_of(s, fd), status_of(s, other)));
    s.need(::pwrite(fd, "C", 1, 0) == 1, "write");
    char byte = 0;
    s.equal("pread through the other name", ::pread(other, &byte, 1, 0), 1);
    s.equal("it reads what was written", byte, 'C');
    constexpr int kLinks = 200;
    for (int i = 0; i < kLinks; ++i)
        s.passes("link for the 200th time", ::link("file", ("n" + std::to_string(i)).c_str()));
    s.equal("fstat shows all links", status_of(s, fd).st_nlink, kLinks + 2);
    for (int i = 0; i < kLinks; ++i) s.need(::unlink(("n" + std::to_string(i)).c_str()) == 0, "unlink");
    s.equal("fstat shows two again", status_of(s, fd).st_nlink, 2);
}

POSIX_CASE("link marks the file's change and leaves its other times") {
    s.write_file("file", "content");
    const timespec past[2] = {{1'000'000, 5}, {2'000'000, 7}};
    s.need(::utimensat(AT_FDCWD, "file", past, 0) == 0, "utimensat");
    const struct stat before = s.status("file");
    s.need(::link("file", "other") == 0, "link");
    const struct stat after = s.status("file");
    s.equal("the time of access stays", after.st_atim.tv_sec, 1'000'000);
    s.equal("the time of modification stays", after.st_mtim.tv_sec, 2'000'000);
    s.holds("the time of change does not go back", after.st_ctim.tv_sec >= before.st_ctim.tv_sec);
    s.equal("the size stays", after.st_size, 7);
}

POSIX_CASE("link refuses directories") {
    make(s, "empty", Kind::empty_directory);
    make(s, "full", Kind::full_directory);
    s.write_file("file");
    s.fails("link of an empty directory", EPERM, ::link("empty", "new"));
    s.fails("link of a full directory", EPERM, ::link("full", "new"));
    s.fails("link of a dot", EPERM, ::link(".", "new"));
    s.fails("link of dot dot", EPERM, ::link("full/..", "new"));
    s.fails("link of a directory with a slash", EPERM, ::link("empty/", "new"));
    s.fails("link of a directory into itself", EPERM, ::link("empty", "empty/new"));
    s.fails("link of a directory onto a file", {EPERM, EEXIST}, ::link("empty", "file"));
    s.fails("linkat of a directory", EPERM, ::linkat(AT_FDCWD, "empty", AT_FDCWD, "new", AT_SYMLINK_FOLLOW));
    s.holds("no name was made", !is_there(s, "new") && !is_there(s, "empty/new"));
}

POSIX_CASE("link refuses names that are there") {
    make(s, "file", Kind::file);
    make(s, "second", Kind::file);
    make(s, "directory", Kind::empty_directory);
    make(s, "link", Kind::link_to_file);
    make(s, "dangling", Kind::dangling);
    make(s, "fifo", Kind::fifo);
    s.fails("link onto itself", EEXIST, ::link("file", "file"));
    s.fails("link onto another file", EEXIST, ::link("file", "second"));
    s.fails("link onto a directory", EEXIST, ::link("file", "directory"));
    s.fails("link onto a directory with a slash", EEXIST, ::link("file", "directory/"));
    s.fails("link onto a symbolic link", EEXIST, ::link("file", "link"));
    s.fails("link onto a dangling link", EEXIST, ::link("file", "dangling"));
    s.fails("link onto a fifo", EEXIST, ::link("file", "fifo"));
    s.fails("link onto a dot", EEXIST, ::link("file", "directory/."));
    s.equal("the other file keeps its content", s.read_file("second"), "second");
    s.equal("the file still has one link", s.status("file").st_nlink, 1);
}

POSIX_CASE("link refuses wrong paths") {
    make(s, "file", Kind::file);
    make_link(s, "loop", "loop");
    s.fails("link of an absent name", ENOENT, ::link("absent", "new"));
    s.fails("link of a name below an absent one", ENOENT, ::link("absent/name", "new"));
    s.fails("link of a name below a file", ENOTDIR, ::link("file/name", "new"));
    s.fails("link of a file with a slash", ENOTDIR, ::link("file/", "new"));
    s.fails("link of an empty path", ENOENT, ::link("", "new"));
    s.fails("link to an empty path", ENOENT, ::link("file", ""));
    s.fails("link to a name below an absent one", ENOENT, ::link("file", "absent/new"));
    s.fails("link to a name below a file", ENOTDIR, ::link("file", "file/new"));
    s.fails("link to a new name with a slash", {ENOENT, ENOTDIR}, ::link("file", "new/"));
    s.fails("link of a name below a looping link", ELOOP, ::link("loop/name", "new"));
    s.fails("link to a name below a looping link", ELOOP, ::link("file", "loop/new"));
    s.equal("nothing was made", s.names().size(), 2);
    if (::access("/proc/self/status", R_OK) != 0) return s.skip("there is no /proc");
    s.fails("link of a file of another file system", EXDEV, ::link("/proc/self/status", "new"));
}

POSIX_CASE("link of what is neither file nor directory") {
    make(s, "fifo", Kind::fifo);
    make(s, "link", Kind::link_to_file);
    make(s, "dangling", Kind::dangling);
    s.need(::mknod("socket", S_IFSOCK | 0644, 0) == 0, "mknod");
    s.passes("link of a fifo", ::link("fifo", "fifo2"));
    s.holds("both are one fifo", same_file(s.status("fifo"), s.status("fifo2")));
    s.passes("link of a socket", ::link("socket", "socket2"));
    s.equal("the socket has two links", s.status("socket2").st_nlink, 2);
    s.passes("link of a symbolic link", ::link("link", "link2"));
    s.holds("it links the link itself", same_file(s.status("link"), s.status("link2")));
    s.equal("the link has two links", s.status("link").st_nlink, 2);
    s.equal("its target has one", s.status("link.target").st_nlink, 1);
    s.equal("the second link has the same target", target_of(s, "link2"), "link.target");
    s.passes("link of a dangling link", ::link("dangling", "dangling2"));
    s.holds("it links the dangling link itself", same_file(s.status("dangling"), s.status("dangling2")));
    s.need(::unlink("link") == 0, "unlink");
    s.equal("the link has one link after unlink", s.status("link2").st_nlink, 1);
}

POSIX_CASE("linkat links below descriptors") {
    s.make_directory("one");
    s.make_directory("two");
    s.write_file("one/file", "content");
    s.write_file("plain");
    const int one = open_for(s, "one", O_RDONLY | O_DIRECTORY);
    const int two = open_for(s, "two", O_PATH);
    const int plain = open_for(s, "plain", O_RDONLY);
    s.passes("linkat from one directory to another", ::linkat(one, "file", two, "first", 0));
    s.holds("both are one file", same_file(s.status("one/file"), s.status("two/first")));
    s.passes("linkat within one directory", ::linkat(one, "file", one, "second", 0));
    s.passes("linkat of AT_FDCWD", ::linkat(AT_FDCWD, "one/file", AT_FDCWD, "third", 0));
    s.passes("linkat of absolute paths ignores descriptors",
             ::linkat(-1, s.path("third").c_str(), -1, s.path("fourth").c_str(), 0));
    s.equal("it has five links", s.status("one/file").st_nlink, 5);
    s.fails("linkat from no descriptor", EBADF, ::linkat(-1, "file", two, "new", 0));
    s.fails("linkat to no descriptor", EBADF, ::linkat(one, "file", -1, "new", 0));
    s.fails("linkat from a file's descriptor", ENOTDIR, ::linkat(plain, "file", two, "new", 0));
    s.fails("linkat to a file's descriptor", ENOTDIR, ::linkat(one, "file", plain, "new", 0));
    s.fails("linkat of an absent name", ENOENT, ::linkat(one, "absent", two, "new", 0));
    s.fails("linkat onto a name that is there", EEXIST, ::linkat(one, "file", two, "first", 0));
    s.fails("linkat of an empty path", ENOENT, ::linkat(plain, "", two, "new", 0));
    s.fails("linkat with a flag it does not know", EINVAL, ::linkat(one, "file", two, "new", 1));
}

POSIX_CASE("linkat follows links if it is told to") {
    make(s, "link", Kind::link_to_file);
    make(s, "directory", Kind::link_to_directory);
    make(s, "dangling", Kind::dangling);
    make_link(s, "link", "chain");
    make_link(s, "loop", "loop");
    s.passes("linkat of a link without the flag", ::linkat(AT_FDCWD, "link", AT_FDCWD, "itself", 0));
    s.holds("it is the link itself", same_file(s.status("itself"), s.status("link")));
    s.passes("linkat of a link with the flag", ::linkat(AT_FDCWD, "link", AT_FDCWD, "target", AT_SYMLINK_FOLLOW));
    s.holds("it is the link's target", same_file(s.status("target"), s.status("link.target")));
    s.passes("linkat of a link to a link", ::linkat(AT_FDCWD, "chain", AT_FDCWD, "end", AT_SYMLINK_FOLLOW));
    s.equal("the target has three links", s.status("link.target").st_nlink, 3);
    s.fails("linkat of a dangling link", ENOENT, ::linkat(AT_FDCWD, "dangling", AT_FDCWD, "a", AT_SYMLINK_FOLLOW));
    s.fails("linkat of a looping link", ELOOP, ::linkat(AT_FDCWD, "loop", AT_FDCWD, "a", AT_SYMLINK_FOLLOW));
    s.fails("linkat of a link to a directory", EPERM,
            ::linkat(AT_FDCWD, "directory", AT_FDCWD, "a", AT_SYMLINK_FOLLOW));
    s.passes("linkat of a looping link without it", ::linkat(AT_FDCWD, "loop", AT_FDCWD, "loop2", 0));
    const int fd = open_for(s, "link.target", O_RDONLY);
    const std::string self = "/proc/self/fd/" + std::to_string(fd);
    s.passes("linkat of an open file", ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, "open", AT_SYMLINK_FOLLOW));
    s.holds("it is the open file", same_file(s.status("open"), status_of(s, fd)));
}
