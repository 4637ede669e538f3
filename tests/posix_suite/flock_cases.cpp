// SPDX-License-Identifier: BSD-2-Clause
// flock(2): locks of whole files that belong to an open file description.
#include "processes.hpp"
#include "suite.hpp"

#include <csignal>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

using posix_suite::Companion;
using posix_suite::in_child;

namespace {

int another_open(posix_suite::Suite& s, int mode = O_RDWR) {
    const int fd = ::open(s.path("file").c_str(), mode | O_CLOEXEC);
    posix_suite::Suite::need(fd >= 0, "open");
    return fd;
}

} // namespace

POSIX_CASE("flock is shared or exclusive") {
    const int one = s.make_file("file");
    const int two = another_open(s);
    const int three = another_open(s);
    s.passes("LOCK_SH", ::flock(one, LOCK_SH));
    s.passes("LOCK_SH beside it", ::flock(two, LOCK_SH | LOCK_NB));
    s.fails("LOCK_EX beside two LOCK_SH", EWOULDBLOCK, ::flock(three, LOCK_EX | LOCK_NB));
    s.fails("LOCK_EX instead of LOCK_SH beside another", EWOULDBLOCK, ::flock(one, LOCK_EX | LOCK_NB));
    s.passes("LOCK_UN of both", ::flock(one, LOCK_UN) + ::flock(two, LOCK_UN));
    s.passes("LOCK_EX of a free file", ::flock(one, LOCK_EX | LOCK_NB));
    s.fails("LOCK_SH beside LOCK_EX", EWOULDBLOCK, ::flock(two, LOCK_SH | LOCK_NB));
    s.fails("LOCK_EX beside LOCK_EX", EWOULDBLOCK, ::flock(two, LOCK_EX | LOCK_NB));
    s.passes("LOCK_EX again", ::flock(one, LOCK_EX | LOCK_NB));
    s.passes("LOCK_SH instead of LOCK_EX", ::flock(one, LOCK_SH | LOCK_NB));
    s.passes("LOCK_SH beside what was LOCK_EX", ::flock(two, LOCK_SH | LOCK_NB));
    s.passes("LOCK_UN of the second", ::flock(two, LOCK_UN));
    s.passes("LOCK_EX instead of the only LOCK_SH", ::flock(one, LOCK_EX | LOCK_NB));
    s.passes("LOCK_UN", ::flock(one, LOCK_UN));
    s.passes("LOCK_UN of what is not locked", ::flock(one, LOCK_UN));
    s.passes("LOCK_EX by the third", ::flock(three, LOCK_EX | LOCK_NB));
}

POSIX_CASE("flock asks for no access mode, but for a descriptor and one kind") {
    s.write_file("file");
    const int reader = another_open(s, O_RDONLY);
    s.passes("LOCK_EX of O_RDONLY", ::flock(reader, LOCK_EX | LOCK_NB));
    s.fails("it is in the way of a writer", EWOULDBLOCK, ::flock(another_open(s, O_WRONLY), LOCK_SH | LOCK_NB));
    s.passes("LOCK_UN", ::flock(reader, LOCK_UN));
    const int writer = another_open(s, O_WRONLY);
    s.passes("LOCK_SH of O_WRONLY", ::flock(writer, LOCK_SH | LOCK_NB));
    const int directory = ::open(s.directory().c_str(), O_RDONLY | O_DIRECTORY);
    s.passes("LOCK_EX of a directory", ::flock(directory, LOCK_EX | LOCK_NB));
    s.fails("another open of the directory", EWOULDBLOCK,
            ::flock(::open(s.directory().c_str(), O_RDONLY), LOCK_SH | LOCK_NB));
    s.fails("no kind", EINVAL, ::flock(reader, 0));
    s.fails("LOCK_NB alone", EINVAL, ::flock(reader, LOCK_NB));
    s.fails("two kinds", EINVAL, ::flock(reader, LOCK_SH | LOCK_EX | LOCK_NB));
    s.fails("flock of -1", EBADF, ::flock(-1, LOCK_SH));
    s.fails("flock of O_PATH", EBADF, ::flock(another_open(s, O_PATH), LOCK_SH));
    ::close(reader);
    s.fails("flock of a closed descriptor", EBADF, ::flock(reader, LOCK_SH));
}

