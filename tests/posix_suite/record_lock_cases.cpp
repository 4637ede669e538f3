// SPDX-License-Identifier: BSD-2-Clause
// Record locks: F_SETLK, F_SETLKW and F_GETLK of fcntl(2). They belong to a process.
#include "processes.hpp"
#include "suite.hpp"

#include <csignal>
#include <fcntl.h>
#include <unistd.h>

using posix_suite::Companion;
using posix_suite::in_child;

namespace {

struct Range {
    off_t start;
    off_t length = 1; // 0: to the end of all offsets
    short whence = SEEK_SET;
};

struct flock record(int kind, Range range) {
    struct flock lock{};
    lock.l_type = static_cast<short>(kind);
    lock.l_whence = range.whence;
    lock.l_start = range.start;
    lock.l_len = range.length;
    return lock;
}

long lock(int fd, int kind, Range range, int command = F_SETLK) {
    struct flock wanted = record(kind, range);
    return ::fcntl(fd, command, &wanted);
}
long unlock(int fd, Range range) { return lock(fd, F_UNLCK, range); }
long lock_by_child(int fd, int kind, Range range) {
    return in_child([&] { return lock(fd, kind, range); });
}

// Which of the first twenty bytes another process could not lock for writing: "#" for those, "." for the others.
std::string locked(int fd) {
    std::string all;
    for (off_t at = 0; at < 20; ++at) all += lock_by_child(fd, F_WRLCK, {at}) == 0 ? '.' : '#';
    return all;
}

// Returns what F_GETLK tells another process.
struct flock found_by_child(int fd, int kind, Range range) {
    struct flock found{};
    int ends[2];
    posix_suite::Suite::need(::pipe(ends) == 0, "a pipe");
    const long result = in_child([&] {
        struct flock asked = record(kind, range);
        if (::fcntl(fd, F_GETLK, &asked) != 0) return -1L;
        return ::write(ends[1], &asked, sizeof asked) == sizeof asked ? 0L : -1L;
    });
    posix_suite::Suite::need(result == 0 && ::read(ends[0], &found, sizeof found) == sizeof found, "F_GETLK");
    ::close(ends[0]), ::close(ends[1]);
    return found;
}

} // namespace

POSIX_CASE("a write lock keeps others out, a read lock lets readers in") {
    const int fd = s.make_file("file", "0123456789");
    s.passes("F_WRLCK", lock(fd, F_WRLCK, {0, 10}));
    s.fails("F_WRLCK by another process", {EAGAIN, EACCES}, lock_by_child(fd, F_WRLCK, {0, 10}));
    s.fails("F_RDLCK by another process", {EAGAIN, EACCES}, lock_by_child(fd, F_RDLCK, {0, 10}));
    s.fails("F_WRLCK of one byte by another process", {EAGAIN, EACCES}, lock_by_child(fd, F_WRLCK, {9}));
    s.passes("F_WRLCK of the byte behind by another process", lock_by_child(fd, F_WRLCK, {10}));
    s.passes("F_WRLCK again by the same process", lock(fd, F_WRLCK, {0, 10}));
    s.passes("F_UNLCK by another process", in_child([&] { return unlock(fd, {0, 0}); }));
    s.fails("F_WRLCK after another's F_UNLCK", {EAGAIN, EACCES}, lock_by_child(fd, F_WRLCK, {0, 10}));
    s.passes("F_RDLCK turns it into a read lock", lock(fd, F_RDLCK, {0, 10}));
    s.passes("F_RDLCK beside a read lock", lock_by_child(fd, F_RDLCK, {0, 10}));
    s.fails("F_WRLCK beside a read lock", {EAGAIN, EACCES}, lock_by_child(fd, F_WRLCK, {0, 10}));
    s.passes("F_WRLCK turns it into a write lock", lock(fd, F_WRLCK, {0, 10}));
    s.fails("F_RDLCK beside it", {EAGAIN, EACCES}, lock_by_child(fd, F_RDLCK, {0, 10}));
    s.passes("F_UNLCK", unlock(fd, {0, 10}));
    s.passes("F_WRLCK by another process after F_UNLCK", lock_by_child(fd, F_WRLCK, {0, 10}));
    s.passes("F_WRLCK after the other process ended", lock(fd, F_WRLCK, {0, 10}));
    s.equal("locks are advice: a child writes", in_child([&] { return ::pwrite(fd, "x", 1, 0); }), 1);
}

