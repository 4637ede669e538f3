// SPDX-License-Identifier: BSD-2-Clause
// Paths are resolved: dots, slashes, what is no directory, and PATH_MAX.
#include "kinds.hpp"

#include <climits>

using posix_suite::Kind;
using posix_suite::same_file;

POSIX_CASE("dots and slashes within a path") {
    s.make_directory("a");
    s.make_directory("a/b");
    s.write_file("a/b/file");
    s.write_file("file");
    const struct stat file = s.status("a/b/file");
    const struct stat b = s.status("a/b");
    struct stat found{};
    const auto finds = [&](const struct stat& wanted, const std::string& path) {
        return ::stat(path.c_str(), &found) == 0 && same_file(found, wanted);
    };
    s.holds("a dot before", finds(file, "./a/b/file"));
    s.holds("a dot within", finds(file, "a/./b/./file"));
    s.holds("many dots", finds(file, "./././a/././b/././file"));
    s.holds("two slashes", finds(file, "a//b//file"));
    s.holds("many slashes", finds(file, "a//////b/////////file"));
    s.holds("slashes and dots", finds(file, ".//.//a//.//b/./file"));
    s.holds("dot dot back", finds(file, "a/../a/b/file"));
    s.holds("dot dot twice", finds(file, "a/b/../../a/b/file"));
    s.holds("dot dot of a child", finds(b, "a/b/../b"));
    s.holds("dot at the end", finds(b, "a/b/."));
    s.holds("dots at the end", finds(b, "a/b/././."));
    s.holds("a slash at the end", finds(b, "a/b/"));
    s.holds("slashes at the end", finds(b, "a/b///"));
    s.holds("a dot and a slash at the end", finds(b, "a/b/./"));
    s.holds("dot dot at the end", finds(s.status("a"), "a/b/.."));
    s.holds("dot dot and a slash at the end", finds(s.status("a"), "a/b/../"));
    s.holds("dot dot up and down", finds(s.status("."), "a/b/../.."));
    s.holds("an absolute path", finds(file, s.path("a/b/file")));
    s.holds("an absolute path with two slashes within", finds(file, s.path("/a//b/file")));
    s.holds("an absolute path with three slashes before", finds(file, "//" + s.path("a/b/file")));
    s.holds("dot dot of the root is the root", finds(file, "/../.." + s.path("a/b/file")));
    s.holds("three dots are no dot dot", ::stat("a/...", &found) == -1 && errno == ENOENT);
    s.fails("dot dot of an absent name", ENOENT, ::stat("absent/..", &found));
    s.fails("dot dot of an absent name before a file", ENOENT, ::stat("absent/../file", &found));
    s.fails("dot dot of a file", ENOTDIR, ::stat("file/..", &found));
    s.fails("dot of a file", ENOTDIR, ::stat("file/.", &found));
    s.fails("dot dot of a file before a file", ENOTDIR, ::stat("file/../file", &found));
    s.fails("an empty path", ENOENT, ::stat("", &found));
    s.need(::chdir("a/b") == 0, "chdir");
    s.holds("dot dot from below", finds(s.status("file"), "../../file"));
    s.holds("a dot from below", finds(b, "."));
}

POSIX_CASE("a file is no directory for each call") {
    s.write_file("file");
    s.write_file("other");
    char text[16];
    struct stat found{};
    const timespec times[2] = {};
    s.fails("stat", ENOTDIR, ::stat("file/name", &found));
    s.fails("lstat", ENOTDIR, ::lstat("file/name", &found));
    s.fails("access", ENOTDIR, ::access("file/name", F_OK));
    s.fails("open", ENOTDIR, ::open("file/name", O_RDONLY));
    s.fails("open with O_CREAT and O_EXCL", ENOTDIR, ::open("file/name", O_RDWR | O_CREAT | O_EXCL, 0644));
    s.fails("mkdir", ENOTDIR, ::mkdir("file/name", 0755));
    s.fails("rmdir", ENOTDIR, ::rmdir("file/name"));
    s.fails("unlink", ENOTDIR, ::unlink("file/name"));
    s.fails("link from it", ENOTDIR, ::link("file/name", "new"));
    s.fails("link to it", ENOTDIR, ::link("other", "file/name"));
    s.fails("rename from it", ENOTDIR, ::rename("file/name", "new"));
    s.fails("rename to it", ENOTDIR, ::rename("other", "file/name"));
    s.fails("symlink", ENOTDIR, ::symlink("other", "file/name"));
    s.fails("readlink", ENOTDIR, ::readlink("file/name", text, sizeof text));
    s.fails("mkfifo", ENOTDIR, ::mkfifo("file/name", 0644));
    s.fails("truncate", ENOTDIR, ::truncate("file/name", 0));
    s.fails("chmod", ENOTDIR, ::chmod("file/name", 0644));
    s.fails("chown", ENOTDIR, ::chown("file/name", ::geteuid(), ::getegid()));
    s.fails("lchown", ENOTDIR, ::lchown("file/name", ::geteuid(), ::getegid()));
    s.fails("utimensat", ENOTDIR, ::utimensat(AT_FDCWD, "file/name", times, 0));
    s.fails("chdir below it", ENOTDIR, ::chdir("file/name"));
    s.fails("chdir to it", ENOTDIR, ::chdir("file"));
    s.fails("stat two below it", ENOTDIR, ::stat("file/name/other", &found));
    s.equal("the file is as it was", s.status("file").st_nlink, 1);
}