POSIX_CASE("flock is inherited and ends with the last descriptor") {
    const int one = s.make_file("file");
    const int two = another_open(s);
    const int copy = ::dup(one);
    s.need(::flock(one, LOCK_EX) == 0, "a lock");
    s.passes("a duplicate has the same lock", ::flock(copy, LOCK_EX | LOCK_NB));
    s.passes("a child has it by inheritance", in_child([&] { return ::flock(one, LOCK_EX | LOCK_NB); }));
    s.fails("a child's own open has not", EWOULDBLOCK,
            in_child([&] { return ::flock(another_open(s), LOCK_EX | LOCK_NB); }));
    s.fails("it does not end with the child", EWOULDBLOCK, ::flock(two, LOCK_SH | LOCK_NB));
    s.passes("close of another open", ::close(another_open(s)));
    s.fails("it ended nothing", EWOULDBLOCK, ::flock(two, LOCK_SH | LOCK_NB));
    s.passes("close of the first descriptor", ::close(one));
    s.fails("the duplicate keeps the lock", EWOULDBLOCK, ::flock(two, LOCK_SH | LOCK_NB));
    Companion heir([&](Companion& parent) { static_cast<void>(parent.hear()); });
    s.passes("close of the duplicate", ::close(copy));
    s.fails("a child that lives keeps the lock", EWOULDBLOCK, ::flock(two, LOCK_SH | LOCK_NB));
    heir.say();
    s.equal("the child ends", heir.join(), 0);
    s.passes("nobody has the lock now", ::flock(two, LOCK_EX | LOCK_NB));
    s.passes("a child gives it up", in_child([&] { return ::flock(two, LOCK_UN); }));
    s.passes("that is so for the parent as well", ::flock(another_open(s), LOCK_EX | LOCK_NB));
}

POSIX_CASE("flock and fcntl locks do not know each other") {
    const int one = s.make_file("file", "0123");
    const int two = another_open(s);
    struct flock all{};
    all.l_type = F_WRLCK;
    s.passes("LOCK_EX", ::flock(one, LOCK_EX | LOCK_NB));
    s.passes("F_SETLK beside it, by a child", in_child([&] { return ::fcntl(two, F_SETLK, &all); }));
    s.passes("F_SETLK beside it", ::fcntl(two, F_SETLK, &all));
    s.passes("LOCK_UN", ::flock(one, LOCK_UN));
    s.fails("LOCK_UN leaves the record lock", {EAGAIN, EACCES}, in_child([&] { return ::fcntl(two, F_SETLK, &all); }));
    s.passes("LOCK_EX by a child beside the record lock",
             in_child([&] { return ::flock(another_open(s), LOCK_EX | LOCK_NB); }));
    s.passes("LOCK_EX again", ::flock(one, LOCK_EX | LOCK_NB));
    s.passes("close of another open ends the record lock", ::close(another_open(s)));
    s.passes("the record lock is gone", in_child([&] { return ::fcntl(two, F_SETLK, &all); }));
    s.fails("the flock is not", EWOULDBLOCK, ::flock(two, LOCK_EX | LOCK_NB));
}

POSIX_CASE("flock waits, and ends with a signal") {
    const int fd = s.make_file("file");
    s.need(::flock(fd, LOCK_EX) == 0, "a lock");
    Companion waiter([&](Companion& parent) {
        const int mine = another_open(s);
        posix_suite::interrupt_calls_at(SIGUSR1);
        parent.say('w');
        s.fails("LOCK_SH with a signal", EINTR, ::flock(mine, LOCK_SH));
        parent.say('i');
        static_cast<void>(parent.hear());
        parent.say('w');
        while (::flock(mine, LOCK_SH) != 0) s.need(errno == EINTR, "flock");
        parent.say('l');
        static_cast<void>(parent.hear());
    });
    s.equal("another process begins to wait", waiter.hear(), 'w');
    s.equal("it is interrupted", waiter.hear_after(SIGUSR1), 'i');
    waiter.say();
    s.equal("it waits again", waiter.hear(), 'w');
    s.passes("LOCK_UN", ::flock(fd, LOCK_UN));
    s.equal("the other has it", waiter.hear(), 'l');
    s.fails("it is in the way", EWOULDBLOCK, ::flock(fd, LOCK_EX | LOCK_NB));
    s.passes("LOCK_SH beside it", ::flock(fd, LOCK_SH | LOCK_NB));
    waiter.say();
    s.equal("the other ends", waiter.join(), 0);
    s.passes("its lock ended with it", ::flock(fd, LOCK_EX | LOCK_NB));
}

POSIX_CASE("flock stays with a file that is renamed or unlinked") {
    const int fd = s.make_file("file");
    s.need(::flock(fd, LOCK_EX) == 0, "a lock");
    const int two = another_open(s);
    s.passes("rename", ::rename(s.path("file").c_str(), s.path("moved").c_str()));
    s.fails("an open of the new name", EWOULDBLOCK,
            ::flock(::open(s.path("moved").c_str(), O_RDWR), LOCK_EX | LOCK_NB));
    s.write_file("file");
    s.passes("a new file of the old name is free", ::flock(another_open(s), LOCK_EX | LOCK_NB));
    s.passes("link", ::link(s.path("moved").c_str(), s.path("second").c_str()));
    s.fails("an open of a second link", EWOULDBLOCK,
            ::flock(::open(s.path("second").c_str(), O_RDWR), LOCK_EX | LOCK_NB));
    s.passes("unlink of both", ::unlink(s.path("moved").c_str()) + ::unlink(s.path("second").c_str()));
    s.fails("an open from before", EWOULDBLOCK, ::flock(two, LOCK_EX | LOCK_NB));
}
