// SPDX-License-Identifier: BSD-2-Clause
// Names: their bytes, their lengths, and that no two of them are one.
#include "kinds.hpp"

#include <algorithm>
#include <climits>
#include <sys/statvfs.h>

using posix_suite::Place;
using posix_suite::same_file;
using posix_suite::Suite;

namespace {

// Makes a file of this name, finds it in the directory, opens it, and removes it.
void can_be_a_name(Suite& s, const std::string& what, const std::string& name, Place at = Place::here()) {
    const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0644);
    if (!s.passes(what, fd, at)) return;
    s.holds(what, s.names() == std::vector<std::string>{name}, at);
    s.holds(what, same_file(status_of(s, fd), s.status(name)), at);
    s.passes(what, ::unlink(name.c_str()), at);
    s.need(::close(fd) == 0, "close");
}

} // namespace

POSIX_CASE("a name has each byte but the slash and zero") {
    for (int byte = 1; byte < 256; ++byte) {
        if (byte == '/') continue;
        const std::string name(1, static_cast<char>(byte));
        can_be_a_name(s, "a name that begins with byte " + std::to_string(byte), name + "tail");
        can_be_a_name(s, "a name that ends with byte " + std::to_string(byte), "head" + name);
        if (byte != '.') can_be_a_name(s, "a name of byte " + std::to_string(byte), name);
    }
    std::string all;
    for (int byte = 1; byte < 128; ++byte) all += byte == '/' ? std::string() : std::string(1, static_cast<char>(byte));
    can_be_a_name(s, "a name of all bytes below 128", all);
    std::string high;
    for (int byte = 128; byte < 256; ++byte) high += static_cast<char>(byte);
    can_be_a_name(s, "a name of all bytes from 128", high);
}

POSIX_CASE("a name can look like anything") {
    can_be_a_name(s, "a space", " ");
    can_be_a_name(s, "spaces around", "  name  ");
    can_be_a_name(s, "a trailing space", "name ");
    can_be_a_name(s, "a tab", "\t");
    can_be_a_name(s, "a newline", "a\nb");
    can_be_a_name(s, "a carriage return", "a\rb");
    can_be_a_name(s, "three dots", "...");
    can_be_a_name(s, "four dots", "....");
    can_be_a_name(s, "a leading dot", ".name");
    can_be_a_name(s, "two leading dots", "..name");
    can_be_a_name(s, "a trailing dot", "name.");
    can_be_a_name(s, "a dot and a space", ". ");
    can_be_a_name(s, "a leading dash", "-rf");
    can_be_a_name(s, "a backslash", "a\\b");
    can_be_a_name(s, "a star and a question", "*?");
    can_be_a_name(s, "a colon", "a:b");
    can_be_a_name(s, "quotes", "\"'`");
    can_be_a_name(s, "a percent", "%s%00%2f");
    can_be_a_name(s, "a dollar", "$HOME");
    can_be_a_name(s, "a device of another system", "CON");
    can_be_a_name(s, "a lone continuation byte", "\x80");
    can_be_a_name(s, "a cut sequence of UTF-8", "\xe2\x82");
    can_be_a_name(s, "an overlong slash", "\xc0\xaf");
    can_be_a_name(s, "a surrogate", "\xed\xa0\x80");
    can_be_a_name(s, "bytes UTF-8 never has", "\xfe\xff");
    can_be_a_name(s, "four bytes of UTF-8", "\xf0\x9f\x90\xa7");
    can_be_a_name(s, "a right-to-left mark", "\xe2\x80\x8fname");
    can_be_a_name(s, "an escape", "\x1b[31m");
    can_be_a_name(s, "a name hidden by an old NFS", ".nfs0001");
    can_be_a_name(s, "a name hidden by an old FUSE", ".fuse_hidden0001");
}

POSIX_CASE("names that differ are two") {
    const auto are_two = [&](const std::string& what, const char* one, const char* other, Place at = Place::here()) {
        s.write_file(one, "one");
        s.fails(what, ENOENT, ::open(other, O_RDONLY), at);
        s.write_file(other, "other");
        s.holds(what, s.read_file(one) == "one" && s.names().size() == 2, at);
        s.need(::unlink(one) == 0 && ::unlink(other) == 0, "unlink");
    };
    are_two("in case", "name", "NAME");
    are_two("in the case of the first letter", "name", "Name");
    are_two("in the case of a letter beyond ASCII", "\xc3\xa4", "\xc3\x84");
    are_two("in composition", "\xc3\xa9", "e\xcc\x81");
    are_two("in a trailing space", "name", "name ");
    are_two("in a trailing dot", "name", "name.");
    are_two("in a leading dot", "name", ".name");
    are_two("in a trailing newline", "name", "name\n");
    are_two("in length", "name", "names");
    are_two("in the last byte", "name1", "name2");
    are_two("in the width of a letter", "a", "\xef\xbd\x81");
    are_two("in invalid bytes", "\xff", "\xfe");
    are_two("in an invalid byte and its replacement", "\xff", "\xef\xbf\xbd");
}

