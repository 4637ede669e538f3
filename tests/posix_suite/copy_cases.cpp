// SPDX-License-Identifier: BSD-2-Clause
// copy_file_range(2), sendfile(2), splice(2) and tee(2).
#include "processes.hpp"
#include "suite.hpp"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

using posix_suite::read_at;

POSIX_CASE("copy_file_range copies from one file to another") {
    const int from = s.make_file("from", "0123456789");
    const int to = s.make_file("to");
    off_t in = 2, out = 5;
    s.equal("copy with offsets", ::copy_file_range(from, &in, to, &out, 4, 0), 4);
    s.equal("the offset of the source moved", in, 6);
    s.equal("the offset of the target moved", out, 9);
    s.equal("the descriptor of the source did not move", ::lseek(from, 0, SEEK_CUR), 10);
    s.equal("the descriptor of the target did not move", ::lseek(to, 0, SEEK_CUR), 0);
    s.equal("the target has the bytes behind zeros", s.read_file("to"), std::string("\0\0\0\0\0", 5) + "2345");
    s.need(::lseek(from, 7, SEEK_SET) == 7, "lseek");
    s.equal("copy without offsets is short at the end", ::copy_file_range(from, nullptr, to, nullptr, 100, 0), 3);
    s.equal("the source moved", ::lseek(from, 0, SEEK_CUR), 10);
    s.equal("the target moved", ::lseek(to, 0, SEEK_CUR), 3);
    s.equal("the target has the bytes at its offset", s.read_file("to"), std::string("789\0\0", 5) + "2345");
    s.equal("copy at the end of the source", ::copy_file_range(from, nullptr, to, nullptr, 100, 0), 0);
    in = 1000;
    s.equal("copy from beyond the end", ::copy_file_range(from, &in, to, nullptr, 100, 0), 0);
    s.equal("the offset beyond the end stays", in, 1000);
    in = 0;
    s.equal("copy of zero bytes", ::copy_file_range(from, &in, to, nullptr, 0, 0), 0);
    s.equal("the source is as before", s.read_file("from"), "0123456789");
    s.equal("copies of nothing leave the target", s.status("to").st_size, 9);
}

POSIX_CASE("copy_file_range within one file") {
    const int fd = s.make_file("file", "0123456789");
    const int other = ::open(s.path("file").c_str(), O_RDWR);
    off_t in = 0, out = 5;
    s.equal("ranges apart", ::copy_file_range(fd, &in, fd, &out, 3, 0), 3);
    s.equal("the content after it", s.read_file("file"), "0123401289");
    in = 0, out = 2;
    s.fails("ranges that overlap", EINVAL, ::copy_file_range(fd, &in, fd, &out, 4, 0));
    s.fails("ranges that overlap, by two descriptors", EINVAL, ::copy_file_range(fd, &in, other, &out, 4, 0));
    in = 3, out = 3;
    s.fails("a range onto itself", EINVAL, ::copy_file_range(fd, &in, fd, &out, 4, 0));
    s.equal("refused copies leave the content", s.read_file("file"), "0123401289");
    in = 0, out = 2;
    s.equal("ranges that touch", ::copy_file_range(fd, &in, fd, &out, 2, 0), 2);
    s.equal("the content after ranges that touch", s.read_file("file"), "0101401289");
    in = 0, out = 10;
    s.equal("to the end, by two descriptors", ::copy_file_range(fd, &in, other, &out, 4, 0), 4);
    s.equal("the file is longer", s.read_file("file"), "01014012890101");
}

POSIX_CASE("copy_file_range refuses descriptors and flags") {
    const int from = s.make_file("from", "0123");
    const int to = s.make_file("to", "abcd");
    const int append = ::open(s.path("to").c_str(), O_WRONLY | O_APPEND);
    const int reader = ::open(s.path("to").c_str(), O_RDONLY);
    const int writer = ::open(s.path("from").c_str(), O_WRONLY);
    const int directory = ::open(s.directory().c_str(), O_RDONLY);
    off_t in = 0, out = 0;
    s.fails("a target with O_APPEND", EBADF, ::copy_file_range(from, &in, append, nullptr, 2, 0));
    s.fails("a target that is O_RDONLY", EBADF, ::copy_file_range(from, &in, reader, nullptr, 2, 0));
    s.fails("a source that is O_WRONLY", EBADF, ::copy_file_range(writer, &in, to, &out, 2, 0));
    s.fails("a source that is a directory", EISDIR, ::copy_file_range(directory, &in, to, &out, 2, 0));
    s.fails("a target that is a directory", {EISDIR, EBADF}, ::copy_file_range(from, &in, directory, nullptr, 2, 0));
    s.fails("a source of -1", EBADF, ::copy_file_range(-1, nullptr, to, &out, 2, 0));
    s.fails("a target of -1", EBADF, ::copy_file_range(from, &in, -1, nullptr, 2, 0));
    s.fails("an unknown flag", EINVAL, ::copy_file_range(from, &in, to, &out, 2, 1U << 30));
    int ends[2];
    s.need(::pipe(ends) == 0, "a pipe");
    s.fails("a source that is a pipe", EINVAL, ::copy_file_range(ends[0], nullptr, to, &out, 2, 0));
    s.fails("a target that is a pipe", EINVAL, ::copy_file_range(from, &in, ends[1], nullptr, 2, 0));
    in = -1;
    s.fails("a negative offset of the source", {EINVAL, EOVERFLOW}, ::copy_file_range(from, &in, to, &out, 2, 0));
    in = 0, out = -1;
    s.fails("a negative offset of the target", {EINVAL, EOVERFLOW}, ::copy_file_range(from, &in, to, &out, 2, 0));
    s.equal("the target is as before", s.read_file("to"), "abcd");
    s.equal("the source is as before", s.read_file("from"), "0123");
}

