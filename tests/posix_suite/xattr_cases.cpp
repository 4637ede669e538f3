// SPDX-License-Identifier: BSD-2-Clause
// Extended attributes, after xattr(7) and the pages of the calls.
#include "metadata.hpp"

#include <algorithm>
#include <cstring>
#include <sys/xattr.h>

namespace posix_suite::xattr_cases {

namespace {

constexpr const char* kNoAttributes = "the file system has no user attributes";

bool has_attributes() {
    Suite::need(open_once("probe", O_RDWR | O_CREAT) == 0, "probe");
    const int result = ::setxattr("probe", "user.probe", "", 0, 0);
    Suite::need(result == 0 || errno == EOPNOTSUPP, "setxattr");
    return result == 0;
}

long set_attribute(const char* name, const char* key, std::string_view value, int flags = 0) {
    return ::setxattr(name, key, value.data(), value.size(), flags);
}

std::string attribute(const char* name, const char* key) {
    std::string value(70'000, '?');
    const ssize_t size = ::getxattr(name, key, value.data(), value.size());
    if (size < 0) return ::strerrorname_np(errno);
    value.resize(static_cast<std::size_t>(size));
    return value;
}

// The names of the user's attributes, sorted.
std::vector<std::string> attributes(const char* name) {
    std::string all(70'000, '?');
    const ssize_t size = ::listxattr(name, all.data(), all.size());
    Suite::need(size >= 0, name);
    std::vector<std::string> found;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size); at += found.back().size() + 1)
        found.emplace_back(all.c_str() + at);
    std::erase_if(found, [](const std::string& each) { return !each.starts_with("user."); });
    std::sort(found.begin(), found.end());
    return found;
}

} // namespace

POSIX_CASE("attributes are set, read, listed and removed") {
    if (!has_attributes()) return s.skip(kNoAttributes);
    put_file("file", 0600);
    char bytes[16];
    s.equal("a new file has none", attributes("file").size(), 0);
    s.passes("setxattr of a new name", set_attribute("file", "user.a", "value"));
    s.equal("getxattr returns the value", attribute("file", "user.a"), std::string("value"));
    s.equal("listxattr has the name", attributes("file"), std::vector<std::string>{"user.a"});
    s.passes("setxattr of a name that is there", set_attribute("file", "user.a", "longer value"));
    s.equal("the value is the new one", attribute("file", "user.a"), std::string("longer value"));
    s.passes("setxattr of a shorter value", set_attribute("file", "user.a", "v"));
    s.equal("nothing of the longer one is left", attribute("file", "user.a"), std::string("v"));
    s.passes("setxattr of a second name", set_attribute("file", "user.b", "other"));
    s.equal("listxattr has both", attributes("file"), std::vector<std::string>{"user.a", "user.b"});
    s.equal("the first value is as it was", attribute("file", "user.a"), std::string("v"));
    s.passes("setxattr of zeros and newlines", set_attribute("file", "user.c", std::string_view("\0\n\0\xff", 4)));
    s.equal("they come back", attribute("file", "user.c"), std::string("\0\n\0\xff", 4));
    s.passes("setxattr of an empty value", set_attribute("file", "user.empty", ""));
    s.equal("getxattr of an empty value", ::getxattr("file", "user.empty", bytes, sizeof bytes), 0);
    s.equal("listxattr has four", attributes("file").size(), 4);
    s.passes("removexattr", ::removexattr("file", "user.b"));
    s.fails("getxattr of what was removed", ENODATA, ::getxattr("file", "user.b", bytes, sizeof bytes));
    s.fails("removexattr of what was removed", ENODATA, ::removexattr("file", "user.b"));
    s.equal("the others are listed", attributes("file"), (std::vector<std::string>{"user.a", "user.c", "user.empty"}));
    s.passes("removexattr of an empty value", ::removexattr("file", "user.empty"));
    s.fails("getxattr of a name that never was", ENODATA, ::getxattr("file", "user.never", bytes, sizeof bytes));
    s.equal("the content is as it was", s.read_file("file"), std::string("content"));
    Suite::need(::link("file", "linked") == 0 && ::rename("file", "renamed") == 0, "link, rename");
    s.equal("another name has the attribute", attribute("linked", "user.a"), std::string("v"));
    s.equal("a new name has the attribute", attribute("renamed", "user.a"), std::string("v"));
}

POSIX_CASE("XATTR_CREATE and XATTR_REPLACE say what has to be there") {
    if (!has_attributes()) return s.skip(kNoAttributes);
    put_file("file", 0600);
    s.fails("XATTR_REPLACE of a name that is not there", ENODATA, set_attribute("file", "user.a", "1", XATTR_REPLACE));
    s.equal("it made none", attributes("file").size(), 0);
    s.passes("XATTR_CREATE of a name that is not there", set_attribute("file", "user.a", "2", XATTR_CREATE));
    s.fails("XATTR_CREATE of a name that is there", EEXIST, set_attribute("file", "user.a", "3", XATTR_CREATE));
    s.equal("the value is as it was", attribute("file", "user.a"), std::string("2"));
    s.passes("XATTR_REPLACE of a name that is there", set_attribute("file", "user.a", "4", XATTR_REPLACE));
    s.equal("the value is the new one", attribute("file", "user.a"), std::string("4"));
    s.fails("a flag that is none", EINVAL, set_attribute("file", "user.a", "5", 0x100));
}

POSIX_CASE("a size of 0 asks how large a value is, and one too small fails") {
    if (!has_attributes()) return s.skip(kNoAttributes);
    put_file("file", 0600);
    Suite::need(set_attribute("file", "user.name", "12345678") == 0, "setxattr");
    char bytes[256];
    s.equal("getxattr with a size of 0", ::getxattr("file", "user.name", nullptr, 0), 8);
    s.fails("getxattr with a size of 1", ERANGE, ::getxattr("file", "user.name", bytes, 1));
    s.fails("getxattr with a size one too small", ERANGE, ::getxattr("file", "user.name", bytes, 7));
    s.equal("getxattr with the size", ::getxattr("file", "user.name", bytes, 8), 8);
    s.equal("getxattr with a larger size", ::getxattr("file", "user.name", bytes, sizeof bytes), 8);
    const ssize_t list = ::listxattr("file", nullptr, 0);
    s.holds("listxattr with a size of 0", list >= 10 && list <= 256);
    s.fails("listxattr with a size of 1", ERANGE, ::listxattr("file", bytes, 1));
    s.equal("listxattr with the size", ::listxattr("file", bytes, static_cast<std::size_t>(list)), list);
    s.fails("listxattr with a size one too small", ERANGE,
            ::listxattr("file", bytes, static_cast<std::size_t>(list) - 1));
    s.fails("getxattr with a size of 0 of what is not there", ENODATA, ::getxattr("file", "user.none", nullptr, 0));
}

POSIX_CASE("attributes have names and values of many sizes") {
    if (!has_attributes()) return s.skip(kNoAttributes);
    put_file("file", 0600);
    const std::string name_of_255 = "user." + std::string(250, 'n');
    const std::string name_of_256 = "user." + std::string(251, 'n');
    const std::string byte(1, 'x');
    const std::string half(512, 'k');
    const std::string page(4096, 'p');
    const std::string most(65536, 'm');
    const std::string more(65537, 'm');
    s.passes("a value of 1 byte", set_attribute("file", "user.a", byte));
    s.equal("it comes back", attribute("file", "user.a"), byte);
    s.passes("a value of 512 bytes", set_attribute("file", "user.a", half));
    s.holds("512 bytes come back", attribute("file", "user.a") == half);
    const bool has_page = set_attribute("file", "user.a", page) == 0;
    s.holds("a value of 4096 bytes, or no space", has_page || errno == ENOSPC || errno == E2BIG);
    s.holds("what comes back is that or what was before", attribute("file", "user.a") == (has_page ? page : half));
    const bool has_most = set_attribute("file", "user.a", most) == 0;
    s.holds("a value of 65536 bytes, or no space", has_most || errno == ENOSPC || errno == E2BIG);
    const std::string& last = has_most ? most : has_page ? page : half;
    s.holds("what comes back is that or the last", attribute("file", "user.a") == last);
    s.fails("a value of 65537 bytes", E2BIG, set_attribute("file", "user.a", more));
    s.holds("the value is as it was", attribute("file", "user.a") == last);
    Suite::need(::removexattr("file", "user.a") == 0, "removexattr");
    s.passes("a name of 255 bytes", set_attribute("file", name_of_255.c_str(), "long"));
    s.equal("its value comes back", attribute("file", name_of_255.c_str()), std::string("long"));
    s.equal("it is listed", attributes("file"), std::vector<std::string>{name_of_255});
    s.fails("a name of 256 bytes", ERANGE, set_attribute("file", name_of_256.c_str(), "v"));
    s.fails("an empty name", ERANGE, set_attribute("file", "", "v"));
    s.fails("a name that is the prefix alone", EINVAL, set_attribute("file", "user.", "v"));
    s.fails("a name without a namespace", EOPNOTSUPP, set_attribute("file", "a", "v"));
    s.fails("a namespace that is none", EOPNOTSUPP, set_attribute("file", "nobody.a", "v"));
    s.fails("getxattr of an empty name", ERANGE, ::getxattr("file", "", nullptr, 0));
    s.fails("removexattr of a name of 256 bytes", ERANGE, ::removexattr("file", name_of_256.c_str()));
}

POSIX_CASE("user attributes are for files and directories") {
    if (!has_attributes()) return s.skip(kNoAttributes);
    put_file("file", 0600);
    put_directory("d", 0700);
    Suite::need(::symlink("file", "link") == 0 && ::symlink("absent", "dangling") == 0, "symlink");
    Suite::need(::mkfifo("fifo", 0600) == 0, "mkfifo");
    char bytes[8];
    s.passes("setxattr of a directory", set_attribute("d", "user.a", "v"));
    s.equal("getxattr of a directory", attribute("d", "user.a"), std::string("v"));
    s.passes("removexattr of a directory", ::removexattr("d", "user.a"));
    s.passes("setxattr of a symlink", set_attribute("link", "user.a", "v"));
    s.equal("it set the file's", attribute("file", "user.a"), std::string("v"));
    s.equal("getxattr follows a symlink", attribute("link", "user.a"), std::string("v"));
    s.fails("lsetxattr of a symlink", EPERM, ::lsetxattr("link", "user.a", "v", 1, 0));
    s.fails("lgetxattr of a symlink", {ENODATA, EPERM}, ::lgetxattr("link", "user.a", bytes, sizeof bytes));
    s.fails("lremovexattr of a symlink", EPERM, ::lremovexattr("link", "user.a"));
    s.passes("lsetxattr of a file", ::lsetxattr("file", "user.b", "w", 1, 0));
    s.equal("lgetxattr of a file", ::lgetxattr("file", "user.b", bytes, sizeof bytes), 1);
    s.fails("setxattr of a fifo", EPERM, set_attribute("fifo", "user.a", "v"));
    s.fails("setxattr of a symlink to nothing", ENOENT, set_attribute("dangling", "user.a", "v"));
    s.fails("setxattr of a name that is not there", ENOENT, set_attribute("absent", "user.a", "v"));
    s.fails("getxattr of a name that is not there", ENOENT, ::getxattr("absent", "user.a", bytes, sizeof bytes));
    s.fails("listxattr of a name that is not there", ENOENT, ::listxattr("absent", bytes, sizeof bytes));
    s.fails("removexattr below a file", ENOTDIR, ::removexattr("file/a", "user.a"));
}

POSIX_CASE("attributes are reached by descriptors") {
    if (!has_attributes()) return s.skip(kNoAttributes);
    const int fd = s.make_file("file");
    char bytes[64];
    s.passes("fsetxattr", ::fsetxattr(fd, "user.a", "value", 5, 0));
    s.equal("fgetxattr", ::fgetxattr(fd, "user.a", bytes, sizeof bytes), 5);
    s.equal("fgetxattr with a size of 0", ::fgetxattr(fd, "user.a", nullptr, 0), 5);
    s.holds("flistxattr", ::flistxattr(fd, bytes, sizeof bytes) >= 7);
    s.equal("the name tells the same value", attribute("file", "user.a"), std::string("value"));
    const int reader = prepared(::open("file", O_RDONLY));
    s.passes("fsetxattr of a descriptor opened for reading", ::fsetxattr(reader, "user.b", "w", 1, 0));
    Suite::need(::unlink("file") == 0, "unlink");
    s.equal("fgetxattr of a file without a name", ::fgetxattr(fd, "user.b", bytes, sizeof bytes), 1);
    s.passes("fremovexattr of a file without a name", ::fremovexattr(fd, "user.b"));
    s.fails("fgetxattr of what was removed", ENODATA, ::fgetxattr(reader, "user.b", bytes, sizeof bytes));
    const int path_only = prepared(::open(".", O_PATH));
    s.fails("fgetxattr of an O_PATH descriptor", EBADF, ::fgetxattr(path_only, "user.a", bytes, sizeof bytes));
    s.fails("fsetxattr of an O_PATH descriptor", EBADF, ::fsetxattr(path_only, "user.a", "v", 1, 0));
    s.fails("fgetxattr of -1", EBADF, ::fgetxattr(-1, "user.a", bytes, sizeof bytes));
    s.fails("fsetxattr of -1", EBADF, ::fsetxattr(-1, "user.a", "v", 1, 0));
    s.fails("flistxattr of -1", EBADF, ::flistxattr(-1, bytes, sizeof bytes));
    s.fails("fremovexattr of -1", EBADF, ::fremovexattr(-1, "user.a"));
}

POSIX_CASE("user attributes are read and written by who may read and write the file") {
    if (!has_attributes()) return s.skip(kNoAttributes);
    const Unprivileged user;
    put_file("file", 0600);
    Suite::need(set_attribute("file", "user.a", "v") == 0, "setxattr");
    char bytes[64];
    set_mode("file", 0400);
    s.equal("0400: getxattr", ::getxattr("file", "user.a", bytes, sizeof bytes), 1);
    s.fails("0400: setxattr", EACCES, set_attribute("file", "user.a", "w"));
    s.fails("0400: removexattr", EACCES, ::removexattr("file", "user.a"));
    set_mode("file", 0200);
    s.fails("0200: getxattr", EACCES, ::getxattr("file", "user.a", bytes, sizeof bytes));
    s.passes("0200: setxattr", set_attribute("file", "user.a", "w"));
    s.holds("0200: listxattr", ::listxattr("file", bytes, sizeof bytes) >= 7);
    s.passes("0200: removexattr", ::removexattr("file", "user.a"));
    s.fails("trusted attributes are not set by a user", EPERM, set_attribute("file", "trusted.a", "v"));
    s.fails("trusted attributes are not read by a user", ENODATA, ::getxattr("file", "trusted.a", bytes, sizeof bytes));
}

POSIX_CASE("who may set user attributes of what belongs to another") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    if (!has_attributes()) return s.skip(kNoAttributes);
    put_file_of("open", kOtherUser, kOtherGroup, 0666);
    put_file_of("closed", kOtherUser, kOtherGroup, 0644);
    put_directory_of("sticky", kOtherUser, kOtherGroup, 01777);
    {
        const As user(kUser, kGroup);
        s.passes("setxattr of a file that may be written", set_attribute("open", "user.a", "v"));
        s.fails("setxattr of a file that may be read", EACCES, set_attribute("closed", "user.a", "v"));
        s.fails("setxattr of a sticky directory", EPERM, set_attribute("sticky", "user.a", "v"));
    }
    s.passes("setxattr by root", set_attribute("closed", "user.a", "v"));
    const long trusted = set_attribute("open", "trusted.a", "secret");
    if (trusted != 0 && errno == EOPNOTSUPP) return s.skip("the file system has no trusted attributes");
    s.passes("setxattr of a trusted attribute by root", trusted);
    s.equal("getxattr of a trusted attribute by root", attribute("open", "trusted.a"), std::string("secret"));
    {
        const As user(kUser, kGroup);
        s.equal("a user does not see it", attribute("open", "trusted.a"), std::string("ENODATA"));
    }
    s.passes("removexattr of a trusted attribute by root", ::removexattr("open", "trusted.a"));
    s.equal("it is gone", attribute("open", "trusted.a"), std::string("ENODATA"));
}

} // namespace posix_suite::xattr_cases