POSIX_CASE("a slash after a file makes each call fail") {
    s.write_file("file", "content");
    s.make_directory("directory");
    make_link(s, "file", "link");
    struct stat found{};
    const timespec times[2] = {};
    s.fails("stat of a file", ENOTDIR, ::stat("file/", &found));
    s.fails("lstat of a file", ENOTDIR, ::lstat("file/", &found));
    s.fails("stat of a link to a file", ENOTDIR, ::stat("link/", &found));
    s.fails("lstat of a link to a file", ENOTDIR, ::lstat("link/", &found));
    s.fails("access of a file", ENOTDIR, ::access("file/", F_OK));
    s.fails("open of a file for writing", ENOTDIR, ::open("file/", O_WRONLY));
    s.fails("open of a link to a file", ENOTDIR, ::open("link/", O_RDONLY));
    s.fails("open of a file with O_PATH", ENOTDIR, ::open("file/", O_PATH));
    s.fails("open of a file with O_CREAT", {ENOTDIR, EISDIR}, ::open("file/", O_RDWR | O_CREAT, 0644));
    s.fails("truncate of a file", ENOTDIR, ::truncate("file/", 0));
    s.fails("chmod of a file", ENOTDIR, ::chmod("file/", 0600));
    s.fails("chown of a file", ENOTDIR, ::chown("file/", ::geteuid(), ::getegid()));
    s.fails("lchown of a link to a file", ENOTDIR, ::lchown("link/", ::geteuid(), ::getegid()));
    s.fails("utimensat of a file", ENOTDIR, ::utimensat(AT_FDCWD, "file/", times, 0));
    s.fails("unlink of a link to a file", ENOTDIR, ::unlink("link/"));
    s.fails("rename of a link to a file", ENOTDIR, ::rename("link/", "new"));
    s.fails("rename of a directory onto a file", ENOTDIR, ::rename("directory", "file/"));
    s.fails("rmdir of a link to a file", ENOTDIR, ::rmdir("link/"));
    s.fails("mkdir of a file's name", {EEXIST, ENOTDIR}, ::mkdir("file/", 0755));
    s.fails("mkfifo of a file's name", {EEXIST, ENOTDIR}, ::mkfifo("file/", 0644));
    s.fails("mkfifo of a new name", {ENOENT, ENOTDIR}, ::mkfifo("new/", 0644));
    s.fails("mknod of a new name", {ENOENT, ENOTDIR}, ::mknod("new/", S_IFREG | 0644, 0));
    s.equal("the file is as it was", s.read_file("file"), "content");
    s.equal("nothing was made", s.names().size(), 3);
}

