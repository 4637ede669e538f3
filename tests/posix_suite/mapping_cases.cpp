// SPDX-License-Identifier: BSD-2-Clause
// mmap(2) of files, with msync(2), mremap(2), munmap(2) and mincore(2).
#include "processes.hpp"
#include "suite.hpp"

#include <csetjmp>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

using posix_suite::in_child;
using posix_suite::read_at;

namespace {

const std::size_t kPage = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
constexpr int kBoth = PROT_READ | PROT_WRITE;

sigjmp_buf g_back_to_the_touch;
volatile sig_atomic_t g_signal = 0;

// Returns the signal that a touch of the address brings, 0 for none. A touch writes the byte that it reads.
int signal_of_touch(char* address, bool is_write) {
    struct sigaction action{};
    action.sa_handler = [](int signal) {
        g_signal = signal;
        siglongjmp(g_back_to_the_touch, 1);
    };
    posix_suite::Suite::need(::sigaction(SIGBUS, &action, nullptr) == 0, "sigaction");
    posix_suite::Suite::need(::sigaction(SIGSEGV, &action, nullptr) == 0, "sigaction");
    g_signal = 0;
    if (sigsetjmp(g_back_to_the_touch, 1) == 0) {
        volatile char* const byte = address;
        const char was = *byte;
        if (is_write) *byte = was;
    }
    return g_signal;
}
int signal_of_read(char* address) { return signal_of_touch(address, false); }
int signal_of_write(char* address) { return signal_of_touch(address, true); }

char* map(int fd, std::size_t size, int access = kBoth, int kind = MAP_SHARED, off_t at = 0) {
    void* const found = ::mmap(nullptr, size, access, kind, fd, at);
    return found == MAP_FAILED ? nullptr : static_cast<char*>(found);
}

// For calls whose error matters: the address, or -1.
long map_result(int fd, std::size_t size, int access, int kind, off_t at = 0) {
    return reinterpret_cast<long>(::mmap(nullptr, size, access, kind, fd, at));
}

bool maps_shared(posix_suite::Suite& s) {
    const int fd = s.make_file("probe", "x");
    char* const found = map(fd, 1);
    if (found == nullptr && errno == ENODEV) return s.skip("no MAP_SHARED here"), false;
    static_cast<void>(::unlink(s.path("probe").c_str()));
    return true;
}

} // namespace

POSIX_CASE("MAP_SHARED and read and write see each other") {
    if (!maps_shared(s)) return;
    const int fd = s.make_file("file", std::string(2 * kPage, 'x'));
    char* const at = map(fd, 2 * kPage);
    if (!s.holds("mmap", at != nullptr)) return;
    s.equal("the mapping has the content", std::string(at, 5), "xxxxx");
    s.equal("pwrite", ::pwrite(fd, "abc", 3, 10), 3);
    s.equal("the mapping sees pwrite", std::string(at + 9, 5), "xabcx");
    std::memcpy(at + kPage - 2, "WXYZ", 4);
    s.equal("read sees a store across pages", read_at(fd, 6, static_cast<off_t>(kPage) - 3), "xWXYZx");
    s.equal("another open sees it", s.read_file("file").substr(kPage - 2, 4), "WXYZ");
    char* const second = map(fd, 2 * kPage);
    s.equal("a second mapping sees it", std::string(second + kPage - 2, 4), "WXYZ");
    second[0] = 's';
    s.equal("the first mapping sees the second", at[0], 's');
    s.equal("a child sees the store", in_child([&] { return at[0]; }), 's');
    s.equal("a child stores", in_child([&] { return at[1] = 'c'; }), 'c');
    s.equal("the parent sees the child's store", at[1], 'c');
    s.equal("read sees the child's store", read_at(fd, 3, 0), "scx");
    s.passes("munmap of one", ::munmap(second, 2 * kPage));
    s.equal("the other stays", at[0], 's');
    s.equal("the size stays", s.status("file").st_size, 2 * kPage);
}

