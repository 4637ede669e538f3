// SPDX-License-Identifier: BSD-2-Clause
// Wrong use of the library: what can be answered is an error with a name; what cannot ends a checked build with one line.
#include "unit/posix/mounted.hpp"

#include "vfsproto/posix/async_mount.hpp"
#include "vfsproto/posix/io_queue.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

using namespace vfsproto;
using namespace vfsproto::test;
using namespace abi;
using posix::Buffer;
using posix::Directory;
using posix::Expected;
using posix::File;
using posix::Mount;

namespace {

// Runs it in a process of its own. Returns what that wrote on standard error; it must have ended by abort().
template <class Wrong> std::string last_words(Wrong&& wrong) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::signal(SIGABRT, SIG_DFL); // the test framework reports it otherwise
        ::dup2(ends[1], STDERR_FILENO);
        wrong();
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string words;
    char bytes[256];
    for (ssize_t count; (count = ::read(ends[0], bytes, sizeof bytes)) > 0;) words.append(bytes, count);
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGABRT);
    return words;
}

std::string broken(std::string_view rule) {
    return std::string("vfsproto: a rule of use was broken: ").append(rule).append("\n");
}

} // namespace

TEST_CASE("a mount without a device is an error", "[rules]") {
    const auto mount = Mount::open(nullptr);
    REQUIRE_FALSE(mount);
    CHECK(mount.failure().errc == Errc::bad_argument);
}

TEST_CASE("every call answers EBADF for a file that is not open", "[rules]") {
    OverMemfs over;
    put(*over, "/f", "text");
    File open = value_of(over->open_file("/f", kORdwr));
    const File moved = std::move(open);
    const File never;
    const File& closed = GENERATE(true, false) ? open : never;
    CHECK_FALSE(closed);
    CHECK(closed.nodeid() == 0);
    CHECK(closed.fh() == 0);
    CHECK(closed.flags() == 0);
    CHECK(closed.open_flags() == 0);
    std::byte byte{};
    const std::span<std::byte> bytes(&byte, 1);
    CHECK(error_of(over->read(closed, bytes, 0)) == Errno::ebadf);
    CHECK(error_of(over->write(closed, bytes, 0)) == Errno::ebadf);
    CHECK(error_of(over->read_all(closed, bytes, 0)) == Errno::ebadf);
    CHECK(error_of(over->write_all(closed, bytes, 0)) == Errno::ebadf);
    CHECK(error_of(over->stat(closed)) == Errno::ebadf);
    CHECK(error_of(over->set_attributes(closed, {})) == Errno::ebadf);
    CHECK(error_of(over->truncate(closed, 1)) == Errno::ebadf);
    CHECK(error_of(over->set_times(closed, {}, {})) == Errno::ebadf);
    CHECK(error_of(over->flush(closed)) == Errno::ebadf);
    CHECK(error_of(over->fsync(closed)) == Errno::ebadf);
    CHECK(error_of(over->fallocate(closed, 0, 0, 1)) == Errno::ebadf);
    CHECK(error_of(over->seek(closed, 0, kSeekData)) == Errno::ebadf);
    CHECK(error_of(over->copy_range(closed, 0, moved, 0, 1)) == Errno::ebadf);
    CHECK(error_of(over->copy_range(moved, 0, closed, 0, 1)) == Errno::ebadf);
    CHECK(error_of(over->poll(closed, 1)) == Errno::ebadf);
    CHECK(error_of(over->ioctl(closed, 1, {}, {})) == Errno::ebadf);
    CHECK(error_of(over->close(File())) == Errno::ebadf);
    posix::IoQueue queue(over->channel());
    posix::QueuedRead read;
    CHECK(queue.read(read, closed, bytes, 0) == Errc::wrong_state);
    CHECK(queue.in_flight() == 0);
    boost::asio::io_context io;
    posix::AsyncMount files(*over, io.get_executor());
    const auto failure_in = [&](auto&& start) {
        posix::Failure said;
        start([&](const posix::Failure& failure, auto&&...) { said = failure; });
        io.run();
        io.restart();
        return said;
    };
    CHECK(error_of(failure_in([&](auto token) { files.read(closed, bytes, 0, token); })) == Errno::ebadf);
    CHECK(error_of(failure_in([&](auto token) { files.write(closed, bytes, 0, token); })) == Errno::ebadf);
    CHECK(error_of(failure_in([&](auto token) { files.flush(closed, token); })) == Errno::ebadf);
}

