// SPDX-License-Identifier: BSD-2-Clause
// Locks that belong to an open file description: F_OFD_SETLK, F_OFD_SETLKW and F_OFD_GETLK of fcntl(2), as Linux has them.
#include "processes.hpp"
#include "suite.hpp"

#include <csignal>
#include <fcntl.h>
#include <unistd.h>

using posix_suite::Companion;
using posix_suite::in_child;

namespace {

long described(int fd, int kind, off_t start, off_t length = 1, int command = F_OFD_SETLK) {
    struct flock wanted{};
    wanted.l_type = static_cast<short>(kind);
    wanted.l_whence = SEEK_SET;
    wanted.l_start = start;
    wanted.l_len = length;
    return ::fcntl(fd, command, &wanted);
}

int open_again(posix_suite::Suite& s, int mode = O_RDWR) {
    const int fd = ::open(s.path("file").c_str(), mode | O_CLOEXEC);
    posix_suite::Suite::need(fd >= 0, "open");
    return fd;
}

} // namespace

POSIX_CASE("OFD locks of one process are in each other's way") {
    const int one = s.make_file("file", "0123456789");
    const int two = open_again(s);
    s.passes("a write lock", described(one, F_WRLCK, 0, 4));
    s.fails("a write lock of another description", EAGAIN, described(two, F_WRLCK, 3));
    s.fails("a read lock of another description", EAGAIN, described(two, F_RDLCK, 0, 0));
    s.passes("a write lock behind it", described(two, F_WRLCK, 4, 0));
    s.fails("the first may not have that", EAGAIN, described(one, F_WRLCK, 9));
    s.passes("a write lock again", described(one, F_WRLCK, 0, 4));
    s.passes("a read lock instead", described(one, F_RDLCK, 0, 4));
    s.passes("a read lock beside it", described(two, F_RDLCK, 0, 4));
    s.fails("no write lock beside a read lock", EAGAIN, described(one, F_WRLCK, 0));
    s.passes("the second gives one byte up", described(two, F_UNLCK, 0));
    s.passes("a write lock of that byte", described(one, F_WRLCK, 0));
    s.fails("the second may not have it back", EAGAIN, described(two, F_RDLCK, 0));
}

POSIX_CASE("OFD locks end with the last descriptor of the description") {
    const int one = s.make_file("file", "0123");
    const int two = open_again(s);
    const int copy = ::dup(one);
    s.need(described(one, F_WRLCK, 0) == 0, "a lock");
    s.passes("a duplicate has the same lock", described(copy, F_WRLCK, 0));
    s.passes("close of another open", ::close(open_again(s)));
    s.fails("it ended nothing", EAGAIN, described(two, F_WRLCK, 0));
    s.passes("close of the first descriptor", ::close(one));
    s.fails("the duplicate keeps the lock", EAGAIN, described(two, F_WRLCK, 0));
    s.passes("a child has it by inheritance", in_child([&] { return described(copy, F_WRLCK, 0); }));
    s.fails("it does not end with the child", EAGAIN, described(two, F_WRLCK, 0));
    Companion heir([&](Companion& parent) { static_cast<void>(parent.hear()); });
    s.passes("close of the last descriptor here", ::close(copy));
    s.fails("a child that lives keeps the lock", EAGAIN, described(two, F_WRLCK, 0));
    heir.say();
    s.equal("the child ends", heir.join(), 0);
    s.passes("nobody has the lock now", described(two, F_WRLCK, 0));
    s.passes("a child gives it up", in_child([&] { return described(two, F_UNLCK, 0); }));
    s.passes("that is so for the parent as well", described(open_again(s), F_WRLCK, 0));
}