POSIX_CASE("MAP_PRIVATE is not seen by others") {
    const int fd = s.make_file("file", "0123456789");
    char* const at = map(fd, 10, kBoth, MAP_PRIVATE);
    if (!s.holds("mmap", at != nullptr)) return;
    s.equal("the mapping has the content", std::string(at, 10), "0123456789");
    at[0] = 'x';
    s.equal("the store is in the mapping", at[0], 'x');
    s.equal("read does not see it", read_at(fd, 10, 0), "0123456789");
    s.passes("msync of it", ::msync(at, kPage, MS_SYNC));
    s.equal("read does not see it after msync", read_at(fd, 10, 0), "0123456789");
    s.equal("a child stores", in_child([&] { return at[1] = 'y'; }), 'y');
    s.equal("the parent does not see it", at[1], '1');
    s.passes("munmap", ::munmap(at, 10));
    s.equal("nothing is left of it", s.read_file("file"), "0123456789");
    const int reader = ::open(s.path("file").c_str(), O_RDONLY);
    char* const writable = map(reader, 10, kBoth, MAP_PRIVATE);
    s.holds("a reader may be mapped private for writing", writable != nullptr);
    s.equal("and written", signal_of_write(writable), 0);
}

POSIX_CASE("msync writes a mapping back") {
    if (!maps_shared(s)) return;
    const int fd = s.make_file("file", std::string(3 * kPage, 'x'));
    char* const at = map(fd, 3 * kPage);
    s.need(at != nullptr, "mmap");
    at[kPage] = 'a';
    s.passes("MS_SYNC", ::msync(at, 3 * kPage, MS_SYNC));
    s.passes("MS_ASYNC", ::msync(at, 3 * kPage, MS_ASYNC));
    s.passes("MS_SYNC with MS_INVALIDATE", ::msync(at, 3 * kPage, MS_SYNC | MS_INVALIDATE));
    s.passes("one page of it", ::msync(at + kPage, kPage, MS_SYNC));
    s.passes("a length of zero", ::msync(at, 0, MS_SYNC));
    s.equal("read sees the store", read_at(fd, 1, static_cast<off_t>(kPage)), "a");
    s.fails("MS_SYNC with MS_ASYNC", EINVAL, ::msync(at, kPage, MS_SYNC | MS_ASYNC));
    s.fails("an unknown flag", EINVAL, ::msync(at, kPage, 1 << 30));
    s.fails("an address within a page", EINVAL, ::msync(at + 1, kPage, MS_SYNC));
    s.passes("munmap of the page in the middle", ::munmap(at + kPage, kPage));
    s.fails("msync across what is not mapped", ENOMEM, ::msync(at, 3 * kPage, MS_SYNC));
    s.equal("the page before it stays", at[0], 'x');
    s.equal("the page behind it stays", at[2 * kPage], 'x');
    s.equal("the page itself is gone", signal_of_read(at + kPage), SIGSEGV);
}

POSIX_CASE("mmap asks for the access mode of the descriptor") {
    s.write_file("file", "0123");
    const int reader = ::open(s.path("file").c_str(), O_RDONLY);
    const int writer = ::open(s.path("file").c_str(), O_WRONLY);
    const int place = ::open(s.path("file").c_str(), O_PATH);
    s.fails("shared for writing of O_RDONLY", EACCES, map_result(reader, 4, PROT_WRITE, MAP_SHARED));
    s.fails("shared for both of O_RDONLY", EACCES, map_result(reader, 4, kBoth, MAP_SHARED));
    s.fails("shared for reading of O_WRONLY", EACCES, map_result(writer, 4, PROT_READ, MAP_SHARED));
    s.fails("shared for writing of O_WRONLY", EACCES, map_result(writer, 4, PROT_WRITE, MAP_SHARED));
    s.fails("private for reading of O_WRONLY", EACCES, map_result(writer, 4, PROT_READ, MAP_PRIVATE));
    s.fails("O_PATH", EBADF, map_result(place, 4, PROT_READ, MAP_PRIVATE));
    s.fails("no descriptor", EBADF, map_result(-1, 4, PROT_READ, MAP_PRIVATE));
    ::close(place);
    s.fails("a closed descriptor", EBADF, map_result(place, 4, PROT_READ, MAP_PRIVATE));
    char* const at = map(reader, 4, PROT_READ, MAP_PRIVATE);
    s.need(at != nullptr, "mmap");
    s.equal("a store to a mapping for reading", signal_of_write(at), SIGSEGV);
    s.passes("mprotect of a private mapping for writing", ::mprotect(at, 4, kBoth));
    s.equal("a store after mprotect", signal_of_write(at), 0);
    if (!maps_shared(s)) return;
    char* const shared = map(reader, 4, PROT_READ);
    s.need(shared != nullptr, "mmap");
    s.fails("mprotect of a reader's shared mapping for writing", EACCES, ::mprotect(shared, 4, kBoth));
    s.passes("mprotect to nothing", ::mprotect(shared, 4, PROT_NONE));
    s.equal("a read after mprotect to nothing", signal_of_read(shared), SIGSEGV);
}

