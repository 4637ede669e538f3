// SPDX-License-Identifier: BSD-2-Clause
// readv(2), writev(2), preadv(2), pwritev(2), preadv2(2) and pwritev2(2).
#include "processes.hpp"
#include "suite.hpp"

#include <climits>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

using posix_suite::forbidden_address;
using posix_suite::read_at;

namespace {

constexpr int kUnknownFlag = 1 << 30;
volatile int g_minus_one = -1; // the compiler does not know that it is wrong

struct TwoPieces {
    char first[4] = {};
    char second[8] = {};
    iovec list[2] = {{first, 3}, {second, 5}};
    std::string text(std::size_t size) const {
        return (std::string(first, 3) + std::string(second, 5)).substr(0, size);
    }
};

iovec piece_of(std::string& text) { return {text.data(), text.size()}; }

} // namespace

POSIX_CASE("readv fills one piece after the other") {
    const int fd = s.make_file("file", "0123456789");
    s.need(::lseek(fd, 0, SEEK_SET) == 0, "lseek");
    TwoPieces to;
    s.equal("readv of two pieces", ::readv(fd, to.list, 2), 8);
    s.equal("the bytes of both pieces", to.text(8), "01234567");
    s.equal("readv moved the offset", ::lseek(fd, 0, SEEK_CUR), 8);
    s.equal("readv is short at the end", ::readv(fd, to.list, 2), 2);
    s.equal("the first piece has them", to.text(2), "89");
    s.equal("readv at the end", ::readv(fd, to.list, 2), 0);
    s.need(::lseek(fd, 5, SEEK_SET) == 5, "lseek");
    s.equal("readv that ends in the second piece", ::readv(fd, to.list, 2), 5);
    s.equal("the bytes that were there", to.text(5), "56789");
    iovec gap[3] = {{to.first, 1}, {nullptr, 0}, {to.second, 1}};
    s.need(::lseek(fd, 0, SEEK_SET) == 0, "lseek");
    s.equal("readv with an empty piece between", ::readv(fd, gap, 3), 2);
    s.equal("the piece after the empty one", to.second[0], '1');
    s.equal("readv of no piece", ::readv(fd, gap, 0), 0);
    s.equal("readv of an empty piece", ::readv(fd, gap + 1, 1), 0);
    s.equal("readv of nothing leaves the offset", ::lseek(fd, 0, SEEK_CUR), 2);
}

POSIX_CASE("writev writes one piece after the other") {
    const int fd = s.make_file("file");
    std::string one = "one,", two = "two,", three = "three";
    iovec list[4] = {piece_of(one), piece_of(two), {nullptr, 0}, piece_of(three)};
    s.equal("writev of four pieces", ::writev(fd, list, 4), 13);
    s.equal("the content is all of them", s.read_file("file"), "one,two,three");
    s.equal("writev moved the offset", ::lseek(fd, 0, SEEK_CUR), 13);
    s.equal("writev goes on at the offset", ::writev(fd, list, 1), 4);
    s.equal("the content after it", s.read_file("file"), "one,two,threeone,");
    s.equal("writev of no piece", ::writev(fd, list, 0), 0);
    s.equal("writev of an empty piece", ::writev(fd, list + 2, 1), 0);
    s.equal("writev of nothing leaves the size", s.status("file").st_size, 17);
    s.equal("writev of nothing leaves the offset", ::lseek(fd, 0, SEEK_CUR), 17);
}