POSIX_CASE("ranges of record locks split and merge") {
    const int fd = s.make_file("file");
    s.passes("a lock of ten bytes", lock(fd, F_WRLCK, {5, 10}));
    s.equal("ten bytes are locked", locked(fd), ".....##########.....");
    s.passes("F_UNLCK in the middle", unlock(fd, {8, 3}));
    s.equal("two ranges are left", locked(fd), ".....###...####.....");
    s.passes("F_UNLCK at a start", unlock(fd, {5}));
    s.equal("the first range is shorter", locked(fd), "......##...####.....");
    s.passes("F_UNLCK at an end", unlock(fd, {14, 5}));
    s.equal("the second range is shorter", locked(fd), "......##...###......");
    s.passes("a lock of the gap", lock(fd, F_WRLCK, {8, 3}));
    s.equal("it is one range again", locked(fd), "......########......");
    const struct flock merged = found_by_child(fd, F_WRLCK, {0, 20});
    s.equal("F_GETLK tells where it starts", merged.l_start, 6);
    s.equal("F_GETLK tells how long it is", merged.l_len, 8);
    s.passes("a lock that overlaps its end", lock(fd, F_WRLCK, {12, 5}));
    s.equal("it is longer", locked(fd), "......###########...");
    s.passes("a read lock in the middle", lock(fd, F_RDLCK, {9, 2}));
    s.passes("another reads there", lock_by_child(fd, F_RDLCK, {9, 2}));
    s.fails("another does not read before it", {EAGAIN, EACCES}, lock_by_child(fd, F_RDLCK, {8, 3}));
    s.fails("another does not read behind it", {EAGAIN, EACCES}, lock_by_child(fd, F_RDLCK, {9, 3}));
    s.equal("it is locked against writers", locked(fd), "......###########...");
    s.passes("F_UNLCK of what is not locked", unlock(fd, {18, 2}));
    s.passes("F_UNLCK of all", unlock(fd, {0, 0}));
    s.equal("nothing is locked", locked(fd), std::string(20, '.'));
}

POSIX_CASE("record locks from the offset, from the end, and backwards") {
    const int fd = s.make_file("file", "0123456789");
    s.passes("SEEK_END and a negative start", lock(fd, F_WRLCK, {-4, 2, SEEK_END}));
    s.equal("bytes near the end are locked", locked(fd), "......##............");
    s.passes("SEEK_END with F_UNLCK", unlock(fd, {-4, 1, SEEK_END}));
    s.equal("one of them is free", locked(fd), ".......#............");
    s.passes("SEEK_END at the end", lock(fd, F_WRLCK, {0, 3, SEEK_END}));
    s.equal("bytes behind the end are locked", locked(fd), ".......#..###.......");
    s.need(::lseek(fd, 2, SEEK_SET) == 2, "lseek");
    s.passes("SEEK_CUR", lock(fd, F_WRLCK, {1, 2, SEEK_CUR}));
    s.equal("bytes behind the offset are locked", locked(fd), "...##..#..###.......");
    s.passes("SEEK_CUR with a negative start", lock(fd, F_WRLCK, {-2, 1, SEEK_CUR}));
    s.equal("bytes before the offset are locked", locked(fd), "#..##..#..###.......");
    s.passes("F_UNLCK to the end of all offsets", unlock(fd, {4, 0}));
    s.equal("the start is left", locked(fd), "#..#................");
    s.passes("a negative length", lock(fd, F_WRLCK, {18, -3}));
    s.equal("the bytes before the start are locked", locked(fd), "#..#...........###..");
    s.passes("a length of zero", lock(fd, F_WRLCK, {19, 0}));
    s.fails("it reaches to all offsets", {EAGAIN, EACCES}, lock_by_child(fd, F_WRLCK, {off_t{1} << 40}));
    s.fails("a start before the file", EINVAL, lock(fd, F_WRLCK, {-1}));
    s.fails("SEEK_END before the file", EINVAL, lock(fd, F_WRLCK, {-11, 1, SEEK_END}));
    s.fails("SEEK_CUR before the file", EINVAL, lock(fd, F_WRLCK, {-3, 1, SEEK_CUR}));
    s.fails("a negative length before the file", EINVAL, lock(fd, F_WRLCK, {1, -2}));
    s.fails("a length beyond all offsets", EOVERFLOW, lock(fd, F_WRLCK, {INT64_MAX, 2}));
    s.fails("an unknown whence", EINVAL, lock(fd, F_WRLCK, {0, 1, 99}));
    s.fails("an unknown kind", EINVAL, lock(fd, 99, {0}));
}