POSIX_CASE("mmap refuses what is no range of a file") {
    const int fd = s.make_file("file", "0123");
    const int directory = ::open(s.directory().c_str(), O_RDONLY);
    int ends[2];
    s.need(::pipe(ends) == 0, "a pipe");
    s.fails("a length of zero", EINVAL, map_result(fd, 0, PROT_READ, MAP_PRIVATE));
    s.fails("an offset within a page", EINVAL, map_result(fd, 4, PROT_READ, MAP_PRIVATE, 1));
    s.fails("neither shared nor private", EINVAL, map_result(fd, 4, PROT_READ, 0));
    s.fails("a length beyond all addresses", ENOMEM, map_result(fd, SIZE_MAX / 2, PROT_READ, MAP_PRIVATE));
    s.fails("a directory", {ENODEV, EACCES}, map_result(directory, 4, PROT_READ, MAP_PRIVATE));
    s.fails("a pipe", {ENODEV, EACCES}, map_result(ends[0], 4, PROT_READ, MAP_PRIVATE));
    s.fails("munmap of an address within a page", EINVAL, ::munmap(reinterpret_cast<void*>(kPage + 1), kPage));
    char* const at = map(fd, 4, PROT_READ, MAP_PRIVATE);
    s.need(at != nullptr, "mmap");
    s.fails("munmap of zero bytes", EINVAL, ::munmap(at, 0));
    s.passes("munmap", ::munmap(at, 4));
    s.passes("munmap of what is not mapped", ::munmap(at, 4));
}

POSIX_CASE("a mapping ends with the page of the last byte") {
    const int fd = s.make_file("file", "0123");
    char* const at = map(fd, 2 * kPage, PROT_READ, MAP_PRIVATE);
    if (!s.holds("mmap beyond the end", at != nullptr)) return;
    s.equal("the bytes", std::string(at, 4), "0123");
    s.equal("the rest of the page is zeros", std::string(at + 4, kPage - 4), std::string(kPage - 4, '\0'));
    s.equal("the last byte of the page", signal_of_read(at + kPage - 1), 0);
    s.equal("the page behind the end", signal_of_read(at + kPage), SIGBUS);
    const int empty = s.make_file("empty");
    char* const nothing = map(empty, kPage, PROT_READ, MAP_PRIVATE);
    s.holds("mmap of an empty file", nothing != nullptr);
    s.equal("a read of an empty file", signal_of_read(nothing), SIGBUS);
    s.equal("a write into the empty file", ::pwrite(empty, "a", 1, 0), 1);
    s.equal("a read after that", signal_of_read(nothing), 0);
    s.equal("the byte", nothing[0], 'a');
    if (!maps_shared(s)) return;
    char* const shared = map(fd, 2 * kPage);
    s.need(shared != nullptr, "mmap");
    shared[kPage - 1] = 'x';
    s.passes("msync", ::msync(shared, kPage, MS_SYNC));
    s.equal("a store behind the end makes no file longer", s.status("file").st_size, 4);
    s.equal("it is not read", s.read_file("file"), "0123");
    s.equal("a store to the page behind the end", signal_of_write(shared + kPage), SIGBUS);
}