POSIX_CASE("copy_file_range across holes") {
    constexpr off_t kMiB = 1 << 20;
    const int from = s.make_file("from", "begin");
    s.need(::pwrite(from, "end", 3, kMiB) == 3, "a file with a hole");
    const int to = s.make_file("to", std::string(100'000, 'x'));
    off_t in = 0, out = 0;
    long copied = 0;
    while (in < kMiB + 3) {
        const long some = ::copy_file_range(from, &in, to, &out, static_cast<std::size_t>(kMiB + 3 - in), 0);
        if (some <= 0) break;
        copied += some;
    }
    s.equal("all is copied", copied, kMiB + 3);
    s.equal("the size", s.status("to").st_size, kMiB + 3);
    s.equal("the bytes before the hole", read_at(to, 6, 0), std::string("begin\0", 6));
    s.equal("the hole is zeros over old bytes", read_at(to, 1000, 50'000), std::string(1000, '\0'));
    s.equal("the bytes behind the hole", read_at(to, 10, kMiB - 1), std::string("\0end", 4));
}

POSIX_CASE("sendfile sends a file to a socket and to a file") {
    const int from = s.make_file("from", "0123456789");
    int ends[2];
    s.need(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "a socket pair");
    char piece[16] = {};
    off_t at = 3;
    s.equal("sendfile to a socket", ::sendfile(ends[0], from, &at, 4), 4);
    s.equal("its offset moved", at, 7);
    s.equal("the descriptor did not move", ::lseek(from, 0, SEEK_CUR), 10);
    s.equal("the socket has them", ::read(ends[1], piece, sizeof piece), 4);
    s.equal("the bytes", std::string(piece, 4), "3456");
    s.equal("sendfile is short at the end", ::sendfile(ends[0], from, &at, 100), 3);
    s.equal("sendfile at the end", ::sendfile(ends[0], from, &at, 100), 0);
    const int to = s.make_file("to", "ab");
    s.need(::lseek(from, 8, SEEK_SET) == 8, "lseek");
    s.equal("sendfile to a file", ::sendfile(to, from, nullptr, 100), 2);
    s.equal("it went to the offset of the file", s.read_file("to"), "ab89");
    s.equal("the descriptor moved", ::lseek(from, 0, SEEK_CUR), 10);
    const int append = ::open(s.path("to").c_str(), O_WRONLY | O_APPEND);
    at = 0;
    s.fails("sendfile to O_APPEND", EINVAL, ::sendfile(append, from, &at, 1));
    s.fails("sendfile from O_WRONLY", EBADF, ::sendfile(to, ::open(s.path("from").c_str(), O_WRONLY), &at, 1));
    s.fails("sendfile to O_RDONLY", EBADF, ::sendfile(::open(s.path("to").c_str(), O_RDONLY), from, &at, 1));
    s.fails("sendfile from -1", EBADF, ::sendfile(to, -1, &at, 1));
    at = -1;
    s.fails("sendfile at -1", EINVAL, ::sendfile(to, from, &at, 1));
    s.equal("refused calls leave the target", s.read_file("to"), "ab89");
}

POSIX_CASE("splice moves bytes between a pipe and a file") {
    const int fd = s.make_file("file", "0123456789");
    int ends[2];
    s.need(::pipe(ends) == 0, "a pipe");
    char piece[16] = {};
    off_t at = 4;
    s.equal("splice from the file", ::splice(fd, &at, ends[1], nullptr, 3, 0), 3);
    s.equal("its offset moved", at, 7);
    s.equal("the descriptor did not move", ::lseek(fd, 0, SEEK_CUR), 10);
    s.equal("the pipe has them", ::read(ends[0], piece, sizeof piece), 3);
    s.equal("the bytes", std::string(piece, 3), "456");
    s.need(::write(ends[1], "abcdef", 6) == 6, "write to the pipe");
    at = 8;
    s.equal("splice to the file", ::splice(ends[0], nullptr, fd, &at, 4, 0), 4);
    s.equal("the file has them at the offset", s.read_file("file"), "01234567abcd");
    s.equal("splice to the descriptor's offset", ::splice(ends[0], nullptr, fd, nullptr, 100, 0), 2);
    s.equal("the file has them there", s.read_file("file"), "01234567abef");
    s.equal("the descriptor moved", ::lseek(fd, 0, SEEK_CUR), 12);
    s.equal("splice from the end of the file", ::splice(fd, nullptr, ends[1], nullptr, 10, 0), 0);
    s.fails("splice between files", EINVAL, ::splice(fd, &at, s.make_file("other"), nullptr, 1, 0));
    at = 0;
    s.fails("splice with an offset of the pipe", ESPIPE, ::splice(ends[0], &at, fd, nullptr, 1, 0));
    s.fails("splice from an empty pipe that may not wait", EAGAIN,
            ::splice(ends[0], nullptr, fd, nullptr, 1, SPLICE_F_NONBLOCK));
    s.fails("splice to -1", EBADF, ::splice(ends[0], nullptr, -1, nullptr, 1, 0));
    s.need(::write(ends[1], "x", 1) == 1, "write to the pipe");
    const int append = ::open(s.path("file").c_str(), O_WRONLY | O_APPEND);
    s.fails("splice to O_APPEND", EINVAL, ::splice(ends[0], nullptr, append, nullptr, 1, 0));
    const int reader = ::open(s.path("file").c_str(), O_RDONLY);
    s.fails("splice to O_RDONLY", EBADF, ::splice(ends[0], nullptr, reader, nullptr, 1, 0));
}
