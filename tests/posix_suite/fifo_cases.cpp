// SPDX-License-Identifier: BSD-2-Clause
// FIFOs in the directory: mkfifo(3), and open(2), read(2), write(2) and poll(2) of them.
#include "processes.hpp"
#include "suite.hpp"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

using posix_suite::Companion;
using posix_suite::in_child;

namespace {

std::string make_fifo(posix_suite::Suite& s) {
    const std::string path = s.path("fifo");
    posix_suite::Suite::need(::mkfifo(path.c_str(), 0644) == 0, "a FIFO");
    posix_suite::Suite::need(::signal(SIGPIPE, SIG_IGN) != SIG_ERR, "signal");
    return path;
}

short ready(int fd, short events = POLLIN | POLLOUT) {
    pollfd one{fd, events, 0};
    posix_suite::Suite::need(::poll(&one, 1, 0) >= 0, "poll");
    return one.revents;
}

} // namespace

POSIX_CASE("mkfifo makes a FIFO by its name") {
    s.passes("mkfifo", ::mkfifo(s.path("fifo").c_str(), 0666));
    s.holds("it is a FIFO", S_ISFIFO(s.status("fifo").st_mode));
    s.equal("its mode is without the umask", s.status("fifo").st_mode & 07777, 0644);
    s.equal("its size", s.status("fifo").st_size, 0);
    s.equal("its links", s.status("fifo").st_nlink, 1);
    s.fails("mkfifo of a name that is there", EEXIST, ::mkfifo(s.path("fifo").c_str(), 0666));
    s.fails("mkfifo below what is not there", ENOENT, ::mkfifo(s.path("absent/fifo").c_str(), 0666));
    s.fails("mkfifo below a FIFO", ENOTDIR, ::mkfifo(s.path("fifo/fifo").c_str(), 0666));
    s.fails("mkdir of its name", EEXIST, ::mkdir(s.path("fifo").c_str(), 0777));
    s.fails("O_DIRECTORY", ENOTDIR, ::open(s.path("fifo").c_str(), O_RDONLY | O_DIRECTORY));
    s.passes("mkfifoat", ::mkfifoat(AT_FDCWD, "second", 0600));
    s.passes("rename", ::rename(s.path("second").c_str(), s.path("third").c_str()));
    s.holds("it is a FIFO after rename", S_ISFIFO(s.status("third").st_mode));
    s.passes("link", ::link(s.path("third").c_str(), s.path("fourth").c_str()));
    s.equal("both are one", s.status("fourth").st_ino, s.status("third").st_ino);
    s.passes("unlink", ::unlink(s.path("third").c_str()));
}

POSIX_CASE("O_NONBLOCK opens a FIFO without the other side") {
    const std::string path = make_fifo(s);
    char piece[8] = {};
    s.fails("a writer without a reader", ENXIO, ::open(path.c_str(), O_WRONLY | O_NONBLOCK));
    const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
    s.passes("a reader without a writer", reader);
    s.equal("read without a writer is the end", ::read(reader, piece, sizeof piece), 0);
    const int writer = ::open(path.c_str(), O_WRONLY | O_NONBLOCK);
    s.passes("a writer beside the reader", writer);
    s.fails("read of an empty FIFO", EAGAIN, ::read(reader, piece, sizeof piece));
    s.equal("write", ::write(writer, "0123456789", 10), 10);
    s.equal("read takes what fits", ::read(reader, piece, 4), 4);
    s.equal("the bytes in order", std::string(piece, 4), "0123");
    int waiting = 0;
    s.passes("FIONREAD", ::ioctl(reader, FIONREAD, &waiting));
    s.equal("bytes that wait", waiting, 6);
    s.equal("read is short when less is there", ::read(reader, piece, 8), 6);
    s.equal("the bytes that were left", std::string(piece, 6), "456789");
    s.equal("write of zero bytes", ::write(writer, piece, 0), 0);
    s.equal("the size stays zero", s.status("fifo").st_size, 0);
    s.equal("a last write", ::write(writer, "z", 1), 1);
    s.passes("close of the writer", ::close(writer));
    s.equal("read of the last byte", ::read(reader, piece, 8), 1);
    s.equal("read after it is the end", ::read(reader, piece, 8), 0);
    s.fails("write to a reader", EBADF, ::write(reader, "z", 1));
}

POSIX_CASE("write without a reader is EPIPE") {
    const std::string path = make_fifo(s);
    const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
    const int writer = ::open(path.c_str(), O_WRONLY);
    s.passes("a writer that blocks, beside a reader", writer);
    s.equal("write with a reader", ::write(writer, "a", 1), 1);
    s.passes("close of the reader", ::close(reader));
    s.fails("write without a reader", EPIPE, ::write(writer, "b", 1));
    s.equal("the signal for it", in_child([&] {
                static volatile sig_atomic_t caught = 0;
                struct sigaction action{};
                action.sa_handler = [](int signal) { caught = signal; };
                s.need(::sigaction(SIGPIPE, &action, nullptr) == 0, "sigaction");
                return ::write(writer, "b", 1) == -1 ? caught : 0;
            }),
            SIGPIPE);
    const int again = ::open(path.c_str(), O_RDONLY);
    s.passes("a reader again", again);
    s.equal("write with the new reader", ::write(writer, "c", 1), 1);
    char piece[8] = {};
    s.equal("read", ::read(again, piece, sizeof piece), 2);
    s.equal("what was refused is not among the bytes", std::string(piece, 2), "ac");
    s.fails("read from a writer", EBADF, ::read(writer, piece, 1));
}