POSIX_CASE("a name of NAME_MAX bytes can be used in each call") {
    const std::string name(NAME_MAX, 'n');
    const std::string other(NAME_MAX, 'o');
    const std::string third(NAME_MAX, 't');
    char text[16];
    struct stat found{};
    can_be_a_name(s, "255 bytes", name);
    can_be_a_name(s, "254 bytes", name.substr(1));
    can_be_a_name(s, "255 bytes beyond ASCII", std::string(NAME_MAX, '\xff'));
    s.equal("pathconf tells NAME_MAX", ::pathconf(".", _PC_NAME_MAX), NAME_MAX);
    struct statvfs system{};
    s.passes("statvfs", ::statvfs(".", &system));
    s.equal("statvfs tells NAME_MAX", system.f_namemax, NAME_MAX);
    s.passes("open with O_CREAT", ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0644));
    s.passes("stat", ::stat(name.c_str(), &found));
    s.passes("link", ::link(name.c_str(), other.c_str()));
    s.passes("rename", ::rename(other.c_str(), third.c_str()));
    s.passes("unlink", ::unlink(third.c_str()));
    s.passes("symlink", ::symlink(name.c_str(), other.c_str()));
    s.equal("readlink", ::readlink(other.c_str(), text, sizeof text), sizeof text);
    s.passes("stat through the link", ::stat(other.c_str(), &found));
    s.passes("mkdir", ::mkdir(third.c_str(), 0755));
    s.passes("open below it", ::open((third + "/" + name).c_str(), O_RDWR | O_CREAT, 0644));
    s.passes("unlink below it", ::unlink((third + "/" + name).c_str()));
    s.passes("rmdir", ::rmdir(third.c_str()));
    s.passes("mkfifo", ::mkfifo(third.c_str(), 0644));
    s.passes("truncate", ::truncate(name.c_str(), 1));
    s.passes("chmod", ::chmod(name.c_str(), 0600));
    s.holds("readdir shows all of them", s.names() == std::vector<std::string>{name, other, third});
}

POSIX_CASE("a name longer than NAME_MAX is too long for each call") {
    const std::string name(NAME_MAX + 1, 'n');
    const char* const it = name.c_str();
    char text[16];
    struct stat found{};
    const timespec times[2] = {};
    s.write_file("file");
    s.make_directory("directory");
    s.fails("open with O_CREAT", ENAMETOOLONG, ::open(it, O_RDWR | O_CREAT, 0644));
    s.fails("open", ENAMETOOLONG, ::open(it, O_RDONLY));
    s.fails("stat", ENAMETOOLONG, ::stat(it, &found));
    s.fails("lstat", ENAMETOOLONG, ::lstat(it, &found));
    s.fails("access", ENAMETOOLONG, ::access(it, F_OK));
    s.fails("mkdir", ENAMETOOLONG, ::mkdir(it, 0755));
    s.fails("rmdir", ENAMETOOLONG, ::rmdir(it));
    s.fails("unlink", ENAMETOOLONG, ::unlink(it));
    s.fails("link from it", ENAMETOOLONG, ::link(it, "new"));
    s.fails("link to it", ENAMETOOLONG, ::link("file", it));
    s.fails("rename from it", ENAMETOOLONG, ::rename(it, "new"));
    s.fails("rename to it", ENAMETOOLONG, ::rename("file", it));
    s.fails("symlink", ENAMETOOLONG, ::symlink("file", it));
    s.fails("readlink", ENAMETOOLONG, ::readlink(it, text, sizeof text));
    s.fails("mkfifo", ENAMETOOLONG, ::mkfifo(it, 0644));
    s.fails("mknod of a file", ENAMETOOLONG, ::mknod(it, S_IFREG | 0644, 0));
    s.fails("truncate", ENAMETOOLONG, ::truncate(it, 0));
    s.fails("chmod", ENAMETOOLONG, ::chmod(it, 0644));
    s.fails("chown", ENAMETOOLONG, ::chown(it, ::geteuid(), ::getegid()));
    s.fails("utimensat", ENAMETOOLONG, ::utimensat(AT_FDCWD, it, times, 0));
    s.fails("chdir", ENAMETOOLONG, ::chdir(it));
    s.fails("open below it", ENAMETOOLONG, ::open((name + "/file").c_str(), O_RDONLY));
    s.fails("open of it below a directory", ENAMETOOLONG, ::open(("directory/" + name).c_str(), O_RDONLY));
    s.fails("stat of it followed by dot dot", ENAMETOOLONG, ::stat((name + "/..").c_str(), &found));
    s.need(::symlink(it, "link") == 0, "symlink");
    s.fails("stat of a link to it", ENAMETOOLONG, ::stat("link", &found));
    s.fails("stat of a name of 1,000 bytes", ENAMETOOLONG, ::stat(std::string(1000, 'n').c_str(), &found));
    s.equal("nothing was made", s.names().size(), 3);
}
