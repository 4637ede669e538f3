// SPDX-License-Identifier: BSD-2-Clause
// rmdir(2), unlinkat(2) with AT_REMOVEDIR, and what is left of a directory that was removed while it is open.
#include "kinds.hpp"

#include <dirent.h>

using posix_suite::Kind;
using posix_suite::same_file;

POSIX_CASE("rmdir removes an empty directory") {
    s.make_directory("directory");
    s.passes("rmdir of an empty directory", ::rmdir("directory"));
    s.holds("it is gone", !is_there(s, "directory"));
    s.fails("rmdir of it again", ENOENT, ::rmdir("directory"));
    s.passes("mkdir of the name again", ::mkdir("directory", 0700));
    s.passes("rmdir with a trailing slash", ::rmdir("directory/"));
    s.make_directory("directory", 0);
    s.passes("rmdir of a directory of mode 0", ::rmdir("directory"));
    s.make_directory("directory");
    s.write_file("directory/file");
    s.need(::unlink("directory/file") == 0, "unlink");
    s.passes("rmdir of a directory that was emptied", ::rmdir("directory"));
    s.make_directory("directory");
    s.passes("rmdir through dot dot", ::rmdir("directory/../directory"));
    s.equal("nothing is left", s.names().size(), 0);
}

POSIX_CASE("rmdir refuses what is no empty directory") {
    make(s, "file", Kind::file);
    make(s, "fifo", Kind::fifo);
    make(s, "full", Kind::full_directory);
    make(s, "link", Kind::link_to_directory);
    make(s, "dangling", Kind::dangling);
    s.make_directory("outer");
    s.make_directory("outer/inner");
    s.make_directory("hidden");
    s.write_file("hidden/.name");
    s.make_directory("linked");
    make_link(s, "absent", "linked/dangling");
    s.fails("rmdir of a file", ENOTDIR, ::rmdir("file"));
    s.fails("rmdir of a fifo", ENOTDIR, ::rmdir("fifo"));
    s.fails("rmdir of a link to a directory", ENOTDIR, ::rmdir("link"));
    s.fails("rmdir of a link to a directory with a slash", ENOTDIR, ::rmdir("link/"));
    s.fails("rmdir of a dangling link", ENOTDIR, ::rmdir("dangling"));
    s.fails("rmdir of a directory with a file", {ENOTEMPTY, EEXIST}, ::rmdir("full"));
    s.fails("rmdir of a directory with a directory", {ENOTEMPTY, EEXIST}, ::rmdir("outer"));
    s.fails("rmdir of a directory with a hidden file", {ENOTEMPTY, EEXIST}, ::rmdir("hidden"));
    s.fails("rmdir of a directory with a dangling link", {ENOTEMPTY, EEXIST}, ::rmdir("linked"));
    s.fails("rmdir of a last component of a dot", EINVAL, ::rmdir("outer/inner/."));
    s.fails("rmdir of a dot", EINVAL, ::rmdir("."));
    s.fails("rmdir of a dot with a slash", EINVAL, ::rmdir("./"));
    s.fails("rmdir of dot dot", {ENOTEMPTY, EEXIST}, ::rmdir(".."));
    s.fails("rmdir of a last component of dot dot", {ENOTEMPTY, EEXIST}, ::rmdir("outer/inner/.."));
    s.fails("rmdir of an absent name", ENOENT, ::rmdir("absent"));
    s.fails("rmdir below an absent name", ENOENT, ::rmdir("absent/name"));
    s.fails("rmdir below a file", ENOTDIR, ::rmdir("file/name"));
    s.fails("rmdir of a file with a slash", ENOTDIR, ::rmdir("file/"));
    s.fails("rmdir of an empty path", ENOENT, ::rmdir(""));
    s.holds("the file is still there", is_there(s, "file"));
    s.holds("the link is still there", is_there(s, "link"));
    s.holds("the full directory is as it was", s.names("full") == std::vector<std::string>{"inside"});
    s.passes("rmdir below a link to a directory", ::mkdir("link/child", 0755) == 0 ? ::rmdir("link/child") : -1);
}