POSIX_CASE("preadv and pwritev leave the offset") {
    const int fd = s.make_file("file", "0123456789");
    TwoPieces to;
    s.equal("preadv in the middle", ::preadv(fd, to.list, 2, 1), 8);
    s.equal("the bytes in the middle", to.text(8), "12345678");
    s.equal("preadv is short at the end", ::preadv(fd, to.list, 2, 6), 4);
    s.equal("the bytes at the end", to.text(4), "6789");
    s.equal("preadv beyond the end", ::preadv(fd, to.list, 2, 50), 0);
    s.equal("preadv left the offset", ::lseek(fd, 0, SEEK_CUR), 10);
    std::string one = "AB", two = "CD";
    const iovec list[2] = {piece_of(one), piece_of(two)};
    s.equal("pwritev in the middle", ::pwritev(fd, list, 2, 3), 4);
    s.equal("the content after pwritev", s.read_file("file"), "012ABCD789");
    s.equal("pwritev beyond the end", ::pwritev(fd, list, 2, 12), 4);
    s.equal("the gap before it", read_at(fd, 10, 9), std::string("9\0\0ABCD", 7));
    s.equal("pwritev left the offset", ::lseek(fd, 0, SEEK_CUR), 10);
    s.fails("preadv at -1", EINVAL, ::preadv(fd, to.list, 2, -1));
    s.fails("preadv at -2", EINVAL, ::preadv(fd, to.list, 2, -2));
    s.fails("pwritev at -1", EINVAL, ::pwritev(fd, list, 2, -1));
    s.fails("pwritev at -2", EINVAL, ::pwritev(fd, list, 2, -2));
    s.equal("refused calls leave the size", s.status("file").st_size, 16);
}

POSIX_CASE("there are IOV_MAX pieces and no more") {
    const int fd = s.make_file("file");
    std::string letter = "x";
    std::vector<iovec> list(IOV_MAX + 1, piece_of(letter));
    s.equal("writev of IOV_MAX pieces", ::writev(fd, list.data(), IOV_MAX), IOV_MAX);
    s.equal("each piece is in the file", s.read_file("file"), std::string(IOV_MAX, 'x'));
    s.fails("writev of one piece more", EINVAL, ::writev(fd, list.data(), IOV_MAX + 1));
    s.fails("writev of -1 pieces", EINVAL, ::writev(fd, list.data(), g_minus_one));
    s.fails("pwritev of one piece more", EINVAL, ::pwritev(fd, list.data(), IOV_MAX + 1, 0));
    s.equal("refused calls leave the size", s.status("file").st_size, IOV_MAX);
    s.need(::lseek(fd, 0, SEEK_SET) == 0, "lseek");
    s.equal("readv of IOV_MAX pieces", ::readv(fd, list.data(), IOV_MAX), IOV_MAX);
    s.fails("readv of one piece more", EINVAL, ::readv(fd, list.data(), IOV_MAX + 1));
    s.fails("readv of -1 pieces", EINVAL, ::readv(fd, list.data(), g_minus_one));
    s.fails("preadv of one piece more", EINVAL, ::preadv(fd, list.data(), IOV_MAX + 1, 0));
    const iovec endless{letter.data(), SIZE_MAX};
    s.fails("readv of a piece beyond SSIZE_MAX", EINVAL, ::readv(fd, &endless, 1));
    s.fails("writev of a piece beyond SSIZE_MAX", EINVAL, ::writev(fd, &endless, 1));
}

