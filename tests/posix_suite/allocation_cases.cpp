// SPDX-License-Identifier: BSD-2-Clause
// Holes, fallocate(2) and posix_fallocate(3).
#include "processes.hpp"
#include "suite.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

using posix_suite::read_at;

namespace {

constexpr off_t kMiB = 1 << 20;

bool knows_mode(int fd, int mode) { return ::fallocate(fd, mode, 0, 4096) == 0 || errno != EOPNOTSUPP; }

blkcnt_t blocks_of(int fd) {
    struct stat found{};
    posix_suite::Suite::need(::fstat(fd, &found) == 0 && ::fsync(fd) == 0 && ::fstat(fd, &found) == 0, "fstat");
    return found.st_blocks;
}

} // namespace

POSIX_CASE("a hole reads as zeros and takes few blocks") {
    const int fd = s.make_file("file");
    s.passes("ftruncate makes a hole", ::ftruncate(fd, 16 * kMiB));
    s.holds("a file that is a hole has few blocks", blocks_of(fd) < 128);
    s.equal("the hole is zeros at its start", read_at(fd, 100, 0), std::string(100, '\0'));
    s.equal("the hole is zeros at its end", read_at(fd, 200, 16 * kMiB - 100), std::string(100, '\0'));
    s.holds("reading gives it no blocks", blocks_of(fd) < 128);
    s.equal("pwrite into the hole", ::pwrite(fd, "x", 1, 8 * kMiB), 1);
    s.holds("pwrite gives it a block", blocks_of(fd) > 0);
    s.holds("pwrite gives it few blocks", blocks_of(fd) < 8192);
    s.equal("before the byte are zeros", read_at(fd, 10, 8 * kMiB - 9), std::string(9, '\0') + "x");
    s.equal("after the byte are zeros", read_at(fd, 10, 8 * kMiB), "x" + std::string(9, '\0'));
    s.equal("the hole leaves the size", s.status("file").st_size, 16 * kMiB);
}

