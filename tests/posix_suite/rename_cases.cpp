// SPDX-License-Identifier: BSD-2-Clause
// rename(2) and renameat(2): each pair of kinds, and what stays as it was.
#include "kinds.hpp"

using posix_suite::Kind;
using posix_suite::Place;
using posix_suite::same_file;
using posix_suite::Suite;

namespace {

// Renames an entry of one kind onto one of another. The entry moves if no error is wanted; otherwise both stay.
void rename_onto(Suite& s, Kind from, Kind to, std::initializer_list<int> errors = {}, Place at = Place::here()) {
    make(s, "from", from);
    make(s, "to", to);
    const struct stat moved = s.status("from");
    const std::string what = std::string("rename of ") + name_of(from) + " onto " + name_of(to);
    if (errors.size() == 0) {
        s.passes(what, ::rename("from", "to"), at);
        s.holds(what, !is_there(s, "from") && is_there(s, "to") && same_file(moved, s.status("to")), at);
    } else {
        const struct stat stays = s.status("to");
        s.fails(what, errors, ::rename("from", "to"), at);
        s.holds(what, same_file(moved, s.status("from")) && same_file(stays, s.status("to")), at);
    }
    for (const std::string& each : s.names()) {
        static_cast<void>(::unlink((each + "/inside").c_str()));
        s.need(::remove(each.c_str()) == 0, each);
    }
}

} // namespace

POSIX_CASE("rename of a file onto each kind") {
    rename_onto(s, Kind::file, Kind::absent);
    rename_onto(s, Kind::file, Kind::file);
    rename_onto(s, Kind::file, Kind::empty_directory, {EISDIR});
    rename_onto(s, Kind::file, Kind::full_directory, {EISDIR});
    rename_onto(s, Kind::file, Kind::link_to_file);
    rename_onto(s, Kind::file, Kind::link_to_directory);
    rename_onto(s, Kind::file, Kind::dangling);
    rename_onto(s, Kind::file, Kind::fifo);
}

POSIX_CASE("rename of an empty directory onto each kind") {
    rename_onto(s, Kind::empty_directory, Kind::absent);
    rename_onto(s, Kind::empty_directory, Kind::file, {ENOTDIR});
    rename_onto(s, Kind::empty_directory, Kind::empty_directory);
    rename_onto(s, Kind::empty_directory, Kind::full_directory, {ENOTEMPTY, EEXIST});
    rename_onto(s, Kind::empty_directory, Kind::link_to_file, {ENOTDIR});
    rename_onto(s, Kind::empty_directory, Kind::link_to_directory, {ENOTDIR});
    rename_onto(s, Kind::empty_directory, Kind::dangling, {ENOTDIR});
    rename_onto(s, Kind::empty_directory, Kind::fifo, {ENOTDIR});
}

POSIX_CASE("rename of a full directory onto each kind") {
    rename_onto(s, Kind::full_directory, Kind::absent);
    rename_onto(s, Kind::full_directory, Kind::file, {ENOTDIR});
    rename_onto(s, Kind::full_directory, Kind::empty_directory);
    rename_onto(s, Kind::full_directory, Kind::full_directory, {ENOTEMPTY, EEXIST});
    rename_onto(s, Kind::full_directory, Kind::link_to_file, {ENOTDIR});
    rename_onto(s, Kind::full_directory, Kind::link_to_directory, {ENOTDIR});
    rename_onto(s, Kind::full_directory, Kind::dangling, {ENOTDIR});
    rename_onto(s, Kind::full_directory, Kind::fifo, {ENOTDIR});
}

POSIX_CASE("rename of a link onto each kind") {
    rename_onto(s, Kind::link_to_file, Kind::absent);
    rename_onto(s, Kind::link_to_file, Kind::file);
    rename_onto(s, Kind::link_to_file, Kind::empty_directory, {EISDIR});
    rename_onto(s, Kind::link_to_file, Kind::full_directory, {EISDIR});
    rename_onto(s, Kind::link_to_file, Kind::link_to_directory);
    rename_onto(s, Kind::link_to_file, Kind::dangling);
    rename_onto(s, Kind::link_to_file, Kind::fifo);
    rename_onto(s, Kind::link_to_directory, Kind::absent);
    rename_onto(s, Kind::link_to_directory, Kind::file);
    rename_onto(s, Kind::link_to_directory, Kind::empty_directory, {EISDIR});
    rename_onto(s, Kind::link_to_directory, Kind::full_directory, {EISDIR});
    rename_onto(s, Kind::link_to_directory, Kind::link_to_file);
    rename_onto(s, Kind::dangling, Kind::absent);
    rename_onto(s, Kind::dangling, Kind::file);
    rename_onto(s, Kind::dangling, Kind::empty_directory, {EISDIR});
    rename_onto(s, Kind::dangling, Kind::link_to_directory);
}

