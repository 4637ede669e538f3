// SPDX-License-Identifier: BSD-2-Clause
// read(2), write(2), pread(2) and pwrite(2).
#include "processes.hpp"
#include "suite.hpp"

#include <cstring>
#include <fcntl.h>
#include <unistd.h>

using posix_suite::forbidden_address;
using posix_suite::read_at;

POSIX_CASE("read takes what is there from the offset on") {
    s.write_file("file", "0123456789");
    const int fd = ::open(s.path("file").c_str(), O_RDONLY);
    char piece[32] = {};
    s.equal("the first read gives what was asked for", ::read(fd, piece, 4), 4);
    s.equal("its bytes are the first ones", std::string(piece, 4), "0123");
    s.equal("read moved the offset", ::lseek(fd, 0, SEEK_CUR), 4);
    s.equal("the next read goes on", ::read(fd, piece, 3), 3);
    s.equal("the bytes are the next ones", std::string(piece, 3), "456");
    s.equal("read is short at the end", ::read(fd, piece, sizeof piece), 3);
    s.equal("the short read has the last bytes", std::string(piece, 3), "789");
    s.equal("the short read stops at the end", ::lseek(fd, 0, SEEK_CUR), 10);
    s.equal("read at the end gives nothing", ::read(fd, piece, sizeof piece), 0);
    s.equal("read at the end does not move the offset", ::lseek(fd, 0, SEEK_CUR), 10);
    s.equal("lseek beyond the end", ::lseek(fd, 100, SEEK_SET), 100);
    s.equal("read beyond the end gives nothing", ::read(fd, piece, sizeof piece), 0);
    s.equal("read beyond the end does not move the offset", ::lseek(fd, 0, SEEK_CUR), 100);
    s.equal("lseek to the last byte", ::lseek(fd, 9, SEEK_SET), 9);
    s.equal("read of the last byte alone", ::read(fd, piece, 1), 1);
    s.equal("the last byte", piece[0], '9');
}

POSIX_CASE("read of zero bytes does nothing") {
    s.write_file("file", "0123");
    const int fd = ::open(s.path("file").c_str(), O_RDONLY);
    char piece[4] = {'x', 'x', 'x', 'x'};
    s.equal("read of zero bytes", ::read(fd, piece, 0), 0);
    s.equal("read of zero bytes leaves the buffer", piece[0], 'x');
    s.equal("read of zero bytes leaves the offset", ::lseek(fd, 0, SEEK_CUR), 0);
    s.equal("pread of zero bytes", ::pread(fd, piece, 0, 2), 0);
    s.equal("pread of zero bytes beyond the end", ::pread(fd, piece, 0, 200), 0);
    s.write_file("empty");
    const int empty = ::open(s.path("empty").c_str(), O_RDONLY);
    s.equal("read of an empty file", ::read(empty, piece, 4), 0);
    s.equal("pread of an empty file", ::pread(empty, piece, 4, 0), 0);
    s.equal("an empty file leaves the buffer", std::string(piece, 4), "xxxx");
}

POSIX_CASE("pread reads anywhere and leaves the offset") {
    const int fd = s.make_file("file", "0123456789");
    char piece[32] = {};
    s.equal("make_file left the offset at the end", ::lseek(fd, 0, SEEK_CUR), 10);
    s.equal("pread at zero", ::pread(fd, piece, 3, 0), 3);
    s.equal("the bytes at zero", std::string(piece, 3), "012");
    s.equal("pread in the middle", ::pread(fd, piece, 3, 5), 3);
    s.equal("the bytes in the middle", std::string(piece, 3), "567");
    s.equal("pread is short at the end", ::pread(fd, piece, sizeof piece, 8), 2);
    s.equal("the bytes at the end", std::string(piece, 2), "89");
    s.equal("pread at the end", ::pread(fd, piece, sizeof piece, 10), 0);
    s.equal("pread far beyond the end", ::pread(fd, piece, sizeof piece, 1'000'000), 0);
    s.equal("pread left the offset", ::lseek(fd, 0, SEEK_CUR), 10);
    s.fails("pread at -1", EINVAL, ::pread(fd, piece, 1, -1));
    s.fails("pread at the most negative offset", EINVAL, ::pread(fd, piece, 1, INT64_MIN));
    s.equal("a refused pread left the offset", ::lseek(fd, 0, SEEK_CUR), 10);
}

