// SPDX-License-Identifier: BSD-2-Clause
// lseek(2), and whose offset it is.
#include "processes.hpp"
#include "suite.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

using posix_suite::in_child;

namespace {

constexpr int kUnknownWhence = 99;

}

POSIX_CASE("lseek from the start, the offset and the end") {
    const int fd = s.make_file("file", "0123456789");
    char byte = 0;
    s.equal("SEEK_SET to zero", ::lseek(fd, 0, SEEK_SET), 0);
    s.equal("SEEK_SET into the middle", ::lseek(fd, 4, SEEK_SET), 4);
    s.equal("read there", ::read(fd, &byte, 1), 1);
    s.equal("the byte there", byte, '4');
    s.equal("SEEK_CUR by zero tells the offset", ::lseek(fd, 0, SEEK_CUR), 5);
    s.equal("SEEK_CUR forwards", ::lseek(fd, 3, SEEK_CUR), 8);
    s.equal("SEEK_CUR backwards", ::lseek(fd, -7, SEEK_CUR), 1);
    s.equal("SEEK_CUR back to zero", ::lseek(fd, -1, SEEK_CUR), 0);
    s.equal("SEEK_END by zero", ::lseek(fd, 0, SEEK_END), 10);
    s.equal("SEEK_END backwards", ::lseek(fd, -3, SEEK_END), 7);
    s.equal("read near the end", ::read(fd, &byte, 1), 1);
    s.equal("the byte near the end", byte, '7');
    s.equal("SEEK_END back to zero", ::lseek(fd, -10, SEEK_END), 0);
    s.equal("SEEK_END beyond the end", ::lseek(fd, 5, SEEK_END), 15);
    s.equal("SEEK_SET far beyond the end", ::lseek(fd, 1'000'000, SEEK_SET), 1'000'000);
    s.equal("lseek beyond the end leaves the size", s.status("file").st_size, 10);
    s.passes("ftruncate", ::ftruncate(fd, 3));
    s.equal("ftruncate leaves the offset", ::lseek(fd, 0, SEEK_CUR), 1'000'000);
    s.equal("SEEK_END follows ftruncate", ::lseek(fd, 0, SEEK_END), 3);
    s.equal("another descriptor writes", ::write(::open(s.path("file").c_str(), O_WRONLY | O_APPEND), "xx", 2), 2);
    s.equal("SEEK_END follows the write", ::lseek(fd, 0, SEEK_END), 5);
}

POSIX_CASE("lseek refuses what is no offset") {
    const int fd = s.make_file("file", "0123456789");
    s.need(::lseek(fd, 5, SEEK_SET) == 5, "lseek");
    s.fails("SEEK_SET to -1", EINVAL, ::lseek(fd, -1, SEEK_SET));
    s.fails("SEEK_CUR before the start", EINVAL, ::lseek(fd, -6, SEEK_CUR));
    s.fails("SEEK_END before the start", EINVAL, ::lseek(fd, -11, SEEK_END));
    s.fails("SEEK_SET to the most negative offset", EINVAL, ::lseek(fd, INT64_MIN, SEEK_SET));
    s.fails("SEEK_CUR beyond what an offset holds", {EOVERFLOW, EINVAL}, ::lseek(fd, INT64_MAX, SEEK_CUR));
    s.fails("SEEK_END beyond what an offset holds", {EOVERFLOW, EINVAL}, ::lseek(fd, INT64_MAX, SEEK_END));
    s.fails("an unknown whence", EINVAL, ::lseek(fd, 0, kUnknownWhence));
    s.fails("a negative whence", EINVAL, ::lseek(fd, 0, -1));
    s.equal("refused calls leave the offset", ::lseek(fd, 0, SEEK_CUR), 5);
    s.fails("lseek of -1", EBADF, ::lseek(-1, 0, SEEK_SET));
    const int place = ::open(s.path("file").c_str(), O_PATH);
    s.fails("lseek of O_PATH", EBADF, ::lseek(place, 0, SEEK_SET));
    ::close(fd);
    s.fails("lseek of a closed descriptor", EBADF, ::lseek(fd, 0, SEEK_SET));
}