POSIX_CASE("a mapping follows truncate") {
    if (!maps_shared(s)) return;
    const off_t page = static_cast<off_t>(kPage);
    const int fd = s.make_file("file", std::string(3 * kPage, 'x'));
    char* const at = map(fd, 3 * kPage);
    s.need(at != nullptr, "mmap");
    s.equal("the last page", signal_of_write(at + 2 * kPage), 0);
    s.passes("ftruncate", ::ftruncate(fd, page + 10));
    s.equal("a page behind the new end", signal_of_read(at + 2 * kPage), SIGBUS);
    s.equal("a store behind the new end", signal_of_write(at + 2 * kPage), SIGBUS);
    s.equal("the page of the new end", signal_of_write(at + kPage), 0);
    s.equal("behind the new end are zeros", std::string(at + kPage + 8, 4), std::string("xx\0\0", 4));
    s.passes("ftruncate back", ::ftruncate(fd, 3 * page));
    s.equal("the last page is there again", signal_of_read(at + 2 * kPage), 0);
    s.equal("it is zeros", std::string(at + 2 * kPage, 5), std::string(5, '\0'));
    at[2 * kPage] = 'n';
    s.equal("a store to it is read", read_at(fd, 1, 2 * page), "n");
    s.passes("truncate by name", ::truncate(s.path("file").c_str(), 0));
    s.equal("no page is left", signal_of_read(at), SIGBUS);
}

POSIX_CASE("a mapping outlives close and unlink") {
    if (!maps_shared(s)) return;
    const int fd = s.make_file("file", "0123");
    const int second = ::open(s.path("file").c_str(), O_RDONLY);
    char* const at = map(fd, 4);
    s.need(at != nullptr, "mmap");
    s.passes("close", ::close(fd));
    s.equal("the bytes after close", std::string(at, 4), "0123");
    at[0] = 'a';
    s.equal("a store after close is read", s.read_file("file"), "a123");
    s.passes("unlink", ::unlink(s.path("file").c_str()));
    s.equal("the bytes after unlink", std::string(at, 4), "a123");
    at[1] = 'b';
    s.equal("a store after unlink is read", read_at(second, 4, 0), "ab23");
    s.passes("close of the last descriptor", ::close(second));
    s.equal("the bytes after the last close", std::string(at, 4), "ab23");
    s.passes("msync after the last close", ::msync(at, 4, MS_SYNC));
    s.write_file("file", "new");
    s.equal("a new file of the name is another one", std::string(at, 4), "ab23");
    s.passes("munmap", ::munmap(at, 4));
}

POSIX_CASE("mremap and offsets") {
    if (!maps_shared(s)) return;
    const off_t page = static_cast<off_t>(kPage);
    const int fd = s.make_file("file", std::string(kPage, 'a') + std::string(kPage, 'b') + std::string(kPage, 'c'));
    char* const second = map(fd, kPage, kBoth, MAP_SHARED, page);
    s.holds("mmap at an offset", second != nullptr);
    s.equal("its first byte", second[0], 'b');
    second[1] = 'X';
    s.equal("a store to it goes to the offset", read_at(fd, 3, page), "bXb");
    void* const longer = ::mremap(second, kPage, 2 * kPage, MREMAP_MAYMOVE);
    if (!s.holds("mremap to two pages", longer != MAP_FAILED)) return;
    char* const moved = static_cast<char*>(longer);
    s.equal("the first page of it", std::string(moved, 3), "bXb");
    s.equal("the page that is new", moved[kPage], 'c');
    moved[kPage] = 'Y';
    s.equal("a store to it is read", read_at(fd, 1, 2 * page), "Y");
    void* const shorter = ::mremap(moved, 2 * kPage, kPage, 0);
    s.holds("mremap to one page", shorter == moved);
    s.equal("the page that is gone", signal_of_read(moved + kPage), SIGSEGV);
    s.fails("mremap to no page", EINVAL, reinterpret_cast<long>(::mremap(moved, kPage, 0, MREMAP_MAYMOVE)));
    s.equal("the mapping stays", moved[0], 'b');
    char* const behind = map(fd, kPage, PROT_READ, MAP_SHARED, 100 * page);
    s.holds("mmap far behind the end", behind != nullptr);
    s.equal("a read there", signal_of_read(behind), SIGBUS);
}