POSIX_CASE("write puts bytes at the offset and moves it") {
    const int fd = s.make_file("file");
    s.equal("write to an empty file", ::write(fd, "abcdef", 6), 6);
    s.equal("write moved the offset", ::lseek(fd, 0, SEEK_CUR), 6);
    s.equal("write made the file longer", s.status("file").st_size, 6);
    s.equal("lseek into the middle", ::lseek(fd, 2, SEEK_SET), 2);
    s.equal("write in the middle", ::write(fd, "XY", 2), 2);
    s.equal("write in the middle replaces bytes only there", s.read_file("file"), "abXYef");
    s.equal("write in the middle leaves the size", s.status("file").st_size, 6);
    s.equal("write goes on after it", ::write(fd, "123", 3), 3);
    s.equal("write across the end makes the file longer", s.read_file("file"), "abXY123");
    s.equal("write of zero bytes", ::write(fd, "zzz", 0), 0);
    s.equal("write of zero bytes leaves the size", s.status("file").st_size, 7);
    s.equal("write of zero bytes leaves the offset", ::lseek(fd, 0, SEEK_CUR), 7);
    s.equal("lseek beyond the end", ::lseek(fd, 20, SEEK_SET), 20);
    s.equal("write of zero bytes beyond the end", ::write(fd, "zzz", 0), 0);
    s.equal("write of zero bytes beyond the end leaves the size", s.status("file").st_size, 7);
    s.equal("write beyond the end", ::write(fd, "!", 1), 1);
    s.equal("the size covers the gap", s.status("file").st_size, 21);
    s.equal("the gap is of zeros", read_at(fd, 13, 7), std::string(13, '\0'));
    s.equal("the byte after the gap", read_at(fd, 1, 20), "!");
}

POSIX_CASE("pwrite writes anywhere and leaves the offset") {
    const int fd = s.make_file("file", "0123456789");
    s.equal("lseek to three", ::lseek(fd, 3, SEEK_SET), 3);
    s.equal("pwrite at zero", ::pwrite(fd, "ab", 2, 0), 2);
    s.equal("pwrite in the middle", ::pwrite(fd, "cd", 2, 5), 2);
    s.equal("both are seen", s.read_file("file"), "ab234cd789");
    s.equal("pwrite across the end", ::pwrite(fd, "efgh", 4, 8), 4);
    s.equal("the file is longer", s.read_file("file"), "ab234cd7efgh");
    s.equal("pwrite beyond the end", ::pwrite(fd, "i", 1, 14), 1);
    s.equal("the gap has two zeros", read_at(fd, 8, 10), std::string("gh\0\0i", 5));
    s.equal("pwrite of zero bytes beyond the end", ::pwrite(fd, "zzz", 0, 100), 0);
    s.equal("pwrite of zero bytes leaves the size", s.status("file").st_size, 15);
    s.equal("pwrite left the offset", ::lseek(fd, 0, SEEK_CUR), 3);
    s.fails("pwrite at -1", EINVAL, ::pwrite(fd, "z", 1, -1));
    s.fails("pwrite at the most negative offset", EINVAL, ::pwrite(fd, "z", 1, INT64_MIN));
    s.equal("a refused pwrite leaves the size", s.status("file").st_size, 15);
}

