// SPDX-License-Identifier: BSD-2-Clause
// mkdir(2) and mkdirat(2).
#include "kinds.hpp"

using posix_suite::same_file;

POSIX_CASE("mkdir makes an empty directory with a link of its own") {
    s.passes("mkdir of a new name", ::mkdir(s.path("new").c_str(), 0755));
    const struct stat found = s.status("new");
    s.holds("it is a directory", S_ISDIR(found.st_mode));
    s.equal("its mode", found.st_mode & 07777, 0755);
    s.equal("it is empty", s.names("new").size(), 0);
    s.equal("its owner is the effective user", found.st_uid, ::geteuid());
    s.equal("its group is the effective group", found.st_gid, ::getegid());
    s.equal("its device is its parent's", found.st_dev, s.status(".").st_dev);
    s.holds("its number is not its parent's", found.st_ino != s.status(".").st_ino);
    s.holds("its parent lists it", s.names() == std::vector<std::string>{"new"});
    s.holds("its dot is itself", same_file(found, s.status("new/.")));
    s.holds("its dot dot is its parent", same_file(s.status("."), s.status("new/..")));
}

POSIX_CASE("mkdir refuses names that are there or cannot be") {
    s.make_directory("directory");
    s.write_file("file");
    make_link(s, "directory", "link");
    make_link(s, "absent", "dangling");
    make_link(s, "loop", "loop");
    make(s, "fifo", posix_suite::Kind::fifo);
    s.fails("mkdir of a directory's name", EEXIST, ::mkdir("directory", 0755));
    s.fails("mkdir of a file's name", EEXIST, ::mkdir("file", 0755));
    s.fails("mkdir of a fifo's name", EEXIST, ::mkdir("fifo", 0755));
    s.fails("mkdir of a symbolic link's name", EEXIST, ::mkdir("link", 0755));
    s.fails("mkdir of a dangling link's name", EEXIST, ::mkdir("dangling", 0755));
    s.fails("mkdir of a looping link's name", EEXIST, ::mkdir("loop", 0755));
    s.fails("mkdir of .", EEXIST, ::mkdir(".", 0755));
    s.fails("mkdir of ..", EEXIST, ::mkdir("..", 0755));
    s.fails("mkdir of directory/.", EEXIST, ::mkdir("directory/.", 0755));
    s.fails("mkdir of directory/..", EEXIST, ::mkdir("directory/..", 0755));
    s.fails("mkdir of the root", EEXIST, ::mkdir("/", 0755));
    s.fails("mkdir of an empty path", ENOENT, ::mkdir("", 0755));
    s.fails("mkdir below what is not there", ENOENT, ::mkdir("absent/new", 0755));
    s.fails("mkdir of absent/.", ENOENT, ::mkdir("absent/.", 0755));
    s.fails("mkdir below a file", ENOTDIR, ::mkdir("file/new", 0755));
    s.fails("mkdir below a fifo", ENOTDIR, ::mkdir("fifo/new", 0755));
    s.fails("mkdir below a dangling link", ENOENT, ::mkdir("dangling/new", 0755));
    s.fails("mkdir below a looping link", ELOOP, ::mkdir("loop/new", 0755));
    s.holds("no target of the dangling link was made", !is_there(s, "absent"));
    s.equal("the directory is still empty", s.names("directory").size(), 0);
    s.passes("mkdir below a link to a directory", ::mkdir("link/new", 0755));
    s.holds("it is in the link's target", is_there(s, "directory/new"));
    s.passes("mkdir of a name with a trailing slash", ::mkdir("slash/", 0755));
    s.passes("mkdir of a name with three trailing slashes", ::mkdir("slashes///", 0755));
    s.fails("mkdir of a directory with a trailing slash", EEXIST, ::mkdir("directory/", 0755));
}

POSIX_CASE("mkdir takes its mode from the argument and the umask") {
    const auto mode_of_new = [&](const char* name, mode_t mask, mode_t mode) {
        const mode_t before = ::umask(mask);
        s.make_directory(name, mode);
        ::umask(before);
        return s.status(name).st_mode & 07777;
    };
    s.equal("mode 0777 with umask 0", mode_of_new("a", 0, 0777), 0777);
    s.equal("mode 0777 with umask 022", mode_of_new("b", 022, 0777), 0755);
    s.equal("mode 0777 with umask 077", mode_of_new("c", 077, 0777), 0700);
    s.equal("mode 0777 with umask 0777", mode_of_new("d", 0777, 0777), 0);
    s.equal("mode 0 with umask 0", mode_of_new("e", 0, 0), 0);
    s.equal("mode 0151 with umask 0", mode_of_new("f", 0, 0151), 0151);
    s.equal("mode 0345 with umask 0", mode_of_new("g", 0, 0345), 0345);
    s.equal("mode 0700 with umask 0177", mode_of_new("h", 0177, 0700), 0600);
    s.equal("the sticky bit is kept", mode_of_new("i", 0, 01777), 01777);
    s.equal("no umask touches the sticky bit", mode_of_new("j", 0777, 01777), 01000);
    s.equal("the set-user bit is not kept", mode_of_new("k", 0, 04755), 0755);
}

POSIX_CASE("mkdir below a directory with the set-group bit inherits it") {
    s.make_directory("parent");
    s.need(::chmod("parent", 02755) == 0, "chmod");
    s.passes("mkdir below it", ::mkdir("parent/child", 0700));
    s.equal("the child has the bit", s.status("parent/child").st_mode & 07777, 02700);
    s.equal("the child has the parent's group", s.status("parent/child").st_gid, s.status("parent").st_gid);
    s.write_file("parent/file");
    s.equal("a file has not the bit", s.status("parent/file").st_mode & 07777, 0644);
}

POSIX_CASE("mkdirat makes a directory below a descriptor") {
    s.make_directory("base");
    s.write_file("file");
    const int base = open_for(s, "base", O_RDONLY | O_DIRECTORY);
    const int path = open_for(s, "base", O_PATH);
    const int file = open_for(s, "file", O_RDONLY);
    s.passes("mkdirat of a new name", ::mkdirat(base, "one", 0750));
    s.equal("the mode of mkdirat's directory", s.status("base/one").st_mode & 07777, 0750);
    s.passes("mkdirat below a descriptor of O_PATH", ::mkdirat(path, "two", 0755));
    s.passes("mkdirat of a longer path", ::mkdirat(base, "one/three", 0755));
    s.passes("mkdirat of an absolute path ignores the descriptor", ::mkdirat(-1, s.path("four").c_str(), 0755));
    s.passes("mkdirat of AT_FDCWD", ::mkdirat(AT_FDCWD, "five", 0755));
    s.passes("mkdirat of ../ leaves the base", ::mkdirat(base, "../six", 0755));
    s.holds("all of them are where they should be",
            is_there(s, "base/two") && is_there(s, "base/one/three") && is_there(s, "four") && is_there(s, "six"));
    s.fails("mkdirat of a name that is there", EEXIST, ::mkdirat(base, "one", 0755));
    s.fails("mkdirat of an empty path", ENOENT, ::mkdirat(base, "", 0755));
    s.fails("mkdirat below a file's descriptor", ENOTDIR, ::mkdirat(file, "new", 0755));
    s.fails("mkdirat below no descriptor", EBADF, ::mkdirat(-1, "new", 0755));
    s.need(::unlinkat(base, "two", AT_REMOVEDIR) == 0, "rmdir");
    s.need(::rename("base", "moved") == 0, "rename");
    s.passes("mkdirat below a directory that was moved", ::mkdirat(base, "seven", 0755));
    s.holds("it is below the new name", is_there(s, "moved/seven"));
}
