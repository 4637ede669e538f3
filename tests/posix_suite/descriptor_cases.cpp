// SPDX-License-Identifier: BSD-2-Clause
// dup(2), dup2(2), dup3(2), the flags of fcntl(2), poll(2) and select(2) of files.
#include "processes.hpp"
#include "suite.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

POSIX_CASE("dup gives the lowest free descriptor of the same description") {
    const int fd = s.make_file("file", "0123");
    const int copy = ::dup(fd);
    s.passes("dup", copy);
    s.holds("it is another one", copy != fd);
    ::close(fd);
    s.equal("dup takes the descriptor that was closed", ::dup(copy), fd);
    s.equal("they share the flags of the file", ::fcntl(copy, F_GETFL), ::fcntl(fd, F_GETFL));
    s.passes("FD_CLOEXEC of one", ::fcntl(fd, F_SETFD, FD_CLOEXEC));
    s.equal("it is not the other's", ::fcntl(copy, F_GETFD), 0);
    s.equal("a duplicate has no FD_CLOEXEC", ::fcntl(::dup(fd), F_GETFD), 0);
    s.passes("close of one", ::close(fd));
    s.equal("the other reads on", ::pread(copy, nullptr, 0, 0), 0);
    s.equal("the content is there", posix_suite::read_at(copy, 4, 0), "0123");
    s.fails("dup of -1", EBADF, ::dup(-1));
    s.fails("dup of a closed descriptor", EBADF, ::dup(fd));
    s.fails("close of a closed descriptor", EBADF, ::close(fd));
}

POSIX_CASE("dup2 and dup3 give the descriptor that was asked for") {
    const int fd = s.make_file("file", "0123");
    const int other = s.make_file("other", "abcd");
    constexpr int kHigh = 100;
    s.equal("dup2 to a free descriptor", ::dup2(fd, kHigh), kHigh);
    s.equal("it is the file", posix_suite::read_at(kHigh, 4, 0), "0123");
    s.equal("dup2 to one in use", ::dup2(other, kHigh), kHigh);
    s.equal("it is the other file now", posix_suite::read_at(kHigh, 4, 0), "abcd");
    s.equal("dup2 of a descriptor to itself", ::dup2(fd, fd), fd);
    s.equal("it keeps FD_CLOEXEC then", ::fcntl(fd, F_GETFD), FD_CLOEXEC);
    s.equal("a duplicate by dup2 has no FD_CLOEXEC", ::fcntl(kHigh, F_GETFD), 0);
    s.fails("dup2 of -1", EBADF, ::dup2(-1, kHigh));
    s.equal("a failed dup2 leaves the target", posix_suite::read_at(kHigh, 4, 0), "abcd");
    s.fails("dup2 to -1", EBADF, ::dup2(fd, -1));
    s.fails("dup2 to a descriptor beyond the limit", EBADF, ::dup2(fd, INT32_MAX));
    s.equal("dup3 with O_CLOEXEC", ::dup3(fd, kHigh, O_CLOEXEC), kHigh);
    s.equal("it has FD_CLOEXEC", ::fcntl(kHigh, F_GETFD), FD_CLOEXEC);
    s.fails("dup3 of a descriptor to itself", EINVAL, ::dup3(fd, fd, 0));
    s.fails("dup3 with another flag", EINVAL, ::dup3(fd, kHigh, O_APPEND));
    s.equal("F_DUPFD takes the lowest one from a number on", ::fcntl(fd, F_DUPFD, kHigh), kHigh + 1);
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, kHigh);
    s.equal("F_DUPFD_CLOEXEC takes the next one", copy, kHigh + 2);
    s.equal("F_DUPFD_CLOEXEC sets FD_CLOEXEC", ::fcntl(copy, F_GETFD), FD_CLOEXEC);
    s.fails("F_DUPFD from -1 on", EINVAL, ::fcntl(fd, F_DUPFD, -1));
    s.fails("F_DUPFD of -1", EBADF, ::fcntl(-1, F_DUPFD, 0));
}

