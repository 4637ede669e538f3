// SPDX-License-Identifier: BSD-2-Clause
// utimensat(2), futimens(3) and the older calls: which times come back, and who may set them.
#include "metadata.hpp"

#include <cstdint>
#include <ctime>
#include <sys/time.h>
#include <utime.h>

namespace posix_suite::utimensat_cases {

namespace {

constexpr timespec kNow{0, UTIME_NOW};
constexpr timespec kOmit{0, UTIME_OMIT};

struct Times {
    timespec access;
    timespec modification;
};

long set_times(const char* name, timespec access, timespec modification, int flags = 0) {
    const timespec times[2] = {access, modification};
    return ::utimensat(AT_FDCWD, name, times, flags);
}

long set_times_of(int fd, timespec access, timespec modification) {
    const timespec times[2] = {access, modification};
    return ::futimens(fd, times);
}

Times times_of(const char* name) {
    const struct stat found = found_at(name);
    return {found.st_atim, found.st_mtim};
}

// Seconds that are the first or the last of some file system: its times there may have no nanoseconds.
bool is_limit(time_t second) {
    constexpr time_t kLastOfExt4 = 15'032'385'535;
    return second == INT32_MIN || second == 0 || second == INT32_MAX || second == UINT32_MAX || second == kLastOfExt4;
}

// True if both times come back as they were set, or are clamped: nearer to now, the same of both, and without nanoseconds.
bool is_kept(time_t second, long nanosecond) {
    const timespec wanted{second, nanosecond};
    if (set_times("file", wanted, wanted) != 0) return false;
    const auto [access, modification] = times_of("file");
    if (!is_same(access, modification)) return false;
    if (is_same(modification, wanted)) return true;
    if (modification.tv_nsec != 0) return false;
    if (modification.tv_sec == second) return is_limit(second);
    return second < 0 ? modification.tv_sec > second : second > INT32_MAX && modification.tv_sec < second;
}

} // namespace

POSIX_CASE("utimensat sets both times with nanoseconds") {
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    const Unprivileged user;
    put_file("file", 0600);
    s.passes("utimensat", set_times("file", {1'000'000'001, 123'456'789}, {1'100'000'002, 987'654'321}));
    s.equal("the second of access", found_at("file").st_atim.tv_sec, 1'000'000'001);
    s.equal("the nanosecond of access", found_at("file").st_atim.tv_nsec, 123'456'789);
    s.equal("the second of modification", found_at("file").st_mtim.tv_sec, 1'100'000'002);
    s.equal("the nanosecond of modification", found_at("file").st_mtim.tv_nsec, 987'654'321);
    s.holds("the time of change is now", is_now(found_at("file").st_ctim));
    s.equal("the size is as it was", found_at("file").st_size, 7);
    s.passes("utimensat with an access after the modification", set_times("file", {3000, 1}, {2000, 2}));
    s.holds("both are as they were set",
            is_same(times_of("file").access, {3000, 1}) && is_same(times_of("file").modification, {2000, 2}));
    put_directory("d", 0700);
    s.passes("utimensat of a directory", set_times("d", {100, 5}, {200, 6}));
    s.holds("the directory's are as they were set",
            is_same(times_of("d").access, {100, 5}) && is_same(times_of("d").modification, {200, 6}));
    Suite::need(::mkfifo("fifo", 0600) == 0, "mkfifo");
    s.passes("utimensat of a fifo", set_times("fifo", {100, 7}, {200, 8}));
    s.holds("the fifo's are as they were set", is_same(times_of("fifo").modification, {200, 8}));
    const int fd = prepared(::open("file", O_RDONLY));
    s.passes("futimens of a descriptor opened for reading", set_times_of(fd, {4000, 3}, {5000, 4}));
    s.holds("futimens set the access", is_same(times_of("file").access, {4000, 3}));
    s.holds("futimens set the modification", is_same(times_of("file").modification, {5000, 4}));
    Suite::need(::link("file", "linked") == 0, "link");
    s.passes("utimensat of another name", set_times("linked", {6000, 5}, {7000, 6}));
    s.holds("it set the times of both names", is_same(times_of("file").modification, {7000, 6}));
    Suite::need(::rename("file", "renamed") == 0, "rename");
    s.holds("rename leaves them", is_same(times_of("renamed").modification, {7000, 6}));
    Suite::need(::unlink("renamed") == 0 && ::unlink("linked") == 0, "unlink");
    s.passes("futimens of a file without a name", set_times_of(fd, {1, 2}, {3, 4}));
    struct stat found{};
    Suite::need(::fstat(fd, &found) == 0, "fstat");
    s.holds("fstat tells those", is_same(found.st_mtim, {3, 4}));
    ::close(fd);
}

POSIX_CASE("times come back as they were set, or clamped") {
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    put_file("file", 0600);
    s.holds("1970, with 0 nanoseconds", is_kept(0, 0));
    s.holds("1970, with 1 nanosecond", is_kept(0, 1));
    s.holds("one second after, with 999999999 nanoseconds", is_kept(1, 999'999'999));
    s.holds("2001, with 500000000 nanoseconds", is_kept(1'000'000'000, 500'000'000));
    s.holds("the last second of 31 bits", is_kept(INT32_MAX, 0));
    s.holds("the last second of 31 bits, with 999999999 nanoseconds", is_kept(INT32_MAX, 999'999'999));
    s.holds("2038, the first second of 32 bits", is_kept(time_t{INT32_MAX} + 1, 0));
    s.holds("2038, with 1 nanosecond", is_kept(time_t{INT32_MAX} + 1, 1));
    s.holds("2038, with 999999999 nanoseconds", is_kept(time_t{INT32_MAX} + 1, 999'999'999));
    s.holds("2106, the last second of 32 bits", is_kept(time_t{UINT32_MAX}, 123));
    s.holds("2106, the first of 33 bits", is_kept(time_t{UINT32_MAX} + 1, 123));
    s.holds("2242, the first of 33 bits and a half", is_kept(time_t{2} * UINT32_MAX + 2, 7));
    s.holds("2446, the last second of 34 bits from 1901", is_kept(15'032'385'535, 999'999'999));
    s.holds("2446, one more", is_kept(15'032'385'536, 5));
    s.holds("the year 9999", is_kept(253'402'300'799, 999'999'999));
    s.holds("1969, one second before", is_kept(-1, 0));
    s.holds("1969, with 999999999 nanoseconds", is_kept(-1, 999'999'999));
    s.holds("1969, with 1 nanosecond", is_kept(-1, 1));
    s.holds("1938, with 42 nanoseconds", is_kept(-1'000'000'000, 42));
    s.holds("1901, the first second of 32 bits", is_kept(INT32_MIN, 0));
    s.holds("1901, with 999999999 nanoseconds", is_kept(INT32_MIN, 999'999'999));
    s.holds("1901, one second before that", is_kept(time_t{INT32_MIN} - 1, 9));
    s.holds("the year 1583", is_kept(-12'212'553'600, 17));
}

POSIX_CASE("UTIME_NOW and UTIME_OMIT stand for now and for what is there") {
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    const Unprivileged user;
    put_file("file", 0600);
    Suite::need(set_times("file", {1000, 11}, {2000, 22}) == 0, "utimensat");
    s.passes("UTIME_OMIT of the access", set_times("file", kOmit, {3000, 33}));
    s.holds("the access is as it was", is_same(times_of("file").access, {1000, 11}));
    s.holds("the modification is set", is_same(times_of("file").modification, {3000, 33}));
    s.passes("UTIME_OMIT of the modification", set_times("file", {4000, 44}, kOmit));
    s.holds("the access is set", is_same(times_of("file").access, {4000, 44}));
    s.holds("the modification is as it was", is_same(times_of("file").modification, {3000, 33}));
    s.passes("UTIME_OMIT of both", set_times("file", kOmit, kOmit));
    s.holds("both are as they were",
            is_same(times_of("file").access, {4000, 44}) && is_same(times_of("file").modification, {3000, 33}));
    s.passes("UTIME_NOW of the access", set_times("file", kNow, {5000, 55}));
    s.holds("the access is now", is_now(times_of("file").access));
    s.holds("the modification beside it is set", is_same(times_of("file").modification, {5000, 55}));
    s.passes("UTIME_NOW of the modification", set_times("file", {6000, 66}, kNow));
    s.holds("the access beside it is set", is_same(times_of("file").access, {6000, 66}));
    s.holds("the modification is now", is_now(times_of("file").modification));
    Suite::need(set_times("file", {1000, 11}, {2000, 22}) == 0, "utimensat");
    s.passes("UTIME_NOW and UTIME_OMIT", set_times("file", kNow, kOmit));
    s.holds("the access alone is now",
            is_now(times_of("file").access) && is_same(times_of("file").modification, {2000, 22}));
    s.passes("UTIME_OMIT and UTIME_NOW", set_times("file", kOmit, kNow));
    s.holds("the modification is now too", is_now(times_of("file").modification));
    Suite::need(set_times("file", {1000, 11}, {2000, 22}) == 0, "utimensat");
    s.passes("UTIME_NOW of both", set_times("file", kNow, kNow));
    s.holds("both are now", is_now(times_of("file").access) && is_now(times_of("file").modification));
    s.holds("both are the same", is_same(times_of("file").access, times_of("file").modification));
    Suite::need(set_times("file", {1000, 11}, {2000, 22}) == 0, "utimensat");
    s.passes("a null pointer", ::utimensat(AT_FDCWD, "file", nullptr, 0));
    s.holds("it stands for now of both", is_now(times_of("file").access) && is_now(times_of("file").modification));
    s.passes("the seconds beside UTIME_NOW do not count", set_times("file", {-5, UTIME_NOW}, {77, UTIME_OMIT}));
    s.holds("the access is now with seconds given", is_now(times_of("file").access));
    s.fails("1000000000 nanoseconds of the access", EINVAL, set_times("file", {1, 1'000'000'000}, {1, 0}));
    s.fails("1000000000 nanoseconds of the modification", EINVAL, set_times("file", {1, 0}, {1, 1'000'000'000}));
    s.fails("-1 nanoseconds of the access", EINVAL, set_times("file", {1, -1}, {1, 0}));
    s.fails("-1 nanoseconds of the modification", EINVAL, set_times("file", {1, 0}, {1, -1}));
    s.fails("1000000000 nanoseconds beside UTIME_OMIT", EINVAL, set_times("file", kOmit, {1, 1'000'000'000}));
}

POSIX_CASE("utimensat follows a symlink or does not") {
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    put_file("file", 0600);
    Suite::need(::symlink("file", "link") == 0 && ::symlink("absent", "dangling") == 0, "symlink");
    Suite::need(::symlink("loop", "loop") == 0, "symlink");
    s.passes("utimensat of a symlink", set_times("link", {100, 1}, {200, 2}));
    s.holds("it set the times of the file", is_same(times_of("file").modification, {200, 2}));
    s.holds("it left those of the symlink", is_now(times_of("link").modification));
    s.passes("with AT_SYMLINK_NOFOLLOW", set_times("link", {300, 3}, {400, 4}, AT_SYMLINK_NOFOLLOW));
    s.holds("it set the modification of the symlink", is_same(times_of("link").modification, {400, 4}));
    s.holds("it set the access of the symlink", is_same(times_of("link").access, {300, 3}));
    s.holds("it left those of the file", is_same(times_of("file").modification, {200, 2}));
    s.passes("of a symlink to nothing with AT_SYMLINK_NOFOLLOW",
             set_times("dangling", {300, 3}, {400, 4}, AT_SYMLINK_NOFOLLOW));
    s.passes("of a file with AT_SYMLINK_NOFOLLOW", set_times("file", {500, 5}, {600, 6}, AT_SYMLINK_NOFOLLOW));
    s.fails("of a symlink to nothing", ENOENT, set_times("dangling", {1, 1}, {2, 2}));
    s.fails("of a symlink to itself", ELOOP, set_times("loop", {1, 1}, {2, 2}));
    const timeval times[2] = {{700, 7}, {800, 8}};
    s.passes("lutimes of a symlink", ::lutimes("link", times));
    s.holds("lutimes set the symlink's", is_same(times_of("link").modification, {800, 8000}));
    s.passes("utimes of a symlink", ::utimes("link", times));
    s.holds("utimes set the file's", is_same(times_of("file").access, {700, 7000}));
    const utimbuf seconds{900, 901};
    s.passes("utime of a file", ::utime("file", &seconds));
    s.holds("utime set whole seconds", is_same(times_of("file").modification, {901, 0}));
    s.passes("utime with a null pointer", ::utime("file", nullptr));
    s.holds("it stands for now", is_now(times_of("file").modification));
}

POSIX_CASE("utimensat has the errors of a path") {
    put_file("file", 0600);
    put_directory("d", 0700);
    put_file("d/in", 0600);
    const std::string long_name(256, 'n');
    const std::string long_path(5000, '/');
    s.fails("of a name that is not there", ENOENT, set_times("absent", {1, 1}, {2, 2}));
    s.fails("of an empty path", ENOENT, set_times("", {1, 1}, {2, 2}));
    s.fails("below a file", ENOTDIR, set_times("file/a", {1, 1}, {2, 2}));
    s.fails("of a file with a slash behind it", ENOTDIR, set_times("file/", {1, 1}, {2, 2}));
    s.fails("of a name of 256 bytes", ENAMETOOLONG, set_times(long_name.c_str(), {1, 1}, {2, 2}));
    s.fails("of a path of 5000 bytes", ENAMETOOLONG, set_times(long_path.c_str(), {1, 1}, {2, 2}));
    s.fails("with a flag that is none", EINVAL, set_times("file", {1, 1}, {2, 2}, 0x40000));
    s.fails("with a descriptor that is none", EBADF, ::utimensat(-1, "file", nullptr, 0));
    s.fails("futimens of -1", EBADF, ::futimens(-1, nullptr));
    const int path_only = prepared(::open("file", O_PATH));
    s.fails("futimens of a descriptor opened with O_PATH", EBADF, ::futimens(path_only, nullptr));
    s.fails("with a descriptor of a file", ENOTDIR, ::utimensat(path_only, "file", nullptr, 0));
    const int d = prepared(::open("d", O_RDONLY | O_DIRECTORY));
    const timespec times[2] = {{10, 0}, {20, 0}};
    s.passes("with a descriptor of a directory", ::utimensat(d, "in", times, 0));
    s.holds("it set those of the file in it", is_same(times_of("d/in").modification, {20, 0}));
    s.passes("futimens of a descriptor of a directory", ::futimens(d, times));
    s.holds("it set those of the directory", is_same(times_of("d").modification, {20, 0}));
}

POSIX_CASE("the owner sets any time, whatever the mode") {
    const Unprivileged user;
    put_file("file", 0400);
    s.passes("0400: given times", set_times("file", {1, 1}, {2, 2}));
    s.passes("0400: now", ::utimensat(AT_FDCWD, "file", nullptr, 0));
    s.passes("0400: UTIME_NOW and UTIME_OMIT", set_times("file", kNow, kOmit));
    set_mode("file", 0000);
    s.passes("0000: given times", set_times("file", {3, 0}, {4, 0}));
    s.holds("0000: they come back", is_same(times_of("file").modification, {4, 0}));
    s.passes("0000: now", ::utimensat(AT_FDCWD, "file", nullptr, 0));
    put_directory("d", 0000);
    s.passes("a directory of mode 0: given times", set_times("d", {3, 3}, {4, 4}));
}

POSIX_CASE("who may write a file sets its times to now, others set none") {
    if (!Suite::is_root()) return s.skip(kNeedsRoot);
    if (!keeps_nanoseconds()) return s.skip(kWholeSeconds);
    put_file_of("open", kOtherUser, kOtherGroup, 0666);
    put_file_of("closed", kOtherUser, kOtherGroup, 0644);
    put_file_of("group", kOtherUser, kGroup, 0620);
    const int closed = prepared(::open("closed", O_RDWR));
    Suite::need(set_times("closed", {1000, 1}, {2000, 2}) == 0, "utimensat");
    {
        const As user(kUser, kGroup);
        s.passes("writable: a null pointer", ::utimensat(AT_FDCWD, "open", nullptr, 0));
        s.passes("writable: UTIME_NOW of both", set_times("open", kNow, kNow));
        s.passes("writable: UTIME_OMIT of both", set_times("open", kOmit, kOmit));
        s.fails("writable: given times", EPERM, set_times("open", {1, 1}, {2, 2}));
        s.fails("writable: a given access", EPERM, set_times("open", {1, 1}, kOmit));
        s.fails("writable: a given modification", EPERM, set_times("open", kOmit, {1, 1}));
        s.fails("writable: UTIME_NOW and a given modification", EPERM, set_times("open", kNow, {1, 1}));
        s.fails("writable: UTIME_NOW and UTIME_OMIT", EPERM, set_times("open", kNow, kOmit));
        s.fails("writable: UTIME_OMIT and UTIME_NOW", EPERM, set_times("open", kOmit, kNow));
        s.passes("writable by the group: a null pointer", ::utimensat(AT_FDCWD, "group", nullptr, 0));
        s.fails("writable by the group: given times", EPERM, set_times("group", {1, 1}, {2, 2}));
        s.fails("not writable: a null pointer", EACCES, ::utimensat(AT_FDCWD, "closed", nullptr, 0));
        s.fails("not writable: UTIME_NOW of both", EACCES, set_times("closed", kNow, kNow));
        s.passes("not writable: UTIME_OMIT of both", set_times("closed", kOmit, kOmit));
        s.fails("not writable: given times", EPERM, set_times("closed", {1, 1}, {2, 2}));
        s.fails("not writable: the times it has", EPERM, set_times("closed", {1000, 1}, {2000, 2}));
        s.fails("not writable: futimens of given times", EPERM, set_times_of(closed, {1, 1}, {2, 2}));
    }
    s.holds("its times are as they were",
            is_same(times_of("closed").access, {1000, 1}) && is_same(times_of("closed").modification, {2000, 2}));
    s.passes("root sets given times", set_times("closed", {5, 5}, {6, 6}));
    s.passes("root sets now", ::utimensat(AT_FDCWD, "closed", nullptr, 0));
    ::close(closed);
}

} // namespace posix_suite::utimensat_cases
