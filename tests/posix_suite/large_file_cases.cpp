// SPDX-License-Identifier: BSD-2-Clause
// Offsets beyond what 32 bits hold, the largest offset, and the limit of a process (RLIMIT_FSIZE).
#include "processes.hpp"
#include "suite.hpp"

#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

using posix_suite::in_child;
using posix_suite::read_at;

namespace {

constexpr off_t kGiB = off_t{1} << 30;
constexpr off_t kTiB = off_t{1} << 40;
constexpr rlim_t kLimit = 1000;

// A child has a limit of its own, and takes EFBIG for SIGXFSZ.
long with_limit(const std::function<long()>& call) {
    return in_child([&] {
        struct sigaction action{};
        action.sa_handler = SIG_IGN;
        posix_suite::Suite::need(::sigaction(SIGXFSZ, &action, nullptr) == 0, "sigaction");
        const rlimit limit{kLimit, kLimit};
        posix_suite::Suite::need(::setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
        return call();
    });
}

} // namespace

POSIX_CASE("offsets around 2 GiB") {
    const int fd = s.make_file("file");
    s.equal("pwrite of the last byte below 2 GiB", ::pwrite(fd, "a", 1, 2 * kGiB - 1), 1);
    s.equal("the size is 2 GiB", s.status("file").st_size, 2 * kGiB);
    s.equal("pwrite across 2 GiB", ::pwrite(fd, "bcd", 3, 2 * kGiB - 2), 3);
    s.equal("read across 2 GiB", read_at(fd, 10, 2 * kGiB - 3), std::string("\0bcd", 4));
    s.equal("lseek to 2 GiB", ::lseek(fd, 2 * kGiB, SEEK_SET), 2 * kGiB);
    s.equal("SEEK_CUR there", ::lseek(fd, 1, SEEK_CUR), 2 * kGiB + 1);
    s.equal("write there", ::write(fd, "e", 1), 1);
    s.equal("SEEK_END there", ::lseek(fd, 0, SEEK_END), 2 * kGiB + 2);
    s.equal("the start has no byte of it", read_at(fd, 4, 0), std::string(4, '\0'));
}

POSIX_CASE("offsets around 4 GiB") {
    const int fd = s.make_file("file", "start");
    s.equal("pwrite across 4 GiB", ::pwrite(fd, "abcd", 4, 4 * kGiB - 2), 4);
    s.equal("the size is above 4 GiB", s.status("file").st_size, 4 * kGiB + 2);
    s.equal("read across 4 GiB", read_at(fd, 10, 4 * kGiB - 2), "abcd");
    s.equal("the start is not overwritten", read_at(fd, 6, 0), std::string("start\0", 6));
    s.equal("lseek to 4 GiB", ::lseek(fd, 4 * kGiB, SEEK_SET), 4 * kGiB);
    char byte = 0;
    s.equal("read at 4 GiB", ::read(fd, &byte, 1), 1);
    s.equal("the byte at 4 GiB", byte, 'c');
    s.equal("the offset after it", ::lseek(fd, 0, SEEK_CUR), 4 * kGiB + 1);
    s.passes("ftruncate to 4 GiB", ::ftruncate(fd, 4 * kGiB));
    s.equal("the size is 4 GiB", s.status("file").st_size, 4 * kGiB);
    s.equal("what was cut is gone", read_at(fd, 10, 4 * kGiB - 2), "ab");
    s.passes("ftruncate above it again", ::ftruncate(fd, 4 * kGiB + 3));
    s.equal("what was cut is zeros now", read_at(fd, 10, 4 * kGiB - 2), std::string("ab\0\0\0", 5));
}

POSIX_CASE("a sparse file of 1 TiB") {
    const int fd = s.make_file("file");
    s.passes("ftruncate to 1 TiB", ::ftruncate(fd, kTiB));
    s.equal("the size is 1 TiB", s.status("file").st_size, kTiB);
    s.holds("it has few blocks", s.status("file").st_blocks < 2048);
    s.equal("pwrite at the end", ::pwrite(fd, "end", 3, kTiB), 3);
    s.equal("read at the end", read_at(fd, 10, kTiB), "end");
    s.equal("read in the middle is zeros", read_at(fd, 5, kTiB / 2), std::string(5, '\0'));
    s.equal("lseek to the end", ::lseek(fd, 0, SEEK_END), kTiB + 3);
    s.equal("the size with the end", s.status("file").st_size, kTiB + 3);
    s.holds("it still has few blocks", s.status("file").st_blocks < 2048);
    s.passes("truncate to zero", ::truncate(s.path("file").c_str(), 0));
    s.equal("the size after truncate", s.status("file").st_size, 0);
    s.equal("the file is empty", s.read_file("file"), "");
}

POSIX_CASE("the largest offset ends a file") {
    const int fd = s.make_file("file", "0123");
    s.fails("pwrite at the largest offset", {EFBIG, EINVAL}, ::pwrite(fd, "z", 1, INT64_MAX));
    s.fails("pwrite across the largest offset", {EFBIG, EINVAL, EOVERFLOW}, ::pwrite(fd, "zzz", 3, INT64_MAX - 1));
    s.fails("ftruncate to -1", EINVAL, ::ftruncate(fd, -1));
    s.fails("truncate to -1", EINVAL, ::truncate(s.path("file").c_str(), -1));
    s.equal("the size is as before", s.status("file").st_size, 4);
    char byte = 0;
    s.fails("pread at the largest offset", {EINVAL, EOVERFLOW}, ::pread(fd, &byte, 1, INT64_MAX));
    s.equal("the content is as before", s.read_file("file"), "0123");
}

POSIX_CASE("RLIMIT_FSIZE stops a file from growing") {
    const int fd = s.make_file("file", std::string(900, 'x'));
    const std::string more(300, 'y');
    s.equal("write up to the limit is short", with_limit([&] { return ::write(fd, more.data(), more.size()); }), 100);
    s.equal("the size is the limit", s.status("file").st_size, kLimit);
    s.fails("write at the limit", EFBIG, with_limit([&] { return ::write(fd, "z", 1); }));
    s.fails("pwrite at the limit", EFBIG, with_limit([&] { return ::pwrite(fd, "z", 1, kLimit); }));
    s.fails("pwrite beyond the limit", EFBIG, with_limit([&] { return ::pwrite(fd, "z", 1, 5000); }));
    s.equal("pwrite below the limit", with_limit([&] { return ::pwrite(fd, "z", 1, kLimit - 1); }), 1);
    s.equal("write of zero bytes at the limit", with_limit([&] { return ::write(fd, "z", 0); }), 0);
    s.fails("ftruncate beyond the limit", EFBIG, with_limit([&] { return ::ftruncate(fd, kLimit + 1); }));
    const std::string path = s.path("file");
    s.fails("truncate beyond the limit", EFBIG, with_limit([&] { return ::truncate(path.c_str(), kLimit + 1); }));
    s.equal("the size is still the limit", s.status("file").st_size, kLimit);
    s.passes("ftruncate below the limit", with_limit([&] { return ::ftruncate(fd, 10); }));
    s.passes("ftruncate up to the limit", with_limit([&] { return ::ftruncate(fd, kLimit); }));
    const int end = ::open(path.c_str(), O_WRONLY | O_APPEND);
    s.fails("append at the limit", EFBIG, with_limit([&] { return ::write(end, "z", 1); }));
    s.passes("a process without the limit writes on", ::pwrite(fd, "z", 1, 5000));
    char byte = 0;
    s.equal("a limited process reads beyond it", with_limit([&] { return ::pread(fd, &byte, 1, 5000); }), 1);
    s.passes("a limited process makes it shorter", with_limit([&] { return ::ftruncate(fd, 3000); }));
}

POSIX_CASE("RLIMIT_FSIZE sends SIGXFSZ") {
    const int fd = s.make_file("file");
    static volatile sig_atomic_t caught = 0;
    const auto count_signals = [&](const std::function<long()>& call) {
        return in_child([&] {
            struct sigaction action{};
            action.sa_handler = [](int) { caught = caught + 1; };
            s.need(::sigaction(SIGXFSZ, &action, nullptr) == 0, "sigaction");
            const rlimit limit{kLimit, kLimit};
            s.need(::setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
            static_cast<void>(call());
            return static_cast<long>(caught);
        });
    };
    s.equal("pwrite at the limit", count_signals([&] { return ::pwrite(fd, "z", 1, kLimit); }), 1);
    s.equal("ftruncate beyond the limit", count_signals([&] { return ::ftruncate(fd, kLimit + 1); }), 1);
    s.equal("pwrite below the limit sends none", count_signals([&] { return ::pwrite(fd, "z", 1, 10); }), 0);
}