POSIX_CASE("a slash after a directory changes nothing for most calls") {
    s.make_directory("directory");
    make_link(s, "directory", "link");
    struct stat found{};
    const timespec times[2] = {};
    s.passes("stat", ::stat("directory/", &found));
    s.passes("lstat", ::lstat("directory/", &found));
    s.passes("access", ::access("directory/", F_OK));
    s.passes("chmod", ::chmod("directory/", 0700));
    s.passes("chown", ::chown("directory/", ::geteuid(), ::getegid()));
    s.passes("utimensat", ::utimensat(AT_FDCWD, "directory/", times, 0));
    s.passes("chdir", ::chdir("directory/"));
    s.passes("chdir back", ::chdir("..//"));
    s.passes("lstat of a link", ::lstat("link/", &found));
    s.holds("it is the directory", S_ISDIR(found.st_mode));
    s.passes("chmod of a link", ::chmod("link/", 0711));
    s.equal("the directory has the mode", s.status("directory").st_mode & 07777, 0711);
    s.passes("utimensat of a link without following", ::utimensat(AT_FDCWD, "link/", times, AT_SYMLINK_NOFOLLOW));
    s.passes("mkdir below a link", ::mkdir("link//new/", 0755));
    s.passes("rmdir below a link", ::rmdir("link//new/"));
    s.passes("open with O_DIRECTORY and O_NOFOLLOW of a link", ::open("link/", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
}

POSIX_CASE("what is absent is absent for each call") {
    char text[16];
    struct stat found{};
    const timespec times[2] = {};
    make_link(s, "absent", "link");
    s.fails("stat", ENOENT, ::stat("absent", &found));
    s.fails("lstat", ENOENT, ::lstat("absent", &found));
    s.fails("stat of a dangling link", ENOENT, ::stat("link", &found));
    s.fails("stat of a dangling link with a slash", ENOENT, ::stat("link/", &found));
    s.fails("access", ENOENT, ::access("absent", F_OK));
    s.fails("access of a dangling link", ENOENT, ::access("link", F_OK));
    s.passes("access of a dangling link itself", ::faccessat(AT_FDCWD, "link", F_OK, AT_SYMLINK_NOFOLLOW));
    s.fails("truncate", ENOENT, ::truncate("absent", 0));
    s.fails("truncate of a dangling link", ENOENT, ::truncate("link", 0));
    s.fails("chmod", ENOENT, ::chmod("absent", 0644));
    s.fails("chmod of a dangling link", ENOENT, ::chmod("link", 0644));
    s.fails("chown of a dangling link", ENOENT, ::chown("link", ::geteuid(), ::getegid()));
    s.passes("lchown of a dangling link", ::lchown("link", ::geteuid(), ::getegid()));
    s.fails("utimensat of a dangling link", ENOENT, ::utimensat(AT_FDCWD, "link", times, 0));
    s.passes("utimensat of a dangling link itself", ::utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW));
    s.fails("chdir", ENOENT, ::chdir("absent"));
    s.fails("chdir to a dangling link", ENOENT, ::chdir("link"));
    s.fails("readlink", ENOENT, ::readlink("absent", text, sizeof text));
    s.fails("chdir to an empty path", ENOENT, ::chdir(""));
    s.fails("chmod of an empty path", ENOENT, ::chmod("", 0644));
    s.fails("truncate of an empty path", ENOENT, ::truncate("", 0));
    s.fails("access of an empty path", ENOENT, ::access("", F_OK));
}

POSIX_CASE("a path may have PATH_MAX - 1 bytes") {
    s.make_directory("d");
    s.write_file("d/file");
    struct stat found{};
    const auto path_of = [](std::size_t length, const std::string& end) {
        std::string path(length - end.size(), '/');
        for (std::size_t i = 0; i + 1 < path.size(); i += 2) path[i] = '.';
        if (path.size() % 2 == 1) path[path.size() - 1] = '/';
        return path + end;
    };
    s.passes("stat of a path of 4,000 bytes", ::stat(path_of(4000, "d/file").c_str(), &found));
    s.passes("stat of a path of PATH_MAX - 1", ::stat(path_of(PATH_MAX - 1, "d/file").c_str(), &found));
    s.holds("it finds the file", same_file(found, s.status("d/file")));
    s.fails("stat of a path of PATH_MAX", ENAMETOOLONG, ::stat(path_of(PATH_MAX, "d/file").c_str(), &found));
    s.fails("stat of a path of 2 PATH_MAX", ENAMETOOLONG, ::stat(path_of(2 * PATH_MAX, "d/file").c_str(), &found));
    const std::string longest = path_of(PATH_MAX - 1, "d/new");
    const std::string too_long = path_of(PATH_MAX, "d/new");
    s.passes("open with O_CREAT of the longest", ::open(longest.c_str(), O_RDWR | O_CREAT, 0644));
    s.fails("open with O_CREAT of a longer one", ENAMETOOLONG, ::open(too_long.c_str(), O_RDWR | O_CREAT, 0644));
    s.passes("unlink of the longest", ::unlink(longest.c_str()));
    s.fails("unlink of a longer one", ENAMETOOLONG, ::unlink(too_long.c_str()));
    s.passes("mkdir of the longest", ::mkdir(longest.c_str(), 0755));
    s.fails("mkdir of a longer one", ENAMETOOLONG, ::mkdir(too_long.c_str(), 0755));
    s.passes("rename of the longest", ::rename(longest.c_str(), "d/other"));
    s.fails("rename to a longer one", ENAMETOOLONG, ::rename("d/other", too_long.c_str()));
    s.passes("symlink to the longest path", ::symlink(path_of(PATH_MAX - 1, "d/file").c_str(), "link"));
    s.passes("stat through a link to the longest path", ::stat("link", &found));
    s.fails("chdir to a longer one", ENAMETOOLONG, ::chdir(too_long.c_str()));
}

POSIX_CASE("directories can be deeper than PATH_MAX") {
    const std::string name(200, 'd');
    constexpr int kDepth = 30;
    int made = 0;
    while (made < kDepth && ::mkdir(name.c_str(), 0755) == 0 && ::chdir(name.c_str()) == 0) ++made;
    s.equal("mkdir and chdir, each below the last", made, kDepth);
    s.passes("open with O_CREAT at the bottom", ::open("file", O_RDWR | O_CREAT, 0644));
    struct stat found{};
    s.passes("stat at the bottom", ::stat("file", &found));
    char buffer[PATH_MAX];
    s.fails("getcwd into a buffer of PATH_MAX", ERANGE, ::getcwd(buffer, sizeof buffer) == nullptr ? -1 : 0);
    s.passes("unlink at the bottom", ::unlink("file"));
    int removed = 0;
    while (removed < kDepth && ::chdir("..") == 0 && ::rmdir(name.c_str()) == 0) ++removed;
    s.equal("rmdir on the way up", removed, kDepth);
    s.passes("stat of a dot at the end", ::stat(".", &found));
    s.holds("that is where it began", same_file(s.status("."), found));
}