POSIX_CASE("F_OFD_GETLK and what it refuses") {
    const int one = s.make_file("file", "0123456789");
    const int two = open_again(s);
    s.need(described(one, F_WRLCK, 4, 3) == 0, "a lock");
    struct flock asked{};
    asked.l_type = F_RDLCK;
    asked.l_whence = SEEK_SET;
    s.passes("F_OFD_GETLK of another description", ::fcntl(two, F_OFD_GETLK, &asked));
    s.equal("the kind", asked.l_type, F_WRLCK);
    s.equal("the start", asked.l_start, 4);
    s.equal("the length", asked.l_len, 3);
    s.equal("the process is none", asked.l_pid, -1);
    asked.l_pid = 0, asked.l_type = F_RDLCK;
    s.passes("F_OFD_GETLK of the same description", ::fcntl(one, F_OFD_GETLK, &asked));
    s.equal("it is in its own way never", asked.l_type, F_UNLCK);
    asked.l_type = F_RDLCK, asked.l_pid = 1;
    s.fails("l_pid must be zero for F_OFD_GETLK", EINVAL, ::fcntl(two, F_OFD_GETLK, &asked));
    s.fails("l_pid must be zero for F_OFD_SETLK", EINVAL, ::fcntl(two, F_OFD_SETLK, &asked));
    s.fails("an unknown kind", EINVAL, described(two, 99, 0));
    s.fails("a start before the file", EINVAL, described(two, F_WRLCK, -1));
    s.fails("a write lock of O_RDONLY", EBADF, described(open_again(s, O_RDONLY), F_WRLCK, 9));
    s.fails("a read lock of O_WRONLY", EBADF, described(open_again(s, O_WRONLY), F_RDLCK, 9));
    s.fails("no descriptor", EBADF, described(-1, F_RDLCK, 9));
}

POSIX_CASE("OFD locks and record locks are in each other's way") {
    const int one = s.make_file("file", "0123");
    const int two = open_again(s);
    s.need(described(one, F_WRLCK, 0) == 0, "an OFD lock");
    s.fails("a record lock of another description", {EAGAIN, EACCES}, described(two, F_WRLCK, 0, 1, F_SETLK));
    s.fails("a record lock of the same description", {EAGAIN, EACCES}, described(one, F_WRLCK, 0, 1, F_SETLK));
    s.passes("a record lock beside it", described(one, F_WRLCK, 1, 1, F_SETLK));
    s.fails("an OFD lock of that", EAGAIN, described(one, F_WRLCK, 1));
    s.passes("the record lock is given up", described(one, F_UNLCK, 0, 0, F_SETLK));
    s.fails("the OFD lock is still there", EAGAIN, described(two, F_WRLCK, 0));
    s.passes("an OFD lock where the record lock was", described(two, F_WRLCK, 1));
}

POSIX_CASE("F_OFD_SETLKW waits, and ends with a signal") {
    const int fd = s.make_file("file", "0123");
    s.need(described(fd, F_WRLCK, 0) == 0, "a lock");
    Companion waiter([&](Companion& parent) {
        const int mine = open_again(s);
        posix_suite::interrupt_calls_at(SIGUSR1);
        parent.say('w');
        s.fails("F_OFD_SETLKW with a signal", EINTR, described(mine, F_WRLCK, 0, 1, F_OFD_SETLKW));
        parent.say('i');
        static_cast<void>(parent.hear());
        parent.say('w');
        while (described(mine, F_WRLCK, 0, 1, F_OFD_SETLKW) != 0) s.need(errno == EINTR, "F_OFD_SETLKW");
        parent.say('l');
        static_cast<void>(parent.hear());
    });
    s.equal("another process begins to wait", waiter.hear(), 'w');
    s.equal("it is interrupted", waiter.hear_after(SIGUSR1), 'i');
    waiter.say();
    s.equal("it waits again", waiter.hear(), 'w');
    s.passes("the lock is given up", described(fd, F_UNLCK, 0));
    s.equal("the other has it", waiter.hear(), 'l');
    s.fails("it is in the way", EAGAIN, described(fd, F_WRLCK, 0));
    waiter.say();
    s.equal("the other ends", waiter.join(), 0);
    s.passes("its lock ended with it", described(fd, F_WRLCK, 0));
}