POSIX_CASE("lseek of what has no offset is ESPIPE") {
    int ends[2];
    s.need(::pipe(ends) == 0, "a pipe");
    s.need(::mkfifo(s.path("fifo").c_str(), 0600) == 0, "a FIFO");
    const int fifo = ::open(s.path("fifo").c_str(), O_RDWR);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    s.fails("SEEK_CUR of a pipe", ESPIPE, ::lseek(ends[0], 0, SEEK_CUR));
    s.fails("SEEK_SET of a FIFO", ESPIPE, ::lseek(fifo, 0, SEEK_SET));
    s.fails("SEEK_CUR of a FIFO", ESPIPE, ::lseek(fifo, 0, SEEK_CUR));
    s.fails("SEEK_END of a FIFO", ESPIPE, ::lseek(fifo, 0, SEEK_END));
    s.fails("SEEK_END of a socket", ESPIPE, ::lseek(socket, 0, SEEK_END));
}

POSIX_CASE("duplicates share an offset, descriptors of other opens do not") {
    const int fd = s.make_file("file", "0123456789");
    const int copy = ::dup(fd);
    const int other = ::open(s.path("file").c_str(), O_RDWR);
    char byte = 0;
    s.equal("lseek of the first", ::lseek(fd, 3, SEEK_SET), 3);
    s.equal("the duplicate has it", ::lseek(copy, 0, SEEK_CUR), 3);
    s.equal("the other open has its own", ::lseek(other, 0, SEEK_CUR), 0);
    s.equal("read by the duplicate", ::read(copy, &byte, 1), 1);
    s.equal("it read at the shared offset", byte, '3');
    s.equal("the first moved with it", ::lseek(fd, 0, SEEK_CUR), 4);
    s.equal("a child moves it", in_child([&] { return ::lseek(fd, 7, SEEK_SET); }), 7);
    s.equal("the child's offset is the parent's", ::lseek(fd, 0, SEEK_CUR), 7);
    s.equal("a child reads", in_child([&] { return ::read(copy, &byte, 1); }), 1);
    s.equal("the child's read moved the parent's offset", ::lseek(fd, 0, SEEK_CUR), 8);
    s.equal("a child writes", in_child([&] { return ::write(fd, "x", 1); }), 1);
    s.equal("the parent writes on", ::write(copy, "y", 1), 1);
    s.equal("the writes are one after the other", s.read_file("file"), "01234567xy");
    s.equal("the other open still has its own", ::lseek(other, 0, SEEK_CUR), 0);
    ::close(fd);
    s.equal("the offset outlives the first descriptor", ::lseek(copy, 0, SEEK_CUR), 10);
}

