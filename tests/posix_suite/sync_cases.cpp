// SPDX-License-Identifier: BSD-2-Clause
// fsync(2), fdatasync(2), syncfs(2), sync_file_range(2) and posix_fadvise(2).
#include "suite.hpp"

#include <fcntl.h>
#include <unistd.h>

POSIX_CASE("fsync and fdatasync take each descriptor of a file") {
    const int fd = s.make_file("file", "0123");
    const int reader = ::open(s.path("file").c_str(), O_RDONLY);
    const int directory = ::open(s.directory().c_str(), O_RDONLY | O_DIRECTORY);
    s.passes("fsync of a writer", ::fsync(fd));
    s.passes("fdatasync of a writer", ::fdatasync(fd));
    s.passes("fsync of a reader", ::fsync(reader));
    s.passes("fdatasync of a reader", ::fdatasync(reader));
    s.passes("fsync of a directory", ::fsync(directory));
    s.passes("fdatasync of a directory", ::fdatasync(directory));
    s.passes("fsync with nothing to write", ::fsync(fd));
    s.equal("the content stays", s.read_file("file"), "0123");
    s.equal("the offset stays", ::lseek(fd, 0, SEEK_CUR), 4);
    s.passes("unlink", ::unlink(s.path("file").c_str()));
    s.passes("fsync after unlink", ::fsync(fd));
    s.passes("fdatasync after unlink", ::fdatasync(fd));
    s.passes("fsync of an empty file", ::fsync(s.make_file("empty")));
}

POSIX_CASE("fsync and fdatasync refuse what holds no data") {
    int ends[2];
    s.need(::pipe(ends) == 0, "a pipe");
    s.write_file("file");
    const int place = ::open(s.path("file").c_str(), O_PATH);
    s.fails("fsync of -1", EBADF, ::fsync(-1));
    s.fails("fdatasync of -1", EBADF, ::fdatasync(-1));
    s.fails("fsync of O_PATH", EBADF, ::fsync(place));
    s.fails("fdatasync of O_PATH", EBADF, ::fdatasync(place));
    s.fails("fsync of a pipe", EINVAL, ::fsync(ends[1]));
    s.fails("fdatasync of a pipe", EINVAL, ::fdatasync(ends[1]));
    ::close(ends[1]);
    s.fails("fsync of a closed descriptor", EBADF, ::fsync(ends[1]));
}

POSIX_CASE("syncfs takes each descriptor on the file system") {
    const int fd = s.make_file("file", "0123");
    s.passes("syncfs of a file", ::syncfs(fd));
    s.passes("syncfs of a directory", ::syncfs(::open(s.directory().c_str(), O_RDONLY)));
    s.fails("syncfs of -1", EBADF, ::syncfs(-1));
    s.fails("syncfs of O_PATH", EBADF, ::syncfs(::open(s.path("file").c_str(), O_PATH)));
}

POSIX_CASE("sync_file_range takes ranges of files") {
    constexpr unsigned kAll = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    constexpr unsigned kUnknown = 1U << 30;
    const int fd = s.make_file("file", std::string(10'000, 'x'));
    s.passes("a range with all flags", ::sync_file_range(fd, 0, 5'000, kAll));
    s.passes("a length of zero means to the end", ::sync_file_range(fd, 100, 0, kAll));
    s.passes("no flag", ::sync_file_range(fd, 0, 100, 0));
    s.passes("a range beyond the end", ::sync_file_range(fd, 100'000, 100, SYNC_FILE_RANGE_WRITE));
    s.fails("an unknown flag", EINVAL, ::sync_file_range(fd, 0, 100, kUnknown));
    s.fails("a negative offset", EINVAL, ::sync_file_range(fd, -1, 100, kAll));
    s.fails("a negative length", EINVAL, ::sync_file_range(fd, 0, -1, kAll));
    s.fails("sync_file_range of -1", EBADF, ::sync_file_range(-1, 0, 100, kAll));
    int ends[2];
    s.need(::pipe(ends) == 0, "a pipe");
    s.fails("sync_file_range of a pipe", ESPIPE, ::sync_file_range(ends[1], 0, 100, kAll));
}

// It returns the error.
POSIX_CASE("posix_fadvise changes nothing that is read") {
    const int fd = s.make_file("file", "0123456789");
    s.equal("POSIX_FADV_NORMAL", ::posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL), 0);
    s.equal("POSIX_FADV_SEQUENTIAL", ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
    s.equal("POSIX_FADV_RANDOM", ::posix_fadvise(fd, 0, 10, POSIX_FADV_RANDOM), 0);
    s.equal("POSIX_FADV_WILLNEED", ::posix_fadvise(fd, 5, 100, POSIX_FADV_WILLNEED), 0);
    s.equal("POSIX_FADV_NOREUSE", ::posix_fadvise(fd, 0, 10, POSIX_FADV_NOREUSE), 0);
    s.equal("POSIX_FADV_DONTNEED", ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    s.equal("unknown advice", ::posix_fadvise(fd, 0, 0, 99), EINVAL);
    s.equal("a negative length", ::posix_fadvise(fd, 0, -1, POSIX_FADV_NORMAL), EINVAL);
    s.equal("posix_fadvise of -1", ::posix_fadvise(-1, 0, 0, POSIX_FADV_NORMAL), EBADF);
    int ends[2];
    s.need(::pipe(ends) == 0, "a pipe");
    s.equal("posix_fadvise of a pipe", ::posix_fadvise(ends[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
    s.equal("the content is as before", s.read_file("file"), "0123456789");
}

POSIX_CASE("O_SYNC and O_DSYNC write like any other") {
    s.write_file("file", "0123");
    const int sync = ::open(s.path("file").c_str(), O_RDWR | O_SYNC);
    s.passes("open with O_SYNC", sync);
    s.equal("write with O_SYNC", ::write(sync, "ab", 2), 2);
    const int data = ::open(s.path("file").c_str(), O_WRONLY | O_DSYNC);
    s.passes("open with O_DSYNC", data);
    s.equal("pwrite with O_DSYNC", ::pwrite(data, "cd", 2, 4), 2);
    s.equal("both are read", s.read_file("file"), "ab23cd");
    s.equal("F_GETFL tells O_SYNC", ::fcntl(sync, F_GETFL) & O_SYNC, O_SYNC);
    s.equal("F_GETFL tells O_DSYNC", ::fcntl(data, F_GETFL) & O_SYNC, O_DSYNC);
}