TEST_CASE("a directory that was moved from answers EBADF", "[rules]") {
    OverMemfs over;
    Directory open = value_of(over->open_directory("/"));
    Directory moved = std::move(open);
    CHECK(error_of(open.read()) == Errno::ebadf); // NOLINT: it is what the test is about
    CHECK(error_of(over->sync_directory(open)) == Errno::ebadf);
    CHECK(open.nodeid() == 0);
    CHECK(moved.read());
}

TEST_CASE("a loop over a value keeps it as long as it runs", "[rules]") {
    OverMemfs over;
    for (const char* name : {"/one", "/two", "/three"}) put(*over, name, "");
    std::vector<std::string> names;
    for (const auto& entry : *over->list("/")) names.push_back(entry.name);
    CHECK(names.size() == 3);
    static_assert(std::is_same_v<decltype(*over->list("/")), std::vector<posix::DirectoryEntry>>);
}

TEST_CASE("read_all and write_all go on after a short count", "[rules]") {
    OverMemfs over;
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    const auto data = noise(1'000'000);
    over.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::write || question.opcode == wire::Opcode::read) fault.at_most = 77'777;
        return fault;
    });
    REQUIRE(value_of(over->write(file, data, 0)) < data.size());
    succeeds(over->write_all(file, data, 0));
    std::vector<std::byte> back(data.size() + 100);
    REQUIRE(value_of(over->read(file, back, 0)) < data.size());
    CHECK(value_of(over->read_all(file, back, 0)) == data.size());
    CHECK(std::equal(data.begin(), data.end(), back.begin()));
    CHECK(value_of(over->read_all(file, std::span(back).first(100), data.size())) == 0);
    CHECK(value_of(over->read_all(file, {}, 0)) == 0);
    over.fs.set_faults([&, left = 3](const backends::MemfsQuestion& question) mutable {
        backends::MemfsFault fault;
        if (question.opcode != wire::Opcode::write && question.opcode != wire::Opcode::read) return fault;
        fault.at_most = 1000;
        if (--left < 0) fault.error = Errno::enospc;
        return fault;
    });
    CHECK(error_of(over->write_all(file, data, 0)) == Errno::enospc);
    CHECK(error_of(over->read_all(file, back, 0)) == Errno::enospc);
    over.fs.set_faults({});
    succeeds(over->close(std::move(file)));
}

TEST_CASE("a checked build says which rule of use was broken, and ends", "[rules]") {
    CHECK(last_words([] {
              const Expected<int> failed = Errno::enoent;
              static_cast<void>(*failed);
          }) == broken("an Expected that failed has no value; look at it in a condition first"));
    CHECK(last_words([] {
              OverMemfs over;
              const File file = value_of(over->open_file("/f", kOCreat | kOWronly));
              over.mount.reset();
          }) == broken("a File, a Directory or a call outlived its Mount"));
    CHECK(last_words([] {
              OverMemfs over;
              const Directory root = value_of(over->open_directory("/"));
              over.mount.reset();
          }) == broken("a File, a Directory or a Buffer outlived its Mount"));
    CHECK(last_words([] {
              OverMemfs over;
              const Buffer buffer = value_of(over->allocate(4096));
              over.mount.reset();
          }) == broken("a File, a Directory or a Buffer outlived its Mount"));
    CHECK(last_words([] {
              OverMemfs over;
              boost::asio::io_context io;
              posix::AsyncMount files(*over, io.get_executor());
              files.stat("/", posix::LastLink::follow, [](auto&&...) {});
              files.~AsyncMount();
          }) == broken("an AsyncMount ended while a call of it was under way"));
    CHECK(last_words([] {
              OverMemfs over;
              posix::IoQueue queue(over->channel());
              client::Single<wire::Opcode::statfs> call;
              queue.start(call, std::uint64_t{wire::kRootNodeId});
              queue.~IoQueue();
          }) == broken("an IoQueue ended before next() had returned all its operations"));
}