POSIX_CASE("a FIFO that is full") {
    const std::string path = make_fifo(s);
    const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
    const int writer = ::open(path.c_str(), O_WRONLY | O_NONBLOCK);
    const std::string page(4096, 'x');
    std::size_t held = 0;
    while (::write(writer, page.data(), page.size()) == static_cast<ssize_t>(page.size())) held += page.size();
    s.fails("write of a page", EAGAIN, ::write(writer, page.data(), page.size()));
    s.holds("it holds PIPE_BUF at least", held >= 4096);
    s.equal("poll of the writer", ready(writer), 0);
    s.equal("poll of the reader", ready(reader, POLLIN), POLLIN);
    std::string all(held, '\0');
    s.equal("read of all of it", ::read(reader, all.data(), all.size()), held);
    s.equal("poll of the writer after that", ready(writer, POLLOUT), POLLOUT);
    s.equal("poll of the reader after that", ready(reader, POLLIN), 0);
    ::close(writer);
    s.equal("poll without a writer", ready(reader, POLLIN), POLLHUP);
    const int other = ::open(path.c_str(), O_WRONLY | O_NONBLOCK);
    ::close(reader);
    s.equal("poll of a writer without a reader", ready(other, 0), POLLERR);
}

POSIX_CASE("open of a FIFO for reading waits for a writer") {
    const std::string path = make_fifo(s);
    Companion reader([&](Companion& parent) {
        parent.say('b');
        const int fd = ::open(path.c_str(), O_RDONLY);
        s.passes("open by the reader", fd);
        s.passes("the writer had begun when open returned", ::access(s.path("begun").c_str(), F_OK));
        char piece[8] = {};
        s.equal("the reader waits for bytes", ::read(fd, piece, 5), 5);
        s.equal("the bytes", std::string(piece, 5), "hello");
        parent.say('r');
        s.equal("the reader waits for the end", ::read(fd, piece, 5), 0);
        parent.say('e');
    });
    s.equal("the reader begins to wait", reader.hear(), 'b');
    s.write_file("begun");
    const int fd = ::open(path.c_str(), O_WRONLY);
    s.passes("open by the writer", fd);
    s.equal("write", ::write(fd, "hello", 5), 5);
    s.equal("the reader has it", reader.hear(), 'r');
    s.passes("close", ::close(fd));
    s.equal("the reader sees the end", reader.hear(), 'e');
    s.equal("the reader ends", reader.join(), 0);
}

POSIX_CASE("open of a FIFO for writing waits for a reader") {
    const std::string path = make_fifo(s);
    Companion writer([&](Companion& parent) {
        parent.say('b');
        const int fd = ::open(path.c_str(), O_WRONLY);
        s.passes("open by the writer", fd);
        s.passes("the reader had begun when open returned", ::access(s.path("begun").c_str(), F_OK));
        s.equal("write by the writer", ::write(fd, "hello", 5), 5);
        static_cast<void>(parent.hear());
    });
    s.equal("the writer begins to wait", writer.hear(), 'b');
    s.write_file("begun");
    const int fd = ::open(path.c_str(), O_RDONLY);
    s.passes("open by the reader", fd);
    char piece[8] = {};
    s.equal("read", ::read(fd, piece, 5), 5);
    s.equal("the bytes", std::string(piece, 5), "hello");
    writer.say();
    s.equal("the writer ends", writer.join(), 0);
    s.equal("read after the writer ended", ::read(fd, piece, 5), 0);
}

POSIX_CASE("a signal ends an open and a read of a FIFO with EINTR") {
    const std::string path = make_fifo(s);
    Companion waiter([&](Companion& parent) {
        posix_suite::interrupt_calls_at(SIGUSR1);
        parent.say('b');
        s.fails("open for reading", EINTR, ::open(path.c_str(), O_RDONLY));
        parent.say('i');
        static_cast<void>(parent.hear());
        const int both = ::open(path.c_str(), O_RDWR);
        char byte = 0;
        parent.say('b');
        s.fails("read", EINTR, ::read(both, &byte, 1));
        parent.say('i');
    });
    s.equal("another process opens", waiter.hear(), 'b');
    s.equal("it is interrupted", waiter.hear_after(SIGUSR1), 'i');
    waiter.say();
    s.equal("it reads", waiter.hear(), 'b');
    s.equal("it is interrupted again", waiter.hear_after(SIGUSR1), 'i');
    s.equal("it ends", waiter.join(), 0);
}

POSIX_CASE("an open FIFO outlives its name") {
    const std::string path = make_fifo(s);
    const int both = ::open(path.c_str(), O_RDWR);
    s.passes("open for both does not wait", both);
    s.passes("unlink", ::unlink(path.c_str()));
    s.equal("write after unlink", ::write(both, "ab", 2), 2);
    char piece[2] = {};
    s.equal("read after unlink", ::read(both, piece, 2), 2);
    s.need(::mkfifo(path.c_str(), 0600) == 0, "a FIFO");
    s.fails("a new FIFO of the name is another one", ENXIO, ::open(path.c_str(), O_WRONLY | O_NONBLOCK));
    s.fails("ftruncate of a FIFO", EINVAL, ::ftruncate(both, 0));
}
