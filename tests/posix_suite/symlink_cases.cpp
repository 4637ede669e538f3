// SPDX-License-Identifier: BSD-2-Clause
// symlink(2), readlink(2), and how links are followed.
#include "kinds.hpp"

#include <algorithm>
#include <climits>

using posix_suite::Kind;
using posix_suite::same_file;

POSIX_CASE("symlink makes a link with a text") {
    s.passes("symlink to a name that is not there", ::symlink("target", "link"));
    const struct stat found = s.status("link");
    s.holds("lstat finds a link", S_ISLNK(found.st_mode));
    s.equal("its size is its text's length", found.st_size, 6);
    s.equal("its mode is 0777", found.st_mode & 07777, 0777);
    s.equal("it has one link", found.st_nlink, 1);
    s.equal("its owner is the effective user", found.st_uid, ::geteuid());
    s.equal("its group is the effective group", found.st_gid, ::getegid());
    s.equal("readlink reads its text", target_of(s, "link"), "target");
    struct stat target{};
    s.fails("stat of it finds nothing", ENOENT, ::stat("link", &target));
    s.write_file("target", "content");
    s.passes("stat of it finds the target made later", ::stat("link", &target));
    s.holds("that is the target", same_file(target, s.status("target")));
    s.equal("read through it", s.read_file("link"), "content");
    s.passes("unlink of the target", ::unlink("target"));
    s.holds("the link stays", S_ISLNK(s.status("link").st_mode));
    const mode_t before = ::umask(0777);
    s.passes("symlink with umask 0777", ::symlink("x", "masked"));
    ::umask(before);
    s.equal("the umask does not touch its mode", s.status("masked").st_mode & 07777, 0777);
}

POSIX_CASE("symlink keeps its text as it is") {
    const auto keeps = [&](const char* name, const std::string& text,
                           posix_suite::Place at = posix_suite::Place::here()) {
        s.need(::symlink(text.c_str(), name) == 0, name);
        s.equal(std::string("the text of ") + name, target_of(s, name), text, at);
    };
    keeps("dot", ".");
    keeps("dotdot", "..");
    keeps("root", "/");
    keeps("slashes", "///a///b///");
    keeps("dots", "./a/../b/.");
    keeps("trailing", "directory/");
    keeps("space", " ");
    keeps("newline", "a\nb\n");
    keeps("invalid", "\xff\xfe\x80");
    keeps("itself", "itself");
    keeps("absolute", "/no/such/place");
    keeps("byte", "\x01");
    keeps("percent", "%s%n");
    keeps("backslash", "a\\b");
}

POSIX_CASE("symlink keeps texts of each length") {
    const auto keeps = [&](std::size_t length, posix_suite::Place at = posix_suite::Place::here()) {
        const std::string name = "length " + std::to_string(length);
        std::string text;
        while (text.size() < length) text += std::string(std::min<std::size_t>(200, length - text.size()), 'x') + "/";
        text.resize(length);
        s.need(::symlink(text.c_str(), name.c_str()) == 0, name);
        s.holds(name, target_of(s, name) == text && s.status(name).st_size == static_cast<off_t>(length), at);
    };
    keeps(1);
    keeps(15);
    keeps(16);
    keeps(59); // ext4 keeps texts shorter than 60 bytes in the inode
    keeps(60);
    keeps(61);
    keeps(127);
    keeps(128);
    keeps(255);
    keeps(256);
    keeps(1023);
    keeps(1024);
    keeps(4000);
    keeps(PATH_MAX - 2);
    keeps(PATH_MAX - 1);
    const std::string long_text(PATH_MAX, 'x');
    s.fails("symlink of a text of PATH_MAX", ENAMETOOLONG, ::symlink(long_text.c_str(), "long"));
    s.fails("symlink of a text of 2 PATH_MAX", ENAMETOOLONG, ::symlink((long_text + long_text).c_str(), "long"));
    s.fails("symlink of an empty text", ENOENT, ::symlink("", "empty"));
    s.holds("none was made", !is_there(s, "long") && !is_there(s, "empty"));
}