POSIX_CASE("rename of a fifo onto each kind") {
    rename_onto(s, Kind::fifo, Kind::absent);
    rename_onto(s, Kind::fifo, Kind::file);
    rename_onto(s, Kind::fifo, Kind::empty_directory, {EISDIR});
    rename_onto(s, Kind::fifo, Kind::full_directory, {EISDIR});
    rename_onto(s, Kind::fifo, Kind::link_to_file);
    rename_onto(s, Kind::fifo, Kind::link_to_directory);
    rename_onto(s, Kind::fifo, Kind::dangling);
    rename_onto(s, Kind::fifo, Kind::fifo);
}

POSIX_CASE("rename of nothing fails before it touches anything") {
    make(s, "file", Kind::file);
    make(s, "directory", Kind::empty_directory);
    make(s, "dangling", Kind::dangling);
    s.fails("rename of an absent name to an absent name", ENOENT, ::rename("absent", "new"));
    s.fails("rename of an absent name onto a file", ENOENT, ::rename("absent", "file"));
    s.fails("rename of an absent name onto a directory", ENOENT, ::rename("absent", "directory"));
    s.fails("rename of an absent name onto a dangling link", ENOENT, ::rename("absent", "dangling"));
    s.fails("rename of an absent name onto itself", ENOENT, ::rename("absent", "absent"));
    s.fails("rename of a dangling link's target", ENOENT, ::rename("dangling.target", "new"));
    s.equal("the file keeps its content", s.read_file("file"), "file");
}

POSIX_CASE("rename onto the same file changes nothing") {
    s.write_file("file", "content");
    s.make_directory("directory");
    s.write_file("directory/inside");
    make_link(s, "file", "link");
    s.need(::link("file", "other") == 0 && ::link("file", "directory/third") == 0, "link");
    const struct stat before = s.status("file");
    s.passes("rename of a file onto itself", ::rename("file", "file"));
    s.passes("rename of a file onto itself by another path", ::rename("file", "directory/../file"));
    s.passes("rename of a directory onto itself", ::rename("directory", "directory"));
    s.equal("the directory keeps its entries", s.names("directory").size(), 2);
    s.passes("rename of a link onto itself", ::rename("link", "link"));
    s.passes("rename of a file onto its other name", ::rename("file", "other"));
    s.holds("both names are still there", is_there(s, "file") && is_there(s, "other"));
    s.passes("rename of a file onto its name in another directory", ::rename("other", "directory/third"));
    s.holds("both of these are still there", is_there(s, "other") && is_there(s, "directory/third"));
    s.equal("it still has three links", s.status("file").st_nlink, 3);
    s.holds("it is still the same file", same_file(before, s.status("file")));
    s.passes("rename of a link onto its target", ::rename("link", "file"));
    s.holds("the name is the link now", S_ISLNK(s.status("file").st_mode));
    s.equal("the target has two links", s.status("other").st_nlink, 2);
}