POSIX_CASE("F_GETLK tells of the lock that is in the way") {
    const int fd = s.make_file("file", "0123456789");
    s.need(lock(fd, F_WRLCK, {4, 3}) == 0 && lock(fd, F_RDLCK, {12, 0}) == 0, "two locks");
    const struct flock write = found_by_child(fd, F_RDLCK, {0, 6});
    s.equal("the kind of a write lock", write.l_type, F_WRLCK);
    s.equal("its whence", write.l_whence, SEEK_SET);
    s.equal("its start", write.l_start, 4);
    s.equal("its length", write.l_len, 3);
    s.equal("its process", write.l_pid, ::getpid());
    const struct flock read = found_by_child(fd, F_WRLCK, {15});
    s.equal("the kind of a read lock", read.l_type, F_RDLCK);
    s.equal("the start of a lock to the end", read.l_start, 12);
    s.equal("the length of a lock to the end", read.l_len, 0);
    s.equal("a reader beside a read lock", found_by_child(fd, F_RDLCK, {15}).l_type, F_UNLCK);
    const struct flock free = found_by_child(fd, F_WRLCK, {8, 2});
    s.equal("the kind where no lock is", free.l_type, F_UNLCK);
    s.equal("the start is left as it was asked", free.l_start, 8);
    s.equal("the length is left as it was asked", free.l_len, 2);
    struct flock own = record(F_WRLCK, {0, 0});
    s.passes("F_GETLK by the process that has them", ::fcntl(fd, F_GETLK, &own));
    s.equal("own locks are in nobody's way", own.l_type, F_UNLCK);
    s.equal("F_GETLK locks nothing", locked(fd), "....###.....########");
    struct flock odd = record(F_UNLCK, {0});
    s.fails("F_GETLK with F_UNLCK", EINVAL, ::fcntl(fd, F_GETLK, &odd));
}

POSIX_CASE("record locks ask for the access mode of the descriptor") {
    s.write_file("file", "0123");
    const int reader = ::open(s.path("file").c_str(), O_RDONLY);
    const int writer = ::open(s.path("file").c_str(), O_WRONLY);
    s.passes("F_RDLCK of O_RDONLY", lock(reader, F_RDLCK, {0}));
    s.fails("F_WRLCK of O_RDONLY", EBADF, lock(reader, F_WRLCK, {0}));
    s.passes("F_WRLCK of O_WRONLY", lock(writer, F_WRLCK, {1}));
    s.fails("F_RDLCK of O_WRONLY", EBADF, lock(writer, F_RDLCK, {1}));
    s.fails("F_RDLCK of O_PATH", EBADF, lock(::open(s.path("file").c_str(), O_PATH), F_RDLCK, {0}));
    s.fails("F_RDLCK of -1", EBADF, lock(-1, F_RDLCK, {0}));
    s.fails("F_SETLK with a forbidden address", EFAULT, ::fcntl(reader, F_SETLK, posix_suite::forbidden_address()));
    s.fails("F_GETLK with a forbidden address", EFAULT, ::fcntl(reader, F_GETLK, posix_suite::forbidden_address()));
}