POSIX_CASE("SEEK_DATA and SEEK_HOLE of a file without holes") {
    const int fd = s.make_file("file", std::string(10'000, 'x'));
    if (::lseek(fd, 0, SEEK_DATA) == -1 && errno == EINVAL) return s.skip("no SEEK_DATA here");
    s.equal("SEEK_DATA at the start", ::lseek(fd, 0, SEEK_DATA), 0);
    s.equal("SEEK_DATA in the middle stays", ::lseek(fd, 5'000, SEEK_DATA), 5'000);
    s.equal("SEEK_DATA at the last byte stays", ::lseek(fd, 9'999, SEEK_DATA), 9'999);
    s.equal("SEEK_HOLE at the start is the end", ::lseek(fd, 0, SEEK_HOLE), 10'000);
    s.equal("SEEK_HOLE moved the offset", ::lseek(fd, 0, SEEK_CUR), 10'000);
    s.equal("SEEK_HOLE in the middle is the end", ::lseek(fd, 5'000, SEEK_HOLE), 10'000);
    s.equal("SEEK_HOLE at the last byte is the end", ::lseek(fd, 9'999, SEEK_HOLE), 10'000);
    s.need(::lseek(fd, 17, SEEK_SET) == 17, "lseek");
    s.fails("SEEK_DATA at the end", ENXIO, ::lseek(fd, 10'000, SEEK_DATA));
    s.fails("SEEK_HOLE at the end", ENXIO, ::lseek(fd, 10'000, SEEK_HOLE));
    s.fails("SEEK_DATA beyond the end", ENXIO, ::lseek(fd, 20'000, SEEK_DATA));
    s.fails("SEEK_HOLE beyond the end", ENXIO, ::lseek(fd, 20'000, SEEK_HOLE));
    s.fails("SEEK_DATA at -1", {ENXIO, EINVAL}, ::lseek(fd, -1, SEEK_DATA));
    s.fails("SEEK_HOLE at -1", {ENXIO, EINVAL}, ::lseek(fd, -1, SEEK_HOLE));
    s.equal("refused calls leave the offset", ::lseek(fd, 0, SEEK_CUR), 17);
    const int empty = s.make_file("empty");
    s.fails("SEEK_DATA of an empty file", ENXIO, ::lseek(empty, 0, SEEK_DATA));
    s.fails("SEEK_HOLE of an empty file", ENXIO, ::lseek(empty, 0, SEEK_HOLE));
    int ends[2];
    s.need(::pipe(ends) == 0, "a pipe");
    s.fails("SEEK_DATA of a pipe", ESPIPE, ::lseek(ends[0], 0, SEEK_DATA));
    s.fails("SEEK_HOLE of a pipe", ESPIPE, ::lseek(ends[0], 0, SEEK_HOLE));
}

// A file system may take holes for data: what it finds lies between the answer of one that knows nothing and the exact one.
POSIX_CASE("SEEK_DATA and SEEK_HOLE of a file with a hole") {
    constexpr off_t kData = 4 << 20;
    const int fd = s.make_file("file");
    s.need(::pwrite(fd, "data", 4, kData) == 4 && ::ftruncate(fd, 2 * kData) == 0, "a file with holes");
    if (::lseek(fd, kData, SEEK_DATA) == -1 && errno == EINVAL) return s.skip("no SEEK_DATA here");
    const off_t first = ::lseek(fd, 0, SEEK_DATA);
    s.holds("SEEK_DATA in the first hole finds data not behind the data", first >= 0 && first <= kData);
    const off_t hole = ::lseek(fd, 0, SEEK_HOLE);
    s.holds("SEEK_HOLE in the first hole stays or finds the end", hole == 0 || hole == 2 * kData);
    s.equal("SEEK_DATA at the data stays", ::lseek(fd, kData, SEEK_DATA), kData);
    s.equal("SEEK_DATA in the data stays", ::lseek(fd, kData + 3, SEEK_DATA), kData + 3);
    const off_t second = ::lseek(fd, kData, SEEK_HOLE);
    s.holds("SEEK_HOLE at the data is behind it", second >= kData + 4 && second <= 2 * kData);
    const off_t last = ::lseek(fd, 2 * kData - 1, SEEK_DATA);
    s.holds("SEEK_DATA in the last hole is ENXIO or stays", last == 2 * kData - 1 || (last == -1 && errno == ENXIO));
    const off_t end = ::lseek(fd, 2 * kData - 1, SEEK_HOLE);
    s.holds("SEEK_HOLE in the last hole stays or finds the end", end == 2 * kData - 1 || end == 2 * kData);
    s.fails("SEEK_HOLE at the end of a hole", ENXIO, ::lseek(fd, 2 * kData, SEEK_HOLE));
}

POSIX_CASE("the offset of a directory is at its start again after lseek") {
    s.write_file("one");
    const int fd = ::open(s.directory().c_str(), O_RDONLY | O_DIRECTORY);
    s.equal("the offset of a fresh directory", ::lseek(fd, 0, SEEK_CUR), 0);
    s.equal("SEEK_SET to zero", ::lseek(fd, 0, SEEK_SET), 0);
    s.fails("SEEK_SET to -1 of a directory", EINVAL, ::lseek(fd, -1, SEEK_SET));
    s.fails("an unknown whence of a directory", EINVAL, ::lseek(fd, 0, kUnknownWhence));
}