POSIX_CASE("what ftruncate cut off comes back as zeros") {
    const int fd = s.make_file("file", std::string(10'000, 'x'));
    s.passes("ftruncate within a page", ::ftruncate(fd, 5'001));
    s.passes("ftruncate back", ::ftruncate(fd, 10'000));
    s.equal("the bytes before the cut", read_at(fd, 5'001, 0), std::string(5'001, 'x'));
    s.equal("the bytes behind the cut", read_at(fd, 5'000, 5'001), std::string(4'999, '\0'));
    s.passes("ftruncate to zero", ::ftruncate(fd, 0));
    s.equal("pwrite behind zero", ::pwrite(fd, "y", 1, 100), 1);
    s.equal("the bytes before it", read_at(fd, 200, 0), std::string(100, '\0') + "y");
}

POSIX_CASE("fallocate makes room and a size") {
    const int fd = s.make_file("file", "0123");
    if (!knows_mode(fd, 0)) return s.skip("no fallocate here");
    s.need(::ftruncate(fd, 4) == 0, "ftruncate");
    s.passes("fallocate beyond the end", ::fallocate(fd, 0, 0, kMiB));
    s.equal("the size is the end of the range", s.status("file").st_size, kMiB);
    s.holds("the blocks are there", blocks_of(fd) >= kMiB / 512);
    s.equal("the old bytes stay", read_at(fd, 5, 0), std::string("0123\0", 5));
    s.equal("the new bytes are zeros", read_at(fd, 100, kMiB - 100), std::string(100, '\0'));
    s.passes("fallocate within the file", ::fallocate(fd, 0, 0, 100));
    s.equal("fallocate within the file leaves the size", s.status("file").st_size, kMiB);
    s.passes("fallocate with a gap", ::fallocate(fd, 0, 2 * kMiB, 10));
    s.equal("the size covers the gap", s.status("file").st_size, 2 * kMiB + 10);
    s.equal("fallocate leaves the offset", ::lseek(fd, 0, SEEK_CUR), 4);
}

POSIX_CASE("FALLOC_FL_KEEP_SIZE makes room and no size") {
    const int fd = s.make_file("file", "0123");
    if (!knows_mode(fd, FALLOC_FL_KEEP_SIZE)) return s.skip("no FALLOC_FL_KEEP_SIZE here");
    s.passes("fallocate beyond the end", ::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, kMiB));
    s.equal("the size stays", s.status("file").st_size, 4);
    s.holds("the blocks are there", blocks_of(fd) >= kMiB / 512);
    s.equal("read stops at the size", read_at(fd, 100, 0), "0123");
    s.passes("ftruncate into the room", ::ftruncate(fd, 10));
    s.equal("the room is zeros", read_at(fd, 100, 0), std::string("0123\0\0\0\0\0\0", 10));
}

POSIX_CASE("FALLOC_FL_PUNCH_HOLE takes bytes away") {
    constexpr int kMode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    const int fd = s.make_file("file", std::string(kMiB, 'x'));
    if (::fallocate(fd, kMode, 2 * kMiB, 4096) != 0 && errno == EOPNOTSUPP)
        return s.skip("no FALLOC_FL_PUNCH_HOLE here");
    const blkcnt_t before = blocks_of(fd);
    s.passes("punch in the middle", ::fallocate(fd, kMode, 100, kMiB / 2));
    s.equal("the size stays", s.status("file").st_size, kMiB);
    s.equal("the bytes before the hole stay", read_at(fd, 100, 0), std::string(100, 'x'));
    s.holds("the hole is zeros", read_at(fd, kMiB / 2, 100) == std::string(kMiB / 2, '\0'));
    s.equal("the bytes behind the hole stay", read_at(fd, 100, 100 + kMiB / 2), std::string(100, 'x'));
    s.holds("blocks are given back", blocks_of(fd) < before);
    s.passes("punch across the end", ::fallocate(fd, kMode, kMiB - 10, 1000));
    s.equal("punch across the end leaves the size", s.status("file").st_size, kMiB);
    s.equal("the end is zeros", read_at(fd, 100, kMiB - 11), "x" + std::string(10, '\0'));
    s.passes("punch beyond the end", ::fallocate(fd, kMode, 2 * kMiB, 4096));
    s.equal("punch beyond the end leaves the size", s.status("file").st_size, kMiB);
    s.fails("punch without FALLOC_FL_KEEP_SIZE", {EOPNOTSUPP, EINVAL}, ::fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
}

POSIX_CASE("FALLOC_FL_ZERO_RANGE writes zeros") {
    const int fd = s.make_file("file", std::string(10'000, 'x'));
    if (::fallocate(fd, FALLOC_FL_ZERO_RANGE, 1, 1) != 0 && errno == EOPNOTSUPP)
        return s.skip("no FALLOC_FL_ZERO_RANGE here");
    s.passes("zeros in the middle", ::fallocate(fd, FALLOC_FL_ZERO_RANGE, 100, 5'000));
    s.equal("the size stays", s.status("file").st_size, 10'000);
    s.equal("the range is zeros", read_at(fd, 5'000, 100), std::string(5'000, '\0'));
    s.equal("the bytes behind it stay", read_at(fd, 10, 5'100), std::string(10, 'x'));
    s.passes("zeros across the end", ::fallocate(fd, FALLOC_FL_ZERO_RANGE, 9'990, 100));
    s.equal("the size grows", s.status("file").st_size, 10'090);
    s.passes("zeros across the end, size kept",
             ::fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 10'000, 900));
    s.equal("the size is kept", s.status("file").st_size, 10'090);
}

POSIX_CASE("fallocate refuses what is no range of a file") {
    const int fd = s.make_file("file", "0123");
    if (!knows_mode(fd, 0)) return s.skip("no fallocate here");
    s.need(::ftruncate(fd, 4) == 0, "ftruncate");
    s.fails("a length of zero", EINVAL, ::fallocate(fd, 0, 0, 0));
    s.fails("a negative length", EINVAL, ::fallocate(fd, 0, 0, -1));
    s.fails("a negative offset", EINVAL, ::fallocate(fd, 0, -1, 10));
    s.fails("a range beyond the largest offset", EFBIG, ::fallocate(fd, 0, INT64_MAX, 10));
    s.fails("an unknown mode", {EOPNOTSUPP, EINVAL}, ::fallocate(fd, 1 << 30, 0, 10));
    s.fails("two modes at once", {EOPNOTSUPP, EINVAL},
            ::fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_COLLAPSE_RANGE, 0, 4096));
    const int reader = ::open(s.path("file").c_str(), O_RDONLY);
    s.fails("a descriptor that is O_RDONLY", EBADF, ::fallocate(reader, 0, 0, 10));
    const int directory = ::open(s.directory().c_str(), O_RDONLY);
    s.fails("a directory", {EBADF, EISDIR, ENODEV}, ::fallocate(directory, 0, 0, 10));
    s.fails("no descriptor", EBADF, ::fallocate(-1, 0, 0, 10));
    int ends[2];
    s.need(::pipe(ends) == 0, "a pipe");
    s.fails("a pipe", ESPIPE, ::fallocate(ends[1], 0, 0, 10));
    s.need(::mkfifo(s.path("fifo").c_str(), 0600) == 0, "a FIFO");
    s.fails("a FIFO", ESPIPE, ::fallocate(::open(s.path("fifo").c_str(), O_RDWR), 0, 0, 10));
    s.fails("a socket", {ENODEV, ESPIPE}, ::fallocate(::socket(AF_UNIX, SOCK_STREAM, 0), 0, 0, 10));
    s.equal("the file is as before", s.read_file("file"), "0123");
}

// It returns the error.
POSIX_CASE("posix_fallocate makes room and returns errors") {
    const int fd = s.make_file("file", "0123");
    s.equal("beyond the end", ::posix_fallocate(fd, 2, 5'000), 0);
    s.equal("the size grows", s.status("file").st_size, 5'002);
    s.equal("the old bytes stay, the new ones are zeros", read_at(fd, 6, 0), std::string("0123\0\0", 6));
    s.holds("the blocks are there", blocks_of(fd) >= 5'002 / 512);
    s.equal("within the file", ::posix_fallocate(fd, 0, 10), 0);
    s.equal("within the file the size stays", s.status("file").st_size, 5'002);
    s.equal("a length of zero", ::posix_fallocate(fd, 0, 0), EINVAL);
    s.equal("a negative length", ::posix_fallocate(fd, 0, -1), EINVAL);
    s.equal("a negative offset", ::posix_fallocate(fd, -1, 10), EINVAL);
    s.equal("no descriptor", ::posix_fallocate(-1, 0, 10), EBADF);
    s.equal("a descriptor that is O_RDONLY", ::posix_fallocate(::open(s.path("file").c_str(), O_RDONLY), 0, 10), EBADF);
    int ends[2];
    s.need(::pipe(ends) == 0, "a pipe");
    s.equal("a pipe", ::posix_fallocate(ends[1], 0, 10), ESPIPE);
    s.equal("a range beyond the largest offset", ::posix_fallocate(fd, INT64_MAX, 10), EFBIG);
    s.equal("refused calls leave the size", s.status("file").st_size, 5'002);
}