POSIX_CASE("read and write ask for the access mode of the descriptor") {
    s.write_file("file", "0123");
    char piece[4] = {};
    const int reader = ::open(s.path("file").c_str(), O_RDONLY);
    s.fails("write to O_RDONLY", EBADF, ::write(reader, "z", 1));
    s.fails("pwrite to O_RDONLY", EBADF, ::pwrite(reader, "z", 1, 0));
    s.fails("write of zero bytes to O_RDONLY", EBADF, ::write(reader, "z", 0));
    s.equal("the file is as before", s.read_file("file"), "0123");
    const int writer = ::open(s.path("file").c_str(), O_WRONLY);
    s.fails("read from O_WRONLY", EBADF, ::read(writer, piece, 1));
    s.fails("pread from O_WRONLY", EBADF, ::pread(writer, piece, 1, 0));
    s.fails("read of zero bytes from O_WRONLY", EBADF, ::read(writer, piece, 0));
    s.equal("write to O_WRONLY", ::write(writer, "a", 1), 1);
    const int both = ::open(s.path("file").c_str(), O_RDWR);
    s.equal("read from O_RDWR", ::read(both, piece, 1), 1);
    s.equal("the byte that O_WRONLY wrote", piece[0], 'a');
    s.equal("write to O_RDWR goes on where read stopped", ::write(both, "b", 1), 1);
    s.equal("both bytes are there", s.read_file("file"), "ab23");
    const int place = ::open(s.path("file").c_str(), O_PATH);
    s.fails("read from O_PATH", EBADF, ::read(place, piece, 1));
    s.fails("write to O_PATH", EBADF, ::write(place, "z", 1));
    s.fails("pread from O_PATH", EBADF, ::pread(place, piece, 1, 0));
    s.fails("pwrite to O_PATH", EBADF, ::pwrite(place, "z", 1, 0));
    ::close(both);
    s.fails("read from a closed descriptor", EBADF, ::read(both, piece, 1));
    s.fails("write to a closed descriptor", EBADF, ::write(both, "z", 1));
    s.fails("pread from a closed descriptor", EBADF, ::pread(both, piece, 1, 0));
    s.fails("pwrite to a closed descriptor", EBADF, ::pwrite(both, "z", 1, 0));
    s.fails("read from -1", EBADF, ::read(-1, piece, 1));
    s.fails("write to -1", EBADF, ::write(-1, "z", 1));
}

POSIX_CASE("directories are no files of bytes") {
    char piece[4] = {};
    s.make_directory("directory");
    const int fd = ::open(s.path("directory").c_str(), O_RDONLY | O_DIRECTORY);
    s.fails("read of a directory", EISDIR, ::read(fd, piece, sizeof piece));
    s.fails("pread of a directory", EISDIR, ::pread(fd, piece, sizeof piece, 0));
    s.fails("write to a directory", EBADF, ::write(fd, "z", 1));
    s.fails("pwrite to a directory", EBADF, ::pwrite(fd, "z", 1, 0));
    s.fails("open of a directory for writing", EISDIR, ::open(s.path("directory").c_str(), O_WRONLY));
    s.fails("open of a directory for both", EISDIR, ::open(s.path("directory").c_str(), O_RDWR));
}

POSIX_CASE("addresses that are not the caller's are refused") {
    const int fd = s.make_file("file", "0123");
    void* const bad = forbidden_address();
    s.fails("pread to a forbidden address", EFAULT, ::pread(fd, bad, 4, 0));
    s.equal("lseek to the start", ::lseek(fd, 0, SEEK_SET), 0);
    s.fails("read to a forbidden address", EFAULT, ::read(fd, bad, 4));
    s.equal("the failed read leaves the offset", ::lseek(fd, 0, SEEK_CUR), 0);
    s.fails("write from a forbidden address", EFAULT, ::write(fd, bad, 4));
    s.equal("the failed write leaves the offset", ::lseek(fd, 0, SEEK_CUR), 0);
    s.fails("pwrite from a forbidden address", EFAULT, ::pwrite(fd, bad, 4, 2));
    s.equal("the failed writes leave the content", s.read_file("file"), "0123");
    s.equal("read at the end does not touch the address", ::pread(fd, bad, 4, 4), 0);
}