POSIX_CASE("symlink refuses names that are there and wrong paths") {
    make(s, "file", Kind::file);
    make(s, "directory", Kind::empty_directory);
    make(s, "link", Kind::link_to_file);
    make(s, "dangling", Kind::dangling);
    make_link(s, "loop", "loop");
    s.fails("symlink onto a file", EEXIST, ::symlink("t", "file"));
    s.fails("symlink onto a directory", EEXIST, ::symlink("t", "directory"));
    s.fails("symlink onto a directory with a slash", EEXIST, ::symlink("t", "directory/"));
    s.fails("symlink onto a link", EEXIST, ::symlink("t", "link"));
    s.fails("symlink onto a dangling link", EEXIST, ::symlink("t", "dangling"));
    s.fails("symlink onto a dot", EEXIST, ::symlink("t", "."));
    s.fails("symlink onto dot dot", EEXIST, ::symlink("t", ".."));
    s.fails("symlink below a file", ENOTDIR, ::symlink("t", "file/new"));
    s.fails("symlink below an absent name", ENOENT, ::symlink("t", "absent/new"));
    s.fails("symlink below a looping link", ELOOP, ::symlink("t", "loop/new"));
    s.fails("symlink of an empty name", ENOENT, ::symlink("t", ""));
    s.fails("symlink of a new name with a slash", {ENOENT, ENOTDIR}, ::symlink("t", "new/"));
    s.equal("the link keeps its text", target_of(s, "link"), "link.target");
    s.equal("the dangling link keeps its text", target_of(s, "dangling"), "dangling.target");
}

POSIX_CASE("symlinkat makes a link below a descriptor") {
    s.make_directory("base");
    s.write_file("file");
    const int base = open_for(s, "base", O_RDONLY | O_DIRECTORY);
    const int file = open_for(s, "file", O_RDONLY);
    char text[16];
    s.passes("symlinkat of a new name", ::symlinkat("../file", base, "link"));
    s.equal("readlinkat reads its text", ::readlinkat(base, "link", text, sizeof text), 7);
    struct stat found{};
    s.passes("fstatat follows it from its own directory", ::fstatat(base, "link", &found, 0));
    s.holds("fstatat finds the target", same_file(found, s.status("file")));
    s.passes("fstatat without following", ::fstatat(base, "link", &found, AT_SYMLINK_NOFOLLOW));
    s.holds("fstatat finds the link", S_ISLNK(found.st_mode));
    s.passes("symlinkat of an absolute path ignores the descriptor", ::symlinkat("t", -1, s.path("other").c_str()));
    s.passes("symlinkat of AT_FDCWD", ::symlinkat("t", AT_FDCWD, "third"));
    s.fails("symlinkat of a name that is there", EEXIST, ::symlinkat("t", base, "link"));
    s.fails("symlinkat below a file's descriptor", ENOTDIR, ::symlinkat("t", file, "new"));
    s.fails("symlinkat below no descriptor", EBADF, ::symlinkat("t", -1, "new"));
    s.fails("readlinkat below a file's descriptor", ENOTDIR, ::readlinkat(file, "name", text, sizeof text));
    s.fails("readlinkat below no descriptor", EBADF, ::readlinkat(-1, "link", text, sizeof text));
    s.fails("readlinkat of an absent name", ENOENT, ::readlinkat(base, "absent", text, sizeof text));
}

POSIX_CASE("readlink fills the buffer and no more") {
    make_link(s, "0123456789", "link");
    char buffer[16];
    const auto read = [&](std::size_t size) {
        std::fill(buffer, buffer + sizeof buffer, '#');
        return ::readlink("link", buffer, size);
    };
    s.equal("readlink into a larger buffer", read(16), 10);
    s.equal("it writes the text without an end", std::string(buffer, 11), "0123456789#");
    s.equal("readlink into a buffer of its size", read(10), 10);
    s.equal("it writes all of the text", std::string(buffer, 11), "0123456789#");
    s.equal("readlink into a smaller buffer", read(9), 9);
    s.equal("it writes a part of the text", std::string(buffer, 11), "012345678##");
    s.equal("readlink into a buffer of one byte", read(1), 1);
    s.equal("it writes one byte", std::string(buffer, 3), "0##");
    s.fails("readlink into a buffer of no bytes", EINVAL, read(0));
}

POSIX_CASE("readlink reads links only") {
    make(s, "file", Kind::file);
    make(s, "directory", Kind::empty_directory);
    make(s, "fifo", Kind::fifo);
    make(s, "link", Kind::link_to_directory);
    make(s, "dangling", Kind::dangling);
    make_link(s, "loop", "loop");
    make_link(s, "link", "chain");
    char buffer[64];
    s.fails("readlink of a file", EINVAL, ::readlink("file", buffer, sizeof buffer));
    s.fails("readlink of a directory", EINVAL, ::readlink("directory", buffer, sizeof buffer));
    s.fails("readlink of a dot", EINVAL, ::readlink(".", buffer, sizeof buffer));
    s.fails("readlink of a fifo", EINVAL, ::readlink("fifo", buffer, sizeof buffer));
    s.fails("readlink of a link to a directory with a slash", EINVAL, ::readlink("link/", buffer, sizeof buffer));
    s.fails("readlink of an absent name", ENOENT, ::readlink("absent", buffer, sizeof buffer));
    s.fails("readlink below a file", ENOTDIR, ::readlink("file/name", buffer, sizeof buffer));
    s.fails("readlink of a file with a slash", ENOTDIR, ::readlink("file/", buffer, sizeof buffer));
    s.fails("readlink of an empty path", ENOENT, ::readlink("", buffer, sizeof buffer));
    s.fails("readlink below a looping link", ELOOP, ::readlink("loop/name", buffer, sizeof buffer));
    s.equal("readlink of a dangling link", ::readlink("dangling", buffer, sizeof buffer), 15);
    s.equal("readlink of a looping link", ::readlink("loop", buffer, sizeof buffer), 4);
    s.equal("readlink of a link to a link reads the first", target_of(s, "chain"), "link");
}