POSIX_CASE("unlinkat with AT_REMOVEDIR is rmdir") {
    make(s, "file", Kind::file);
    make(s, "empty", Kind::empty_directory);
    make(s, "full", Kind::full_directory);
    make(s, "link", Kind::link_to_directory);
    s.make_directory("full/child");
    const int here = open_for(s, ".", O_RDONLY | O_DIRECTORY);
    const int full = open_for(s, "full", O_PATH);
    const int file = open_for(s, "file", O_RDONLY);
    s.fails("unlinkat of a full directory", {ENOTEMPTY, EEXIST}, ::unlinkat(here, "full", AT_REMOVEDIR));
    s.fails("unlinkat of a file", ENOTDIR, ::unlinkat(here, "file", AT_REMOVEDIR));
    s.fails("unlinkat of a link", ENOTDIR, ::unlinkat(here, "link", AT_REMOVEDIR));
    s.fails("unlinkat of a dot", EINVAL, ::unlinkat(here, ".", AT_REMOVEDIR));
    s.fails("unlinkat of an absent name", ENOENT, ::unlinkat(here, "absent", AT_REMOVEDIR));
    s.fails("unlinkat below a file's descriptor", ENOTDIR, ::unlinkat(file, "empty", AT_REMOVEDIR));
    s.fails("unlinkat below no descriptor", EBADF, ::unlinkat(-1, "empty", AT_REMOVEDIR));
    s.fails("unlinkat with a flag it does not know", EINVAL, ::unlinkat(here, "empty", AT_REMOVEDIR | 1));
    s.passes("unlinkat of an empty directory", ::unlinkat(here, "empty", AT_REMOVEDIR));
    s.passes("unlinkat below a descriptor of O_PATH", ::unlinkat(full, "child", AT_REMOVEDIR));
    s.holds("both are gone", !is_there(s, "empty") && !is_there(s, "full/child"));
}

POSIX_CASE("a removed directory lives while it is open, and takes no entries") {
    s.make_directory("directory", 0750);
    const int fd = open_for(s, "directory", O_RDONLY | O_DIRECTORY);
    DIR* const stream = ::opendir("directory");
    s.need(stream != nullptr, "opendir");
    const struct stat before = status_of(s, fd);
    s.passes("rmdir of an open directory", ::rmdir("directory"));
    const struct stat after = status_of(s, fd);
    s.holds("fstat finds the same directory", same_file(before, after));
    s.equal("its mode is what it was", after.st_mode, before.st_mode);
    s.equal("it has no link", after.st_nlink, 0);
    s.fails("openat of a new file in it", ENOENT, ::openat(fd, "file", O_RDWR | O_CREAT, 0644));
    s.fails("mkdirat in it", ENOENT, ::mkdirat(fd, "directory", 0755));
    s.fails("symlinkat in it", ENOENT, ::symlinkat("target", fd, "link"));
    s.fails("mknodat in it", ENOENT, ::mknodat(fd, "fifo", S_IFIFO | 0644, 0));
    s.write_file("outside");
    s.fails("linkat into it", ENOENT, ::linkat(AT_FDCWD, "outside", fd, "link", 0));
    s.fails("renameat into it", ENOENT, ::renameat(AT_FDCWD, "outside", fd, "name"));
    s.fails("openat of an absent file in it", ENOENT, ::openat(fd, "file", O_RDONLY));
    s.holds("readdir finds no entry in it", ::readdir(stream) == nullptr);
    s.passes("fchmod of it", ::fchmod(fd, 0700));
    s.equal("fstat shows the new mode", status_of(s, fd).st_mode & 07777, 0700);
    s.passes("mkdir of the same name", ::mkdir("directory", 0755));
    s.equal("the old one still has no link", status_of(s, fd).st_nlink, 0);
    s.write_file("directory/file");
    s.fails("openat of the new one's file in the old one", ENOENT, ::openat(fd, "file", O_RDONLY));
    s.holds("the new one is another", !same_file(s.status("directory"), status_of(s, fd)));
    s.passes("closedir of the removed one", ::closedir(stream));
    s.passes("close of the removed one", ::close(fd));
}

POSIX_CASE("the working directory can be removed") {
    s.make_directory("work");
    s.need(::chdir("work") == 0, "chdir");
    struct stat found{};
    char buffer[4096];
    s.passes("rmdir of the working directory by its path", ::rmdir(s.path("work").c_str()));
    s.passes("stat of a dot in it", ::stat(".", &found));
    s.equal("the dot has no link", found.st_nlink, 0);
    s.fails("open of a new file in it", ENOENT, ::open("file", O_RDWR | O_CREAT, 0644));
    s.fails("mkdir in it", ENOENT, ::mkdir("directory", 0755));
    s.fails("getcwd in it", ENOENT, ::getcwd(buffer, sizeof buffer) == nullptr ? -1 : 0);
    s.fails("rmdir of its path again", ENOENT, ::rmdir(s.path("work").c_str()));
    s.passes("chdir to its parent's path", ::chdir(s.directory().c_str()));
    s.equal("the parent is empty", s.names().size(), 0);
}