POSIX_CASE("pipes have no offsets") {
    int ends[2];
    s.need(::pipe(ends) == 0, "a pipe");
    char piece[4] = {};
    s.need(::mkfifo(s.path("fifo").c_str(), 0600) == 0, "a FIFO");
    const int fifo = ::open(s.path("fifo").c_str(), O_RDWR);
    s.fails("pread of a FIFO", ESPIPE, ::pread(fifo, piece, 1, 0));
    s.fails("pwrite to a FIFO", ESPIPE, ::pwrite(fifo, "z", 1, 0));
    s.fails("pread of a pipe", ESPIPE, ::pread(ends[0], piece, 1, 0));
    s.fails("pwrite to a pipe", ESPIPE, ::pwrite(ends[1], "z", 1, 0));
}

POSIX_CASE("large pieces come back whole") {
    constexpr std::size_t kBytes = (3 << 20) + 17;
    std::string all(kBytes, '\0');
    for (std::size_t i = 0; i < kBytes; ++i) all[i] = static_cast<char>((i * 31 + i / 4096) & 0x7f);
    const int fd = s.make_file("file");
    s.equal("write of three mebibytes", ::write(fd, all.data(), all.size()), kBytes);
    s.equal("the size", s.status("file").st_size, kBytes);
    s.holds("read of all of them", s.read_file("file") == all);
    s.holds("pread across pages", read_at(fd, 10'000, 4093) == all.substr(4093, 10'000));
    s.holds("pread of the end", read_at(fd, 10'000, kBytes - 100) == all.substr(kBytes - 100));
    s.equal("pwrite across pages", ::pwrite(fd, all.data(), 8195, 4095), 8195);
    std::memcpy(all.data() + 4095, std::string(all).data(), 8195);
    s.holds("the rest is as before", s.read_file("file") == all);
}

POSIX_CASE("an unlinked file is read and written on") {
    const int fd = s.make_file("file", "0123");
    s.passes("unlink", ::unlink(s.path("file").c_str()));
    s.equal("read after unlink", read_at(fd, 10, 0), "0123");
    s.equal("write after unlink", ::pwrite(fd, "4567", 4, 4), 4);
    s.equal("read of both", read_at(fd, 10, 0), "01234567");
    struct stat found{};
    s.passes("fstat after unlink", ::fstat(fd, &found));
    s.equal("no link is left", found.st_nlink, 0);
    s.equal("its size", found.st_size, 8);
    s.passes("ftruncate after unlink", ::ftruncate(fd, 2));
    s.equal("read after ftruncate", read_at(fd, 10, 0), "01");
    s.write_file("file", "new");
    s.equal("a new file of the name is another one", read_at(fd, 10, 0), "01");
}

POSIX_CASE("read changes no time of modification, write does") {
    const int fd = s.make_file("file", "0123");
    const timespec old[2] = {{1'000'000, 0}, {2'000'000, 0}};
    char piece[4] = {};
    s.passes("futimens", ::futimens(fd, old));
    s.equal("read", ::pread(fd, piece, 4, 0), 4);
    s.equal("read leaves st_mtime", s.status("file").st_mtim.tv_sec, 2'000'000);
    s.equal("write of zero bytes", ::pwrite(fd, piece, 0, 0), 0);
    s.equal("write of zero bytes leaves st_mtime", s.status("file").st_mtim.tv_sec, 2'000'000);
    s.equal("write", ::pwrite(fd, "z", 1, 0), 1);
    s.holds("write sets st_mtime", s.status("file").st_mtim.tv_sec > 2'000'000);
    s.passes("futimens again", ::futimens(fd, old));
    s.fails("write to a reader", EBADF, ::write(::open(s.path("file").c_str(), O_RDONLY), "z", 1));
    s.equal("a failed write leaves st_mtime", s.status("file").st_mtim.tv_sec, 2'000'000);
}