POSIX_CASE("links are followed, but not without end") {
    s.write_file("l0", "content");
    for (int i = 1; i <= 41; ++i) make_link(s, "l" + std::to_string(i - 1), "l" + std::to_string(i));
    make_link(s, "self", "self");
    make_link(s, "two", "one");
    make_link(s, "one", "two");
    make_link(s, "deep/name", "deep");
    make_link(s, ".", "here");
    struct stat found{};
    s.passes("stat through 8 links", ::stat("l8", &found));
    s.passes("stat through 40 links", ::stat("l40", &found));
    s.holds("stat finds the end of the chain", same_file(found, s.status("l0")));
    s.fails("stat through 41 links", ELOOP, ::stat("l41", &found));
    s.fails("open through 41 links", ELOOP, ::open("l41", O_RDONLY));
    s.passes("lstat of the 41st link", ::lstat("l41", &found));
    s.fails("stat of a link to itself", ELOOP, ::stat("self", &found));
    s.fails("stat of two links to each other", ELOOP, ::stat("one", &found));
    s.fails("stat of a link to what is below it", ELOOP, ::stat("deep", &found));
    s.fails("open of a link to itself", ELOOP, ::open("self", O_RDONLY));
    s.fails("open with O_CREAT of a link to itself", ELOOP, ::open("self", O_RDWR | O_CREAT, 0644));
    s.fails("truncate of a link to itself", ELOOP, ::truncate("self", 0));
    s.fails("chmod of a link to itself", ELOOP, ::chmod("self", 0644));
    s.fails("access of a link to itself", ELOOP, ::access("self", F_OK));
    s.fails("chdir to a link to itself", ELOOP, ::chdir("self"));
    s.fails("open with O_DIRECTORY of a link to itself", ELOOP, ::open("self", O_RDONLY | O_DIRECTORY));
    s.fails("stat below a link to itself", ELOOP, ::stat("self/name", &found));
    s.passes("stat through a link to a dot 8 times", ::stat("here/here/here/here/here/here/here/here/l0", &found));
    std::string path;
    for (int i = 0; i < 41; ++i) path += "here/";
    s.fails("stat through a link to a dot 41 times", ELOOP, ::stat((path + "l0").c_str(), &found));
    s.passes("unlink of a link to itself", ::unlink("self"));
    s.passes("rename of a looping link", ::rename("one", "three"));
    s.fails("stat of a chain whose end is gone", ENOENT, ::stat("three", &found) == -1 ? ::stat("two", &found) : 0);
}

POSIX_CASE("links are followed from where they are") {
    s.make_directory("a");
    s.make_directory("a/b");
    s.write_file("a/file", "in a");
    s.write_file("file", "outside");
    make_link(s, "../file", "a/b/up");
    make_link(s, "file", "a/near");
    make_link(s, "../../file", "a/b/far");
    make_link(s, s.path("file"), "a/absolute");
    make_link(s, "a/b", "jump");
    make_link(s, "a/b/", "slash");
    make_link(s, "a/file/", "wrong");
    struct stat found{};
    s.equal("a link up finds its directory's parent", s.read_file("a/b/up"), "in a");
    s.equal("a link to a name finds it beside itself", s.read_file("a/near"), "in a");
    s.equal("a link two up finds the grandparent's", s.read_file("a/b/far"), "outside");
    s.equal("an absolute link finds its target", s.read_file("a/absolute"), "outside");
    s.equal("dot dot after a link is the target's parent", s.read_file("jump/../file"), "in a");
    s.passes("stat of a link whose text ends with a slash", ::stat("slash", &found));
    s.holds("it finds the directory", same_file(found, s.status("a/b")));
    s.fails("stat of a link to a file with a slash", ENOTDIR, ::stat("wrong", &found));
    s.fails("stat of a link to a file, with a slash of its own", ENOTDIR, ::stat("a/near/", &found));
    s.passes("lstat of a link to a directory with a slash", ::lstat("jump/", &found));
    s.holds("lstat finds the directory", S_ISDIR(found.st_mode));
    s.need(::rename("a/near", "near") == 0, "rename");
    s.equal("a link that was moved finds what is beside it now", s.read_file("near"), "outside");
    s.need(::rename("a", "moved") == 0, "rename");
    s.fails("a link to a directory that was moved dangles", ENOENT, ::stat("jump", &found));
}