POSIX_CASE("record locks end with the first close, with the process, not with fork or dup") {
    const int fd = s.make_file("file", "0123");
    s.need(lock(fd, F_WRLCK, {0, 2}) == 0, "a lock");
    s.fails("a child does not inherit them", {EAGAIN, EACCES}, lock_by_child(fd, F_WRLCK, {0}));
    s.equal("a child's close leaves them", in_child([&] { return ::close(fd); }), 0);
    s.fails("they are still there", {EAGAIN, EACCES}, lock_by_child(fd, F_WRLCK, {0}));
    const int copy = ::dup(fd);
    s.passes("close of a duplicate", ::close(copy));
    s.passes("it ended the locks", lock_by_child(fd, F_WRLCK, {0}));
    s.need(lock(fd, F_WRLCK, {0, 2}) == 0, "a lock");
    const int other = ::open(s.path("file").c_str(), O_RDONLY);
    s.fails("another open leaves them", {EAGAIN, EACCES}, lock_by_child(fd, F_WRLCK, {1}));
    s.passes("close of another open", ::close(other));
    s.passes("it ended the locks as well", lock_by_child(fd, F_WRLCK, {1}));
    s.need(lock(fd, F_WRLCK, {0, 2}) == 0, "a lock");
    s.write_file("another");
    const int unrelated = ::open(s.path("another").c_str(), O_RDONLY);
    s.passes("close of another file", ::close(unrelated));
    s.fails("it leaves them", {EAGAIN, EACCES}, lock_by_child(fd, F_WRLCK, {1}));
    s.need(unlock(fd, {0, 0}) == 0, "no lock");
    Companion holder([&](Companion& parent) {
        s.need(lock(fd, F_WRLCK, {0, 0}) == 0, "the companion's lock");
        parent.say();
        static_cast<void>(parent.hear());
    });
    s.equal("another process has a lock", holder.hear(), '.');
    s.fails("it is in the way", {EAGAIN, EACCES}, lock(fd, F_WRLCK, {0}));
    s.passes("the process is killed", ::kill(holder.id(), SIGKILL));
    s.equal("it ended by the signal", holder.join(), -1);
    s.passes("its lock is gone", lock(fd, F_WRLCK, {0}));
}

POSIX_CASE("F_SETLKW waits until the lock is free") {
    const int fd = s.make_file("file", "0123");
    s.need(lock(fd, F_WRLCK, {0}) == 0, "a lock");
    Companion waiter([&](Companion& parent) {
        parent.say('w');
        parent.say(lock(fd, F_WRLCK, {0}, F_SETLKW) == 0 ? 'l' : 'f');
        static_cast<void>(parent.hear());
    });
    s.equal("another process begins to wait", waiter.hear(), 'w');
    s.passes("F_UNLCK", unlock(fd, {0}));
    s.equal("the other has it now", waiter.hear(), 'l');
    s.fails("F_SETLK while the other has it", {EAGAIN, EACCES}, lock(fd, F_WRLCK, {0}));
    waiter.say();
    s.equal("the other ends", waiter.join(), 0);
    s.passes("F_SETLKW of a free lock", lock(fd, F_WRLCK, {0}, F_SETLKW));
}

POSIX_CASE("a signal ends F_SETLKW with EINTR") {
    const int fd = s.make_file("file", "0123");
    s.need(lock(fd, F_WRLCK, {0}) == 0, "a lock");
    Companion waiter([&](Companion& parent) {
        posix_suite::interrupt_calls_at(SIGUSR1);
        parent.say('w');
        s.fails("F_SETLKW", EINTR, lock(fd, F_WRLCK, {0}, F_SETLKW));
        parent.say('i');
    });
    s.equal("another process begins to wait", waiter.hear(), 'w');
    s.equal("it is interrupted", waiter.hear_after(SIGUSR1), 'i');
    s.equal("it ends", waiter.join(), 0);
    s.passes("F_UNLCK", unlock(fd, {0}));
    s.passes("it left no lock behind", lock_by_child(fd, F_WRLCK, {0}));
}

// Whoever waits second gets EDEADLK, so exactly one of them does.
POSIX_CASE("two processes that wait for each other get EDEADLK") {
    const int fd = s.make_file("file", "0123");
    s.need(lock(fd, F_WRLCK, {0}) == 0, "a lock");
    Companion other([&](Companion& parent) {
        s.need(lock(fd, F_WRLCK, {1}) == 0, "the companion's lock");
        parent.say();
        const bool is_locked = lock(fd, F_WRLCK, {0}, F_SETLKW) == 0;
        const int error = errno;
        s.need(unlock(fd, {0, 0}) == 0, "F_UNLCK");
        parent.say(is_locked ? 'l' : error == EDEADLK ? 'd' : 'f');
    });
    s.equal("the other has the second byte", other.hear(), '.');
    const bool is_locked = lock(fd, F_WRLCK, {1}, F_SETLKW) == 0;
    const int error = errno;
    s.holds("F_SETLKW gets the lock or EDEADLK", is_locked || error == EDEADLK);
    s.passes("F_UNLCK", unlock(fd, {0, 0}));
    s.equal("the other gets the other answer", other.hear(), is_locked ? 'd' : 'l');
}