POSIX_CASE("rename moves a file as it is") {
    s.write_file("file", "content", 0640);
    s.make_directory("directory");
    const timespec past[2] = {{1'000'000, 5}, {2'000'000, 7}};
    s.need(::utimensat(AT_FDCWD, "file", past, 0) == 0, "utimensat");
    const struct stat before = s.status("file");
    s.passes("rename into another directory", ::rename("file", "directory/name"));
    const struct stat after = s.status("directory/name");
    s.holds("it is the same file", same_file(before, after));
    s.equal("its mode stays", after.st_mode, before.st_mode);
    s.equal("its size stays", after.st_size, 7);
    s.equal("its time of modification stays", after.st_mtim.tv_sec, 2'000'000);
    s.equal("the nanoseconds of it stay", after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    s.equal("it has one link", after.st_nlink, 1);
    s.equal("its content stays", s.read_file("directory/name"), "content");
    s.fails("open of the old name", ENOENT, ::open("file", O_RDONLY));
    s.passes("rename back", ::rename("directory/name", "file"));
    s.equal("the directory is empty again", s.names("directory").size(), 0);
}

POSIX_CASE("rename of a directory moves what is below it") {
    s.make_directory("one");
    s.make_directory("two");
    s.make_directory("one/directory");
    s.make_directory("one/directory/deep");
    s.write_file("one/directory/deep/file", "content");
    s.passes("rename to another parent", ::rename("one/directory", "two/moved"));
    s.equal("what was below it is there", s.read_file("two/moved/deep/file"), "content");
    s.holds("its dot dot is the new parent", same_file(s.status("two/moved/.."), s.status("two")));
    s.holds("the dot dot below is itself", same_file(s.status("two/moved/deep/.."), s.status("two/moved")));
    s.equal("the old parent is empty", s.names("one").size(), 0);
    s.passes("rename over an empty directory", (s.make_directory("one/empty"), ::rename("two/moved", "one/empty")));
    s.equal("what was below it is there again", s.read_file("one/empty/deep/file"), "content");
    s.holds("its dot dot is the first parent", same_file(s.status("one/empty/.."), s.status("one")));
    s.passes("rename within the parent", ::rename("one/empty", "one/other"));
    s.holds("its dot dot stays", same_file(s.status("one/other/.."), s.status("one")));
    s.passes("rename up", ::rename("one/other/deep", "deep"));
    s.holds("the dot dot of what moved up is here", same_file(s.status("deep/.."), s.status(".")));
}

POSIX_CASE("rename of a directory into itself or onto what holds it") {
    s.make_directory("a");
    s.make_directory("a/b");
    s.make_directory("a/b/c");
    make_link(s, "a/b", "link");
    s.fails("rename into itself", EINVAL, ::rename("a", "a/new"));
    s.fails("rename into its child", EINVAL, ::rename("a", "a/b/new"));
    s.fails("rename into its grandchild", EINVAL, ::rename("a", "a/b/c/new"));
    s.fails("rename onto its child", EINVAL, ::rename("a", "a/b"));
    s.fails("rename onto its grandchild", EINVAL, ::rename("a", "a/b/c"));
    s.fails("rename into itself through a link", EINVAL, ::rename("a", "link/new"));
    s.fails("rename onto its parent", {ENOTEMPTY, EEXIST}, ::rename("a/b", "a"));
    s.fails("rename onto its grandparent", {ENOTEMPTY, EEXIST}, ::rename("a/b/c", "a"));
    s.write_file("a/b/file");
    s.fails("rename of a file onto its parent", {ENOTEMPTY, EEXIST, EISDIR}, ::rename("a/b/file", "a/b"));
    s.fails("rename of a dot", {EBUSY, EINVAL}, ::rename("a/.", "new"));
    s.fails("rename of dot dot", {EBUSY, EINVAL}, ::rename("a/b/..", "new"));
    s.fails("rename onto a dot", {EBUSY, EINVAL, EEXIST}, ::rename("a", "link/."));
    s.fails("rename onto dot dot", {EBUSY, EINVAL, EEXIST}, ::rename("a", "link/.."));
    s.holds("all of them are where they were", is_there(s, "a/b/c") && is_there(s, "a/b/file"));
    s.passes("rename beside itself with the same beginning", ::rename("a", "ab"));
    s.passes("rename of a child beside its parent", ::rename("ab/b", "b"));
}

POSIX_CASE("rename refuses wrong paths") {
    make(s, "file", Kind::file);
    make(s, "directory", Kind::empty_directory);
    make(s, "link", Kind::link_to_directory);
    make_link(s, "loop", "loop");
    s.fails("rename of an empty path", ENOENT, ::rename("", "new"));
    s.fails("rename to an empty path", ENOENT, ::rename("file", ""));
    s.fails("rename from below an absent name", ENOENT, ::rename("absent/name", "new"));
    s.fails("rename to below an absent name", ENOENT, ::rename("file", "absent/name"));
    s.fails("rename from below a file", ENOTDIR, ::rename("file/name", "new"));
    s.fails("rename to below a file", ENOTDIR, ::rename("directory", "file/name"));
    s.fails("rename from below a looping link", ELOOP, ::rename("loop/name", "new"));
    s.fails("rename to below a looping link", ELOOP, ::rename("file", "loop/name"));
    s.fails("rename of a file with a slash", ENOTDIR, ::rename("file/", "new"));
    s.fails("rename of a file to a name with a slash", {ENOTDIR, ENOENT}, ::rename("file", "new/"));
    s.fails("rename of a link to a directory with a slash", ENOTDIR, ::rename("link/", "new"));
    s.fails("rename of a directory onto a link with a slash", ENOTDIR, ::rename("directory", "link/"));
    s.passes("rename of a directory with a slash", ::rename("directory/", "new"));
    s.passes("rename of a directory to a name with a slash", ::rename("new", "directory/"));
    s.passes("rename of a directory to a name, both with slashes", ::rename("directory//", "new///"));
    if (::access("/proc/self/status", R_OK) != 0) return s.skip("there is no /proc");
    s.fails("rename to another file system", EXDEV, ::rename("file", "/proc/self/name"));
}

POSIX_CASE("open files survive a rename") {
    const int fd = s.make_file("file", "content");
    const int over = s.make_file("over", "replaced");
    s.make_directory("directory");
    s.write_file("directory/inside", "inside");
    const int directory = open_for(s, "directory", O_RDONLY | O_DIRECTORY);
    char content[16];
    s.passes("rename of an open file over an open file", ::rename("file", "over"));
    s.equal("pread of the one that moved", ::pread(fd, content, sizeof content, 0), 7);
    s.equal("it has its content", std::string(content, 7), "content");
    s.equal("write to the one that moved", ::pwrite(fd, "C", 1, 0), 1);
    s.equal("it shows at the new name", s.read_file("over"), "Content");
    s.equal("pread of the one that was replaced", ::pread(over, content, sizeof content, 0), 8);
    s.equal("that one has its content", std::string(content, 8), "replaced");
    s.equal("the one that was replaced has no link", status_of(s, over).st_nlink, 0);
    s.equal("the one that moved has one", status_of(s, fd).st_nlink, 1);
    s.passes("rename of an open directory", ::rename("directory", "moved"));
    s.passes("openat below it", ::openat(directory, "inside", O_RDONLY));
    s.passes("rename of what is below it by the descriptor", ::renameat(directory, "inside", directory, "name"));
    s.holds("it shows at the new path", is_there(s, "moved/name"));
    s.need(::chdir("moved") == 0, "chdir");
    s.passes("rename of the working directory", ::rename("../moved", "../work"));
    s.passes("open below the working directory", ::open("name", O_RDONLY));
    char buffer[4096];
    s.holds("getcwd has the new name", ::getcwd(buffer, sizeof buffer) != nullptr && buffer == s.path("work"));
    s.need(::chdir("..") == 0, "chdir");
    s.make_directory("empty");
    const int empty = open_for(s, "empty", O_RDONLY | O_DIRECTORY);
    s.passes("rename over an open directory", ::rename("work", "empty"));
    s.equal("the directory that was replaced has no link", status_of(s, empty).st_nlink, 0);
    s.fails("openat of a new file in it", ENOENT, ::openat(empty, "new", O_RDWR | O_CREAT, 0644));
}

POSIX_CASE("renameat renames below descriptors") {
    s.make_directory("one");
    s.make_directory("two");
    s.write_file("one/file", "content");
    s.write_file("plain");
    const int one = open_for(s, "one", O_RDONLY | O_DIRECTORY);
    const int two = open_for(s, "two", O_PATH);
    const int plain = open_for(s, "plain", O_RDONLY);
    s.passes("renameat from one to another", ::renameat(one, "file", two, "name"));
    s.holds("it is in the other", is_there(s, "two/name") && !is_there(s, "one/file"));
    s.passes("renameat from a descriptor to AT_FDCWD", ::renameat(two, "name", AT_FDCWD, "here"));
    s.passes("renameat of absolute paths ignores descriptors",
             ::renameat(-1, s.path("here").c_str(), -1, s.path("one/file").c_str()));
    s.fails("renameat from no descriptor", EBADF, ::renameat(-1, "file", two, "new"));
    s.fails("renameat to no descriptor", EBADF, ::renameat(one, "file", -1, "new"));
    s.fails("renameat from a file's descriptor", ENOTDIR, ::renameat(plain, "file", two, "new"));
    s.fails("renameat to a file's descriptor", ENOTDIR, ::renameat(one, "file", plain, "new"));
    s.fails("renameat of an absent name", ENOENT, ::renameat(two, "file", one, "new"));
    s.fails("renameat of an empty path", ENOENT, ::renameat(plain, "", two, "new"));
    s.equal("the file keeps its content", s.read_file("one/file"), "content");
}
