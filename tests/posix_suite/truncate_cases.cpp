// SPDX-License-Identifier: BSD-2-Clause
// truncate(2) and ftruncate(2).
#include "metadata.hpp"

#include <csignal>
#include <limits>
#include <sys/resource.h>

namespace posix_suite::truncate_cases {

namespace {

constexpr off_t kMost = std::numeric_limits<off_t>::max();

} // namespace

POSIX_CASE("truncate cuts a file and lets it grow with zeros") {
    put_file("file", 0600, "0123456789");
    s.passes("truncate to less", ::truncate("file", 4));
    s.equal("the content is cut", s.read_file("file"), std::string("0123"));
    s.passes("truncate to more", ::truncate("file", 8));
    s.equal("the content grew with zeros", s.read_file("file"), std::string("0123\0\0\0\0", 8));
    s.passes("truncate to the size it has", ::truncate("file", 8));
    s.equal("the size is the same", found_at("file").st_size, 8);
    s.passes("truncate to nothing", ::truncate("file", 0));
    s.equal("the file is empty", s.read_file("file"), std::string());
    s.passes("truncate of an empty file to a page and a byte", ::truncate("file", 4097));
    s.equal("it is all zeros", s.read_file("file"), std::string(4097, '\0'));
    s.passes("truncate to a mebibyte", ::truncate("file", 1 << 20));
    s.equal("the size is a mebibyte", found_at("file").st_size, 1 << 20);
    s.passes("truncate to 5 GiB", ::truncate("file", off_t{5} << 30));
    s.equal("the size is 5 GiB", found_at("file").st_size, off_t{5} << 30);
    s.passes("truncate from there to one byte", ::truncate("file", 1));
    s.equal("the size is one byte", found_at("file").st_size, 1);
    Suite::need(::symlink("file", "link") == 0, "symlink");
    s.passes("truncate of a symlink", ::truncate("link", 6));
    s.equal("it changed the file", found_at("file").st_size, 6);
    s.equal("the symlink is as long as it was", found_at("link").st_size, 4);
}

POSIX_CASE("ftruncate cuts a file and lets it grow with zeros") {
    const int fd = s.make_file("file", "0123456789");
    s.equal("the offset is behind what was written", ::lseek(fd, 0, SEEK_CUR), 10);
    s.passes("ftruncate to less", ::ftruncate(fd, 4));
    s.equal("the offset remains", ::lseek(fd, 0, SEEK_CUR), 10);
    char bytes[16];
    s.equal("read behind the end", ::read(fd, bytes, sizeof bytes), 0);
    s.equal("write behind the end", ::write(fd, "x", 1), 1);
    s.equal("the gap is zeros", s.read_file("file"), std::string("0123\0\0\0\0\0\0x", 11));
    s.passes("ftruncate to more", ::ftruncate(fd, 100));
    s.equal(
        "fstat tells the new size",
        [fd] {
            struct stat f{};
            ::fstat(fd, &f);
            return f.st_size;
        }(),
        100);
    s.equal("pread of the new part", ::pread(fd, bytes, sizeof bytes, 90), 10);
    s.holds("the new part is zeros", std::string_view(bytes, 10) == std::string(10, '\0'));
    s.passes("ftruncate to nothing", ::ftruncate(fd, 0));
    s.passes("ftruncate back to eleven", ::ftruncate(fd, 11));
    s.equal("nothing of the old content comes back", s.read_file("file"), std::string(11, '\0'));
    Suite::need(::unlink("file") == 0, "unlink");
    s.passes("ftruncate of a file without a name", ::ftruncate(fd, 3));
    s.equal("its size is the new one", ::lseek(fd, 0, SEEK_END), 3);
    const int other = s.make_file("other", "abcdef");
    const int appender = prepared(::open("other", O_WRONLY | O_APPEND));
    s.passes("ftruncate of a descriptor with O_APPEND", ::ftruncate(appender, 2));
    s.equal("write with O_APPEND after it", ::write(appender, "z", 1), 1);
    s.equal("it went behind the new end", s.read_file("other"), std::string("abz"));
    const int writer = prepared(::open("other", O_WRONLY));
    s.passes("ftruncate of a descriptor opened for writing alone", ::ftruncate(writer, 1));
    s.equal("the other descriptor sees it", ::pread(other, bytes, sizeof bytes, 0), 1);
    ::close(writer);
    ::close(appender);
    ::close(other);
    ::close(fd);
}

POSIX_CASE("the page behind the end is zeros after a cut within it") {
    const int fd = s.make_file("file", std::string(8192, 'x'));
    s.passes("ftruncate into the middle of a page", ::ftruncate(fd, 100));
    s.passes("ftruncate back", ::ftruncate(fd, 8192));
    s.equal("no old byte is there", s.read_file("file"), std::string(100, 'x') + std::string(8092, '\0'));
    s.passes("ftruncate to a page", ::ftruncate(fd, 4096));
    s.equal("write of a byte behind a gap", ::pwrite(fd, "y", 1, 8000), 1);
    s.equal("the whole content", s.read_file("file"), std::string(100, 'x') + std::string(7900, '\0') + "y");
    ::close(fd);
}

POSIX_CASE("truncate and ftruncate fail") {
    const int fd = s.make_file("file", "0123456789");
    put_directory("d", 0700);
    Suite::need(::symlink("absent", "dangling") == 0 && ::symlink("loop", "loop") == 0, "symlink");
    Suite::need(::mkfifo("fifo", 0600) == 0, "mkfifo");
    const std::string long_name(256, 'n');
    const std::string long_path(5000, '/');
    s.fails("truncate of a directory", EISDIR, ::truncate("d", 0));
    s.fails("truncate of a directory with a slash behind it", EISDIR, ::truncate("d/", 0));
    s.fails("truncate of a name that is not there", ENOENT, ::truncate("absent", 0));
    s.fails("truncate of an empty path", ENOENT, ::truncate("", 0));
    s.fails("truncate of a symlink to nothing", ENOENT, ::truncate("dangling", 0));
    s.fails("truncate of a symlink to itself", ELOOP, ::truncate("loop", 0));
    s.fails("truncate below a file", ENOTDIR, ::truncate("file/a", 0));
    s.fails("truncate of a file with a slash behind it", ENOTDIR, ::truncate("file/", 0));
    s.fails("truncate of a name of 256 bytes", ENAMETOOLONG, ::truncate(long_name.c_str(), 0));
    s.fails("truncate of a path of 5000 bytes", ENAMETOOLONG, ::truncate(long_path.c_str(), 0));
    s.fails("truncate of a fifo", EINVAL, ::truncate("fifo", 0));
    s.fails("truncate to -1", EINVAL, ::truncate("file", -1));
    s.fails("truncate to the least number", EINVAL, ::truncate("file", std::numeric_limits<off_t>::min()));
    s.fails("ftruncate to -1", EINVAL, ::ftruncate(fd, -1));
    s.fails("ftruncate of -1", EBADF, ::ftruncate(-1, 0));
    const int reader = prepared(::open("file", O_RDONLY));
    s.fails("ftruncate of a descriptor opened for reading", {EINVAL, EBADF}, ::ftruncate(reader, 0));
    const int directory = prepared(::open("d", O_RDONLY | O_DIRECTORY));
    s.fails("ftruncate of a descriptor of a directory", {EINVAL, EBADF}, ::ftruncate(directory, 0));
    const int path_only = prepared(::open("file", O_PATH));
    s.fails("ftruncate of a descriptor opened with O_PATH", EBADF, ::ftruncate(path_only, 0));
    int ends[2];
    Suite::need(::pipe(ends) == 0, "pipe");
    s.fails("ftruncate of a pipe", EINVAL, ::ftruncate(ends[1], 0));
    s.equal("the content is as it was", s.read_file("file"), std::string("0123456789"));
    ::close(fd);
    s.fails("ftruncate of a closed descriptor", EBADF, ::ftruncate(fd, 0));
}

POSIX_CASE("a file grows no further than a limit") {
    const int fd = s.make_file("file", "0123456789");
    if (::ftruncate(fd, kMost) != 0) {
        s.fails("ftruncate to more than the file system holds", {EFBIG, EINVAL}, ::ftruncate(fd, kMost));
        s.fails("truncate to more than the file system holds", {EFBIG, EINVAL}, ::truncate("file", kMost));
        s.equal("the content is as it was", s.read_file("file"), std::string("0123456789"));
    }
    Suite::need(::ftruncate(fd, 10) == 0, "ftruncate");
    rlimit limit{1000, 1000};
    Suite::need(::signal(SIGXFSZ, SIG_IGN) != SIG_ERR && ::setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
    s.passes("truncate to RLIMIT_FSIZE", ::truncate("file", 1000));
    s.fails("truncate to more than RLIMIT_FSIZE", EFBIG, ::truncate("file", 1001));
    s.fails("ftruncate to more than RLIMIT_FSIZE", EFBIG, ::ftruncate(fd, 5000));
    s.equal("the size is the limit", found_at("file").st_size, 1000);
    s.fails("pwrite at RLIMIT_FSIZE", EFBIG, ::pwrite(fd, "x", 1, 1000));
    s.equal("pwrite across RLIMIT_FSIZE writes up to it", ::pwrite(fd, "xyz", 3, 998), 2);
    s.passes("ftruncate to less", ::ftruncate(fd, 5));
    ::close(fd);
}

} // namespace posix_suite::truncate_cases