POSIX_CASE("F_GETFL tells how a file was opened") {
    s.write_file("file", "0123");
    const std::string path = s.path("file");
    const int reader = ::open(path.c_str(), O_RDONLY);
    const int writer = ::open(path.c_str(), O_WRONLY | O_NONBLOCK);
    const int both = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    s.equal("O_RDONLY", ::fcntl(reader, F_GETFL) & O_ACCMODE, O_RDONLY);
    s.equal("O_WRONLY", ::fcntl(writer, F_GETFL) & O_ACCMODE, O_WRONLY);
    s.equal("O_RDWR", ::fcntl(both, F_GETFL) & O_ACCMODE, O_RDWR);
    s.equal("O_NONBLOCK", ::fcntl(writer, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    s.equal("no O_NONBLOCK", ::fcntl(reader, F_GETFL) & O_NONBLOCK, 0);
    s.equal("O_APPEND", ::fcntl(both, F_GETFL) & O_APPEND, O_APPEND);
    s.equal("O_CREAT is not kept", ::fcntl(both, F_GETFL) & O_CREAT, 0);
    s.equal("O_CLOEXEC is no flag of the file", ::fcntl(both, F_GETFL) & O_CLOEXEC, 0);
    s.equal("FD_CLOEXEC is one of the descriptor", ::fcntl(both, F_GETFD), FD_CLOEXEC);
    s.equal("O_PATH", ::fcntl(::open(path.c_str(), O_PATH), F_GETFL) & O_PATH, O_PATH);
    s.fails("F_GETFL of -1", EBADF, ::fcntl(-1, F_GETFL));
    s.fails("F_GETFD of -1", EBADF, ::fcntl(-1, F_GETFD));
    s.fails("an unknown command", EINVAL, ::fcntl(both, 9'999));
}

POSIX_CASE("F_SETFL sets what may be set and leaves the rest") {
    s.write_file("file", "0123");
    const int reader = ::open(s.path("file").c_str(), O_RDONLY);
    const int same = ::dup(reader);
    const int other = ::open(s.path("file").c_str(), O_RDONLY);
    s.passes("O_NONBLOCK", ::fcntl(reader, F_SETFL, O_NONBLOCK));
    s.equal("O_NONBLOCK is set", ::fcntl(reader, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    s.equal("it is set for a duplicate", ::fcntl(same, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    s.equal("it is not set for another open", ::fcntl(other, F_GETFL) & O_NONBLOCK, 0);
    s.equal("a file is read all the same", posix_suite::read_at(reader, 4, 0), "0123");
    s.passes("O_RDWR and O_APPEND", ::fcntl(reader, F_SETFL, O_RDWR | O_APPEND));
    s.equal("the access mode stays", ::fcntl(reader, F_GETFL) & O_ACCMODE, O_RDONLY);
    s.equal("O_APPEND is set", ::fcntl(reader, F_GETFL) & O_APPEND, O_APPEND);
    s.equal("O_NONBLOCK is cleared", ::fcntl(reader, F_GETFL) & O_NONBLOCK, 0);
    s.fails("it is no writer by that", EBADF, ::write(reader, "z", 1));
    s.passes("O_TRUNC, O_CREAT and O_EXCL", ::fcntl(reader, F_SETFL, O_TRUNC | O_CREAT | O_EXCL));
    s.equal("they cut nothing", s.read_file("file"), "0123");
    s.fails("F_SETFL of -1", EBADF, ::fcntl(-1, F_SETFL, 0));
    s.fails("F_SETFL of O_PATH", EBADF, ::fcntl(::open(s.path("file").c_str(), O_PATH), F_SETFL, 0));
}

POSIX_CASE("files are always ready for poll and select") {
    const int fd = s.make_file("file");
    pollfd all[2] = {{fd, POLLIN | POLLOUT, 0}, {-1, POLLIN, 0}};
    s.equal("poll of an empty file", ::poll(all, 1, -1), 1);
    s.equal("it is ready for both", all[0].revents, POLLIN | POLLOUT);
    s.equal("poll with a descriptor of -1", ::poll(all, 2, -1), 1);
    s.equal("-1 has no answer", all[1].revents, 0);
    const int reader = ::open(s.path("file").c_str(), O_RDONLY);
    pollfd one{reader, POLLIN, 0};
    s.equal("poll of a reader", ::poll(&one, 1, -1), 1);
    s.equal("a reader is ready", one.revents, POLLIN);
    pollfd closed{::dup(fd), POLLIN, 0};
    ::close(closed.fd);
    s.equal("poll of a closed descriptor", ::poll(&closed, 1, -1), 1);
    s.equal("a closed descriptor", closed.revents, POLLNVAL);
    fd_set readers, writers, others;
    FD_ZERO(&readers);
    FD_ZERO(&writers);
    FD_ZERO(&others);
    FD_SET(fd, &readers);
    FD_SET(fd, &writers);
    s.equal("select counts both", ::select(fd + 1, &readers, &writers, &others, nullptr), 2);
    s.holds("ready for reading", FD_ISSET(fd, &readers));
    s.holds("ready for writing", FD_ISSET(fd, &writers));
    FD_SET(closed.fd, &readers);
    s.fails("select of a closed descriptor", EBADF, ::select(closed.fd + 1, &readers, nullptr, nullptr, nullptr));
    s.fails("select of -1 descriptors", EINVAL, ::select(-1, nullptr, nullptr, nullptr, nullptr));
    epoll_event event{};
    event.events = EPOLLIN;
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    s.fails("epoll of a directory", EPERM,
            ::epoll_ctl(epoll, EPOLL_CTL_ADD, ::open(s.directory().c_str(), O_RDONLY), &event));
}

POSIX_CASE("the number of descriptors has a limit") {
    s.write_file("file", "0123");
    constexpr rlim_t kLimit = 40;
    const rlimit limit{kLimit, kLimit};
    s.need(::setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    int last = -1;
    for (rlim_t i = 0; i < kLimit; ++i) {
        const int fd = ::open(s.path("file").c_str(), O_RDONLY);
        if (fd < 0) break;
        last = fd;
    }
    s.equal("the last descriptor is below the limit", last, kLimit - 1);
    s.fails("one open more", EMFILE, ::open(s.path("file").c_str(), O_RDONLY));
    s.fails("one creation more", EMFILE, ::open(s.path("new").c_str(), O_WRONLY | O_CREAT, 0644));
    s.fails("the refused creation made no file", ENOENT, ::access(s.path("new").c_str(), F_OK));
    s.fails("one dup more", EMFILE, ::dup(last));
    s.fails("one F_DUPFD more", EMFILE, ::fcntl(last, F_DUPFD, 0));
    s.passes("close of one", ::close(last));
    s.equal("an open takes its place", ::open(s.path("file").c_str(), O_RDONLY), last);
}