POSIX_CASE("vectors ask for the access mode of the descriptor") {
    s.write_file("file", "0123456789");
    TwoPieces both;
    const int reader = ::open(s.path("file").c_str(), O_RDONLY);
    const int writer = ::open(s.path("file").c_str(), O_WRONLY);
    const int directory = ::open(s.directory().c_str(), O_RDONLY);
    s.fails("writev to O_RDONLY", EBADF, ::writev(reader, both.list, 2));
    s.fails("pwritev to O_RDONLY", EBADF, ::pwritev(reader, both.list, 2, 0));
    s.fails("readv from O_WRONLY", EBADF, ::readv(writer, both.list, 2));
    s.fails("preadv from O_WRONLY", EBADF, ::preadv(writer, both.list, 2, 0));
    s.fails("readv of a directory", EISDIR, ::readv(directory, both.list, 2));
    s.fails("preadv of a directory", EISDIR, ::preadv(directory, both.list, 2, 0));
    s.fails("writev to a directory", EBADF, ::writev(directory, both.list, 2));
    s.fails("readv from -1", EBADF, ::readv(-1, both.list, 2));
    s.fails("writev to -1", EBADF, ::writev(-1, both.list, 2));
    int ends[2];
    s.need(::pipe(ends) == 0, "a pipe");
    s.fails("preadv of a pipe", ESPIPE, ::preadv(ends[0], both.list, 2, 0));
    s.fails("pwritev to a pipe", ESPIPE, ::pwritev(ends[1], both.list, 2, 0));
    const iovec bad{forbidden_address(), 4};
    s.fails("readv to a forbidden address", EFAULT, ::readv(reader, &bad, 1));
    s.fails("writev from a forbidden address", EFAULT, ::writev(writer, &bad, 1));
    s.fails("readv with a forbidden list", EFAULT, ::readv(reader, static_cast<iovec*>(bad.iov_base), 1));
    s.fails("writev with a forbidden list", EFAULT, ::writev(writer, static_cast<iovec*>(bad.iov_base), 1));
    s.equal("the file is as before", s.read_file("file"), "0123456789");
}

POSIX_CASE("preadv2 and pwritev2 know offset -1 and flags") {
    const int fd = s.make_file("file", "0123456789");
    s.need(::lseek(fd, 2, SEEK_SET) == 2, "lseek");
    TwoPieces to;
    s.equal("preadv2 at -1 reads at the offset", ::preadv2(fd, to.list, 1, -1, 0), 3);
    s.equal("the bytes at the offset", to.text(3), "234");
    s.equal("preadv2 at -1 moves the offset", ::lseek(fd, 0, SEEK_CUR), 5);
    s.equal("preadv2 elsewhere", ::preadv2(fd, to.list, 2, 0, 0), 8);
    s.equal("preadv2 elsewhere leaves the offset", ::lseek(fd, 0, SEEK_CUR), 5);
    std::string word = "ab";
    const iovec list = piece_of(word);
    s.equal("pwritev2 at -1 writes at the offset", ::pwritev2(fd, &list, 1, -1, 0), 2);
    s.equal("pwritev2 at -1 moves the offset", ::lseek(fd, 0, SEEK_CUR), 7);
    s.equal("pwritev2 elsewhere", ::pwritev2(fd, &list, 1, 0, 0), 2);
    s.equal("pwritev2 elsewhere leaves the offset", ::lseek(fd, 0, SEEK_CUR), 7);
    s.equal("the content", s.read_file("file"), "ab234ab789");
    s.fails("preadv2 at -2", EINVAL, ::preadv2(fd, to.list, 1, -2, 0));
    s.fails("pwritev2 at -2", EINVAL, ::pwritev2(fd, &list, 1, -2, 0));
    s.fails("preadv2 with an unknown flag", EOPNOTSUPP, ::preadv2(fd, to.list, 1, 0, kUnknownFlag));
    s.fails("pwritev2 with an unknown flag", EOPNOTSUPP, ::pwritev2(fd, &list, 1, 0, kUnknownFlag));
    s.equal("pwritev2 with RWF_DSYNC", ::pwritev2(fd, &list, 1, 8, RWF_DSYNC), 2);
    s.equal("pwritev2 with RWF_SYNC", ::pwritev2(fd, &list, 1, 6, RWF_SYNC), 2);
    s.equal("the content after both", s.read_file("file"), "ab234aabab");
    s.equal("pwritev2 with RWF_APPEND", ::pwritev2(fd, &list, 1, 0, RWF_APPEND), 2);
    s.equal("RWF_APPEND wrote at the end", s.read_file("file"), "ab234aababab");
    s.equal("RWF_APPEND with an offset leaves it", ::lseek(fd, 0, SEEK_CUR), 7);
}
